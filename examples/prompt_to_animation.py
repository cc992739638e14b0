"""Perform a prompt and write the animation for other tools.

Usage: python examples/prompt_to_animation.py "She smiles, then nods twice."
"""

from __future__ import annotations

import sys
from pathlib import Path

from facelm import FaceLM
from facelm.face.io.gltf import write_glb

prompt = sys.argv[1] if len(sys.argv) > 1 else "She smiles, then nods twice."
out = Path("out/example")
out.mkdir(parents=True, exist_ok=True)

lm = FaceLM.from_pretrained()
made, = lm.perform_many([lm.read(prompt)], seconds=4.0, seed=0)
clip = made.clip
clip.save(out / "clip.npz")
write_glb(clip, lm.head, out / "clip.glb")

print(f"{clip.seconds:.2f} s at {clip.fps:g} fps in {out}")
print("\n".join(made.lines()))
print("in words:", lm.describe(clip))
for action in lm.measure(clip).actions:
    print(f"{action.onset:5.2f} - {action.offset:5.2f} s  {action.name}")
