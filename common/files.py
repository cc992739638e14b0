"""Files that are written whole or not at all, their hashes, and a lock on a folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .text import encoding_of, printable


def cache_dir() -> Path:
    """Where what was computed once is kept: ``FACELM_CACHE``, else ``~/.cache/facelm``.

    Raises:
        OSError: nobody's home; the message names FACELM_CACHE.
    """
    if given := os.environ.get("FACELM_CACHE"):
        return Path(given)
    try:
        return Path.home() / ".cache" / "facelm"
    except RuntimeError:
        raise OSError("there is no home folder to keep a cache in; set FACELM_CACHE to a folder that can be written") from None


@contextmanager
def _of(path: Path, partial: Path) -> Iterator[None]:
    """Make errors of writing ``partial`` name ``path``: a full disk is reported without any name."""
    try:
        yield
    except OSError as err:
        if err.errno is None or err.filename not in (None, str(partial), partial):
            raise
        raise OSError(err.errno, err.strerror or str(err), str(path)) from err


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
        with _of(path, partial):
            partial.unlink(missing_ok=True)
            partial.touch()
            usual = partial.stat().st_mode
            yield partial
            partial.chmod(usual)  # some writers make files that only their owner can read
            os.replace(partial, path)
    finally:
        with suppress(OSError):  # a read-only folder says so twice, the second time with the partial file's name
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
    try:
        with _of(path, partial):
            partial.mkdir(parents=True)
            usual = partial.stat().st_mode
            yield partial
            for inner in partial.rglob("*"):  # some writers make files that only their owner can read
                inner.chmod(usual if inner.is_dir() else usual & 0o666)
            if path.is_dir():
                shutil.rmtree(path)
            os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def files_in(place: str | os.PathLike[str], what: str, suffixes: Sequence[str]) -> list[Path]:
    """The files of a folder that end in one of the suffixes, in the order of their names; or one file, whatever its name.

    Args:
        place: a folder or a file.
        what: what the files are, for messages: "film".

    Raises:
        FileNotFoundError: no such place.
        ValueError: a folder without any.
    """
    path = Path(place)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such {what} or folder of {what}s")
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes)
    if not files:
        raise ValueError(f"{path}: no {what}s in this folder; allowed: {', '.join(suffixes)}")
    return files


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


MOST_TEXT = 64 << 20
"""Bytes of a user's text file."""


def read_text(path: str | os.PathLike[str], most: int = MOST_TEXT) -> str:
    """The text of a user's file in UTF-8 or UTF-16, without the byte-order mark that Windows writes.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a folder, device or pipe, more than ``most`` bytes, or in another encoding; the message names the file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    if not path.is_file():
        raise ValueError(f"{path} is a {'folder' if path.is_dir() else 'device or pipe'}, not a file")
    if (size := path.stat().st_size) > most:
        raise ValueError(f"{path} has {size:,} bytes; at most {most:,} are read")
    data = path.read_bytes()
    encoding = encoding_of(data[:512])
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as err:
        name = encoding.upper().removesuffix("-SIG")
        raise ValueError(f"{path} is not {name} text: {err.reason} at byte {err.start}; save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_json(text: str, where: object) -> Any:
    """The values of a JSON text of a user's file.

    Raises:
        ValueError: not JSON, nested too deeply, or with numbers that no computer holds; the message begins with ``where``.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(f"{where}: not JSON that can be read: it is nested too deeply") from None
    except ValueError as err:
        raise ValueError(f"{where}: not JSON: {err}") from None


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
