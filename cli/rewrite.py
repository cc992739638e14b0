"""`facelm data rewrite`: captions in other words, with the facts checked."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .arguments import positive

COMMANDS = ("rewrite",)


def register(data: Any) -> None:
    """Add the command to the subcommands of `facelm data` (what ``add_subparsers`` returned)."""
    p = data.add_parser("rewrite", help="captions in other words by a language model; what changes the facts is refused")
    p.add_argument("source", metavar="CORPUS|ROWS.jsonl", help="a corpus folder, or one JSON object with captions a line")
    p.add_argument("-o", "--out", required=True, metavar="OUT.jsonl")
    p.add_argument("--url", metavar="URL", help="base of an OpenAI-compatible endpoint, e.g. http://localhost:8000/v1")
    p.add_argument("--model", metavar="NAME", help="the model's name at that endpoint")
    p.add_argument("--key-env", default="", metavar="VARIABLE", help="environment variable that holds the endpoint's key")
    p.add_argument("--local", metavar="DIR", help="instead of an endpoint: a causal language model saved by transformers")
    p.add_argument("--split", choices=("train", "val", "test"), default="train", help="of a corpus folder (default train)")
    p.add_argument("--limit", type=positive, metavar="N", help="only the first N rows")
    p.add_argument("--attempts", type=positive, default=3, metavar="N", help="replies asked for a caption (default 3)")
    p.add_argument("--workers", type=positive, default=1, metavar="N", help="captions in flight at an endpoint (default 1)")
    p.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds to wait for a reply (default 60)")
    p.add_argument("--retries", type=int, default=3, metavar="N", help="after a time-out or a busy server (default 3)")
    p.add_argument("--temperature", type=float, default=0.7, metavar="T")
    p.add_argument("--registers", default="command,plain,director", metavar="LIST",
                   help="registers that are rewritten (default command,plain,director)")
    p.add_argument("--allow-lost", action="store_true", help="accept a sentence that leaves an action out")
    p.add_argument("--any-words", action="store_true", help="accept words that the reader does not know (may say anything)")
    p.add_argument("--cache", metavar="FILE.jsonl", help="replies so far (default: beside the output); nothing is asked twice")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--json", action="store_true", help="print the counts as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Rewrite and report."""
    from tqdm import tqdm

    from ..data_gen.paraphrase.backends import Backend, ChatEndpoint, LocalModel
    from ..data_gen.paraphrase.check import CheckConfig
    from ..data_gen.paraphrase.rewrite import RewriteConfig, rewrite_file

    if bool(args.local) == bool(args.url):
        raise ValueError("give either --url with --model (an endpoint) or --local DIR (a model on disk)")
    if args.url and not args.model:
        raise ValueError("--url needs --model: the model's name at that endpoint")
    if args.local and args.workers > 1:
        raise ValueError(f"--workers is {args.workers}; a local model answers one caption at a time")
    registers = tuple(r.strip() for r in args.registers.split(",") if r.strip())
    config = RewriteConfig(args.attempts, registers, args.workers, args.seed, CheckConfig(args.allow_lost, not args.any_words))
    backend: Backend
    if args.url:
        backend = ChatEndpoint(args.url, args.model, args.key_env, args.timeout, args.retries, temperature=args.temperature)
    else:
        backend = LocalModel(args.local, args.temperature)
    with tqdm(desc="rewriting", unit="row", leave=False, disable=not sys.stderr.isatty()) as bar:
        report = rewrite_file(args.source, args.out, backend, config=config, split=args.split, limit=args.limit,
                              cache=args.cache, progress=bar.update)
    if args.json:
        print(json.dumps(report.to_dict()))
        return 0
    print(f"{args.out}: {report.rows} rows, {report.accepted} of {report.captions} captions rewritten, {report.kept} kept "
          f"({report.calls} replies asked, {report.cached} from the cache, {report.failures} captions without a reply)")
    for reason, count in report.reasons.most_common(6):
        print(f"  refused {count} times: {reason}")
    return 0
