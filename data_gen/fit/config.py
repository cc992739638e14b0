"""Settings of the per-frame fit, one dataclass a concern; YAML recipes name the same fields."""

from __future__ import annotations

from dataclasses import dataclass, field


def _within(owner: object, **limits: tuple[float, float]) -> None:
    for name, (low, high) in limits.items():
        value = getattr(owner, name)
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}; allowed: {low:g} to {high:g}")


@dataclass(frozen=True)
class DataTerms:
    """How far the landmarks are believed. Sigmas are metres on a face of average size."""

    floor: float = 0.0008
    """Smallest sigma of a landmark, m: the detector's own noise."""
    share: float = 0.08
    """Weight of one landmark as independent evidence: neighbouring points err together."""
    robust: float = 3.0
    """Residuals beyond this many sigmas lose weight (Geman-McClure)."""
    lid_gap: float = 0.0006
    """Sigma of the lid opening, m."""
    lip_gap: float = 0.0015
    """Sigma of the lip opening and the mouth's width, m."""
    iris: float = 0.0005
    """Sigma of the iris against the eye corners, m."""

    def __post_init__(self) -> None:
        _within(self, floor=(1e-5, 0.05), share=(1e-3, 1.0), robust=(0.5, 100.0), lid_gap=(1e-5, 0.05),
                lip_gap=(1e-5, 0.05), iris=(1e-5, 0.05))


@dataclass(frozen=True)
class Priors:
    """What is believed before a landmark is seen. Standard deviations."""

    identity: float = 0.2
    """Identity coefficients; one unit is one standard deviation of the head's own components."""
    offset: float = 0.003
    """A person's own landmark offsets, m: what the identity components cannot say."""
    expression: float = 0.3
    """Expression coefficients around rest."""
    look: float = 0.3
    """How much of a coefficient that is kept up through a clip may be the face's own look and no expression."""
    blink: float = 1.0
    """Closing of the lids: they close all the way, and often."""
    wink: float = 0.2
    """Difference of the two eyes' closing: a turned head shows one of them smaller."""
    shy: float = 2.0
    """How much wider the prior is on shapes that the points tell least of (energy._SHY holds the exponents)."""
    together: float = 0.9
    """Share of that which is common to the coefficients of one facial action or emotion (face/facs/poses.py), 0 to 0.99."""
    blendshapes: float = 0.0
    """Factor on the sigma of the detector's own blend shapes; 0, the default, leaves them out: see docs/fitting.md."""
    opinion: float = 1.0
    """Factor on the sigmas of the second opinion (face/landmarks/opinion.py); 0 leaves it out."""
    opinion_gaze: float = 0.0
    """The same for what it says of gaze alone."""
    habits: float = 1.0
    """The detector's habits; one unit is one standard deviation of them."""
    limits: float = 0.02
    """How far a bounded coefficient may leave its range."""
    jaw: float = 0.2
    """Jaw opening, rad."""
    jaw_side: float = 0.08
    """Jaw sideways and roll, rad."""
    gaze: float = 0.35
    """Gaze of both eyes, rad."""
    vergence: float = 0.02
    """Difference of the two eyes, rad."""
    focal: float = 0.1
    """Logarithm of the focal length around that of a 35 degree view."""

    def __post_init__(self) -> None:
        _within(self, identity=(0.01, 100.0), offset=(1e-5, 0.1), expression=(0.01, 100.0), look=(0.0, 1.0),
                blink=(0.01, 100.0),
                wink=(0.001, 100.0), shy=(0.1, 100.0), together=(0.0, 0.99), blendshapes=(0.0, 100.0),
                opinion=(0.0, 100.0), opinion_gaze=(0.0, 100.0),
                habits=(1e-3, 100.0), limits=(1e-3, 10.0),
                jaw=(1e-3, 10.0), jaw_side=(1e-3, 10.0), gaze=(1e-3, 10.0), vergence=(1e-4, 10.0), focal=(0.0, 10.0))


@dataclass(frozen=True)
class Smoothness:
    """Standard deviation of the second difference at 25 frames a second: what a channel may do between frames."""

    rotation: float = 0.02
    """Head rotation, rad."""
    translation: float = 0.003
    """Head position, m; its depth, which one camera hardly sees, three times stiffer."""
    jaw: float = 0.03
    """Jaw, rad."""
    gaze: float = 0.1
    """Eyes, rad: saccades are steps."""
    expression: float = 0.06
    """Expression coefficients."""
    lids: float = 0.35
    """Blink and the other lid shapes: a blink is over in five frames."""

    habits: float = 0.3
    """The detector's habits, their standard deviations."""

    def __post_init__(self) -> None:
        _within(self, habits=(1e-4, 100.0), rotation=(1e-4, 10.0), translation=(1e-5, 10.0), jaw=(1e-4, 10.0), gaze=(1e-4, 10.0),
                expression=(1e-4, 10.0), lids=(1e-4, 10.0))


@dataclass(frozen=True)
class FitConfig:
    """The fit of a clip.

    Raises:
        ValueError: a number out of range, named with what is allowed.
    """

    data: DataTerms = field(default_factory=DataTerms)
    priors: Priors = field(default_factory=Priors)
    smooth: Smoothness = field(default_factory=Smoothness)
    detector: bool = True
    """The points are MediaPipe's, whose habits are known (face/landmarks/response.py); False: exact points."""
    identity_frames: int = 24
    """Frames that identity and focal length are solved on."""
    identity_steps: int = 10
    """Gauss-Newton steps of that stage."""
    steps: int = 6
    """Gauss-Newton steps on every frame."""
    opinion_steps: int = 1
    """Gauss-Newton steps with the second opinion."""
    window: int = 256
    """Frames solved at once; long clips go window by window."""
    overlap: int = 24
    """Frames that neighbouring windows share."""
    max_side: int = 0
    """Detect on pictures of at most this many pixels a side; 0: the detector's own choice."""

    def __post_init__(self) -> None:
        _within(self, identity_frames=(1, 256), identity_steps=(1, 100), steps=(1, 100), opinion_steps=(1, 100),
                window=(8, 4096),
                overlap=(2, 256), max_side=(0, 8192))
        if 2 * self.overlap >= self.window:
            raise ValueError(f"overlap is {self.overlap}; allowed: less than half of window ({self.window})")
