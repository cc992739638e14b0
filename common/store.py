"""Resumable work: results that are written whole or not at all, each with the key of what it was made from.

A key is a hash of the stage's name, version and settings and of what it read. Outputs are written first, their record
last, each beside its place and renamed, so a record is right whenever the process is killed. In four shapes:

- :class:`Store`: one record and one folder of files a stage and item (a corpus build, an evaluation).
- :func:`stamp` and :func:`stamped`: a note for one file that lies elsewhere (a shard, cached tokens).
- :func:`published`: files and their record side by side in a folder of the user's (videos and their sidecars).
- :class:`Journal`: lines that are only added (cached replies, failures).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .files import canonical_json, digest, file_digest, locked, write_text

WORK = "build"
"""The folder of intermediate results, inside the corpus' folder."""


@dataclass(frozen=True)
class Record:
    """What one stage made of one item."""

    id: str
    stage: str
    key: str
    """Hash of everything that determined it."""
    data: dict[str, Any] = field(default_factory=dict)
    """Its small results."""
    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Its large results: name -> (sha256, bytes)."""
    reason: str = ""
    """Why it failed; empty when it did not."""

    @property
    def ok(self) -> bool:
        """Whether it did not fail."""
        return not self.reason

    @property
    def output(self) -> str:
        """Hash of what it made, whatever it was made with."""
        return digest([self.data, self.files, self.reason])

    def to_json(self) -> str:
        """One line of canonical JSON."""
        return canonical_json({"id": self.id, "stage": self.stage, "key": self.key, "data": self.data,
                               "files": self.files, "reason": self.reason}) + "\n"


class Store:
    """Records of many items by stage.

    Args:
        folder: the folder of the whole (a corpus, an evaluation).
        work: folder of the records in it; empty for ``folder`` itself.
    """

    def __init__(self, folder: str | os.PathLike[str], work: str = WORK) -> None:
        self.folder = Path(folder)
        self.work = self.folder / work

    def place(self, stage: str, item: str) -> Path:
        """The folder of one item's outputs; items are spread over 256 parents."""
        return self.work / "items" / stage / hashlib.sha256(item.encode()).hexdigest()[:2] / item

    def _record_path(self, stage: str, item: str) -> Path:
        place = self.place(stage, item)
        return place.with_name(f"{place.name}.json")

    def read(self, stage: str, item: str) -> Record | None:
        """The record of an item; None when there is none or it is damaged."""
        try:
            raw = json.loads(self._record_path(stage, item).read_text(encoding="utf-8"))
            files = {str(k): (str(v[0]), int(v[1])) for k, v in raw["files"].items()}
            return Record(str(raw["id"]), str(raw["stage"]), str(raw["key"]), dict(raw["data"]), files, str(raw["reason"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            return None

    def done(self, stage: str, item: str, key: str, files: bool = True) -> Record | None:
        """The record, if it was made under this key and (with ``files``) its files are still there; failures count."""
        record = self.read(stage, item)
        return record if record and record.key == key and (not files or self.has_files(record)) else None

    def has_files(self, record: Record) -> bool:
        """Whether a record's files are there, with the size that it names."""
        place = self.place(record.stage, record.id)
        try:
            return all((place / name).stat().st_size == size for name, (_, size) in record.files.items())
        except OSError:
            return False

    def scratch(self, stage: str, item: str) -> AbstractContextManager[Path]:
        """A folder to write outputs in; :meth:`commit` moves it to its place."""
        return _scratch(self.place(stage, item))

    def commit(self, stage: str, item: str, key: str, data: dict[str, Any], scratch: Path | None, reason: str = "") -> Record:
        """Keep what a stage made: its files, then its record."""
        place, path = self.place(stage, item), self._record_path(stage, item)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # from here until the new record is there, the item counts as not done
        shutil.rmtree(place, ignore_errors=True)
        files = {}
        if scratch is not None and any(scratch.iterdir()):
            files = {p.name: (file_digest(p), p.stat().st_size) for p in sorted(scratch.iterdir())}
            os.replace(scratch, place)
        # through JSON once, so that a record that was just made equals one that was read back
        record = Record(item, stage, key, json.loads(canonical_json(data)), files, reason)
        write_text(path, record.to_json())
        return record

    def drop_file(self, record: Record, name: str) -> None:
        """Remove a large file that is no longer needed; the record goes on naming it."""
        (self.place(record.stage, record.id) / name).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what killed processes left half-written; returns how many things."""
        return sweep(self.work, "items/*/*/.*.part*", ".*.part*") + sweep(self.folder, ".*.part*", "*/.*.part*")

    def lock(self) -> AbstractContextManager[None]:
        """Keep a second run out of the folder; see :func:`facelm.common.files.locked`."""
        return locked(self.work)


@contextlib.contextmanager
def _scratch(place: Path) -> Iterator[Path]:
    folder = place.with_name(f".{place.name}.{os.getpid()}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def published(folder: Path, record: str) -> Iterator[Path]:
    """Yield a scratch folder; if the block ends well, its files move into ``folder``.

    Args:
        folder: where the files go, replacing those of the same name.
        record: the file that says that the others are complete: the old one goes first, the new one comes last.
    """
    with _scratch(folder / record) as scratch:
        yield scratch
        (folder / record).unlink(missing_ok=True)
        for path in sorted(scratch.iterdir(), key=lambda p: p.name == record):
            os.replace(path, folder / path.name)


def stamp(note: Path, key: str, file: Path, **more: Any) -> dict[str, Any]:
    """Write the note of a finished file: under which key it was made, its sha256 and size, and ``more``."""
    found = {"key": key, "sha256": file_digest(file), "size": file.stat().st_size, **more}
    note.parent.mkdir(parents=True, exist_ok=True)
    write_text(note, canonical_json(found) + "\n")
    return found


def stamped(note: Path, key: str, file: Path) -> dict[str, Any] | None:
    """The note, if it was written under this key and the file is still the one that it describes."""
    try:
        raw = json.loads(note.read_text(encoding="utf-8"))
        same = raw["key"] == key and file.stat().st_size == raw["size"] and file_digest(file) == raw["sha256"]
        return dict(raw) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Journal:
    """A file of JSON objects, one a line, that only grows; a line that a killed run left unfinished is skipped.

    Args:
        path: the file; it is made by the first row.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()

    def rows(self) -> list[dict[str, Any]]:
        """What is there so far."""
        out = []
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.is_file() else ""
        for line in text.splitlines():
            try:
                raw = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(raw, dict):
                out.append(raw)
        if text and not text.endswith("\n"):  # the next row begins a line of its own
            with open(self.path, "a", encoding="utf-8") as handle:
                handle.write("\n")
        return out

    def add(self, row: dict[str, Any]) -> None:
        """Append one row; safe between threads."""
        with self._lock, open(self.path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(row) + "\n")

    def drop(self, which: Callable[[dict[str, Any]], bool]) -> None:
        """Remove the rows that ``which`` names; without any left, the file."""
        if self.path.is_file():
            kept = [json.dumps(row) + "\n" for row in self.rows() if not which(row)]
            write_text(self.path, "".join(kept))
            if not kept:
                self.path.unlink()


def sweep(folder: Path, *patterns: str) -> int:
    """Remove what matches, files and folders; returns how many."""
    found = [path for pattern in patterns for path in folder.glob(pattern)]
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(found)


def log(store: Store, stage: str, lines: Iterable[str]) -> None:
    """Append to a stage's log; logs are for people and differ from run to run."""
    folder = store.work / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{stage}.log", "a", encoding="utf-8") as handle:
        handle.writelines(line.rstrip("\n") + "\n" for line in lines)
