"""One person's photos, or a film, to a textured head with the packaged head's expressions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...common.files import file_digest
from ...common.progress import Progress, silent
from ...face.avatar.build import Avatar, build
from ...face.avatar.views import View, on_points
from ...face.head.model import HeadModel
from ...face.io.mark import made_with
from ...face.render.folds import folded
from ..fit.photo import FittedPhoto, PhotoFit, fit_photos

MARK = made_with("avatar from photos")
"""What every file that shows an avatar says of itself."""
NOT_STATED = "not stated"
SIZE = 1024
"""Side of the texture, px: 2.2 texels a millimetre of the face."""
Segmenter = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From a picture (H,W,3) to the share of the person in each pixel (H,W), 0..1; hair belongs to the person."""


def build_avatar(paths: Sequence[str | os.PathLike[str]] | str | os.PathLike[str], *, texture: int = SIZE,
                 face: int | None = None, hair: bool = True, folds: float = 1.0, neutralise: bool = True,
                 consent: str = NOT_STATED, segmenter: Segmenter | None = None, progress: Progress = silent) -> Avatar:
    """Make an avatar.

    Args:
        paths: a photo, several photos of one person, or one film in which the face turns.
        texture: side of the texture, px.
        face: which face when there are several, counted from the left; None: the largest.
        hair: whether to measure how far hair stands out.
        folds: how deep expressions fold the skin, see ``face.render.folds``; 0 leaves it smooth.
        neutralise: whether folds of the photos' expressions, a smile's for instance, are smoothed out of the texture.
        consent: what the person agreed to; kept with the avatar.
        segmenter: another model that finds the person (or the person's head); None: the packaged one.
        progress: called with (photos done, photos in all, "detect"), then with (0, 1, "texture").

    Raises:
        FileNotFoundError: no such file.
        ValueError: no photo, or no face that can be used on one; one line that names the file.
        ImportError: MediaPipe or OpenCV is not installed.
    """
    fit = fit_photos(paths, HeadModel.default(), face=face, progress=progress)
    progress(0, 1, "texture")
    views = [_view(fit, k, photo, texture, segmenter, neutralise) for k, photo in enumerate(fit.photos)]
    head = replace(fit.head, name="avatar", meta={**fit.head.meta, "base": fit.base.sha256, "mark": MARK, "folds": folds,
                                                  "license": "that of the photos; the mesh is CC0"})
    made = build(head, views, texture, hair)
    files = [Path(paths)] if isinstance(paths, (str, os.PathLike)) else [Path(p) for p in paths]
    about: dict[str, Any] = {"mark": MARK, "consent": consent, "sources": [_source(f) for f in files],
                             "notes": list(fit.notes), "texture_px": texture, **made.about}
    for view, photo in zip(about["views"], fit.photos, strict=True):
        view["turn_degrees"] = round(photo.turn, 1)
    return replace(made, about=about)


def _view(fit: PhotoFit, number: int, photo: FittedPhoto, texture: int, segmenter: Segmenter | None, neutral: bool) -> View:
    turn = Rotation.from_rotvec(photo.pose.rotation[0]).as_matrix().astype(np.float32)
    placed = on_points(fit.vertices(number), photo.points, photo.camera, turn)
    rgb = photo.picture.rgb
    person = photo.person if segmenter is None else np.asarray(segmenter(rgb), np.float32)
    if person.shape != rgb.shape[:2]:
        raise ValueError(f"the segmenter gave a mask of shape {person.shape} for a picture of {rgb.shape[1]}x{rgb.shape[0]} px")
    name = "; ".join([Path(photo.picture.name).name, *photo.picture.notes])
    lines = folded(fit.base, photo.pose.expr[0]) if neutral else None
    return View.of(rgb, person, photo.camera, placed, turn, texture, name, lines)


def _source(path: Path) -> dict[str, str]:
    """A file's name and hash; of a folder of frames its name."""
    return {"name": path.name, **({"sha256": file_digest(path)} if path.is_file() else {})}
