"""The commands that read a clip: of parameters (`.npz`), or a video or picture, which is fitted first."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import commands
from .commands import draw, fact_lines, file_target, folder_target

if TYPE_CHECKING:
    from ..agent.media import Loaded
    from ..face.clip.sequence import FaceSequence
    from ..face.head.model import HeadModel


def head_of(args: argparse.Namespace) -> HeadModel:
    """The head that the files belong to (or are fitted with)."""
    from ..face.head.model import HeadModel

    return HeadModel.load(args.head) if getattr(args, "head", None) else HeadModel.default()


def load(path: str, args: argparse.Namespace) -> Loaded:
    """A file of the head that ``--head`` names; what is no ``.npz`` is fitted, with progress."""
    from ..agent.media import load_motion
    from .fit import progress

    return load_motion(path, head_of(args), progress(), getattr(args, "face", None))


def for_the_model(loaded: Loaded, head: HeadModel) -> Loaded:
    """The same on the default head, which the language model reads."""
    from dataclasses import replace

    from ..face.head.model import HeadModel
    from ..face.retarget.retarget import Retargeting

    default = HeadModel.default()
    if head.ref == default.ref:
        return loaded
    carry = Retargeting.between(head, default)
    return replace(loaded, parts=tuple(replace(p, seq=carry.apply(p.seq)) for p in loaded.parts))


def read(paths: Sequence[str], args: argparse.Namespace) -> list[Loaded]:
    """Every file, ready for the language model, or an error before the model is loaded."""
    from ..agent.pipeline import check_clip
    from ..face.head.model import HeadModel

    head, out = head_of(args), []
    for path in paths:
        loaded = for_the_model(load(path, args), head)
        try:
            for part in loaded.parts:
                check_clip(part.seq, HeadModel.default())
        except ValueError as err:
            raise ValueError(f"{path}: {err}") from err
        say_note(path, loaded)
        out.append(loaded)
    return out


def say_note(path: str, loaded: Loaded) -> None:
    if loaded.note:
        print(f"{path}: {loaded.note}", file=sys.stderr)


def describe(args: argparse.Namespace) -> int:
    from ..agent.media import ask_parts, describe_parts, lines

    asked = args.ask is not None
    if asked and not args.ask.strip():
        raise ValueError('the question is empty; ask e.g. --ask "How often does it blink?"')
    files = read(args.clips, args)
    agent = commands.load_agent(args)
    if not asked and all(len(f.parts) == 1 for f in files):
        told = [[text] for text in agent.describe_many([f.seq for f in files])]
    else:
        told = [ask_parts(agent, f, args.ask) if asked else describe_parts(agent, f) for f in files]
    for path, loaded, texts in zip(args.clips, files, told, strict=True):
        if args.json:
            for part, text in zip(loaded.parts, texts, strict=True):
                times = {"start": part.start, "end": part.end} if len(loaded.parts) > 1 else {}
                said = {"question": args.ask, "answer": text} if asked else {"description": text}
                print(json.dumps({"clip": path, **times, **said}))
            continue
        for line in lines(loaded, texts):
            print(f"{path}: {line}" if len(files) > 1 else line)
    return 0


def measure(args: argparse.Namespace) -> int:
    from ..face.facs.measure import measure as measure_clip

    head = head_of(args)
    for path, loaded in [(p, load(p, args)) for p in args.clips]:
        say_note(path, loaded)
        for part in loaded.parts:
            result = measure_clip(part.seq, head)
            if args.json:
                times = {"start": part.start, "end": part.end} if len(loaded.parts) > 1 else {}
                print(json.dumps({**result.to_dict(path), **times}))
                continue
            where = f", from {part.label}" if len(loaded.parts) > 1 else ""
            print(f"{path}{where}: {result.seconds:.2f} s at {result.fps:g} fps, mostly {result.emotion.dominant}")
            print("\n".join(fact_lines(result, part.start)))
    return 0


def render(args: argparse.Namespace) -> int:
    target = file_target(args.out, ".mp4", ".gif", ".png", ".glb")
    if not 64 <= args.size <= 2048:
        raise ValueError(f"--size is {args.size}; allowed: 64 to 2048")
    head = head_of(args)
    draw(_whole(args.clip, args), target, None if target.suffix.lower() == ".png" else args.size, Path(args.clip).name, head)
    print(target)
    return 0


def _whole(path: str, args: argparse.Namespace) -> FaceSequence:
    """The file in one piece, as it is; a video as it was fitted, with the head where it rests straight ahead."""
    from ..agent.media import is_clip
    from ..face.clip.sequence import FaceSequence

    if is_clip(path):
        return FaceSequence.load(path, head_of(args).ref)
    from ..data_gen.fit.fit import fit_media
    from ..face.clip.canonical import CanonicalConfig, canonical
    from .fit import progress

    fitted = fit_media(path, head_of(args), face=args.face, progress=progress())
    return canonical(fitted.seq, fitted.seq.fps, CanonicalConfig(filtered=False))


def chat(args: argparse.Namespace) -> int:
    from ..agent.chat import ChatSession, loop
    from ..agent.pipeline import check_request
    from .fit import progress

    loaded = read([args.clip], args)[0] if args.clip else None
    out = folder_target(args.out)
    check_request(["any"], args.seconds, args.seed, args.temperature, args.candidates)
    session = ChatSession(commands.load_agent(args), out, seed=args.seed, seconds=args.seconds, idle=not args.no_idle,
                          temperature=args.temperature, candidates=args.candidates, progress=progress())
    if loaded:
        session.show(loaded)
    loop(session, sys.stdin, sys.stdout)
    return 0
