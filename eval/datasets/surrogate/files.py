"""How the surrogates' files are written: each once, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from ....common.files import write_text
from ....face.clip.sequence import FaceSequence


def write_once(path: Path, text: str) -> None:
    """Write a small text file; it is left alone when it is there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def write_truth(path: Path, clip: FaceSequence) -> None:
    """Write a clip's own parameters."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        clip.save(path)
