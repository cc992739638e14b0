"""Annotated footage: finding it by its digests, fitting it, and measuring the fits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...common.files import file_digest
from ...data_gen.fit.fit import fit_faces
from ...face.clip.sequence import FaceSequence
from ...face.facs.measure import measure
from ...face.facs.measured import Measurement
from ...face.head.model import HeadModel
from .annotations import AnnotatedClip


def known_footage(footage: Iterable[Path], wanted: set[str]) -> dict[str, Path]:
    """The files of the wanted sha256 in files or folders.

    Raises:
        FileNotFoundError: none of them is there.
    """
    files = [f for p in footage for f in (sorted(p.rglob("*")) if p.is_dir() else [p]) if f.is_file()]
    found = {file_digest(f): f for f in files}
    if not wanted & found.keys():
        raise FileNotFoundError("none of the annotated clips is there; fetch them with scripts/fetch_real.py -o FOLDER")
    return found


def measured(clip: AnnotatedClip, path: Path, head: HeadModel, cache: Path | None) -> Measurement:
    """What all shots of a film show; the fits of ``cache`` are files named by clip and first frame."""
    kept = {int(f.suffixes[0][1:]): FaceSequence.load(f) for f in cache.glob(f"{clip.name}.*.npz")} if cache else {}
    if not kept:
        kept = _shots(path, head)
        if cache:
            cache.mkdir(parents=True, exist_ok=True)
            for start, seq in kept.items():
                seq.save(cache / f"{clip.name}.{start}.npz")
    end = max(start / seq.fps + seq.seconds for start, seq in kept.items())
    return Measurement.joined([(start / seq.fps, measure(seq, head, filmed=True)) for start, seq in sorted(kept.items())], end)


def _shots(path: Path, head: HeadModel) -> dict[int, FaceSequence]:
    """First frame and clip of every shot of the person seen most, and of those who are alone in their shots."""
    faces = sorted(fit_faces(path, head, every=True), key=lambda f: -sum(int(s.seq.valid.sum()) for s in f.shots))
    out = {shot.start: shot.seq for shot in faces[0].shots}
    for shot in (s for face in faces[1:] for s in face.shots):
        if all(shot.start >= start + len(seq) or start >= shot.start + len(shot.seq) for start, seq in out.items()):
            out[shot.start] = shot.seq
    return out
