"""What each command does; imported only when one runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from . import build, eval_transitions, fit, heads, prompts, retarget, rewrite, transition

ITEMS = 500
"""Test items of `facelm eval` each way."""
KNOWN = 4000
"""Training items that `facelm eval` retrieves from."""

if TYPE_CHECKING:
    from ..agent.pipeline import FaceLM
    from ..face.clip.sequence import FaceSequence
    from ..face.head.model import HeadModel


def run(args: argparse.Namespace) -> int:
    """Dispatch a parsed command line."""
    name = args.command
    for area in (build, prompts, rewrite):
        if name == "data" and args.data_command in area.COMMANDS:
            return area.run(args)
    if name == "data":
        return data_transitions(args) if args.data_command == "transitions" else data_synth(args)
    if name in ("head", "convert"):
        return heads.run(args)
    if name in ("describe", "measure", "render", "chat"):
        from . import clip_commands

        return {"describe": clip_commands.describe, "measure": clip_commands.measure, "render": clip_commands.render,
                "chat": clip_commands.chat}[name](args)
    if name in ("fit", "retarget", "transition"):
        return {"fit": fit.run, "retarget": retarget.run, "transition": transition.run}[name](args)
    if name == "eval" and args.what == "transitions":
        return eval_transitions.run(args)
    if name == "tokenizer":
        return tokenizer_train(args) if args.tokenizer_command == "train" else tokenizer_eval(args)
    table: dict[str, Callable[[argparse.Namespace], int]] = {
        "demo": demo, "generate": generate, "train": train, "eval": evaluate, "info": info}
    return table[name](args)


# -- shared ---------------------------------------------------------------------------------
def load_agent(args: argparse.Namespace) -> FaceLM:
    from ..agent.pipeline import FaceLM
    from ..llm.base import find_base

    find_base(args.base)  # a missing base is said before anything is loaded
    return FaceLM.from_pretrained(args.weights, args.base)


def bar(text: str) -> Callable[[int, int], None]:
    """A progress callback (done, of); silent when stderr is not a terminal."""
    from tqdm import tqdm

    shown = tqdm(desc=text, leave=False, disable=not sys.stderr.isatty())

    def update(done: int, of: int) -> None:
        shown.total = of
        shown.update(done - shown.n)
        if done >= of:
            shown.close()

    return update


def bars() -> Callable[[str, int, int], None]:
    """A progress callback (what, done, of) with a bar for each thing that is told of."""
    open_bars: dict[str, Callable[[int, int], None]] = {}

    def progress(what: str, done: int, of: int) -> None:
        if what not in open_bars:
            open_bars[what] = bar(what)
        open_bars[what](done, of)

    return progress


def file_target(path: str, *allowed: str) -> Path:
    """A file to write, checked before any work is done for it."""
    target = Path(path)
    if target.suffix.lower() not in allowed:
        raise ValueError(f"{path!r} must end in {' or '.join(allowed)}")
    if target.is_dir():
        raise ValueError(f"{path} is a folder; a file is needed")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder {target.parent} does not exist; create it first")
    return target


def folder_target(path: str) -> Path:
    """A folder to write to; it is made only when there is something to put into it."""
    target = Path(path)
    there = next(p for p in (target, *target.absolute().parents) if p.exists())
    if not there.is_dir():
        raise ValueError(f"{there} is a file; a folder is needed")
    return target


def target_head(args: argparse.Namespace) -> tuple[HeadModel, Callable[[FaceSequence], FaceSequence]]:
    """The head that performances are wanted on, and what carries them there."""
    from ..face.head.model import HeadModel

    default = HeadModel.default()
    head = HeadModel.load(args.head) if args.head else default
    if head.ref == default.ref:
        return head, lambda clip: clip
    from ..face.retarget.retarget import Retargeting

    return head, Retargeting.between(default, head).apply


def timeline_of(clip: FaceSequence, head: HeadModel | None = None) -> list[tuple[str, float, float]]:
    from ..face.facs.measure import measure as measure_clip

    return [(a.name, a.onset, a.offset) for a in measure_clip(clip, head).actions]


def fact_lines(measurement: Any, start: float = 0.0) -> list[str]:
    """The measured actions, one readable line each; ``start`` is when the clip begins in its file, s."""
    lines = []
    for a in measurement.actions:
        cycles = f", {a.cycles:g} times" if a.cycles else ""
        lines.append(f"  {start + a.onset:5.2f} - {start + a.offset:5.2f} s  {a.name:<20s} intensity {a.intensity:.2f} "
                     f"({a.value:.1f} {a.unit}{cycles})")
    return lines or ["  nothing: the face stays at rest"]


def draw(clip: FaceSequence, path: Path, size: int | None = None, title: str | None = None,
         head: HeadModel | None = None) -> None:
    """Render or export by suffix."""
    if path.suffix.lower() == ".glb":
        from ..face.io.gltf import write_glb

        write_glb(clip, head, path, title=title)
        return
    from ..face.io.rendering import render as render_clip

    timeline = timeline_of(clip, head) if path.suffix.lower() == ".png" else None
    render_clip(clip, path, head=head, size=size, title=title, timeline=timeline, progress=bar(f"drawing {path.name}"))


# -- commands -------------------------------------------------------------------------------
def demo(args: argparse.Namespace) -> int:
    from ..agent.pipeline import check_request

    out = folder_target(args.out)
    check_request([args.prompt], args.seconds, args.seed, args.temperature, args.candidates)
    agent = load_agent(args)
    clip = agent.generate(args.prompt, args.seconds, args.seed, not args.no_idle, args.temperature,
                          candidates=args.candidates)
    out.mkdir(parents=True, exist_ok=True)
    clip.save(out / "clip.npz")
    for name in ("sheet.png", "clip.mp4", "clip.glb"):
        draw(clip, out / name, title=args.prompt)
    print(f"prompt:      {args.prompt}")
    print(f"performed:   {clip.seconds:.1f} s at {clip.fps:g} fps, seed {args.seed}")
    print(f"the model describes what it performed:\n  {agent.describe(clip)}")
    print("measured on the performance (geometry, no model):")
    print("\n".join(fact_lines(agent.measure(clip))))
    print(f"written: {', '.join(str(out / n) for n in ('clip.npz', 'sheet.png', 'clip.mp4', 'clip.glb'))}")
    return 0


def _prompts(args: argparse.Namespace) -> list[str]:
    if (args.text is None) == (args.file is None):
        raise ValueError('give either a text ("She smiles.") or --file PROMPTS.txt')
    if args.text is not None:
        return [args.text]
    path = Path(args.file)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; a text file with one prompt a line is needed")
    if not path.is_file():
        raise FileNotFoundError(f"no such prompt file: {path}")
    if path.stat().st_size > 10_000_000:
        raise ValueError(f"{path} has {path.stat().st_size} bytes; a prompt file is text of at most 10 MB, one prompt a line")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as err:
        raise ValueError(f"{path} is not UTF-8 text: {err.reason} at byte {err.start}") from err
    prompts = [line for line in lines if line]
    if not prompts:
        raise ValueError(f"{path} holds no prompts; write one a line")
    if any("\x00" in p for p in prompts):
        raise ValueError(f"{path} is not a text file (it holds NUL bytes)")
    return prompts


def generate(args: argparse.Namespace) -> int:
    from ..agent.pipeline import check_request

    prompts = _prompts(args)
    check_request(prompts, args.seconds, args.seed, args.temperature, args.candidates)
    for path, suffixes in ((args.render, (".mp4", ".gif", ".png")), (args.glb, (".glb",))):
        if path:
            file_target(path, *suffixes)
    if args.file:
        out = folder_target(args.out)
        digits = max(4, len(str(len(prompts) * args.count - 1)))
        names = [out / f"{i:0{digits}d}.npz" for i in range(len(prompts) * args.count)]
    else:
        out = file_target(args.out, ".npz")
        names = [out] if args.count == 1 else [out.with_name(f"{out.stem}-{i}.npz") for i in range(args.count)]
    wanted = [p for p in prompts for _ in range(args.count)]
    head, carry = target_head(args)
    clips = load_agent(args).generate_many(wanted, args.seconds, args.seed, not args.no_idle, args.temperature,
                                           progress=bar("performing"))
    clips = [carry(c) for c in clips]
    if args.file:
        out.mkdir(parents=True, exist_ok=True)
    for name, prompt, clip in zip(names, wanted, clips, strict=True):
        clip.save(name)
        print(f"{name}: {clip.seconds:.2f} s, {len(clip)} frames: {prompt}")
    for path in (args.render, args.glb):
        if path:
            draw(clips[0], Path(path), title=wanted[0], head=head)
            print(path)
    return 0


def data_transitions(args: argparse.Namespace) -> int:
    from ..data_gen.corpus.transitions import write_transitions

    folder_target(args.out)
    path = write_transitions(args.out, args.count, args.seed, bar("transitions"))
    print(f"{path}: {args.count} transitions; train on them with a recipe that has data.transition")
    return 0


def data_synth(args: argparse.Namespace) -> int:
    from ..data_gen.corpus.synth import synth

    report = synth(args.clips, args.out, seed=args.seed, shard_size=args.shard_size, workers=args.workers,
                   progress=sys.stderr.isatty())
    counts = ", ".join(f"{split} {n}" for split, n in report.counts.items())
    print(f"{report.path}: {sum(report.counts.values())} clips ({counts}), {report.written} of them new, {report.seconds:.0f} s")
    return 0


def tokenizer_train(args: argparse.Namespace) -> int:
    from ..agent.training import tokenizer_clips
    from ..face.head.model import HeadModel
    from ..tokenizer.config import load_recipe
    from ..tokenizer.train import recipe_record, train_tokenizer

    recipe = load_recipe(args.config)
    folder_target(args.out)
    clips = tokenizer_clips(recipe, args.corpus, bar("preparing clips"))
    tokenizer = train_tokenizer(recipe, clips, HeadModel.default(), bar("training"))
    tokenizer.save_pretrained(args.out, recipe=recipe_record(recipe), corpus=bool(args.corpus))
    print(f"{args.out}: {tokenizer.n_symbols} symbols, codes a stream {list(tokenizer.codebook_size)}")
    return 0


def tokenizer_eval(args: argparse.Namespace) -> int:
    from ..agent.pipeline import weights_dir
    from ..eval.items import corpus_items, fresh_items
    from ..eval.reconstruction import evaluate_tokenizer
    from ..tokenizer.codec import FaceTokenizer

    tokenizer = FaceTokenizer.from_pretrained(args.tokenizer or weights_dir() / "tokenizer")
    items = corpus_items(args.corpus, args.items) if args.corpus else fresh_items(args.items)
    report = evaluate_tokenizer(tokenizer, [i.clip for i in items], progress=bar("reconstructing"))
    print(json.dumps(report.to_dict()) if args.json else report.table())
    return 0


def train(args: argparse.Namespace) -> int:
    from ..agent.pipeline import weights_dir
    from ..agent.training import train_language_model

    tokenizer = Path(args.tokenizer) if args.tokenizer else weights_dir() / "tokenizer"
    folder_target(args.out)
    train_language_model(args.config, args.corpus, tokenizer, args.out, args.base, args.restart, bar("tokenizing the corpus"),
                         args.init, args.transitions)
    print(f"{args.out}: tokenizer and language model; use them with --weights {args.out}")
    return 0


def evaluate(args: argparse.Namespace) -> int:
    from ..agent.pipeline import check_request
    from ..data_gen.corpus.synth import read_manifest
    from ..eval.evaluate import evaluate as run_evaluation
    from ..eval.items import corpus_items, fresh_items

    if args.data or args.root or args.tables:
        raise ValueError("--data, --root and --tables belong to `facelm eval transitions`; write that, or leave them out")
    check_request(["any"], None, args.seed, args.temperature, args.candidates)
    if args.out:
        file_target(args.out, ".json")
    if args.corpus:
        read_manifest(args.corpus)
    agent = load_agent(args)
    count = args.items or ITEMS
    if args.corpus:
        items = corpus_items(args.corpus, count, "test", args.seed)
        known = corpus_items(args.corpus, KNOWN, "train", args.seed)
    else:
        items = fresh_items(count, "test", args.seed, agent.head)
        known = fresh_items(KNOWN, "train", args.seed, agent.head)
    report = run_evaluation(agent, items, known, args.only, args.seed, args.temperature, bars(), args.candidates)
    if args.out:
        Path(args.out).write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report.to_dict()) if args.json else report.table())
    return 0


def info(args: argparse.Namespace) -> int:
    from importlib.metadata import PackageNotFoundError, version

    from ..agent.pipeline import weights_dir
    from ..face.head.model import HeadModel
    from ..llm.base import find_base
    from ..llm.model import read_card
    from ..tokenizer.codec import FaceTokenizer

    def installed(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "not installed"

    def or_none(work: Callable[[], object], asked: str | None) -> str:
        try:
            return str(work())
        except (ValueError, OSError) as err:
            if asked:  # what the user names must be there; a default may be missing
                raise
            return f"none: {err}"

    def weights() -> str:
        folder = weights_dir(args.weights)
        card, tokenizer = read_card(folder / "llm"), FaceTokenizer.from_pretrained(folder / "tokenizer")
        return f"{folder}: on {card['base']}, {tokenizer.n_symbols} motion symbols"

    head = HeadModel.default()
    facts: dict[str, object] = {
        "facelm": __version__, "python": sys.version.split()[0],
        **{name: installed(name) for name in ("torch", "transformers", "peft", "vector-quantize-pytorch", "numpy")},
        "weights": or_none(weights, args.weights), "base model": or_none(lambda: find_base(args.base), args.base),
        "head": f"{head.ref}: {len(head.v_template)} vertices, {head.n_expr} expressions, {head.n_shape} identity components"}
    if args.json:
        print(json.dumps(facts))
    else:
        print("\n".join(f"{k:<24s}{v}" for k, v in facts.items()))
    return 0


__all__: Sequence[str] = ("run",)
