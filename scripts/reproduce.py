"""The released weights from nothing: corpora, tokenizer, language model in two stages, evaluation.

    python scripts/reproduce.py [-o runs/reproduce] [--config configs/lm_cpu.yaml] [--clips 36000] [--transitions 24000]

Every stage is skipped when its result is there, and training goes on from its checkpoint, so
that the script can be stopped and started again. On 2 cores it takes about three hours, of which
the language model's two recipes take 67 and 58 minutes whatever the machine (a faster one sees more data).
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
    parser.add_argument("--second", default=str(ROOT / "configs" / "lm_transitions.yaml"), help="the recipe that goes on")
    parser.add_argument("--transitions", default="24000", help="transition instructions of the second stage")
    parser.add_argument("--items", default="600")
    args = parser.parse_args()
    out = Path(args.out)
    corpus, tokenizer, first, weights = out / "corpus", out / "tokenizer", out / "first", out / "weights"
    transitions = out / "transitions"
    facelm("data", "synth", "--clips", args.clips, "--seed", "0", "-o", str(corpus), "--workers", "2")
    if not (tokenizer / "config.json").is_file():
        facelm("tokenizer", "train", str(ROOT / "configs" / "tokenizer_fsq.yaml"), "-o", str(tokenizer))
    facelm("tokenizer", "eval", str(tokenizer), "--corpus", str(corpus), "--items", args.items)
    facelm("train", args.config, "--corpus", str(corpus), "--tokenizer", str(tokenizer), "-o", str(first))
    facelm("data", "transitions", "--count", args.transitions, "--seed", "0", "-o", str(transitions))
    facelm("train", args.second, "--corpus", str(corpus), "--transitions", str(transitions), "--tokenizer", str(tokenizer),
           "--init", str(first / "llm"), "-o", str(weights))
    facelm("eval", "--weights", str(weights), "--corpus", str(corpus), "--items", args.items, "-o", str(out / "eval.json"))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as err:
        sys.exit(err.returncode)
