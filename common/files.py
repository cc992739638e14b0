"""Files that are written whole or not at all, their hashes, and a lock on a folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .text import printable


def cache_dir() -> Path:
    """Where what was computed once is kept: ``FACELM_CACHE``, else ``~/.cache/facelm``."""
    return Path(os.environ.get("FACELM_CACHE") or Path.home() / ".cache" / "facelm")


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a name beside ``path`` to write to; it becomes ``path`` if the block ends well, else it is removed.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: ``path`` is a folder.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; a file name is needed")
    partial = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str], replace: bool = False) -> Iterator[Path]:
    """Yield an empty folder beside ``path``; it becomes ``path`` if the block ends well, else it is removed.

    Args:
        path: the folder; its parents are made.
        replace: remove what stands there first; otherwise an existing folder with content is an error.

    Raises:
        FileExistsError: the folder holds something and ``replace`` is off.
    """
    path = Path(path)
    if not replace and path.is_dir() and any(path.iterdir()):
        raise FileExistsError(f"the folder {path} is not empty; choose another or remove it")
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any, indent: int | None = 2) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def write_lines(path: str | os.PathLike[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines, whole or not at all."""
    with atomic_file(path) as partial, open(partial, "w", encoding="utf-8") as handle:
        handle.writelines(canonical_json(row) + "\n" for row in rows)


def canonical_json(value: Any) -> str:
    """One text for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """sha256 of a plain value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_digest(path: str | os.PathLike[str]) -> str:
    """sha256 of a file."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Make every ValueError of the block one printable line that names the file."""
    try:
        yield
    except ValueError as err:
        said = str(err) if str(path) in str(err) else f"{path}: {err}"
        raise ValueError(printable(" ".join(said.split()))) from err


@contextmanager
def locked(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keep a second run out of a folder; the system releases the lock when a process dies.

    Raises:
        ValueError: another run is at work.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows: two runs in one folder are not kept apart
        yield
        return
    with open(folder / ".lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            raise ValueError(f"another run is at work in {folder}; wait for it, or use another folder") from err
        yield
