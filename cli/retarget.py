"""`facelm retarget`: clips of one head to clips of another."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..face.head.model import HeadModel

DEFAULT = "default"
"""The word that names the packaged head."""


def register(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the command's parser; ``add(name, help)`` makes one."""
    p = add("retarget", "clips of one head to clips of another")
    p.add_argument("clips", nargs="+", metavar="CLIP.npz", help="clips of one head")
    p.add_argument("--to", required=True, metavar="HEAD.npz", help="the head to go to; 'default' is the packaged one")
    p.add_argument("--from", dest="source", default=DEFAULT, metavar="HEAD.npz",
                   help="the head that the clips are of (default: the packaged one)")
    p.add_argument("-o", "--out", required=True, metavar="CLIP.npz|DIR", help="the result; a folder when there are several clips")
    p.add_argument("--identity", choices=("fit", "average"), default="fit",
                   help="carry the clip's identity over, or take the target's average face (default fit)")
    p.add_argument("--trust", type=float, metavar="X", help="between heads with ARKit's names: 0 follows the geometry alone, "
                   "100 nearly the names alone (default 3)")
    p.add_argument("--json", action="store_true", help="one JSON object a clip, with the error by region in mm")


def run(args: argparse.Namespace) -> int:
    """Retarget every clip with one calibration."""
    from tqdm import tqdm

    from ..face.clip.sequence import FaceSequence
    from ..face.retarget.retarget import RetargetConfig, Retargeting

    outs = outputs(args.clips, args.out)
    source, target = load_head(args.source), load_head(args.to)
    if source.ref == target.ref:
        raise ValueError(f"--from and --to are the same head, {target.ref}; nothing to do")
    clips = []
    for path in args.clips:
        clip = FaceSequence.load(path)
        if clip.head != source.ref:
            raise ValueError(f"{path} is of the head {clip.head}, but --from is {source.ref}; "
                             "give the clip's own head with --from")
        clips.append(clip)
    config = RetargetConfig() if args.trust is None else RetargetConfig(trust=args.trust)
    there = Retargeting.between(source, target, config)
    if len(outs) > 1 or not str(args.out).lower().endswith(".npz"):
        Path(args.out).mkdir(parents=True, exist_ok=True)
    shown = tqdm(zip(args.clips, clips, outs, strict=True), total=len(clips), desc="retargeting", leave=False,
                 disable=not sys.stderr.isatty())
    for path, clip, out in shown:
        done = there.apply(clip, args.identity)
        report = there.report(clip, done)
        done.save(out)
        if args.json:
            print(json.dumps({"input": path, "clip": str(out), "from": str(source.ref), "to": str(target.ref),
                              "frames": len(done), **report.to_dict()}))
        else:
            shown.write(f"{out}: {len(done)} frames on {target.ref}; off by "
                        + ", ".join(f"{name} {e.mean:.2f}" for name, e in report.regions.items()) + " mm", file=sys.stdout)
    return 0


def load_head(text: str) -> HeadModel:
    """The packaged head for ``default``, else a head file.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: not a head file.
    """
    from ..face.head.model import HeadModel

    return HeadModel.default() if text == DEFAULT else HeadModel.load(text)


def outputs(clips: list[str], out: str) -> list[Path]:
    """Where each clip goes.

    Raises:
        ValueError: several clips and a file name, two clips of one name, or a result over its own input.
        FileNotFoundError: the folder of a single result does not exist.
    """
    target = Path(out)
    if target.suffix.lower() == ".npz" and not target.is_dir():
        if len(clips) > 1:
            raise ValueError(f"-o is {out} for {len(clips)} clips; give a folder")
        if not target.parent.is_dir():
            raise FileNotFoundError(f"the folder {target.parent} does not exist; create it first")
        outs = [target]
    else:
        if target.exists() and not target.is_dir():
            raise ValueError(f"-o is the file {out}; allowed: a file ending in .npz, or a folder")
        outs = [target / f"{Path(c).stem}.npz" for c in clips]
    names = [o.name for o in outs]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(f"two clips are called {twice[0]}; retarget them to different folders")
    for clip, one in zip(clips, outs, strict=True):
        if one.exists() and Path(clip).exists() and one.samefile(clip):
            raise ValueError(f"{one} would be written over its own input; choose another -o")
    return outs
