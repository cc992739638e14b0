"""The binary part of a GLB: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html ."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

FLOAT, UINT16, UINT32, UINT8 = 5126, 5123, 5125, 5121
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class Buffer:
    """The binary chunk and the accessors into it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self._zeros: dict[int, int] = {}

    def view(self, raw: bytes, target: int | None = None) -> int:
        """A stretch of the buffer that holds ``raw``."""
        self.data += b"\0" * (-len(self.data) % 4)
        entry: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw)}
        if target is not None:
            entry["target"] = target
        self.data += raw
        self.views.append(entry)
        return len(self.views) - 1

    def _accessor(self, entry: dict[str, Any]) -> int:
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def add(self, array: np.ndarray, kind: int = FLOAT, target: int | None = None, bounds: bool = False) -> int:
        """An accessor over ``array`` (N,) or (N,width)."""
        dtype = {FLOAT: "<f4", UINT16: "<u2", UINT32: "<u4", UINT8: "u1"}[kind]
        a = np.ascontiguousarray(array, dtype)
        width = 1 if a.ndim == 1 else a.shape[1]
        entry: dict[str, Any] = {"bufferView": self.view(a.tobytes(), target), "componentType": kind,
                                 "count": len(a), "type": _TYPES[width]}
        if bounds:
            flat = a.reshape(len(a), -1)
            entry["min"], entry["max"] = flat.min(0).tolist(), flat.max(0).tolist()
        return self._accessor(entry)

    def add_sparse(self, array: np.ndarray, threshold: float) -> int:
        """A float accessor (N,3) that stores only the rows longer than ``threshold``.

        Written dense where that is smaller. Zeros are one array for all: several importers refuse an accessor without data.
        """
        a = np.ascontiguousarray(array, "<f4")
        rows = np.flatnonzero(np.abs(a).max(1) > threshold)
        if not len(rows):
            if len(a) not in self._zeros:
                self._zeros[len(a)] = self.add(np.zeros_like(a), target=34962, bounds=True)
            return self._zeros[len(a)]
        kept = np.zeros_like(a)
        kept[rows] = a[rows]
        entry: dict[str, Any] = {"componentType": FLOAT, "count": len(a), "type": "VEC3",
                                 "min": kept.min(0).tolist(), "max": kept.max(0).tolist()}
        index_type, index = (UINT16, rows.astype("<u2")) if len(a) <= 65535 else (UINT32, rows.astype("<u4"))
        if len(rows) * 12 + index.nbytes >= a.nbytes:
            entry["bufferView"] = self.view(kept.tobytes(), 34962)
        else:
            entry["sparse"] = {"count": len(rows),
                               "indices": {"bufferView": self.view(index.tobytes()), "componentType": index_type},
                               "values": {"bufferView": self.view(a[rows].tobytes())}}
        return self._accessor(entry)

    def glb(self, document: dict[str, Any]) -> bytes:
        """The file: a document, completed by what lies in the buffer, and the buffer."""
        self.data += b"\0" * (-len(self.data) % 4)
        document["buffers"] = [{"byteLength": len(self.data)}]
        document["bufferViews"], document["accessors"] = self.views, self.accessors
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode()
        text += b" " * (-len(text) % 4)
        return b"".join((struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(self.data)),
                         struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(self.data), b"BIN\0"), self.data))
