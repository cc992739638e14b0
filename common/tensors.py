"""Tensors in safetensors files: written whole, read with one kind of error (needs torch)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from .files import atomic_file


@dataclass(frozen=True)
class TensorFile:
    """The tensors of a file by name, and its metadata."""

    tensors: dict[str, Tensor]
    about: dict[str, str]


def save_tensors(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Write a file, whole or not at all; the folder must exist."""
    with atomic_file(path) as partial:
        # clones, since safetensors refuses tensors that share memory
        save_file({name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}, partial, about)


def load_tensors(path: str | os.PathLike[str]) -> TensorFile:
    """Read a file; nothing in it is executed.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, or holds a value that is not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} holds no {path.name}")
    try:
        with safe_open(path, "pt") as opened:
            found = TensorFile({name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata() or {})  # noqa: SIM118
    except Exception as error:  # safetensors raises its own kinds for damaged files
        raise ValueError(f"{path} cannot be read, it is damaged ({' '.join(str(error).split())[:200]})") from error
    if broken := [name for name, value in found.tensors.items() if value.is_floating_point() and not value.isfinite().all()]:
        raise ValueError(f"{path}: {broken[0]} holds values that are not finite; the file is damaged")
    return found
