"""MATLAB files, read in a process of its own: one changed byte can crash scipy's reader, and a small file can unpack to GBs.

Run as a program, this file is that process; it imports nothing of facelm but the limits, by path.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

MEMORY = 1 << 31
"""Bytes of address space of the process, of which numpy and scipy take about 300 MB."""
SECONDS = 60.0
_LARGEST = 1 << 29
"""Bytes of all arrays of a file."""


def read_matlab(paths: Sequence[Path]) -> list[dict[str, np.ndarray]]:
    """The numeric arrays of MATLAB files (version 5), a dict a file, all read by one process.

    Raises:
        ValueError: damaged, too large or too slow; the message names the file.
    """
    from ....common import limited

    done = -1
    with tempfile.TemporaryDirectory(prefix="facelm-mat-") as folder:
        said = ""
        try:
            for line in limited.lines([__file__, limited.__file__, folder, *map(str, paths)], SECONDS, single=True):
                if line.startswith("! "):
                    said = line[2:].strip()
                    break
                done = int(line)
        except TimeoutError:
            said = f"takes more than {SECONDS:.0f} s to read"
        except (ChildProcessError, ValueError):
            said = "is damaged: the reader of MATLAB files crashes on it"
        if said:
            raise ValueError(f"{paths[min(done + 1, len(paths) - 1)]} {said}; save it anew, or as .npz")
        out = []
        for k in range(len(paths)):
            with np.load(Path(folder) / f"{k}.npz", allow_pickle=False) as data:
                out.append({name: data[name] for name in data.files})
        return out


def _plain(content: dict[str, Any], depth: int = 0) -> dict[str, np.ndarray]:
    """The numeric arrays, those inside structs under the struct's name where that is unique."""
    out: dict[str, np.ndarray] = {}
    for name, value in content.items():
        if not isinstance(value, np.ndarray) or name.startswith("__"):
            continue
        if value.dtype.names and value.size == 1 and depth < 3:
            inner = value.reshape(-1)[0]
            out |= _plain({n: inner[n] for n in value.dtype.names}, depth + 1)
        elif value.dtype.kind in "fiub":
            out[name] = value
        elif value.dtype.kind == "U":
            out[name] = value.astype(np.str_)
    return out


def main(limits: str, folder: str, *paths: str) -> None:
    """Read each file and store its arrays; print the number of each that is done, or "! " and what is wrong."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("limited", limits)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    from scipy.io import loadmat  # before the limits: what is imported needs address space of its own

    module.limit(MEMORY, SECONDS)
    for k, path in enumerate(paths):
        try:
            found = _plain(loadmat(path))
            if sum(v.nbytes for v in found.values()) > _LARGEST:
                raise MemoryError
            np.savez(Path(folder) / f"{k}.npz", **found)  # type: ignore[arg-type]
        except MemoryError:
            print("! unpacks to more than is read", flush=True)
            return
        except Exception as err:  # scipy raises zlib's, struct's and its own errors here
            text = " ".join(f"{type(err).__name__}: {err}".split())[:160]
            print("! is damaged and cannot be read (" + "".join(c if c.isprintable() else "?" for c in text) + ")", flush=True)
            return
        print(k, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
