"""The mesh of every frame as a Wavefront OBJ, a folder of files; metres, y up, vertices in the head's order."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ....common.files import atomic_folder
from .base import Job

_CHUNK = 64
_DIGITS = 6


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


def write_obj(job: Job, path: Path) -> None:
    """Write ``frame_00000.obj`` and on.

    Raises:
        FileExistsError: the folder holds something else.
    """
    others = [p.name for p in path.iterdir() if not fnmatch(p.name, "frame_*.obj")] if path.is_dir() else []
    if others:
        raise FileExistsError(f"the folder {path} holds something else ({others[0]}); choose another")
    faces = "".join([f"f {a} {b} {c}\n" for a, b, c in (job.head.faces.astype(np.int64) + 1).tolist()]).encode()
    with atomic_folder(path, replace=True) as part:
        for first in range(0, len(job.seq), _CHUNK):
            for k, mesh in enumerate(job.head.vertices(**job.seq.parameters(slice(first, first + _CHUNK))), first):
                (part / f"frame_{k:05d}.obj").write_bytes(_text(mesh) + faces)
