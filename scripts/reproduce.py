"""Weights from nothing on two CPU cores: corpus, tokenizer, a language model that reads and describes, evaluation.

    python scripts/reproduce.py [-o runs/reproduce] [--recipe configs/lm_cpu.yaml] [--count 36000]

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
    parser.add_argument("--recipe", default=str(ROOT / "configs" / "lm_cpu.yaml"))
    parser.add_argument("--count", default="36000", help="clips of the corpus")
    parser.add_argument("--test", default="600", help="test clips of the tokenizer")
    args = parser.parse_args()
    out = Path(args.out)
    corpus, tokenizer, weights = out / "corpus", out / "tokenizer", out / "weights"
    facelm("data", "synth", "--count", args.count, "--seed", "0", "-o", str(corpus), "--workers", "2")
    if not (tokenizer / "config.json").is_file():
        facelm("tokenizer", "train", str(ROOT / "configs" / "tokenizer_fsq.yaml"), "-o", str(tokenizer))
    facelm("tokenizer", "eval", str(tokenizer), "--corpus", str(corpus), "--count", args.test)
    facelm("train", args.recipe, "--corpus", str(corpus), "--tokenizer", str(tokenizer), "-o", str(weights))
    facelm("eval", "prompts", "--weights", str(weights), "-o", str(out / "prompts.json"), "--rows", str(out / "prompts.jsonl"))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as err:
        sys.exit(err.returncode)
