"""Videos of a corpus on disk: the sidecar that says what each one is, and the list of failures.

Whatever a video comes from (a text-to-video model, the filmed performer, a user's folder), it is one file
and one JSON sidecar beside it. The sidecar is written last and holds the file's sha256, so a video
counts as complete exactly when its sidecar agrees with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.files import atomic_file
from ..prompts.factors import Attributes
from ..prompts.files import Prompt, read_rows
from ..prompts.script import script_for

if TYPE_CHECKING:
    from .footage import FootageConfig

FORMAT, VERSION = "facelm-video", 1
VIDEOS: tuple[str, ...] = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
FAILURES = "failures.jsonl"
PERFORMED: tuple[str, ...] = ("emotion", "emotion_word", "intensity", "actions", "head", "gaze", "speaking")
"""The attributes that the built-in performer follows; its people and pictures are drawn by footage.py."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Licence:
    """Under which terms a video's maker may be used."""

    name: str = "unknown"
    url: str = ""
    use: str = "unknown"
    """free (also commercially) | limited (see the note) | non-commercial | unknown"""
    note: str = ""
    """What limits the use, in a sentence."""

    def __post_init__(self) -> None:
        if self.use not in ("free", "limited", "non-commercial", "unknown"):
            raise ValueError(f"licence use is {self.use!r}; allowed: free, limited, non-commercial, unknown")
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
        return asdict(self)


# -- sidecars -----------------------------------------------------------------------------------
def file_sha256(path: str | os.PathLike[str]) -> str:
    """sha256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_path(video: str | os.PathLike[str]) -> Path:
    """The sidecar of a video."""
    return Path(video).with_suffix(".json")


def write_record(record: VideoRecord, folder: Path, beside: Mapping[str, Any] | None = None) -> Path:
    """Write a sidecar. ``beside``: an existing JSON object (footage's) that the record joins under "video"."""
    own = {"format": FORMAT, "version": VERSION, **asdict(record)}
    path = record_path(folder / record.file)
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(own if beside is None else {**beside, "video": own}, indent=1) + "\n", encoding="utf-8")
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


def records(folder: str | os.PathLike[str]) -> list[VideoRecord]:
    """The records of all videos in a folder whose sidecar is there, by id."""
    target = Path(folder)
    if not target.is_dir():
        raise FileNotFoundError(f"no such folder: {target}")
    out = []
    for path in sorted(target.glob("*.json")):
        if any(path.with_suffix(s).is_file() for s in VIDEOS):
            out.append(read_record(path))
    return out


def is_complete(folder: Path, file: str) -> VideoRecord | None:
    """The record, if the video is there and is the one that its sidecar describes."""
    path = folder / file
    if not path.is_file() or not record_path(path).is_file():
        return None
    try:
        record = read_record(path)
    except ValueError:  # damaged: made again
        return None
    return record if record.file == file and record.sha256 == file_sha256(path) else None


def check_name(name: str) -> str:
    """An id that can be a file name everywhere."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise ValueError(f"id {name!r} cannot be a file name; allowed: letters, digits, '.', '_', '-', up to 121")
    return name


def prompt_seed(seed: int, prompt: Prompt) -> int:
    """A prompt's own seed: depends on the run's seed, the id and the text alone. 0 to 2**31 - 1."""
    digest = hashlib.sha256(f"{seed}\n{prompt.id}\n{prompt.text}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


class Ledger:
    """A run's folder: skips what is complete, lists what failed.

    Args:
        folder: made when it does not exist.
        ids: what this run is about; older failures of other ids stay listed.
        progress: called with (done, of).
    """

    def __init__(self, folder: Path, ids: Sequence[str], progress: Progress | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(".*.part*"):
            if not stale.is_dir():
                stale.unlink(missing_ok=True)
        if len(set(map(str.lower, ids))) != len(ids):
            raise ValueError("two prompts have the same id; ids become file names and must differ (also in lower case)")
        self.folder, self.of, self.progress, self.summary = folder, len(ids), progress, Summary()
        self._path, mine = folder / FAILURES, set(ids)
        kept = []
        if self._path.is_file():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    if json.loads(line)["id"] not in mine:
                        kept.append(line)
                except (ValueError, KeyError, TypeError):  # half a line of a killed run
                    continue
            self._path.unlink()
        if kept:
            self._path.write_text("\n".join(kept) + "\n", encoding="utf-8")

    def _step(self) -> None:
        done = self.summary.written + self.summary.skipped + self.summary.failed
        if self.progress:
            self.progress(done, self.of)

    def skip(self) -> None:
        self.summary.skipped += 1
        self._step()

    def done(self) -> None:
        self.summary.written += 1
        self._step()

    def fail(self, name: str, error: BaseException | str, **more: Any) -> None:
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        text = " ".join(text.split())[:500]
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"id": name, "error": text, **more}) + "\n")
        self.summary.failed += 1
        self.summary.first_error = self.summary.first_error or text
        self._step()


def refuse_other_run(have: VideoRecord, want: VideoRecord, folder: Path) -> None:
    """Raise when a complete video was made in another way than this run would."""
    def text(value: Any) -> str:
        return json.dumps(value, sort_keys=True)  # as a sidecar holds it: tuples are lists there

    differing = [k for k, v in want.made_by.items() if text(have.made_by[k]) != text(v)]
    if differing:
        raise ValueError(f"{folder / have.file} was made with another {' and '.join(differing)}; "
                         "use a new folder or the same settings")


# -- the performer --------------------------------------------------------------------------------
def perform_videos(prompts: Sequence[Prompt], out_dir: str | os.PathLike[str], *, config: FootageConfig | None = None,
                   seed: int = 0, progress: Progress | None = None) -> Summary:
    """Film the built-in performer for every prompt: ``ID.mp4``, ``ID.truth.npz`` and ``ID.json``.

    Args:
        prompts: what is performed; of their attributes those in PERFORMED are followed.
        out_dir: folder of the videos; complete ones are skipped.
        config: how it is filmed.
        seed: each prompt's own seed is derived from it.
        progress: called with (done, of).
    """
    from .footage import FootageConfig, film, truth_path

    cfg, folder = config or FootageConfig(), Path(out_dir)
    ledger = Ledger(folder, [check_name(p.id) for p in prompts], progress)
    for prompt in prompts:
        name, own = f"{prompt.id}.mp4", prompt_seed(seed, prompt)
        script = script_for(prompt.attributes, own)

        def record(sha: str, width: int, height: int, frames: int, fps: float, name: str = name, own: int = own,
                   prompt: Prompt = prompt) -> VideoRecord:
            return VideoRecord(
                prompt.id, name, sha, "performer", width, height, fps, frames, prompt.text, prompt.attributes.as_dict(), own,
                licence=Licence("none: made by this project's performer", use="free"),
                settings={**json.loads(json.dumps(asdict(cfg))), "followed": list(PERFORMED)})

        have = is_complete(folder, name)
        if have and truth_path(folder / name).is_file():
            refuse_other_run(have, record("", 0, 0, 0, 0.0), folder)
            ledger.skip()
            continue
        work = folder / f".{prompt.id}.work"
        try:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            made = film(script, work / name, cfg, own)
            beside = json.loads(record_path(work / name).read_text(encoding="utf-8"))
            wanted = record(file_sha256(work / name), made.camera.width, made.camera.height, len(made.truth), made.truth.fps)
            record_path(folder / name).unlink(missing_ok=True)  # the sidecar is what says complete: gone first, back last
            os.replace(truth_path(work / name), truth_path(folder / name))
            os.replace(work / name, folder / name)
            write_record(wanted, folder, beside)
            ledger.done()
        except (ValueError, RuntimeError, OSError, MemoryError) as err:
            ledger.fail(prompt.id, err)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return ledger.summary


# -- videos that exist already --------------------------------------------------------------------
def _known(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """id -> {text, attributes given} of a table with an ``id`` column (a file name, with or without suffix)."""
    names, out = set(Attributes().as_dict()), {}
    for number, row in enumerate(read_rows(path), 1):
        if not isinstance(row.get("id"), str) or not row["id"]:
            raise ValueError(f"{path}, row {number}: the column id (the video's name) is missing")
        empty: tuple[Any, ...] = ([], "") if Path(path).suffix.lower() == ".csv" else ()  # an empty cell says nothing
        given = {k: v for k, v in row.items() if k in names and v is not None and v not in empty}
        try:
            Attributes.from_dict(given)
        except ValueError as err:
            raise ValueError(f"{path}, row {number}: {err}") from err
        out[row["id"]] = {"text": row.get("text") or None, "attributes": given or None}
    return out


def adopt_videos(source: str | os.PathLike[str], out_dir: str | os.PathLike[str], *,
                 attributes: str | os.PathLike[str] | None = None, licence: Licence | None = None, limit: int | None = None,
                 progress: Progress | None = None) -> Summary:
    """Take existing videos in: the same file and sidecar as if they had been made here.

    Args:
        source: folder of videos (not searched deeper).
        out_dir: folder for the videos (hard links where the file system allows, else copies) and sidecars.
        attributes: .jsonl, .csv or .parquet with a column ``id`` (a video's name) and any of ``text`` and
            the attributes of a prompt; what it does not say stays unknown.
        licence: of the videos; unknown when not given.
        limit: only the first so many, by name.
        progress: called with (done, of).

    Raises:
        FileNotFoundError: no such folder, or no videos in it.
        ValueError: an attribute file with names of no video, or unknown values.
    """
    from ...face.io.media import probe

    folder, out = Path(source), Path(out_dir)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    if out.resolve() == folder.resolve():
        raise ValueError(f"{out} is the folder of the videos itself; give another one for the corpus")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in VIDEOS and p.is_file() and not p.name.startswith("."))
    if not files:
        raise FileNotFoundError(f"no videos in {folder}; looked for {', '.join(VIDEOS)}")
    known = _known(attributes) if attributes else {}
    if stray := [k for k in known if k not in {n for p in files for n in (p.name, p.stem)}]:
        raise ValueError(f"{attributes} names {stray[0]!r}, which is no video of {folder}")
    files = files[:limit]
    names = [re.sub(r"[^A-Za-z0-9._-]", "_", p.stem).lstrip("._-") or "video" for p in files]
    for k, name in enumerate(names):  # a.mp4 and a.mov, or names that differ in what cannot be a file name
        if name.lower() in {n.lower() for n in names[:k]}:
            names[k] = f"{name}-{hashlib.sha256(files[k].name.encode()).hexdigest()[:8]}"
    ledger = Ledger(out, names, progress)
    for path, name in zip(files, names, strict=True):
        file = check_name(name) + path.suffix.lower()
        try:
            info, sha = probe(path), file_sha256(path)
            said = known.get(path.name) or known.get(path.stem) or {"text": None, "attributes": None}
            record = VideoRecord(name, file, sha, "files", info.width, info.height, info.fps, info.frames, said["text"],
                                 said["attributes"], licence=licence or Licence(), settings={"source": path.name})
            if is_complete(out, file) == record:
                ledger.skip()
                continue
            with atomic_file(out / file) as partial:
                try:
                    os.link(path, partial)
                except OSError:  # another file system
                    shutil.copyfile(path, partial)
            write_record(record, out)
            ledger.done()
        except (ValueError, OSError, RuntimeError) as err:
            ledger.fail(name, err, source=path.name)
    return ledger.summary
