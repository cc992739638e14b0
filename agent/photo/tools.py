"""What the agent can do with photos, as typed functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ...common.progress import silent
from ...face.facs.script import Script
from ...face.facs.script_text import write_script
from ..file_tools import load_head
from ..loading import load_agent
from ..options import MODEL, ModelOptions, Out, Result, Watch
from ..requests import not_over_its_input, output_file, ready
from ..script_tools import load_script

if TYPE_CHECKING:
    from ...data_gen.photo.edit import Edited


def edit_photo(photo: str, instruction: Annotated[str, Parameter(allow_leading_hyphen=True)], /, *, out: Out, amount: float = 1.0,
               video: str | None = None, face: int | None = None, keep: bool = False, mark: bool = False,
               calibrate: Annotated[bool, Parameter(negative_bool="no-")] = True, script: bool = False, head: str | None = None,
               model: ModelOptions = MODEL, progress: Watch = silent) -> Iterator[Result]:
    """A photo with another expression: its own pixels moved, checked by measurement, marked as edited in its metadata.

    Args:
        photo: A photo: JPEG, PNG, WebP, AVIF, HEIC, TIFF or BMP.
        instruction: What the face does, e.g. "smiling broadly, eyes nearly closed"; with --script, a script or SCRIPT.txt.
        out: The picture, NEW.png (to the bit where nothing moved), .jpg or .webp.
        amount: Factor on what the words say, 0.1 to 2.
        video: The way from the photo's own expression to the new one as well, FILE.mp4.
        face: Which face when there are several, from the left, 1 first (default: the largest).
        keep: Add to the photo's own expression instead of replacing it.
        mark: Write "edited with facelm" into the picture's corner.
        calibrate: Measure the result and draw again until it shows as much as was asked for.
        script: The instruction is a script.
        head: The head that is fitted, HEAD.npz (default: the packaged one).
    """
    from ...data_gen.fit.photo import fit_pictures
    from ...data_gen.photo.edit import FPS, PhotoEditor
    from ...face.io.photo import EDITED, SUFFIXES, load_picture, marked, save_picture
    from ...face.io.video import write_mp4

    target = not_over_its_input(output_file(out, *SUFFIXES), photo)
    film = not_over_its_input(output_file(video, ".mp4"), photo, "--video") if video else None
    if not 0.1 <= amount <= 2.0:
        raise ValueError(f"--amount is {amount:g}; allowed: 0.1 to 2 (1 is as the words say)")
    picture, on = load_picture(photo), load_head(head)
    if not on.named:
        raise ValueError(f"--head is {head}: its expressions have no ARKit names, which editing needs; use the packaged head")
    asked = load_script(instruction) if script else _read(instruction, model)
    fit = fit_pictures([picture], on, face=face)
    editor = PhotoEditor(fit)
    done = editor.edit(asked, amount=amount, keep=keep, calibrate=calibrate)
    shown = marked(done.rgb) if mark else done.rgb
    save_picture(shown, ready(target), alpha=picture.alpha)
    yield Result(_facts(target, asked, done, fit.notes), _said(target, asked, done, fit.notes))
    if film:
        frames = [marked(f) if mark else f for f in editor.film(asked, done, amount=amount, keep=keep, progress=progress)]
        write_mp4(frames, ready(film), picture.size, FPS, len(frames), title=write_script(asked), comment=EDITED)
        yield Result({"video": str(film), "frames": len(frames)}, f"{film}: {len(frames) / FPS:.2f} s, {len(frames)} frames")


def _read(instruction: str, model: ModelOptions) -> Script:
    """The script of an instruction, which should name an expression."""
    if not instruction.strip():
        raise ValueError('the instruction is empty; write what the face does, e.g. "smiling broadly, eyes nearly closed"')
    asked = load_agent(model).read(instruction)
    if not asked.cues:
        raise ValueError(f'"{instruction}" names nothing that a face does; write e.g. "smiling broadly, eyes nearly closed"')
    return asked


def _facts(target: Path, asked: Script, done: Edited, notes: tuple[str, ...]) -> dict[str, object]:
    return {"out": str(target), "script": write_script(asked), "amount": round(done.amount, 3), "asked": _rounded(done.asked),
            "before": _rounded(done.before), "shown": _rounded(done.shown), "missing": list(done.missing),
            "unchanged": round(1 - float(done.changed.mean()), 4), "unknown": list(asked.unknown), "notes": [*notes, *done.notes]}


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {k: round(v, 3) for k, v in values.items()}


def _said(target: Path, asked: Script, done: Edited, notes: tuple[str, ...]) -> str:
    lines = [f"{target}: {write_script(asked)}, amount {done.amount:.2f}, {1 - done.changed.mean():.0%} of the picture untouched"]
    for name, want in done.asked.items():
        if name in done.shown:
            lines.append(f"  {name.replace('_', ' ')}: {max(done.before[name], 0):.2f} on the photo, {done.shown[name]:.2f} now "
                         f"({want:.2f} asked){'  NOT shown' if name in done.missing else ''}")
    lines += [f"  I don't know how a face does {words!r}; edited without it" for words in asked.unknown]
    return "\n".join([*lines, *(f"  {note}" for note in (*notes, *done.notes))])
