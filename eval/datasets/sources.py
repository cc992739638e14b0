"""Where the parameters of a sequence or clip come from: the project's fitter, files that the user has, or the truth."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np

from ...common.files import digest, file_digest
from ...common.store import Record as Kept
from ...common.store import Store
from ...data_gen.fit.config import FitConfig
from ...face.clip.sequence import FaceSequence
from ...face.head.model import HeadModel
from ...face.io.convert import read

TRUTH = "truth"
"""Folder of a surrogate's own parameters, beside its pictures."""
_FILES = (".npz", ".npy", ".pkl", ".pickle", ".mat", ".pt", ".pth", ".json", ".csv", ".txt")


@cache
def fitter_code() -> str:
    """A digest of the fitter's own files: fits made by other code are not found again."""
    from ...data_gen import fit

    files = sorted(Path(fit.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16]


class Unusable(ValueError):
    """A record without parameters; the text is the reason for the report."""


@dataclass(frozen=True)
class Record:
    """A sequence of pictures or a clip."""

    name: str
    """``S005/001`` or a clip's id."""
    media: tuple[Path, ...] = field(default=(), repr=False)
    """The pictures in order, or one video."""
    fps: float | None = None
    """Of pictures; a video knows its own."""


class Source(Protocol):
    """Gives a record's parameters, one frame a picture."""

    name: str
    """For titles and reports: ``fitted``, ``true``, or the folder's name."""
    needs_media: bool

    @property
    def head(self) -> str:
        """``str(HeadRef)`` of what has been given so far."""
        ...

    def clip(self, record: Record) -> FaceSequence:
        """The record's parameters; raises Unusable with the reason."""
        ...


def source_of(params: str | os.PathLike[str], root: Path, work: Path, head: HeadModel) -> Source:
    """The source that ``params`` names; see ``expressions.load_dataset``.

    Raises:
        FileNotFoundError: no such folder of parameters, or a surrogate without its truth.
    """
    if params == "fit":
        return FitSource(work / "fits", head)
    folder = root / TRUTH if params == "true" else Path(params)
    if not folder.is_dir():
        raise FileNotFoundError(f"params is {os.fspath(params)!r} and {folder} is not a folder; give 'fit' "
                                "or a folder with a parameter file for each sequence or clip")
    return FileSource(folder, head, "true" if params == "true" else folder.name)


def title_of(data: str, real: bool, source: Source) -> str:
    """What tables say of a data set: its name, and where the parameters come from."""
    if real:
        return f"{data} ({'fitted by facelm' if source.name == 'fitted' else f'parameters from {source.name}'})"
    kinds = {"fitted": ", rendered and fitted", "true": "'s own parameters"}
    return f"{data} surrogate (procedural animator{kinds.get(source.name, f', parameters from {source.name}')})"


class FitSource:
    """The project's fitter, each record once: a result or a failure is kept under a name made of content and settings."""

    name, needs_media = "fitted", True
    _FORMAT = 1
    _STAGE, _FILE = "fit", "clip.npz"

    def __init__(self, folder: Path, head: HeadModel) -> None:
        from ...data_gen.fit.landmarker import landmarker_model, model_sha256

        self._model = landmarker_model(None)
        self._store, self._head, self._config = Store(folder), head, FitConfig()
        self._settings = {"format": self._FORMAT, "fitter": fitter_code(), "config": asdict(self._config),
                          "head": head.ref.sha256, "model": model_sha256(self._model)}

    @property
    def head(self) -> str:
        return str(self._head.ref)

    def key(self, record: Record) -> str:
        """Name of the record's fit: content of its files, frame rate and settings."""
        return digest([self._settings, record.fps, [file_digest(p) for p in record.media]])[:24]

    def clip(self, record: Record) -> FaceSequence:
        if not record.media:
            raise Unusable("no pictures")
        try:
            key = self.key(record)
        except OSError as err:
            raise Unusable(f"a file cannot be read ({err.strerror or type(err).__name__})") from err
        kept = self._store.read(self._STAGE, key)
        if kept is None or (kept.ok and not self._store.has_files(kept)):
            kept = self._make(record, key)
        if not kept.ok:
            raise Unusable(kept.reason)
        return FaceSequence.load(self._store.place(self._STAGE, key) / self._FILE, self._head.ref)

    def _make(self, record: Record, key: str) -> Kept:
        """Fit a record and keep the result, or the reason why there is none."""
        try:
            with self._store.scratch(self._STAGE, key) as folder:
                self._fit(record).save(folder / self._FILE)
                return self._store.commit(self._STAGE, key, key, {"record": record.name}, folder)
        except (ValueError, OSError) as err:  # OSError: a picture cut short
            return self._store.commit(self._STAGE, key, key, {"record": record.name}, None, self._plain(str(err), record))

    def _fit(self, record: Record) -> FaceSequence:
        from ...data_gen.fit.detect import detect
        from ...data_gen.fit.fit import fit_detections
        from ...face.io.media import probe

        pictures = record.fps is not None  # they are read as one folder of frames
        info = probe(record.media[0].parent if pictures else record.media[0], record.fps)
        seen = detect(info, model=self._model, max_side=self._config.max_side or None)
        if pictures and len(seen) != len(record.media):
            raise ValueError(f"{len(seen)} of {len(record.media)} pictures could be read")
        return fit_detections(seen, self._head, config=self._config, info=info).seq

    @staticmethod
    def _plain(text: str, record: Record) -> str:
        """An error without the record's own paths, so that equal reasons are counted together."""
        for path in sorted({*record.media, *(p.parent for p in record.media)}, key=lambda p: -len(str(p))):
            text = text.replace(f"{path}: ", "").replace(str(path), path.name)
        return text


class FileSource:
    """Parameter files, one a record: ``<record>.*``, ``S005/001.*`` or ``S005_001.*``, or a folder of frames of that name."""

    needs_media = False

    def __init__(self, folder: Path, head: HeadModel, name: str) -> None:
        self._folder, self._model, self.name = folder, head, name
        self._head: str | None = None

    @property
    def head(self) -> str:
        return self._head or str(self._model.ref)

    def path(self, record: Record) -> Path:
        """The record's file.

        Raises:
            Unusable: there is none.
        """
        stems = [record.name, record.name.replace("/", "_")]
        for stem in stems:
            for suffix in _FILES:
                if (found := self._folder / f"{stem}{suffix}").is_file():
                    return found
            if (found := self._folder / stem).is_dir():
                return found
        raise Unusable("no parameter file")

    def clip(self, record: Record) -> FaceSequence:
        path = self.path(record)
        try:
            seq = self._read(path)
        except (ValueError, OSError) as err:
            reason = str(err).replace(f"{path}: ", "").replace(str(path), path.name)
            raise Unusable(f"parameters cannot be read: {reason}") from err
        if record.media and len(record.media) > 1 and len(seq) not in (1, len(record.media)):
            raise Unusable(f"{len(seq)} frames of parameters for {len(record.media)} pictures")
        if self._head is None:
            self._head = str(seq.head)
        elif self._head != str(seq.head):
            raise ValueError(f"{path} drives the head {seq.head}, earlier files {self._head}; one data set has one head: "
                             "facelm retarget brings clips to another one")
        return seq

    def _read(self, path: Path) -> FaceSequence:
        if path.is_file() and path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as npz:
                own = "format" in npz.files and "neck_pose" in npz.files
            if own:
                return FaceSequence.load(path)
        imported = read(path, None if self._model.ref == HeadModel.default().ref else self._model)
        return imported.sequence
