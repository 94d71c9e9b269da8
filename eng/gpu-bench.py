"""The same model in Python's torch, to compare with: CLIP with MV-Adapter, bfloat16 weights, torch's fused attention.
usage: gpu-bench.py encode|text|train WIDTH,LAYERS,PATCH,TEXTWIDTH COUNT [REPEATS] [cuda|cpu]     prints a line of JSON"""
import json, sys, time, torch
import torch.nn as nn, torch.nn.functional as F
FRAMES, WORDS, M, EMBED = 12, 32, 64, 512

def gelu(x): return x * torch.sigmoid(1.702 * x)
class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.ln_1, self.ln_2 = heads, nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out, self.fc, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x, causal=False, adapter=None):
        n, l, d = x.shape
        q, k, v = self.qkv(self.ln_1(x)).view(n, l, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).reshape(n, l, d))
        h = self.proj(gelu(self.fc(self.ln_2(x))))
        return x + h if adapter is None else x + h + adapter(h)

class Adapter(nn.Module):
    def __init__(self, d, positions):
        super().__init__()
        self.down, self.up, self.pre = nn.Linear(d, M), nn.Linear(M, d), nn.LayerNorm(M)
        self.position, self.block = nn.Parameter(0.01 * torch.randn(positions, M)), Block(M, 2)
        nn.init.zeros_(self.up.weight)

class TextAdapter(Adapter):
    def forward(self, h):
        d = self.pre(self.down(h) + self.position[: h.shape[1]])
        return 0.1 * self.up(gelu(self.block(d, causal=True)))

class VideoAdapter(Adapter):
    def __init__(self, d):
        super().__init__(d, 2 * FRAMES + 1)
        self.cc, self.g, self.a, self.b = nn.Parameter(torch.randn(M) / 8), nn.Linear(M, M), nn.Linear(2 * M, 16), nn.Linear(16, M, bias=False)

    def forward(self, h):
        d = gelu(self.down(h))
        c, p = d[:, 0].view(-1, FRAMES, M), d[:, 1:]
        s = torch.cat([self.cc.expand(len(c), 1, M), c, p.mean(1).view(-1, FRAMES, M)], 1)
        s = gelu(self.block(self.pre(s + self.position)))
        cc, c, pooled = s[:, :1], s[:, 1 : FRAMES + 1], s[:, FRAMES + 1 :]
        alpha = 1 + self.b(F.relu(self.a(torch.cat([c + pooled, self.g(cc).expand_as(c)], 2))))
        return 0.1 * self.up(torch.cat([(alpha * c).reshape(-1, 1, M), p], 1))

class Clip(nn.Module):
    def __init__(self, width, layers, patch, text, layers_of_text=12):
        super().__init__()
        self.patch, self.tokens = nn.Conv2d(3, width, patch, patch, bias=False), (224 // patch) ** 2 + 1
        self.cls, self.position = nn.Parameter(torch.randn(width)), nn.Parameter(torch.randn(self.tokens, width))
        self.pre, self.post, self.final = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(text)
        self.vision = nn.ModuleList(Block(width, width // 64) for _ in range(layers))
        self.text = nn.ModuleList(Block(text, text // 64) for _ in range(layers_of_text))
        self.embedding, self.text_position = nn.Embedding(49408, text), nn.Parameter(torch.randn(77, text))
        self.project, self.text_project = nn.Parameter(torch.randn(width, EMBED) / 30), nn.Parameter(torch.randn(text, EMBED) / 30)
        self.requires_grad_(False)
        self.vision_adapters = nn.ModuleList(VideoAdapter(width) for _ in range(layers))
        self.text_adapters = nn.ModuleList(TextAdapter(text, WORDS) for _ in range(layers_of_text))
        # Weights of normalisations train here too: torch 2.11 fails where a bias alone wants a gradient over more than 65,536 rows.
        for name, p in self.named_parameters(): p.requires_grad_("adapters" in name or name.endswith("bias") or (p.dim() == 1 and name.endswith("weight")))

    def videos(self, x):
        x = self.patch(x.flatten(0, 1)).flatten(2).transpose(1, 2)
        x = self.pre(torch.cat([self.cls.expand(len(x), 1, -1), x], 1) + self.position)
        for block, adapter in zip(self.vision, self.vision_adapters): x = block(x, adapter=adapter)
        x = F.normalize(self.post(x[:, 0]) @ self.project, dim=-1).view(-1, FRAMES, EMBED)
        return F.normalize(x.mean(1), dim=-1)

    def texts(self, ids):
        x = self.embedding(ids) + self.text_position[: ids.shape[1]]
        for block, adapter in zip(self.text, self.text_adapters): x = block(x, True, adapter)
        return F.normalize(self.final(x)[torch.arange(len(ids)), ids.argmax(1)] @ self.text_project, dim=-1)

work, shape, count = sys.argv[1], [int(n) for n in sys.argv[2].split(",")], int(sys.argv[3])
repeats, device = int(sys.argv[4]) if len(sys.argv) > 4 else 5, sys.argv[5] if len(sys.argv) > 5 else "cuda"
torch.manual_seed(0)
model, cuda = Clip(*shape).to(device, torch.bfloat16), device == "cuda"
pixels = torch.randn(count if work != "text" else 0, FRAMES, 3, 224, 224, device=device, dtype=torch.bfloat16)
ids = torch.randint(1, 40000, (count, WORDS), device=device)
ids[:, -1] = 49407
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-6, fused=cuda)

def once():
    if work != "train":
        with torch.inference_mode(): return model.videos(pixels) if work == "encode" else model.texts(ids)
    logits = 100 * model.texts(ids) @ model.videos(pixels).T
    loss = (F.cross_entropy(logits, torch.arange(count, device=device)) + F.cross_entropy(logits.T, torch.arange(count, device=device))) / 2
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step(), optimizer.zero_grad()

seconds = []
for i in range(repeats + 2):
    clock = time.perf_counter()
    once()
    if cuda: torch.cuda.synchronize()
    if i > 1: seconds.append(time.perf_counter() - clock)
peak = torch.cuda.max_memory_allocated() if cuda else 0
print(json.dumps({"work": work, "seconds": sorted(seconds)[len(seconds) // 2], "least": min(seconds), "most": max(seconds),
                  "peak_memory_bytes": peak, "torch": torch.__version__}))
