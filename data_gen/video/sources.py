"""Videos from elsewhere than a text-to-video model: the procedural animator on film, and files that exist already."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ...common.files import file_digest
from ...common.progress import Progress, silent
from ...common.store import published
from ...face.io.media import probe
from ..prompts.factors import Attributes
from ..prompts.files import Prompt, read_rows
from ..prompts.script import script_for
from .footage import FootageConfig, film, truth_path
from .sidecar import (
    VIDEOS,
    Licence,
    Summary,
    VideoFolder,
    VideoRecord,
    check_name,
    is_complete,
    prompt_seed,
    record_path,
    write_record,
)

PERFORMED: tuple[str, ...] = ("emotion", "emotion_word", "intensity", "actions", "head", "gaze", "speaking")
"""The attributes that the procedural animator follows; its people and pictures are drawn by footage.py."""


def perform_videos(prompts: Sequence[Prompt], out_dir: str | os.PathLike[str], *, config: FootageConfig | None = None,
                   seed: int = 0, progress: Progress = silent) -> Summary:
    """Film the procedural animator for every prompt: ``ID.mp4``, ``ID.truth.npz`` and ``ID.json``.

    Args:
        prompts: what is performed; of their attributes those in PERFORMED are followed.
        out_dir: folder of the videos; complete ones are skipped.
        config: how it is filmed.
        seed: each prompt's own seed is derived from it.
        progress: called with (done, of).
    """
    cfg = config or FootageConfig()
    run = VideoFolder(Path(out_dir), [check_name(p.id) for p in prompts], progress)
    for prompt in prompts:
        own = prompt_seed(seed, prompt)
        record = VideoRecord(
            prompt.id, f"{prompt.id}.mp4", "", "performer", 0, 0, 0.0, 0, prompt.text, prompt.attributes.as_dict(), own,
            licence=Licence("none: made by this project's performer", use="free"),
            settings={**json.loads(json.dumps(asdict(cfg))), "followed": list(PERFORMED)})
        if run.has(record) and truth_path(run.folder / record.file).is_file():
            run.skip()
            continue
        try:
            with published(run.folder, f"{prompt.id}.json") as work:
                path = work / record.file
                made = film(script_for(prompt.attributes, own), path, cfg, own)
                beside = json.loads(record_path(path).read_text(encoding="utf-8"))
                write_record(replace(record, sha256=file_digest(path), width=made.camera.width, height=made.camera.height,
                                     frames=len(made.truth), fps=made.truth.fps), work, beside)
            run.done()
        except (ValueError, RuntimeError, OSError, MemoryError) as err:
            run.fail(prompt.id, err)
    return run.summary


def _known(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Id -> {text, attributes given} of a table with an ``id`` column (a file name, with or without suffix)."""
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
                 progress: Progress = silent) -> Summary:
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
    run = VideoFolder(out, names, progress)
    for path, name in zip(files, names, strict=True):
        file = check_name(name) + path.suffix.lower()
        try:
            info, sha = probe(path), file_digest(path)
            said = known.get(path.name) or known.get(path.stem) or {"text": None, "attributes": None}
            record = VideoRecord(name, file, sha, "files", info.width, info.height, info.fps, info.frames, said["text"],
                                 said["attributes"], licence=licence or Licence(), settings={"source": path.name})
            if is_complete(out, file) == record:
                run.skip()
                continue
            with published(out, f"{name}.json") as work:
                try:
                    os.link(path, work / file)
                except OSError:  # another file system
                    shutil.copyfile(path, work / file)
                write_record(record, work)
            run.done()
        except (ValueError, OSError, RuntimeError) as err:
            run.fail(name, err, source=path.name)
    return run.summary
