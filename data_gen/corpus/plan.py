"""Which clips a build makes: from the recipe's count, its prompt suite, or a folder of videos."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from ...common.files import file_digest
from ..prompts.suite import iterate_prompts
from ..video.sidecar import VIDEOS, VideoRecord, read_record
from .recipe import Recipe
from .stages import Item


def plan(recipe: Recipe, limit: int | None = None) -> list[Item]:
    """The clips to make, in order.

    Raises:
        FileNotFoundError: the folder of videos does not exist or holds none.
        ValueError: the prompt suite has fewer prompts than clips.
    """
    count = recipe.clips if limit is None else min(limit, recipe.clips or limit)
    if recipe.backend == "videos":
        return _videos(recipe, count)
    names = [f"{recipe.seed}-{i:07d}" for i in range(count)]
    if recipe.prompts.source == "scripts":
        return [Item(name, i) for i, name in enumerate(names)]
    prompts = islice(iterate_prompts(recipe.prompts.suite, recipe.seed), count)
    return [Item(name, i, {"prompt": p.text, "attributes": p.attributes.as_dict(), "prompt_id": p.id})
            for i, (name, p) in enumerate(zip(names, prompts, strict=True))]


def _videos(recipe: Recipe, count: int) -> list[Item]:
    if not recipe.video.folder:
        raise ValueError("the backend videos needs a folder: --videos DIR, or video.folder in the recipe")
    folder = Path(recipe.video.folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder of videos: {folder}")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in VIDEOS and p.is_file())
    if not paths:
        raise FileNotFoundError(f"{folder} holds no video ({', '.join(VIDEOS)})")
    out: dict[str, Item] = {}
    for path in paths[:count] if count else paths:
        sha, name = file_digest(path), path.relative_to(folder)
        group = name.parent.as_posix() if recipe.split.group == "folder" and len(name.parts) > 1 else sha
        # named by its content: a renamed video is the same clip, and a copy is not a second one
        known = _sidecar(path)
        if known and known.prompt and recipe.split.group == "file":
            group = known.prompt
        attributes = known.attributes_or_none() if known else None
        spec = {"source": name.as_posix(), "sha256": sha, "group": group, "prompt": (known.prompt if known else "") or "",
                "attributes": attributes.as_dict() if attributes else {}, "licence": known.licence.name if known else ""}
        out.setdefault(sha[:20], Item(sha[:20], len(out), spec))
    return list(out.values())


def _sidecar(video: Path) -> VideoRecord | None:
    """What `facelm data videos` wrote beside a video."""
    try:
        return read_record(video)
    except (FileNotFoundError, ValueError):  # somebody else's video, or somebody else's JSON
        return None
