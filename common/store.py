"""A resumable store: one record a clip and stage, written whole or not at all.

A record names the key under which its outputs were made: a hash of the stage's name, version and
settings and of the records that it read. Outputs are written first, the record last, each beside
its place and renamed, so that a record always tells the truth, whenever the process is killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .files import canonical_json, digest, file_digest, locked, write_text

WORK = "build"
"""The folder of intermediate results, inside the corpus' folder."""


@dataclass(frozen=True)
class Record:
    """What one stage made of one clip."""

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
        return not self.reason

    @property
    def output(self) -> str:
        """Hash of what it made, whatever it was made with."""
        return digest([self.data, self.files, self.reason])

    def to_json(self) -> str:
        return canonical_json({"id": self.id, "stage": self.stage, "key": self.key, "data": self.data,
                               "files": self.files, "reason": self.reason}) + "\n"


class Store:
    """The working folder of a build.

    Args:
        folder: the corpus' folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.work = self.folder / WORK

    def place(self, stage: str, clip: str) -> Path:
        """The folder of one clip's outputs; a thousand clips at most share one parent."""
        return self.work / "items" / stage / hashlib.sha256(clip.encode()).hexdigest()[:2] / clip

    def _record_path(self, stage: str, clip: str) -> Path:
        return self.place(stage, clip).with_suffix(".json")

    def read(self, stage: str, clip: str) -> Record | None:
        """The record of a clip; None when there is none or it is damaged."""
        try:
            raw = json.loads(self._record_path(stage, clip).read_text(encoding="utf-8"))
            files = {str(k): (str(v[0]), int(v[1])) for k, v in raw["files"].items()}
            return Record(str(raw["id"]), str(raw["stage"]), str(raw["key"]), dict(raw["data"]), files, str(raw["reason"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            return None

    def has_files(self, record: Record) -> bool:
        """Whether a record's files are there, with the size that it names."""
        place = self.place(record.stage, record.id)
        try:
            return all((place / name).stat().st_size == size for name, (_, size) in record.files.items())
        except OSError:
            return False

    @contextlib.contextmanager
    def scratch(self, stage: str, clip: str) -> Iterator[Path]:
        """A folder to write outputs in; :meth:`commit` moves it to its place."""
        place = self.place(stage, clip)
        folder = place.with_name(f".{place.name}.{os.getpid()}.part")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, stage: str, clip: str, key: str, data: dict[str, Any], scratch: Path | None, reason: str = "") -> Record:
        """Keep what a stage made: its files, then its record."""
        place, path = self.place(stage, clip), self._record_path(stage, clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # from here until the new record is there, the clip counts as not done
        shutil.rmtree(place, ignore_errors=True)
        files = {}
        if scratch is not None and any(scratch.iterdir()):
            files = {p.name: (file_digest(p), p.stat().st_size) for p in sorted(scratch.iterdir())}
            os.replace(scratch, place)
        # through JSON once, so that a record that was just made equals one that was read back
        record = Record(clip, stage, key, json.loads(canonical_json(data)), files, reason)
        write_text(path, record.to_json())
        return record

    def drop_file(self, record: Record, name: str) -> None:
        """Remove a large file that is no longer needed; the record goes on naming it."""
        (self.place(record.stage, record.id) / name).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what killed processes left half-written; returns how many things."""
        count = 0
        for path in [*self.work.glob("items/*/*/.*.part*"), *self.work.glob(".*.part*"), *self.folder.glob(".*.part*"),
                     *self.folder.glob("*/.*.part*")]:
            count += 1
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return count

    def lock(self) -> AbstractContextManager[None]:
        """Keep a second run out of the folder; see :func:`facelm.common.files.locked`."""
        return locked(self.work)


def log(store: Store, stage: str, lines: Iterable[str]) -> None:
    """Append to a stage's log; logs are for people and differ from run to run."""
    folder = store.work / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{stage}.log", "a", encoding="utf-8") as handle:
        handle.writelines(line.rstrip("\n") + "\n" for line in lines)
