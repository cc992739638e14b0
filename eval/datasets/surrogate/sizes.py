"""Settings of the surrogate data sets: how large they are and how much their subjects differ."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from ....common.config import SETTINGS
from ....face.render.camera import MAX_SIDE

Share = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=0, le=30)]
Range = tuple[float, float]


def _within(low: float, high: float) -> AfterValidator:
    """Two rising numbers from ``low`` to ``high``."""
    def check(value: tuple[float, float]) -> tuple[float, float]:
        if not low <= value[0] <= value[1] <= high:
            raise ValueError(f"is {value}; allowed: two rising numbers from {low:g} to {high:g}")
        return value
    return AfterValidator(check)


Intensity = Annotated[Range, _within(0.05, 1.0)]
Side = Annotated[int, Field(ge=16, le=MAX_SIDE)]


@dataclass(frozen=True, config=SETTINGS)
class Variation:
    """How much subjects differ. Standard deviations and largest values; shares of full action."""

    gain: Share = 0.12
    """Of the logarithm of a subject's gain on each channel."""
    own: Share = 0.12
    """Largest movement of a subject's own that comes with an emotion."""
    resting: Share = 0.06
    """Largest constant coefficient of a resting face."""
    asymmetry: Share = 0.06
    """Weakening of one side."""
    accompany: Share = 0.35
    """Share of expressions with one accompaniment."""
    other_side: Share = 0.0
    """Share of subjects who show contempt on the right; the animator's prototype shows it on the left."""


@dataclass(frozen=True, config=SETTINGS)
class CKPlusSize:
    """The surrogate of CK+: posed emotions in a laboratory. Ranges are drawn from uniformly."""

    subjects: Annotated[int, Field(ge=1, le=999)] = 117
    """As many as CK+ has with a label (Sec. IV-A of the paper)."""
    frames: Annotated[tuple[int, int], _within(8, 100)] = (8, 11)
    """Pictures of a sequence, least and most."""
    size: tuple[Side, Side] = (320, 240)
    """Picture, px (CK+: 640x490)."""
    intensity: Intensity = (0.6, 1.0)
    """Of the apex."""
    turn: Annotated[float, Field(ge=0, le=20)] = 3.0
    """Standard deviation of the head's pitch, yaw and roll, degrees."""
    variation: Variation = Field(default_factory=Variation)
    """How much the subjects differ."""
    labels: Literal["ckplus", "all"] = "ckplus"
    """``ckplus``: as many sequences of each emotion have a label as in CK+ (327 of 117 subjects); ``all``: every one."""
    units: bool = True
    """Subjects show the action units published for an emotion, each as often (``units.yaml``); False: the animator's."""


@dataclass(frozen=True, config=SETTINGS)
class CelebVSize:
    """The surrogate of CelebV-HQ: clips as found in the wild. Ranges are drawn from uniformly."""

    subjects: Annotated[int, Field(ge=1, le=100_000)] = 200
    """The paper keeps 614."""
    clips: Annotated[tuple[int, int], _within(1, 100)] = (3, 6)
    """Of a subject, least and most."""
    seconds: Annotated[Range, _within(0.3, 10.0)] = (0.6, 1.0)
    """Of a clip with one emotion; one with two is twice as long."""
    size: Side = 256
    """Side of the square picture, px (CelebV-HQ: at least 512)."""
    intensity: Intensity = (0.35, 0.95)
    """Of the emotion."""
    pitch: Degrees = 8.0
    """Standard deviation of the head's pitch."""
    yaw: Degrees = 12.0
    """Of its yaw."""
    roll: Degrees = 6.0
    """Of its roll."""
    talking: Share = 0.4
    """Share of clips in which the subject talks."""
    two: Share = 0.15
    """Share of clips with two emotions, each with its times."""
    variation: Variation = Field(default_factory=lambda: Variation(0.18, 0.18, 0.1, 0.08, 0.5, 0.25))
    """How much the subjects differ."""
