"""Videos of a corpus on disk: the sidecar that says what each one is, and the list of failures.

Whatever a video comes from (a text-to-video model, the procedural animator on film, a user's folder), it is one file
and one JSON sidecar beside it. The sidecar is written last and holds the file's sha256, so a video
counts as complete exactly when its sidecar agrees with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS
from ...common.files import file_digest, write_text
from ...common.progress import Progress
from ...common.store import Journal, sweep
from ..prompts.factors import Attributes
from ..prompts.files import Prompt

FORMAT, VERSION = "facelm-video", 1
VIDEOS: tuple[str, ...] = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
FAILURES = "failures.jsonl"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


@settings(frozen=True, config=SETTINGS)
class Licence:
    """Under which terms a video's maker may be used."""

    name: str = "unknown"
    url: str = ""
    use: Literal["free", "limited", "non-commercial", "unknown"] = "unknown"
    """free (also commercially) | limited (see the note) | non-commercial | unknown"""
    note: str = ""
    """What limits the use, in a sentence."""

    def __post_init__(self) -> None:
        if self.use in ("limited", "non-commercial") and not (self.note and self.url):
            raise ValueError(f"licence {self.name!r} is {self.use}: say how in note, and give its url")


@dataclass(frozen=True)
class VideoRecord:
    """The content of a sidecar."""

    id: str
    file: str
    """Name of the video, in the sidecar's folder."""
    sha256: str
    backend: str
    """diffusers | performer | files"""
    width: int
    height: int
    fps: float
    frames: int
    prompt: str | None = None
    attributes: dict[str, Any] | None = None
    """The prompt's attributes; of an adopted video only those that are known, None for none."""
    seed: int | None = None
    model: str | None = None
    revision: str | None = None
    commit: str | None = None
    """What the revision stood for: the hub's commit, or the sha256 of a local folder's model_index.json."""
    licence: Licence = field(default_factory=Licence)
    settings: dict[str, Any] = field(default_factory=dict)
    """Everything else that decided the pictures."""
    software: dict[str, str] = field(default_factory=dict)

    def attributes_or_none(self) -> Attributes | None:
        """The attributes as a dataclass, when all of them are known."""
        known = self.attributes
        return Attributes.from_dict(known) if known and set(known) == set(Attributes().as_dict()) else None

    @property
    def made_by(self) -> dict[str, Any]:
        """What must be equal for two runs to share a folder."""
        return {"prompt": self.prompt, "seed": self.seed, "backend": self.backend, "model": self.model,
                "revision": self.revision, "settings": self.settings}


@dataclass
class Summary:
    """What a run did."""

    written: int = 0
    skipped: int = 0
    """Complete already."""
    failed: int = 0
    first_error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


# -- sidecars -----------------------------------------------------------------------------------
def record_path(video: str | os.PathLike[str]) -> Path:
    """The sidecar of a video."""
    return Path(video).with_suffix(".json")


def write_record(record: VideoRecord, folder: Path, beside: Mapping[str, Any] | None = None) -> Path:
    """Write a sidecar. ``beside``: an existing JSON object (footage's) that the record joins under "video"."""
    own = {"format": FORMAT, "version": VERSION, **asdict(record)}
    path = record_path(folder / record.file)
    write_text(path, json.dumps(own if beside is None else {**beside, "video": own}, indent=1) + "\n")
    return path


def read_record(path: str | os.PathLike[str]) -> VideoRecord:
    """The record of a video (or of its sidecar).

    Raises:
        FileNotFoundError: no sidecar.
        ValueError: not a sidecar of this format.
    """
    source = record_path(path)
    if not source.is_file():
        raise FileNotFoundError(f"no such sidecar: {source}; `facelm data videos --videos DIR` makes one for each video")
    try:
        raw = json.loads(source.read_text(encoding="utf-8"))
        own = raw.get("video", raw)
        if own["format"] != FORMAT or own["version"] != VERSION:
            raise ValueError(f"it is {own['format']} version {own['version']}")
        values = {k: v for k, v in own.items() if k not in ("format", "version")}
        return VideoRecord(**{**values, "licence": Licence(**values["licence"])})
    except (KeyError, TypeError, AttributeError, ValueError) as err:
        raise ValueError(f"{source} is not a video sidecar ({err}); delete it and make the video again") from err


def is_complete(folder: Path, file: str) -> VideoRecord | None:
    """The record, if the video is there and is the one that its sidecar describes."""
    path = folder / file
    if not path.is_file() or not record_path(path).is_file():
        return None
    try:
        record = read_record(path)
    except ValueError:  # damaged: made again
        return None
    return record if record.file == file and record.sha256 == file_digest(path) else None


def check_name(name: str) -> str:
    """An id that can be a file name everywhere."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise ValueError(f"id {name!r} cannot be a file name; allowed: letters, digits, '.', '_', '-', up to 121")
    return name


def prompt_seed(seed: int, prompt: Prompt) -> int:
    """A prompt's own seed: depends on the run's seed, the id and the text alone. 0 to 2**31 - 1."""
    digest = hashlib.sha256(f"{seed}\n{prompt.id}\n{prompt.text}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


class VideoFolder:
    """The folder of a run: counts what is written and skipped, and lists what failed.

    Args:
        folder: made when it does not exist.
        ids: what this run is about; older failures of other ids stay listed.
        progress: called with (done, of).
    """

    def __init__(self, folder: Path, ids: Sequence[str], progress: Progress) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder, ".*.part*", ".*.work")
        if len(set(map(str.lower, ids))) != len(ids):
            raise ValueError("two prompts have the same id; ids become file names and must differ (also in lower case)")
        self.folder, self.of, self.progress, self.summary = folder, len(ids), progress, Summary()
        self.failures, mine = Journal(folder / FAILURES), set(ids)
        self.failures.drop(lambda row: row.get("id") in mine)

    def _step(self) -> None:
        self.progress(self.summary.written + self.summary.skipped + self.summary.failed, self.of)

    def skip(self) -> None:
        """Count a video that is complete already."""
        self.summary.skipped += 1
        self._step()

    def done(self) -> None:
        """Count a video that was made."""
        self.summary.written += 1
        self._step()

    def fail(self, name: str, error: BaseException, **more: Any) -> None:
        """Count and list a video that could not be made."""
        text = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        self.failures.add({"id": name, "error": text, **more})
        self.summary.failed += 1
        self.summary.first_error = self.summary.first_error or text
        self._step()

    def has(self, want: VideoRecord) -> bool:
        """Whether the video is complete.

        Raises:
            ValueError: it is, but was made in another way than this run would.
        """
        def text(value: Any) -> str:
            return json.dumps(value, sort_keys=True)  # as a sidecar holds it: tuples are lists there

        have = is_complete(self.folder, want.file)
        differing = [k for k, v in want.made_by.items() if have and text(have.made_by[k]) != text(v)]
        if differing:
            raise ValueError(f"{self.folder / want.file} was made with another {' and '.join(differing)}; "
                             "use a new folder or the same settings")
        return have is not None
