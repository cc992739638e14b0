"""Compare motion tokenizers: error, action recall, tokens and bits a second.

    python benchmarks/tokenizer_comparison.py [-o runs/tokenizers.json] [--steps 1200] [--only NAME ...]

Every variant is trained on the same performer clips for the same number of steps and scored
on the same fresh test clips. Results are added to the JSON file as they come, so that the
run can be stopped and continued.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch
from facelm.agent.training import tokenizer_clips
from facelm.eval.items import fresh_items
from facelm.eval.reconstruction import evaluate_tokenizer
from facelm.face.head.model import HeadModel
from facelm.tokenizer.config import TokenizerConfig, TokenizerRecipe, TokenizerTrainConfig
from facelm.tokenizer.train import train_tokenizer

BASE = TokenizerConfig()
VARIANTS: dict[str, tuple[TokenizerConfig, dict[str, float]]] = {
    "six streams, FSQ, 4 frames (shipped)": (BASE, {}),
    "six streams, VQ 256": (replace(BASE, quantizer="vq", codebook_size=256), {}),
    "one stream, RVQ 2 x 512": (replace(BASE, grouping="one", quantizer="rvq", hidden=96), {}),
    "one stream, VQ 1024": (replace(BASE, grouping="one", quantizer="vq", codebook_size=1024, hidden=96), {}),
    "two streams, FSQ": (replace(BASE, grouping="two", hidden=72), {}),
    "three streams, FSQ": (replace(BASE, grouping="three", hidden=60), {}),
    "six streams, FSQ, 2 frames": (replace(BASE, frames_per_step=2), {}),
    "six streams, FSQ, 5 frames": (replace(BASE, frames_per_step=5), {}),
    "six streams, FSQ, 8 frames": (replace(BASE, frames_per_step=8), {}),
    "no change penalty, no dead zone": (BASE, {"change_penalty": 0.0, "dead_zone": 0.0, "dead_zone_mm": 0.0}),
    "change penalty x 5": (BASE, {"change_penalty": 0.1}),
    "four mouth latents": (replace(BASE, wide_levels=(5, 5, 5, 5)), {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", default="runs/tokenizers.json")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--clips", type=int, default=3000)
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    done = json.loads(out.read_text()) if out.is_file() else {}
    head = HeadModel.default()
    items = fresh_items(args.items)
    clips = None
    for name, (model, changes) in VARIANTS.items():
        if name in done or (args.only and name not in args.only):
            continue
        train = replace(TokenizerTrainConfig(steps=args.steps, clips=args.clips), **changes)
        # a window of the same number of frames whatever the step
        train = replace(train, window_steps=max(6, 48 // model.frames_per_step))
        recipe = TokenizerRecipe(model, train)
        clips = clips or tokenizer_clips(recipe, None)
        started = time.monotonic()
        tokenizer = train_tokenizer(recipe, clips, head)
        report = evaluate_tokenizer(tokenizer, [i.clip for i in items])
        done[name] = {**report.to_dict(), "minutes": (time.monotonic() - started) / 60, "steps": args.steps}
        out.write_text(json.dumps(done, indent=1) + "\n")
        print(name, "\n" + report.table(), flush=True)
    print("| tokenizer | symbols | lips mm | lids mm | head deg | jitter | action recall | precision | tokens/s | bits/s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, r in done.items():
        mm = r["mm"]
        print(f"| {name} | {r['symbols']} | {mm['lips']:.2f} | {mm['lids']:.3f} | {r['head_deg']:.2f} | {r['jitter']:.2f} "
              f"| {r['action_recall']:.3f} | {r['action_precision']:.3f} | {r['tokens_per_second']:.1f} "
              f"| {r['bits_per_second']:.0f} |")


if __name__ == "__main__":
    main()
