"""Makes the PyTorch files of this folder: python3 make.py (PyTorch 1.13 made those that are checked in)."""
import collections
import os
import zipfile

import torch

FOLDER = os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(FOLDER, name)


def state_dict():
    base = torch.arange(24, dtype=torch.float32)
    tensors = collections.OrderedDict(
        transposed=base.view(4, 6).t(),
        shared_start=base[:6],
        shared_middle=base[6:18].view(3, 4),
        every_second=base[1::2],
        expanded=torch.tensor([5.0]).expand(2, 3),
        zero_dim=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(torch.tensor([3.0])),
        boolean=torch.tensor([True, False]),
    )
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8):
        tensors[str(dtype)[6:]] = torch.tensor([1, -2], dtype=dtype)
    tensors["uint8"] = torch.tensor([1, 200], dtype=torch.uint8)
    return tensors


class Vision(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 2, 1, bias=False)
        self.conv1.weight.data[:] = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)
        self.register_buffer("count", torch.tensor(5))
        self.names = ["a"]
        self.sizes = [1, 2]

    def forward(self, x):
        return self.conv1(x)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Vision()
        self.blocks = torch.nn.Sequential(torch.nn.LayerNorm(2))
        self.context_length = 77

    def forward(self, x):
        return self.visual(x) * self.context_length


def without_code(source, target):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            if "/code/" not in entry.filename:
                new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry))
    os.remove(source)


torch.save({"state_dict": state_dict(), "epoch": 3, "note": "x"}, path("nested.pth"))
torch.save({"weight": torch.zeros(2)}, path("legacy.pth"), _use_new_zipfile_serialization=False)
torch.save(torch.nn.LayerNorm(2), path("whole_module.pth"))
torch.save(torch.nn.BatchNorm1d(2).state_dict(), path("batch_norm.pth"))
torch.jit.script(Model()).save(path("script.tmp"))
without_code(path("script.tmp"), path("script.pt"))
