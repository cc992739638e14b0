"""A session as one file, and back."""

from __future__ import annotations

import io
import itertools
import shutil
import sqlite3
import tempfile
import zipfile
from pathlib import Path

from ..talk.session import FILE

_MOST = 4 << 30
"""Bytes that a shared session may unpack to."""
_SUFFIXES = (".npz", ".sqlite", ".mp4", ".webm", ".mov", ".mkv", ".avi", ".m4v", ".gif", ".png", ".jpg", ".jpeg", ".webp", ".bmp")


def packed(folder: Path) -> bytes:
    """All of a session's files as a zip."""
    out = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="facelm-share-") as place:
        copy = Path(place) / FILE
        source, target = sqlite3.connect(folder / FILE), sqlite3.connect(copy)
        with target:
            source.backup(target)
        source.close()
        target.close()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            archive.write(copy, FILE)
            for file in sorted(folder.iterdir()):
                if file.suffix in _SUFFIXES and file.name != FILE and file.is_file():
                    archive.write(file, file.name)
    return out.getvalue()


def taken_over(path: Path, sessions: Path) -> str:
    """Unpack a shared session beside the others; its new name.

    Raises:
        ValueError: it is none, or holds what no session holds.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if FILE not in {m.filename for m in members}:
            raise ValueError(f"that is no session that was shared: {FILE} is missing")
        if sum(m.file_size for m in members) > _MOST:
            raise ValueError("that session is larger than 4 GB")
        for member in members:
            if Path(member.filename).name != member.filename or Path(member.filename).suffix not in _SUFFIXES:
                raise ValueError(f"a session holds no file {member.filename[:80]!r}")
        taken = {f.name for f in sessions.iterdir()}
        name = next(f"shared-{k}" for k in itertools.count(1) if f"shared-{k}" not in taken)
        made = Path(tempfile.mkdtemp(prefix=".import-", dir=sessions))
        try:
            for member in members:
                with archive.open(member) as source, open(made / member.filename, "wb") as target:
                    shutil.copyfileobj(source, target)
            made.rename(sessions / name)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    return name
