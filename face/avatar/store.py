"""The folder of a textured head: an ordinary head file, its texture, and what it was made from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...common.files import atomic_folder, naming, write_json
from ..head.model import HeadModel
from ..head.texture import HEAD_FILE, TEXTURE_FILE, write_texture

ABOUT_FILE = "avatar.json"
FORMAT = "facelm-avatar-1"
_OWN = {HEAD_FILE, TEXTURE_FILE, ABOUT_FILE}
_STEP = 4e-6
"""Offsets are stored as multiples of this, m."""


def save_textured(head: HeadModel, folder: str | os.PathLike[str], about: Mapping[str, Any] | None = None) -> HeadModel:
    """Write ``head.npz``, ``albedo.png`` and, of an avatar, ``avatar.json``; a folder of the same kind is replaced.

    Args:
        head: with a texture.
        folder: where to; usually called NAME.avatar.
        about: what it was made from, plain values.

    Returns:
        The head as it is read back: its offsets are rounded to 4 micrometres, and that gives it its hash.

    Raises:
        ValueError: a head without a texture.
        FileExistsError: the folder holds something else.
    """
    if head.texture is None:
        raise ValueError(f"head {head.name!r} has no texture; save it as a head file, .npz")
    path = Path(folder)
    others = sorted({p.name for p in path.iterdir()} - _OWN) if path.is_dir() else []
    if others:
        raise FileExistsError(f"the folder {path} holds something else ({others[0]}); choose another")
    with atomic_folder(path, replace=True) as part:
        head.save(part / HEAD_FILE, _STEP)
        write_texture(head.texture, part / TEXTURE_FILE)
        if about is not None:
            write_json(part / ABOUT_FILE, {"format": FORMAT, **about})
    return HeadModel.load(path)


def read_about(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What an avatar was made from.

    Raises:
        FileNotFoundError: the folder is no avatar.
        ValueError: the file is damaged or of another version.
    """
    path = Path(folder) / ABOUT_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no avatar: it lacks {ABOUT_FILE}; make one with `facelm avatar build`")
    with naming(path):
        about = json.loads(path.read_text(encoding="utf-8"))
        found = about.get("format") if isinstance(about, dict) else None
        if found != FORMAT:
            raise ValueError(f"format is {found!r}, needed {FORMAT!r}")
    return dict(about)
