"""A command run in this process, files of other tools, clip files that must be refused, a pickle that acts when read."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from facelm.cli.main import parse
from facelm.cli.output import emit
from facelm.face.clip.sequence import FaceSequence
from scipy.io import savemat


class Bomb:
    def __reduce__(self):
        import os

        return os.mkdir, (self.path,)


def broken_files(clip: FaceSequence, folder) -> dict[str, tuple[str, str]]:
    """name -> (path, words that the refusal must contain)."""
    good = clip.save(folder / "good.npz")
    raw = good.read_bytes()
    out = {}

    def put(name: str, data: bytes, words: str) -> None:
        (folder / f"{name}.npz").write_bytes(data)
        out[name] = (str(folder / f"{name}.npz"), words)

    put("empty", b"", "is empty")
    put("text", b"hello", "not an .npz")
    put("cut", raw[: len(raw) // 2], "not an .npz|damaged")
    middle = bytearray(raw)
    middle[len(raw) // 3: len(raw) // 3 + 200] = bytes(200)
    put("bytes-lost", bytes(middle), "damaged|cannot be read|claims")
    with np.load(good) as data:
        arrays = {k: data[k] for k in data.files}

    def variant(name: str, words: str, **changes) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})
        put(name, buffer.getvalue(), words)

    variant("missing", "expr missing", expr=None)
    variant("nan", "not finite", expr=np.full((30, 41), np.nan, np.float32))
    variant("wrong-shape", "jaw_pose has shape", jaw_pose=np.zeros((30, 2), np.float32))
    variant("no-frames", "0 frames|has shape", expr=np.zeros((0, 41), np.float32))
    variant("text-array", "type", expr=np.array([["a"] * 41] * 30))
    variant("other-format", "format is", format=np.array(["facelm-sequence", "99"]))
    variant("objects", "pickled", expr=np.array([{"a": 1}], dtype=object))
    # an array whose header claims far more than the file holds
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, value in arrays.items():
            inner = io.BytesIO()
            np.lib.format.write_array(inner, value)
            body = inner.getvalue()
            if key == "expr":
                fake = io.BytesIO()
                np.lib.format.write_array_header_1_0(fake, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**5)})
                body = fake.getvalue()
            archive.writestr(f"{key}.npy", body)
    put("huge", buffer.getvalue(), "claims shape")
    return out


def command(*argv: object) -> int:
    """Run a command line and print its results; returns the exit code."""
    line = parse([str(a) for a in argv])
    return emit(line.run(), line.json)


def save(path: Path, content: Any) -> Path:
    """Write ``content`` in the container that the suffix names; pickled for any other."""
    if path.suffix == ".npz":
        np.savez(path, **content)
    elif path.suffix == ".npy":
        np.save(path, np.array(content, dtype=object), allow_pickle=True)
    elif path.suffix == ".mat":
        savemat(path, content)
    elif path.suffix == ".pt":
        torch.save({k: torch.from_numpy(np.asarray(v)) for k, v in content.items()}, path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(content))
    else:
        path.write_bytes(pickle.dumps(content))
    return path
