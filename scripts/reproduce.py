"""The released weights from nothing: corpus, tokenizer, language model, evaluation.

    python scripts/reproduce.py [-o runs/reproduce] [--config configs/lm_cpu.yaml] [--clips 36000]

Every stage is skipped when its result is there, and training goes on from its checkpoint, so
that the script can be stopped and started again. The language model's recipe is bound by time whatever the machine
(a faster one sees more data).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def facelm(*arguments: str) -> None:
    """Run one command of facelm and show it."""
    print("$ facelm", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "facelm.cli", *arguments], check=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", default="runs/reproduce")
    parser.add_argument("--config", default=str(ROOT / "configs" / "lm_cpu.yaml"))
    parser.add_argument("--clips", default="36000")
    parser.add_argument("--items", default="600")
    args = parser.parse_args()
    out = Path(args.out)
    corpus, tokenizer, weights = out / "corpus", out / "tokenizer", out / "weights"
    facelm("data", "synth", "--clips", args.clips, "--seed", "0", "-o", str(corpus), "--workers", "2")
    if not (tokenizer / "config.json").is_file():
        facelm("tokenizer", "train", str(ROOT / "configs" / "tokenizer_fsq.yaml"), "-o", str(tokenizer))
    facelm("tokenizer", "eval", str(tokenizer), "--corpus", str(corpus), "--items", args.items)
    facelm("train", args.config, "--corpus", str(corpus), "--tokenizer", str(tokenizer), "-o", str(weights))
    facelm("eval", "prompts", "--weights", str(weights), "-o", str(out / "prompts.json"), "--rows", str(out / "prompts.jsonl"))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as err:
        sys.exit(err.returncode)
