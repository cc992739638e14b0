"""`facelm avatar`: a textured head from photos or a film, and what one was made from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from ...common.progress import silent
from ...face.head.model import HeadModel
from ..file_tools import TEXTURES
from ..options import Out, Result, Watch
from ..requests import not_over_its_input, output_file, output_folder, ready

_VIEWS = (0.0, 35.0, 65.0, 90.0, -35.0)
"""Degrees of the head's turn in a preview."""


def avatar_build(photos: list[str], /, *, out: Out, size: int = 1024, face: int | None = None, hair: bool = True,
                 folds: float = 1.0, neutralise: Annotated[bool, Parameter(negative_bool="no-")] = True,
                 consent: str | None = None, preview: str | None = None, progress: Watch = silent) -> Result:
    """A person's head from photos: mesh, hair, texture; a folder that every --head takes.

    Args:
        photos: One photo, several photos of one person, or a video in which the face turns.
        out: The avatar, NAME.avatar.
        size: Side of the texture in pixels: 256, 512, 1024, 2048 or 4096.
        face: Which face when there are several, from the left, 1 first (default: the largest).
        hair: Measure how far hair stands out.
        folds: How deep an expression folds the skin, 0 to 2; 0 leaves it smooth.
        neutralise: Smooth folds of the photos' own expression, e.g. a smile's, out of the texture.
        consent: What the person agreed to; it is kept with the avatar.
        preview: Draw it from five sides as well, FILE.png.
    """
    if size not in TEXTURES:
        raise ValueError(f"--size is {size}; allowed: {', '.join(map(str, TEXTURES))}")
    if not 0 <= folds <= 2:
        raise ValueError(f"--folds is {folds:g}; allowed: 0 to 2")
    if consent is not None and not consent.strip():
        raise ValueError("--consent is empty; say what the person agreed to, or leave it out")
    folder = output_folder(out)
    picture = output_file(preview, ".png") if preview else None
    for photo in photos:
        not_over_its_input(folder, photo)
        if picture is not None:
            not_over_its_input(picture, photo, "--preview")
    from ...data_gen.avatar.from_photos import NOT_STATED, build_avatar
    from ...face.avatar.store import save_textured

    made = build_avatar(photos if len(photos) > 1 else photos[0], texture=size, face=face, hair=hair, folds=folds,
                        neutralise=neutralise, consent=consent or NOT_STATED, progress=progress)
    head = save_textured(made.head, ready(folder), made.about)
    if picture is not None:
        _draw(head, ready(picture))
    return Result({"out": str(folder), "head": str(head.ref), **made.about}, "\n".join([f"{folder}: {head.ref}",
                  *_words(made.about)]))


def avatar_show(avatar: str, /, *, png: str | None = None) -> Result:
    """What an avatar was made from, and how good it is.

    Args:
        avatar: NAME.avatar.
        png: Draw it from five sides as well, FILE.png.
    """
    picture = output_file(png, ".png") if png else None
    from ...face.avatar.store import read_about

    about, head = read_about(avatar), HeadModel.load(avatar)
    if picture is not None:
        _draw(head, ready(picture))
    return Result({"avatar": avatar, "head": str(head.ref), **about}, "\n".join([f"{avatar}: {head.ref}", *_words(about)]))


def _words(about: dict[str, Any]) -> list[str]:
    """What is known of an avatar, in lines."""
    quality, views = about["quality"], about["views"]
    turned = ", ".join(f"{v['turn_degrees']:.0f}" for v in views)
    lines = [f"made from {', '.join(s['name'] for s in about['sources'])}: {len(views)} "
             f"{'view' if len(views) == 1 else 'views'}, turned by {turned} degrees",
             f"of the face's texture {quality['seen']:.0%} was seen, {quality['mirrored']:.0%} is its other side, "
             f"{quality['filled']:.0%} is filled; skin off by {quality['skin_difference']:.1f} (CIEDE2000), "
             f"seams {quality['seam_ratio']:.2f} times the skin's own detail",
             f"consent: {about['consent']}"]
    return lines + [f"note: {n}" for n in about["notes"]]


def _draw(head: HeadModel, path: Path, side: int = 384) -> None:
    """The head from five sides in one picture."""
    from ...face.clip.sequence import FaceSequence
    from ...face.io.video import write_png
    from ...face.render.camera import portrait
    from ...face.render.render import Renderer

    camera = portrait(FaceSequence.rest(1, head.ref, n_expr=head.n_expr, n_shape=head.n_shape), head, side)
    turns = np.array([[0.0, math.radians(d), 0.0] for d in _VIEWS], np.float32)
    renderer = Renderer(head, camera, side)
    drawn = [renderer.draw(v) for v in head.vertices(rotation=turns)]
    write_png(np.concatenate(drawn, 1), path, head.meta.get("mark"))
