"""The mesh of every frame as a Wavefront OBJ, a folder of files; metres, y up, vertices in the head's order.

A textured head's have texture coordinates and one material, ``head.mtl``, with its picture.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ....common.files import atomic_folder
from ...head.texture import TEXTURE_FILE, write_texture
from .base import Job

_CHUNK = 64
_DIGITS = 6
_MATERIAL = "head.mtl"


def _text(values: np.ndarray) -> bytes:
    """``v x y z`` lines of (V, 3) m, six digits; whole columns at once, as a minute has 26 million numbers."""
    whole = np.rint(np.abs(values) * 10.0**_DIGITS).astype(np.int64)
    width = max(len(str(int(whole.max(initial=0)))), _DIGITS + 1)
    out = np.full((len(values), 3, width + 3), ord(" "), np.uint8)  # blank, sign, digits with a point among them
    out[..., 1] = np.where(values < 0, ord("-"), ord("+"))
    for k in range(width):
        column = width + 2 - k - (k >= _DIGITS)
        whole, digit = np.divmod(whole, 10)
        out[..., column] = digit + ord("0")
    out[..., width + 2 - _DIGITS] = ord(".")
    line = np.full((len(values), 3 * (width + 3) + 2), ord("v"), np.uint8)
    line[:, 1:-1], line[:, -1] = out.reshape(len(values), -1), ord("\n")
    return line.tobytes()


def _surface(job: Job) -> tuple[bytes, bytes]:
    """What stands before the vertices of every file, and after them."""
    faces, layout = job.head.faces.astype(np.int64) + 1, job.head.layout
    if job.head.texture is None or layout is None:
        return b"", "".join([f"f {a} {b} {c}\n" for a, b, c in faces.tolist()]).encode()
    places = "".join([f"vt {u:.6f} {1 - v:.6f}\n" for u, v in layout.uv.tolist()])
    pairs = np.stack([faces, layout.faces.astype(np.int64) + 1], 2).reshape(-1, 6).tolist()
    corners = "".join([f"f {a}/{s} {b}/{t} {c}/{u}\n" for a, s, b, t, c, u in pairs])
    return f"mtllib {_MATERIAL}\n".encode(), f"{places}usemtl head\n{corners}".encode()


def vacant(path: Path) -> None:
    """Refuse a folder that holds anything but an OBJ sequence.

    Raises:
        FileExistsError: it does.
    """
    own = ("frame_*.obj", _MATERIAL, TEXTURE_FILE)
    others = sorted(p.name for p in path.iterdir() if not any(fnmatch(p.name, n) for n in own)) if path.is_dir() else []
    if others:
        raise FileExistsError(f"the folder {path} holds something else ({others[0]}); choose another")


def write_obj(job: Job, path: Path) -> None:
    """Write ``frame_00000.obj`` and on; of a textured head also its material and picture.

    Raises:
        FileExistsError: the folder holds something else.
    """
    vacant(path)
    (before, after), mark = _surface(job), job.head.meta.get("mark")
    with atomic_folder(path, replace=True) as part:
        if job.head.texture is not None:
            write_texture(job.head.texture, part / TEXTURE_FILE)
            lines = [*([f"# {mark}"] if mark else []), "newmtl head", "Kd 1 1 1", f"map_Kd {TEXTURE_FILE}", ""]
            (part / _MATERIAL).write_text("\n".join(lines), encoding="utf-8")
        for first in range(0, len(job.seq), _CHUNK):
            for k, mesh in enumerate(job.head.vertices(**job.seq.parameters(slice(first, first + _CHUNK))), first):
                (part / f"frame_{k:05d}.obj").write_bytes(before + _text(mesh) + after)
