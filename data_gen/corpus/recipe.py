"""The recipe of a corpus build: one dataclass a stage, read from YAML."""

from __future__ import annotations

import os
from dataclasses import asdict, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS, parse, read_yaml
from ...face.clip.normalise import PrepareConfig
from ..fit.config import FitConfig
from ..fit.quality import Gate
from ..prompts.suite import PromptConfig
from ..video.footage import FootageConfig
from ..video.t2v import T2VConfig

Seconds = Annotated[float, Field(ge=0.2, le=60.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


@dataclass(frozen=True, config=SETTINGS)
class PromptStage:
    """What is asked for. Unused by the backend ``videos``."""

    source: Literal["scripts", "suite"] = "scripts"
    """scripts: straight from the script sampler; suite: from the prompt suite (data_gen/prompts/suite.py)."""
    suite: PromptConfig = field(default_factory=PromptConfig)
    """The suite's factors; in a recipe also the name of a YAML (configs/prompts/*.yaml), relative to the recipe."""
    min_seconds: Seconds = 1.44
    """Shortest script that is taken."""
    max_seconds: Seconds = 8.0
    """Longest script that is taken."""

    def __post_init__(self) -> None:
        if self.max_seconds < self.min_seconds or (self.source == "scripts" and self.max_seconds - self.min_seconds < 0.5):
            raise ValueError(f"min_seconds {self.min_seconds:g}, max_seconds {self.max_seconds:g}; "
                             "max_seconds must be at least half a second more")


@dataclass(frozen=True, config=SETTINGS)
class VideoStage:
    """Where pictures come from."""

    footage: FootageConfig = field(default_factory=FootageConfig)
    """Backend performer: how it is filmed."""
    t2v: T2VConfig | None = None
    """Backend t2v: the model; in a recipe the name of a YAML (configs/t2v/*.yaml), relative to the recipe."""
    folder: str = ""
    """Backend videos: the folder; `--videos DIR` says the same."""
    licence: str = ""
    """Backend videos: under which licence the videos stand; goes into every row."""
    keep: bool = False
    """Whether videos that this build made stay after they are fitted."""


@dataclass(frozen=True, config=SETTINGS)
class FitStage:
    """The per-frame fit."""

    config: FitConfig = field(default_factory=FitConfig)
    gate: Gate = field(default_factory=Gate)
    """What a fit must reach; the stage filter leaves out what does not."""
    model: str = ""
    """The landmark detector's file; empty finds it (data_gen/fit/detect.py)."""


@dataclass(frozen=True, config=SETTINGS)
class FactsStage:
    """From the fitted clip to the clip that is stored, and to what it shows."""

    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    """What of a filmed face is its resting, not its motion (face/clip/normalise.py); `fps` is that of the stored clip."""
    min_seconds: Seconds = 1.0
    """Shorter pieces are left out."""
    max_seconds: Annotated[float, Field(ge=0.4, le=60.0)] = 8.0
    """Longer clips are cut, at a moment at rest where there is one."""

    def __post_init__(self) -> None:
        if self.max_seconds < 2 * self.min_seconds:
            raise ValueError(f"max_seconds is {self.max_seconds:g}; needed: at least twice min_seconds, "
                             f"which is {self.min_seconds:g}")


@dataclass(frozen=True, config=SETTINGS)
class CaptionStage:
    """Words for each clip, from its measured facts."""

    captions: Annotated[int, Field(ge=1, le=100)] = 4
    questions: Annotated[int, Field(ge=0, le=100)] = 6


@dataclass(frozen=True, config=SETTINGS)
class FilterStage:
    """Which clips are left out, and why; every reason is listed."""

    gate: bool = True
    """Whether the fit must have passed fit.gate."""
    min_valid: Share = 0.8
    """Least share of frames with a trusted fit."""
    max_error: Annotated[float, Field(ge=0.0, le=1e6)] = 5.0
    """Largest median reprojection error, % of the inter-ocular distance."""
    min_confidence: Share = 0.0
    """Least mean confidence of the fit, 0 to 1."""
    agree: bool = False
    """Whether a clip that does not show what its prompt asks for is left out; it is flagged in any case."""
    min_events: Annotated[int, Field(ge=0, le=9)] = 0
    """Least number of events that the words are about."""


@dataclass(frozen=True, config=SETTINGS)
class SplitStage:
    """train, val or test."""

    rule: Literal["auto", "structure", "source"] = "auto"
    """structure: by what the true script holds (splits.py); source: by a hash of the video or prompt, so that
    no source is in two splits; auto: structure for the backend performer, source otherwise."""
    group: Literal["file", "folder"] = "file"
    """Backend videos: file, or folder where each folder holds one person."""
    val: Annotated[float, Field(ge=0.0, le=0.5)] = 0.05
    """Share of the sources in val (rule source)."""
    test: Annotated[float, Field(ge=0.0, le=0.5)] = 0.05
    """Share of the sources in test (rule source)."""


@dataclass(frozen=True, config=SETTINGS)
class PackStage:
    """The files that a reader gets."""

    shard_size: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Most clips in one Parquet file."""
    webdataset: bool = False
    """Whether tar files for webdataset are written as well."""
    plots: bool = True
    """Whether the card has balance plots (needs matplotlib)."""


@dataclass(frozen=True, config=SETTINGS)
class Recipe:
    """Everything that determines a corpus but the code.

    Raises:
        ValueError: a number or a choice that is not allowed, or parts that do not fit together.
    """

    backend: Literal["performer", "t2v", "videos"] = "performer"
    clips: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    """Clips to ask for; with the backend videos 0 means all files."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    prompts: PromptStage = field(default_factory=PromptStage)
    video: VideoStage = field(default_factory=VideoStage)
    fit: FitStage = field(default_factory=FitStage)
    facts: FactsStage = field(default_factory=FactsStage)
    captions: CaptionStage = field(default_factory=CaptionStage)
    filter: FilterStage = field(default_factory=FilterStage)
    split: SplitStage = field(default_factory=SplitStage)
    pack: PackStage = field(default_factory=PackStage)

    def __post_init__(self) -> None:
        if self.backend != "videos" and not self.clips:
            raise ValueError(f"clips is 0; the backend {self.backend} needs a number of clips, at least 1")
        if self.backend == "t2v" and self.video.t2v is None:
            raise ValueError("the backend t2v needs video.t2v: the YAML of a text-to-video model (configs/t2v/*.yaml)")
        if self.backend == "t2v" and self.prompts.source != "suite":
            raise ValueError("the backend t2v takes its prompts from the suite: set prompts.source to suite")
        if self.split.rule == "structure" and self.backend != "performer":
            raise ValueError("split.rule structure needs the true scripts of the backend performer; use source")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go into a manifest."""
        return asdict(self)


def load_recipe(path: str | os.PathLike[str], *, backend: str | None = None, folder: str | os.PathLike[str] | None = None,
                clips: int | None = None) -> Recipe:
    """Read a recipe.

    Args:
        path: YAML; paths in it are relative to it.
        backend, folder, clips: instead of what the recipe says; ``folder`` is that of the videos.

    Raises:
        FileNotFoundError, ValueError: no such file, unknown entries, values that are not allowed.
    """
    source = Path(path)
    raw = read_yaml(source)
    raw |= {k: v for k, v in (("backend", backend), ("clips", clips)) if v is not None}
    prompts, video = (_part(raw, name, source) for name in ("prompts", "video"))
    here = source.resolve().parent
    if isinstance(prompts.get("suite"), str):
        raw["prompts"] = {**prompts, "suite": read_yaml(here / prompts["suite"])}
    if video.get("t2v") is not None:
        video["t2v"] = read_yaml(here / str(video["t2v"]))
    if folder is not None:
        video["folder"] = str(Path(folder).resolve())
    elif video.get("folder"):
        video["folder"] = str((here / str(video["folder"])).resolve())
    if video:
        raw["video"] = video
    return parse(Recipe, raw, str(source))


def _part(raw: dict[str, Any], name: str, source: Path) -> dict[str, Any]:
    part = raw.get(name) or {}
    if not isinstance(part, dict):
        raise ValueError(f"{source}: {name} must be a mapping, not {type(part).__name__}")
    return dict(part)


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Where two plain recipes differ, as ``name: old -> new``."""
    if isinstance(old, dict) and isinstance(new, dict):
        out = []
        for key in dict.fromkeys((*old, *new)):
            out += differences(old.get(key), new.get(key), f"{where}.{key}" if where else str(key))
        return out
    same = list(old) == list(new) if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)) else old == new
    return [] if same else [f"{where}: {old!r} -> {new!r}"]
