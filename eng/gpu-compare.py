"""bench of the program beside eng/gpu-bench.py, in turns. usage: gpu-compare.py PROGRAM [CLIP]"""
import json, subprocess, sys

# CLIP, its sizes for gpu-bench.py, (videos to encode, captions, pairs of a step), turns
MODELS = [("ViT-B/16", "768,12,16,512", (64, 1024, 32), 2), ("ViT-B/32", "768,12,32,512", (128, 1024, 64), 1), ("ViT-L/14", "1024,24,14,768", (24, 1024, 12), 1)]

def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(" ".join(command), "->", done.returncode, (done.stderr or done.stdout).strip().splitlines()[-1:])
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])

failed, best = 0, []
print(f"{'CLIP':9} {'work':7} {'ours':>9} {'a second':>9} {'of products':>12} {'peak':>8}   {'torch':>9} {'peak':>8}  ours : torch")
for clip, sizes, counts, turns in [model for model in MODELS if model[0] in sys.argv[2:] or len(sys.argv) == 2]:
    for work, count in zip(("encode", "text", "train"), counts):
        for turn in range(turns):
            theirs = run("python3", "eng/gpu-bench.py", work, sizes, str(count))
            ours = run(sys.argv[1], "bench", work, "--clip", clip, "--videos", str(count), "--captions", str(count), "--paths", "bf16", "--device", "cuda", "--json")
            if ours is None or theirs is None:
                failed += 1
                continue
            ours = ours["results"][0]
            ratio = theirs["seconds"] / ours["seconds"]
            print(f"{clip:9} {work:7} {1e3 * ours['seconds']:7.1f}ms {ours['per_second']:9.0f} {100 * ours['share_of_products']:10.0f} % {ours['peak_memory_bytes'] / 1e9:6.1f}GB "
                  f"  {1e3 * theirs['seconds']:7.1f}ms {theirs['peak_memory_bytes'] / 1e9:6.1f}GB  {ratio:.2f}", flush=True)
            if clip == "ViT-B/16" and turn == 0: best.append(f"{work} {ours['per_second']:.0f}/s, {100 * ours['share_of_products']:.0f} % of products, {ratio:.2f} times torch")
print(f"ViT-B/16: {'; '.join(best)}" + (f"; {failed} measurements failed" if failed else ""))
sys.exit(1 if failed else 0)
