"""`facelm data prompts` and `facelm data videos`: what to film, and filming it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .arguments import positive

COMMANDS = ("prompts", "videos")
BACKENDS = ("diffusers", "performer")


def register(data: Any) -> None:
    """Add the two commands to the subcommands of `facelm data` (what ``add_subparsers`` returned)."""
    p = data.add_parser("prompts", help="write a balanced suite of text-to-video prompts with their attributes")
    p.add_argument("--count", type=positive, required=True, metavar="N")
    p.add_argument("-o", "--out", required=True, metavar="FILE.parquet|.jsonl|.csv")
    p.add_argument("--config", metavar="CONFIG.yaml", help="factors and values (default: the whole suite)")
    p.add_argument("--seed", type=int, default=0, help="the same seed gives the same prompts (default 0)")
    p.add_argument("--report", metavar="DIR", help="write the balance report there: tables, and plots with matplotlib")
    p.add_argument("--json", action="store_true", help="print the balance report as one JSON object")

    p = data.add_parser("videos", help="turn prompts into videos: text-to-video, the performer, or existing files")
    p.add_argument("--prompts", metavar="FILE.parquet|.jsonl|.csv", help="a suite of `facelm data prompts`")
    p.add_argument("--config", metavar="CONFIG.yaml", help="a text-to-video model (configs/t2v)")
    p.add_argument("-o", "--out", required=True, metavar="DIR")
    p.add_argument("--limit", type=positive, metavar="N", help="only the first N prompts")
    p.add_argument("--device", metavar="NAME", help="cuda, cuda:1, mps or cpu (default: cuda when there is one)")
    p.add_argument("--model", metavar="MODEL", help="another model of the same class: a local folder or a Hugging Face id")
    p.add_argument("--backend", choices=BACKENDS, default="diffusers",
                   help="performer: film the built-in performer, whose true parameters are known (default diffusers)")
    p.add_argument("--seed", type=int, default=0, help="each prompt's own seed is derived from it (default 0)")
    p.add_argument("--videos", metavar="DIR", help="take these existing videos instead of making any")
    p.add_argument("--attributes", metavar="FILE.jsonl|.csv|.parquet", help="with --videos: what their names (id) show")
    p.add_argument("--json", action="store_true", help="print the summary as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Dispatch one of COMMANDS."""
    return prompts(args) if args.data_command == "prompts" else videos(args)


def prompts(args: argparse.Namespace) -> int:
    from ..data_gen.prompts.files import check_suffix
    from ..data_gen.prompts.report import balance, write_report
    from ..data_gen.prompts.suite import PromptConfig, Tally, load_config, sample_prompts, write_prompts
    from .commands import bar, file_target, folder_target

    target = file_target(str(check_suffix(args.out)), ".parquet", ".jsonl", ".csv")
    folder = folder_target(args.report) if args.report else None
    config = load_config(args.config) if args.config else PromptConfig()
    tally = Tally()
    made = sample_prompts(args.count, config, args.seed, tally=tally, progress=bar("prompts"))
    write_prompts(made, target)
    report = balance(made, config, seed=args.seed, tally=tally) if folder or args.json else None
    written = write_report(report, folder) if folder and report else []
    if args.json and report:
        print(json.dumps({"file": str(target), **report.as_dict()}))
        return 0
    print(f"{target}: {len(made):,} prompts, {tally.exact + tally.near:,} duplicates left out of {tally.candidates:,}")
    if report:
        print(f"balance: {'uneven: ' + ', '.join(report.unbalanced) if report.unbalanced else 'even'}; "
              + ", ".join(str(p) for p in written))
    else:
        print(f"  {made[0].text}")
    return 0


def videos(args: argparse.Namespace) -> int:
    from ..data_gen.prompts.suite import read_prompts
    from ..data_gen.video.sources import adopt_videos, perform_videos
    from ..data_gen.video.t2v import load_config, render_videos
    from .commands import bar, folder_target

    out = folder_target(args.out)
    if args.videos:
        if args.prompts or args.config or args.backend != "diffusers":
            raise ValueError("--videos takes existing files; leave out --prompts, --config and --backend")
        summary = adopt_videos(args.videos, out, attributes=args.attributes, limit=args.limit, progress=bar("videos"))
    else:
        if args.attributes:
            raise ValueError("--attributes belongs to --videos; prompts bring their own attributes")
        if not args.prompts:
            raise ValueError("nothing to film: give --prompts FILE (see `facelm data prompts`) or --videos DIR")
        suite = read_prompts(args.prompts)[: args.limit]
        if args.backend == "performer":
            if args.config or args.model or args.device:
                raise ValueError("--backend performer has no model; leave out --config, --model and --device")
            summary = perform_videos(suite, out, seed=args.seed, progress=bar("videos"))
        else:
            if not args.config:
                raise ValueError("which model? give --config configs/t2v/wan.yaml (or another of that folder)")
            config = load_config(args.config, model=args.model)
            if config.licence.use not in ("free", "unknown"):
                print(f"facelm data: {config.licence.name} is {config.licence.use}: {config.licence.note} {config.licence.url}",
                      file=sys.stderr)
            summary = render_videos(suite, out, config, seed=args.seed, device=args.device, progress=bar("videos"))
    if args.json:
        print(json.dumps(summary.as_dict()))
    else:
        print(f"{out}: {summary.written} written, {summary.skipped} there already, {summary.failed} failed"
              + (f" ({out / 'failures.jsonl'})" if summary.failed else ""))
    if summary.failed and not (summary.written or summary.skipped):
        print(f"facelm data: every video failed; the first: {summary.first_error}", file=sys.stderr)
        return 1
    return 0
