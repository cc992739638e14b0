"""What a conversation remembers: clips with their versions, what is at hand, and what was said, in one folder.

``session.sqlite`` holds everything but the motion, which lies beside it in clips that any tool can open (``clip-2.v3.npz`` is the
third version of the second clip). A turn is one transaction, which is on disk before its answer is shown.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...face.clip.channels import MOTION_FIELDS
from ...face.clip.normalise import is_real
from ...face.clip.sequence import FaceSequence
from ...face.facs.check import check
from ...face.facs.measure import measure
from ...face.facs.measured import Measurement
from ...face.facs.schedule import Schedule
from ...face.facs.script import Script
from ...face.head.model import HeadModel
from ..media import Loaded, Shot, from_shots
from ..motion.checked import Performance

FILE = "session.sqlite"
FORMAT = "facelm-session/1"
_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE clips (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, version INTEGER NOT NULL, parent INTEGER, name TEXT NOT NULL,
  how TEXT NOT NULL, said TEXT NOT NULL, files TEXT NOT NULL, script TEXT, schedule TEXT, made_by TEXT, seed INTEGER NOT NULL,
  film TEXT);
CREATE TABLE steps (id INTEGER PRIMARY KEY, clip INTEGER);
CREATE TABLE turns (id INTEGER PRIMARY KEY, said TEXT NOT NULL, reply TEXT NOT NULL, calls TEXT NOT NULL, clip INTEGER);
"""


class SessionError(ValueError):
    """A folder whose session cannot be read."""


@dataclass(frozen=True)
class Clip:
    """One version of a clip of a conversation.

    Attributes:
        id: of this version.
        number: of the clip, from 1 in the order in which they came up.
        version: of the clip, from 1.
        parent: the version that it was made from, None for a clip of its own.
        name: given by the user, or empty.
        how: performed, edited, take, transition, opened, joined or between.
        said: the words that it was made for, or the file that was opened.
        files: its npz files; several of a film with cuts.
        script, schedule: what it performs and when; None of what was opened or changed in place.
        by: who performed each cue.
        seed: of the performance.
        film: of a film its frames, first frames of its shots, and note.
    """

    id: int
    number: int
    version: int
    parent: int | None
    name: str
    how: str
    said: str
    files: tuple[Path, ...]
    script: Script | None
    schedule: Schedule | None
    by: tuple[str, ...]
    seed: int
    film: dict[str, Any] | None = None

    @property
    def label(self) -> str:
        """What it is called, for people."""
        own = self.name or f"clip {self.number}"
        return own if self.version == 1 else f"{own}, version {self.version}"

    @property
    def path(self) -> Path:
        """Its first file."""
        return self.files[0]

    def sequence(self) -> FaceSequence:
        """Its motion; of a film all shots on its clock: between them the face stays as it was, and is marked as not seen."""
        shots = self.sequences()
        if self.film is None:
            return shots[0]
        at, seen = self.shown()
        whole = shots[0].concat(*(s.replace(shape=shots[0].shape) for s in shots[1:]))
        picked = {name: getattr(whole, name)[at] for name in ("expr", *MOTION_FIELDS)}
        return whole.replace(valid=whole.valid[at] & seen, **picked)

    def sequences(self) -> list[FaceSequence]:
        """Its motion, shot by shot."""
        return [FaceSequence.load(f) for f in self.files]

    def shown(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """For each of its frames which frame of its shots, put one after another, it shows, and whether a shot is there."""
        sizes = [_extent(f)[0] for f in self.files]
        own = np.arange(sum(sizes))
        if self.film is None:
            return own, own >= 0
        own = np.concatenate([first + np.arange(n) for first, n in zip(self.film["first"], sizes, strict=True)])
        film = np.arange(max(int(self.film["frames"]), int(own[-1]) + 1))
        return np.maximum(np.searchsorted(own, film, side="right") - 1, 0), np.isin(film, own)

    @property
    def extent(self) -> tuple[int, float]:
        """Its frames, those between the shots of a film too, and frames a second."""
        return len(self.shown()[0]), _extent(self.files[0])[1]

    def loaded(self) -> Loaded | None:
        """A film as it was read; None of another clip."""
        if self.film is None:
            return None
        shots = self.sequences()
        parts = [Shot(first / s.fps, s, measure(s, filmed=True)) for first, s in zip(self.film["first"], shots, strict=True)]
        return from_shots(parts, int(self.film["frames"]), str(self.film["note"]), self.said)

    def measured(self) -> Measurement:
        """What it shows."""
        if (film := self.loaded()) is not None and film.measured is not None:
            return film.measured
        if (made := self.performance()) is not None:
            return made.facts()
        clip = self.sequence()
        return measure(clip, filmed=is_real(clip))

    def performance(self) -> Performance | None:
        """How it was performed; None where no script of it is known."""
        if self.script is None or self.schedule is None:
            return None
        clip = self.sequence()
        checks = check(self.script, measure(clip), self.schedule)
        return Performance(clip, self.script, self.schedule, checks, self.by, seed=self.seed)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Turn:
    """What was said and answered."""

    said: str
    reply: str
    calls: list[dict[str, Any]]
    clip: int | None

    @property
    def performed(self) -> bool:
        """Whether it was a performance."""
        return bool(self.calls) and all(c.get("tool") == "perform" for c in self.calls)


class Session:
    """A conversation's memory; see the module.

    Raises:
        SessionError: the folder holds a session that is damaged, of another version, or in use.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        """Begin a session, or go on with the one in a folder; None is a folder that is gone at the end."""
        self._temporary = tempfile.TemporaryDirectory(prefix="facelm-") if folder is None else None
        self.folder = Path(self._temporary.name if self._temporary else folder or ".")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = self.folder / FILE
        known = self._file.is_file() and self._file.stat().st_size > 0
        try:
            self._db = sqlite3.connect(self._file, isolation_level=None, timeout=2.0, check_same_thread=False)
            self._db.execute("PRAGMA synchronous = FULL")
            if not known:
                self._db.executescript(f"BEGIN;{_TABLES}COMMIT;")
                self._db.execute("INSERT INTO about VALUES ('format', ?), ('head', ?)", (FORMAT, str(HeadModel.default().ref)))
            row = self._db.execute("SELECT value FROM about WHERE key = 'format'").fetchone()
            if row is None or row[0] != FORMAT:
                raise SessionError(f"{self._file} is {row[0] if row else 'no session'}; this version reads {FORMAT}")
            if self._db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("it fails its integrity check")
            self.clips = [self._clip(r) for r in self._db.execute("SELECT * FROM clips ORDER BY id")]
            self._steps = [r[0] for r in self._db.execute("SELECT clip FROM steps ORDER BY id")]
            at = self._db.execute("SELECT value FROM about WHERE key = 'at'").fetchone()
            self._at = int(at[0]) if at else len(self._steps)
            self.turns = [Turn(r[0], r[1], json.loads(r[2]), r[3])
                          for r in self._db.execute("SELECT said, reply, calls, clip FROM turns ORDER BY id")]
        except (sqlite3.Error, ValueError, KeyError, TypeError) as err:
            if isinstance(err, SessionError):
                raise
            whole = sum(_readable(f) for f in self.folder.glob("clip-*.npz"))
            raise SessionError(f"the conversation in {self.folder} cannot be read ({err}); its {whole} whole clips are the files "
                               f"clip-*.npz there, which every command opens. Move {FILE} away to begin a new one") from err

    def _clip(self, row: Sequence[Any]) -> Clip:
        (id_, number, version, parent, name, how, said, files, script, schedule, by, seed, film) = row
        return Clip(id_, number, version, parent, name, how, said, tuple(self.folder / f for f in json.loads(files)),
                    None if script is None else Script.from_json(script),
                    None if schedule is None else Schedule.from_json(schedule), tuple(json.loads(by or "[]")), seed,
                    None if film is None else json.loads(film))

    # -- turns ------------------------------------------------------------------------------
    @contextmanager
    def turn(self) -> Iterator[None]:
        """One turn: what it adds is kept together, or not at all."""
        clips, steps, at, turns = list(self.clips), list(self._steps), self._at, list(self.turns)
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as err:
            raise SessionError(f"the conversation in {self.folder} is in use by another program; close it, or take another "
                               "name with --session") from err
        try:
            if self._db.execute("SELECT COUNT(*) FROM turns").fetchone()[0] != len(self.turns):
                raise SessionError(f"the conversation in {self.folder} went on in another program; open it again")
            yield
            self._db.execute("INSERT OR REPLACE INTO about VALUES ('at', ?)", (str(self._at),))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            self.clips, self._steps, self._at, self.turns = clips, steps, at, turns
            raise

    def remember(self, said: str, reply: str, calls: list[dict[str, Any]]) -> None:
        """Note what was said and answered."""
        here = self.current.id if self.current else None
        self._db.execute("INSERT INTO turns (said, reply, calls, clip) VALUES (?, ?, ?, ?)",
                         (said, reply, json.dumps(calls), here))
        self.turns.append(Turn(said, reply, calls, here))

    # -- clips ------------------------------------------------------------------------------
    @property
    def current(self) -> Clip | None:
        """The clip at hand."""
        return self.find(self._steps[self._at - 1]) if self._at > 0 else None

    def find(self, id_: int | None) -> Clip | None:
        """A version by its id."""
        return next((c for c in self.clips if c.id == id_), None)

    def versions(self, number: int) -> list[Clip]:
        """The versions of a clip, in order."""
        return [c for c in self.clips if c.number == number]

    @property
    def numbers(self) -> list[int]:
        """The clips' numbers, in order."""
        return sorted({c.number for c in self.clips})

    def latest(self, number: int) -> Clip:
        """The version of a clip that was at hand last."""
        for id_ in reversed(self._steps[:self._at]):
            clip = self.find(id_)
            if clip is not None and clip.number == number:
                return clip
        return self.versions(number)[-1]

    def add(self, clips: Sequence[FaceSequence], how: str, said: str, *, parent: Clip | None = None,
            made: Performance | None = None, film: Loaded | None = None, beside: bool = False) -> Clip:
        """Keep a new clip, or with a ``parent`` a new version of that one's; it is the clip at hand then, unless ``beside``."""
        number = parent.number if parent else max(self.numbers, default=0) + 1
        version = len(self.versions(number)) + 1
        stem = f"clip-{number}" + (f".v{version}" if version > 1 else "")
        files = []
        for k, clip in enumerate(clips):
            files.append(f"{stem}{f'.shot{k + 1}' if len(clips) > 1 else ''}.npz")
            (made if made is not None and clip is made.clip else clip).save(self.folder / files[-1])
        shots = None if film is None else json.dumps({"frames": film.frames, "note": film.note, "first": [
            round(s.start * s.clip.fps) for s in film.shots]})
        row = (number, version, parent.id if parent else None, parent.name if parent else "", how, said, json.dumps(files),
               made.script.to_json() if made else None, made.schedule.to_json() if made else None,
               json.dumps(list(made.by)) if made else None, made.seed if made else 0, shots)
        done = self._db.execute("INSERT INTO clips (number, version, parent, name, how, said, files, script, schedule, made_by, "
                                "seed, film) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        new = self._clip((done.lastrowid, *row))
        self.clips.append(new)
        if not beside:
            self.go(new)
        return new

    def go(self, clip: Clip) -> None:
        """Make a clip the one at hand; what was undone before is no longer ahead."""
        if self.current is not None and self.current.id == clip.id:
            return
        self._db.execute("DELETE FROM steps WHERE id > ?", (self._id_at(),))
        self._db.execute("INSERT INTO steps (clip) VALUES (?)", (clip.id,))
        self._steps = [*self._steps[:self._at], clip.id]
        self._at += 1

    def _id_at(self) -> int:
        if not self._at:
            return 0
        row = self._db.execute("SELECT id FROM steps ORDER BY id LIMIT 1 OFFSET ?", (self._at - 1,)).fetchone()
        return int(row[0]) if row else 0

    def step(self, back: bool) -> Clip | None:
        """Go to what was at hand before, or after it.

        Raises:
            ValueError: there is nothing there.
        """
        to = self._at + (-1 if back else 1)
        if not back and (left := self._left()) is not None:
            self.go(left)
        elif not 0 <= to <= len(self._steps):
            raise ValueError(f"there is nothing to {'undo' if back else 'redo'}")
        else:
            self._at = to
        return self.current

    def _left(self) -> Clip | None:
        """The version that was left for the one that it was made from, by going there: what "redo" means then."""
        before = self.find(self._steps[self._at - 2]) if 1 < self._at == len(self._steps) else None
        here = self.current
        return before if before is not None and here is not None and before.parent == here.id else None

    def can_step(self, back: bool) -> bool:
        """Whether there is something before, or after, what is at hand."""
        return 0 <= self._at + (-1 if back else 1) <= len(self._steps) or not back and self._left() is not None

    def name(self, clip: Clip, name: str) -> None:
        """Give a clip, in all its versions, a name.

        Raises:
            ValueError: another clip has it.
        """
        if any(c.name == name and c.number != clip.number for c in self.clips):
            raise ValueError(f"another clip is called {name!r} already; take another name")
        self._db.execute("UPDATE clips SET name = ? WHERE number = ?", (name, clip.number))
        self.clips = [self._clip(r) for r in self._db.execute("SELECT * FROM clips ORDER BY id")]

    @property
    def tries(self) -> int:
        """How many clips there are; each performance takes the next seed."""
        return len(self.clips)

    def close(self) -> None:
        """Let go of the folder."""
        self._db.close()
        if self._temporary:
            self._temporary.cleanup()


def sizes(folder: Path) -> tuple[int, int] | None:
    """How many turns and clips the session in a folder has, without opening it; None where that cannot be read."""
    try:
        with closing(sqlite3.connect(f"{(folder / FILE).absolute().as_uri()}?mode=ro", uri=True, timeout=0.5)) as db:
            turns, clips = db.execute("SELECT (SELECT COUNT(*) FROM turns), (SELECT COUNT(*) FROM clips)").fetchone()
            return int(turns), int(clips)
    except sqlite3.Error:
        return None


@lru_cache(maxsize=4096)
def _extent(path: Path) -> tuple[int, float]:
    clip = FaceSequence.load(path)  # a version's file never changes
    return len(clip), clip.fps


def _readable(path: Path) -> bool:
    try:
        FaceSequence.load(path)
    except (ValueError, OSError):
        return False
    return True
