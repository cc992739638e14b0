"""Settings of the per-frame fit, one class a concern; YAML recipes name the same fields."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS

_Metres = Annotated[float, Field(ge=1e-5, le=0.05)]
_Sigma = Annotated[float, Field(ge=0.01, le=100.0)]
_Factor = Annotated[float, Field(ge=0.0, le=100.0)]
_Radians = Annotated[float, Field(ge=1e-3, le=10.0)]
_Change = Annotated[float, Field(ge=1e-4, le=10.0)]
_Steps = Annotated[int, Field(ge=1, le=100)]


@dataclass(frozen=True, config=SETTINGS)
class DataTerms:
    """How much weight the landmarks have. Sigmas are metres on a face of average size."""

    floor: _Metres = 0.0008
    """Smallest sigma of a landmark, m: the detector's own noise."""
    share: Annotated[float, Field(ge=1e-3, le=1.0)] = 0.08
    """Weight of one landmark as independent evidence: neighbouring points err together."""
    robust: Annotated[float, Field(ge=0.5, le=100.0)] = 3.0
    """Residuals beyond this many sigmas lose weight (Geman-McClure)."""
    lid_gap: _Metres = 0.0006
    """Sigma of the lid opening, m."""
    lip_gap: _Metres = 0.0015
    """Sigma of the lip opening and the mouth's width, m."""
    iris: _Metres = 0.0005
    """Sigma of the iris against the eye corners, m."""


@dataclass(frozen=True, config=SETTINGS)
class Priors:
    """What is assumed before a landmark is seen. Standard deviations."""

    identity: _Sigma = 0.2
    """Identity coefficients; one unit is one standard deviation of the head's own components."""
    offset: Annotated[float, Field(ge=1e-5, le=0.1)] = 0.003
    """A person's own landmark offsets, m: what the identity components cannot say."""
    expression: _Sigma = 0.3
    """Expression coefficients around rest."""
    look: Annotated[float, Field(ge=0.0, le=1.0)] = 0.3
    """How much of a coefficient that is kept up through a clip may be the face's own look and no expression."""
    blink: _Sigma = 1.0
    """Closing of the lids: they close all the way, and often."""
    wink: Annotated[float, Field(ge=0.001, le=100.0)] = 0.2
    """Difference of the two eyes' closing: a turned head shows one of them smaller."""
    shy: Annotated[float, Field(ge=0.1, le=100.0)] = 2.0
    """How much wider the prior is on shapes that the points show least of (energy._FAINT holds the exponents)."""
    together: Annotated[float, Field(ge=0.0, le=0.99)] = 0.9
    """Share of that which is common to the coefficients of one facial action or emotion (face/facs/poses.py), 0 to 0.99."""
    blendshapes: _Factor = 0.0
    """Factor on the sigma of the detector's own blend shapes; 0, the default, leaves them out: see docs/fitting.md."""
    opinion: _Factor = 1.0
    """Factor on the sigmas of the learned prior (face/landmarks/learned_prior.py); 0 leaves it out."""
    opinion_gaze: _Factor = 0.0
    """The same for its gaze alone."""
    habits: Annotated[float, Field(ge=1e-3, le=100.0)] = 1.0
    """The detector's bias modes; one unit is one standard deviation of them."""
    limits: _Radians = 0.02
    """How far a bounded coefficient may leave its range."""
    jaw: _Radians = 0.2
    """Jaw opening, rad."""
    jaw_side: _Radians = 0.08
    """Jaw sideways and roll, rad."""
    gaze: _Radians = 0.35
    """Gaze of both eyes, rad."""
    vergence: _Change = 0.02
    """Difference of the two eyes, rad."""
    focal: Annotated[float, Field(ge=0.0, le=10.0)] = 0.1
    """Logarithm of the focal length around that of a 35 degree view."""


@dataclass(frozen=True, config=SETTINGS)
class Smoothness:
    """Standard deviation of the second difference at 25 frames a second: what a channel may do between frames."""

    rotation: _Change = 0.02
    """Head rotation, rad."""
    translation: Annotated[float, Field(ge=1e-5, le=10.0)] = 0.003
    """Head position, m; its depth, which one camera hardly sees, three times stiffer."""
    jaw: _Change = 0.03
    """Jaw, rad."""
    gaze: _Change = 0.1
    """Eyes, rad: saccades are steps."""
    expression: _Change = 0.06
    """Expression coefficients."""
    lids: _Change = 0.35
    """Blink and the other lid shapes: a blink is over in five frames."""
    habits: Annotated[float, Field(ge=1e-4, le=100.0)] = 0.3
    """The detector's bias modes, their standard deviations."""


@dataclass(frozen=True, config=SETTINGS)
class FitConfig:
    """The fit of a clip.

    Raises:
        ValueError: a number out of range, named with what is allowed.
    """

    data: DataTerms = field(default_factory=DataTerms)
    priors: Priors = field(default_factory=Priors)
    smooth: Smoothness = field(default_factory=Smoothness)
    detector: bool = True
    """The points are MediaPipe's, whose bias is known (face/landmarks/response.py); False: exact points."""
    identity_frames: Annotated[int, Field(ge=1, le=256)] = 24
    """Frames that identity and focal length are solved on."""
    identity_steps: _Steps = 10
    """Gauss-Newton steps of that stage."""
    steps: _Steps = 6
    """Gauss-Newton steps on every frame."""
    opinion_steps: _Steps = 1
    """Gauss-Newton steps with the learned prior."""
    window: Annotated[int, Field(ge=8, le=4096)] = 256
    """Frames solved at once; long clips go window by window."""
    overlap: Annotated[int, Field(ge=2, le=256)] = 24
    """Frames that neighbouring windows share."""
    max_side: Annotated[int, Field(ge=0, le=8192)] = 0
    """Detect on pictures of at most this many pixels a side; 0: the detector's own choice."""
    rest: tuple[Annotated[float, Field(ge=0.0)], float] | None = None
    """Seconds of the film in which the face rests: what it does there is its own look; None finds it in the clip."""

    @model_validator(mode="after")
    def _windows_overlap_by_less_than_half(self) -> FitConfig:
        if 2 * self.overlap >= self.window:
            raise ValueError(f"overlap is {self.overlap}; allowed: less than half of window ({self.window})")
        if self.rest is not None and self.rest[0] >= self.rest[1]:
            raise ValueError(f"rest is {self.rest[0]:g}-{self.rest[1]:g}; allowed: the earlier second first, e.g. 0-0.6")
        return self
