"""Texture coordinates of a head, and the picture that lies on it.

Coordinates belong to a topology, not to a head: every head with the default head's faces has its layout.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ...common.files import atomic_file
from ..clip.arrays import read_npz

HEAD_FILE, TEXTURE_FILE = "head.npz", "albedo.png"
"""What lies in the folder of a textured head."""
SIDES = (64, 8192)
"""Allowed sides of a texture, px."""
Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where a head's surface lies in its texture; U coordinates, more than vertices because of the seams."""

    uv: NDArray[np.float32]
    """(U, 2) in [0, 1]: u to the right, v down; the subject's left is at the right, as in a photo."""
    faces: NDArray[np.int32]
    """(F, 3) coordinate of each corner of the head's faces."""
    vertex: NDArray[np.int64]
    """(U,) vertex of each coordinate."""
    mirror: NDArray[np.int64]
    """(U,) the coordinate on the other side of the face."""


def topology(faces: np.ndarray) -> str:
    """sha256 (hex) of a head's faces (F,3): what a layout belongs to."""
    return hashlib.sha256(np.ascontiguousarray(faces, "<i4").tobytes()).hexdigest()


@lru_cache(maxsize=1)
def _default_layout() -> tuple[str, Layout]:
    asset = resources.files("facelm").joinpath("face", "assets", "head_default_uv.npz")
    with resources.as_file(asset) as path:
        data = read_npz(path, "layout")
    return str(data["topology"]), Layout(data["uv"], data["faces"].astype(np.int32), data["vertex"].astype(np.int64),
                                         data["mirror"].astype(np.int64))


def layout_of(faces: np.ndarray) -> Layout | None:
    """The texture layout of a head with these faces; None where there is none (other topologies than the default head's)."""
    of, layout = _default_layout()
    return layout if len(faces) == len(layout.faces) and topology(faces) == of else None


def check_texture(texture: np.ndarray, what: str = "texture") -> Picture:
    """A picture for a head, contiguous and read-only.

    Raises:
        ValueError: not a square (T, T, 3) uint8 of an allowed side.
    """
    picture = np.ascontiguousarray(texture)
    low, high = SIDES
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.shape[0] != picture.shape[1] or not (
            low <= picture.shape[0] <= high):
        raise ValueError(f"{what} has shape {picture.shape} of {picture.dtype}; needed: square, three channels of 8 bits, "
                         f"sides of {low} to {high} px")
    picture.setflags(write=False)
    return picture


def read_texture(path: str | os.PathLike[str]) -> Picture:
    """The picture of a textured head, (T,T,3) uint8 sRGB.

    Raises:
        ValueError: not a picture, or not a square one of an allowed side.
    """
    try:
        with Image.open(path) as image:
            if max(image.size) > SIDES[1]:
                raise ValueError(f"{path} is {image.size[0]}x{image.size[1]} px; at most {SIDES[1]} are read")
            return check_texture(np.array(image.convert("RGB")), str(path))
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, OSError) as err:
        raise ValueError(f"{path} is not a readable picture ({type(err).__name__}); needed: the texture of a head") from err


def write_texture(texture: Picture, path: str | os.PathLike[str]) -> None:
    """Write a texture as PNG."""
    with atomic_file(path) as partial:
        Image.fromarray(texture).save(partial, format="PNG", compress_level=4)


def files_in(folder: Path) -> tuple[Path, Path | None]:
    """The head file and the texture of a textured head's folder.

    Raises:
        FileNotFoundError: it holds no head.
    """
    head, picture = folder / HEAD_FILE, folder / TEXTURE_FILE
    if not head.is_file():
        raise FileNotFoundError(f"{folder} is a folder without {HEAD_FILE}; needed: a head file, or an avatar that "
                                "`facelm avatar build` made")
    return head, picture if picture.is_file() else None
