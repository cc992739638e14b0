"""Copy a trained weights folder into ``weights/`` with the measured results beside it.

    python scripts/release_weights.py runs/reproduce/weights --eval runs/reproduce/prompts.json --tokenizer-eval tok.json

Only what is needed to run is copied; the total must stay under 40 MB.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from facelm.common.files import write_json

ROOT = Path(__file__).resolve().parent.parent
FILES = {
    "tokenizer": ("config.json", "model.safetensors"),
    "llm": ("adapter_model.safetensors", "adapter_config.json", "motion_lm.json"),
}
LIMIT = 40_000_000


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("--eval", help="JSON of `facelm eval prompts -o`")
    parser.add_argument("--tokenizer-eval", help="JSON of `facelm tokenizer eval --json`")
    parser.add_argument("--note", help="one sentence on how the run differed from its recipe")
    parser.add_argument("--corpus", default="36000 clips, seed 0")
    args = parser.parse_args()
    source, target = Path(args.source), ROOT / "weights"
    for folder, names in FILES.items():
        (target / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(source / folder / name, target / folder / name)
    card = json.loads((target / "llm" / "motion_lm.json").read_text())
    results: dict[str, object] = {
        "recipes": {"tokenizer": "configs/tokenizer_fsq.yaml",
                    "language_model": f"configs/{card['info'].get('recipe', 'lm_cpu.yaml')}"},
        "corpus": args.corpus, "note": args.note or "",
        "training": {k: card["info"][k] for k in ("steps", "minutes", "sequences", "answer_tokens", "tokens", "validation")},
    }
    if args.eval:
        report = json.loads(Path(args.eval).read_text())
        results["evaluation"] = report
    if args.tokenizer_eval:
        results["tokenizer"] = json.loads(Path(args.tokenizer_eval).read_text())
    write_json(target / "results.json", results, 1)
    total = sum(p.stat().st_size for p in target.rglob("*") if p.is_file())
    print(f"{target.name}/: {total / 1e6:.1f} MB")
    if total > LIMIT:
        sys.exit(f"weights/ has {total} bytes; at most {LIMIT} may ship")


if __name__ == "__main__":
    main()
