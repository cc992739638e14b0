"""Average a language model's adapter with the one that its training started from.

    python scripts/average_weights.py weights runs/plans 0.6 -o runs/averaged

A short training on one task loses some of the others; between both ends the model has most of both (Wortsman et al. 2022,
arXiv:2109.01903). ``runs/plans`` and the result are weights folders; the share is the trained one's.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from facelm.common.files import write_json
from facelm.common.tensors import save_tensors
from facelm.llm.lora import PeftLayout
from facelm.llm.model import ADAPTER, CARD, read_adapter, read_card

COUNTS = ("steps", "minutes", "sequences", "answer_tokens", "tokens")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("share", type=float)
    parser.add_argument("-o", "--out", required=True)
    args = parser.parse_args()
    if not 0 < args.share < 1:
        parser.error(f"share is {args.share:g}; allowed: between 0 and 1")
    old, new, out = Path(args.old), Path(args.new), Path(args.out)
    a, b = read_adapter(old / "llm"), read_adapter(new / "llm")
    if a.keys() != b.keys() or any(a[k].shape != b[k].shape for k in a):
        parser.error(f"{old} and {new} have other tensors; average weights of one base, rank and vocabulary")
    shutil.copytree(new / "tokenizer", out / "tokenizer", dirs_exist_ok=True)
    (out / "llm").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(new / "llm" / PeftLayout.FILE, out / "llm" / PeftLayout.FILE)
    save_tensors(out / "llm" / ADAPTER, {k: (args.share * b[k].float() + (1 - args.share) * a[k].float()).half() for k in a},
                 {"format": "pt"})
    card, first = read_card(new / "llm"), read_card(old / "llm")["info"]
    earlier = first.get("before", [])
    info = {**card["info"], "averaged": {"share": args.share, "with": "the weights before"},
            "before": [*(earlier if isinstance(earlier, list) else [earlier]), {k: first[k] for k in COUNTS if k in first}]}
    if "performer" in first:
        info["performer"] = first["performer"]
    write_json(out / "llm" / CARD, {**card, "info": info}, indent=1)
    print(json.dumps({"share": args.share, "tensors": len(a), "out": str(out)}))


if __name__ == "__main__":
    main()
