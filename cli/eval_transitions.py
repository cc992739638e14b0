"""`facelm eval transitions`: the tables of the instruction-driven transition paper, ours beside the paper's."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

LANGUAGE_ONLY = ("corpus", "only")
"""Options of `facelm eval` that transitions do not have."""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the options that only transitions have to the parser of `facelm eval`."""
    from .arguments import positive

    group = parser.add_argument_group("transitions", "facelm eval transitions --data NAME")
    group.add_argument("--data", metavar="NAME", help="ckplus, celebvhq, or a stand-in that the performer makes in the same "
                       "layout: standin-ckplus, standin-celebvhq")
    group.add_argument("--root", metavar="DIR", help="the data set's folder as distributed (stand-ins need none)")
    group.add_argument("--params", default="fit", metavar="fit|true|DIR", help="face parameters: fitted to the pictures "
                       "(default), the performer's own (stand-ins), or a folder of parameter files that facelm convert reads")
    group.add_argument("--work", default="out/transitions", metavar="DIR", help="what is made on the way: data, fits, models; "
                       "found again by the next run (default out/transitions)")
    group.add_argument("--recipe", metavar="FILE.yaml", help="sizes and repeats (default: configs/transitions/cpu.yaml)")
    group.add_argument("--repeats", type=positive, metavar="R", help="repeats of sampling (default: the recipe's)")
    group.add_argument("--tables", metavar="II,V,...", help="only these: II to X, quality, dynamics")
    group.add_argument("--no-lm", action="store_true", help="leave the language model out")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the tables; with ``-o DIR`` also write them, the numbers and pictures.

    Raises:
        ValueError: no data set named, options of the other evaluation, or what ``eval.transitions`` refuses.
    """
    from ..eval.datasets.expressions import DATASETS
    from ..eval.transitions.options import TransitionOptions
    from ..eval.transitions.run import run as evaluate
    from .commands import bars, folder_target, load_agent

    if args.data is None:
        raise ValueError(f"eval transitions needs --data; allowed: {', '.join(DATASETS)}")
    for name in LANGUAGE_ONLY:
        if getattr(args, name) is not None:
            raise ValueError(f"--{name} belongs to `facelm eval` without `transitions`; leave it out")
    tables = tuple(t.strip() for t in args.tables.split(",") if t.strip()) if args.tables is not None else None
    options = TransitionOptions(data=args.data, work=Path(args.work), root=Path(args.root) if args.root else None,
                                recipe=Path(args.recipe) if args.recipe else None, params=args.params, items=args.items,
                                repeats=args.repeats, tables=tables)
    if args.out:
        folder_target(args.out)
    report = evaluate(options, None if args.no_lm else load_agent(args), bars())
    if args.out:
        report.save(args.out)
    print(json.dumps(report.to_dict()) if args.json else report.table())
    return 0
