"""`facelm data build`: a corpus from a recipe, through video and fit."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .arguments import positive, whole

COMMANDS = ("build",)


def register(data: Any) -> None:
    """Add the command to the subcommands of `facelm data` (what ``add_subparsers`` returned)."""
    p = data.add_parser("build", help="make a corpus from a recipe: prompts, video, fit, facts, captions (resumes by itself)")
    p.add_argument("--recipe", required=True, metavar="RECIPE.yaml", help="see configs/data")
    p.add_argument("-o", "--out", required=True, metavar="DIR")
    p.add_argument("--backend", choices=("performer", "t2v", "videos"), help="instead of the recipe's")
    p.add_argument("--videos", metavar="DIR", help="take these existing videos (backend videos)")
    p.add_argument("--workers", type=whole(0), default=1, metavar="N",
                   help="processes (default 1); 0 runs everything in one process; with --ray the CPUs of a local cluster")
    p.add_argument("--ray", nargs="?", const="local", metavar="ADDRESS",
                   help="run on Ray Data: a local cluster, or the one at ADDRESS (it must see the same folders)")
    p.add_argument("--clips", type=positive, metavar="N", help="instead of the recipe's number of clips")
    p.add_argument("--limit", type=positive, metavar="N", help="make only the first N clips of the recipe now")
    p.add_argument("--truth-out", metavar="DIR", help="also write the corpus of the same clips as commanded (performer)")
    p.add_argument("--retry-failed", action="store_true", help="try clips again that failed before")
    p.add_argument("--update", action="store_true", help="the recipe changed: make again what the change concerns")
    p.add_argument("--json", action="store_true", help="print the report as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Build, and say what came of it."""
    from ..data_gen.corpus.build import build_corpus
    from ..data_gen.corpus.recipe import load_recipe
    from .commands import folder_target

    backend = args.backend or ("videos" if args.videos else None)
    if args.videos and backend != "videos":
        raise ValueError(f"--videos belongs to --backend videos, not {backend}")
    recipe = load_recipe(args.recipe, backend=backend, folder=args.videos, clips=args.clips)
    folder_target(args.out)
    report = build_corpus(recipe, args.out, workers=args.workers, ray=args.ray, limit=args.limit, truth_out=args.truth_out,
                          retry=args.retry_failed, update=args.update, progress=sys.stderr.isatty())
    if args.json:
        print(json.dumps(report.to_dict()))
        return 0
    counts = ", ".join(f"{split} {n}" for split, n in report.counts.items())
    fresh = ", ".join(f"{stage} {n}" for stage, n in report.stage_runs.items() if n) or "nothing"
    print(f"{report.path}: {report.packed} clips ({counts}) of {report.clips} asked for, {report.seconds:.0f} s; "
          f"made now: {fresh}")
    if report.failures:
        lost = ", ".join(f"{stage} {n}" for stage, n in report.failures.items())
        print(f"left out: {lost}; reasons in {report.path / 'build' / 'failures'}")
    if report.truth:
        print(f"{report.truth}: the same clips as commanded")
    return 0
