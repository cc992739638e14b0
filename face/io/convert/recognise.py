"""Recognises the format of a parameter file by its content and converts it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ...clip.sequence import FORMAT, FaceSequence
from ...head.model import HeadModel
from .arkit import arkit_channels, known_names, shapes_of
from .base import Channels, Imported, finish
from .files import Table, open_content
from .flame import FLAME_FORMATS, flame_channels, flame_format
from .livelink import is_livelink, livelink_channels

BLENDSHAPES = "ARKit / MediaPipe blend shapes"
LIVELINK = "Live Link Face CSV"
FORMATS: tuple[str, ...] = (*(f.name for f in FLAME_FORMATS), BLENDSHAPES, LIVELINK)
_WRAPPERS = ("flame", "flame_params", "flame_param", "params", "codedict", "outputs", "results")


def read_parameters(path: str | os.PathLike[str], head: HeadModel | None = None, fps: float | None = None) -> Imported:
    """A file or folder of another tool's facial parameters as a clip.

    Args:
        path: see ``FORMATS``; recognised by content, never by name.
        head: the head that the parameters drive. FLAME parameters need one (`facelm head import`); blend shapes drive the
            default head unless another one with ARKit columns is given.
        fps: frames per second; default: what the file says, else 25.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, hostile, of no known format, or not fitting the head; one sentence.
    """
    where = Path(path)
    if fps is not None and not (np.isfinite(fps) and 1 <= fps <= 1000):
        raise ValueError(f"fps is {fps}; allowed: 1 to 1000")
    content = open_content(where)
    try:
        kind, channels, on = _channels(where, content, head)
        seq, notes = finish(channels, on, fps)
    except ValueError as err:
        raise err if str(err).startswith(str(where)) else ValueError(f"{where}: {err}") from None
    return Imported(seq, kind, notes)


def _channels(where: Path, content: Any, head: HeadModel | None) -> tuple[str, Channels, HeadModel]:
    if isinstance(content, dict):
        if "format" in content and np.asarray(content["format"]).reshape(-1)[:1].tolist() == [FORMAT]:
            raise ValueError(f"{where} is a facelm clip already ({FaceSequence.load(where).head}); `facelm retarget` moves it "
                             "to another head")
        inner = _unwrapped(content)
        kind = flame_format(inner)
        if kind is not None:
            if head is None:
                raise ValueError(f"{kind.name} parameters drive a FLAME head, which cannot be shipped: import yours once with "
                                 "`facelm head import generic_model.pkl -o flame.npz` and give --head flame.npz")
            return kind.name, flame_channels(inner, kind, head), head
        content = inner if known_names([str(k) for k in inner]) else content
    on = head if head is not None else HeadModel.default()
    if is_livelink(content):
        return LIVELINK, livelink_channels(content, on), on
    found = shapes_of(content)
    if found is not None:
        return BLENDSHAPES, arkit_channels(found, content, on), on
    raise ValueError(f"unknown parameters: {_contents(content)}; known formats: {', '.join(FORMATS)}")


def _unwrapped(content: dict[Any, Any]) -> dict[Any, Any]:
    """The dict of parameters inside a dict that holds it alone or under a usual name."""
    for _ in range(3):
        if flame_format(content) is not None or known_names([str(k) for k in content]):
            return content
        inner = [v for k, v in content.items() if isinstance(v, dict) and (len(content) == 1 or k in _WRAPPERS)]
        if len(inner) != 1:
            return content
        content = inner[0]
    return content


def _contents(content: Any) -> str:
    if isinstance(content, dict):
        names = [str(k)[:30] for k in content]
        return f"keys {', '.join(names[:12]) or '(none)'}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    if isinstance(content, Table):
        if not content.header:
            return f"a table without a header, {len(content.cells[0]) if content.cells else 0} columns"
        return f"columns {', '.join(h[:30] for h in content.header[:12])}"
    if isinstance(content, np.ndarray):
        return f"an array of shape {content.shape}"
    return f"a {type(content).__name__}" + (f" of {len(content)}" if isinstance(content, (list, tuple)) else "")
