"""What a filmed head looks like and where the camera stands: drawn from a seed, made to vary.

Ranges are choices, not statistics: they span what a webcam, a telephone and a text-to-video model
show of a single face, so that a fitter that holds on them holds on such clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...face.clip.rotation import rotation_matrices
from ...face.head.model import HeadModel
from ...face.render.camera import Camera, PinholeCamera
from ...face.render.render import Renderer
from ...face.render.shading import RGB, Eyes, Palette, linear

Array = NDArray[np.float64]

SKINS: dict[str, RGB] = {
    # sRGB, light to dark, after the look of the Monk scale (https://skintone.google)
    "very light": (0.93, 0.77, 0.68), "light": (0.87, 0.67, 0.56), "olive": (0.79, 0.61, 0.47),
    "tan": (0.70, 0.50, 0.37), "brown": (0.55, 0.37, 0.27), "dark": (0.40, 0.26, 0.19), "very dark": (0.29, 0.19, 0.145),
}
IRISES: dict[str, RGB] = {
    "blue": (0.33, 0.47, 0.60), "grey": (0.45, 0.49, 0.50), "green": (0.36, 0.45, 0.30),
    "hazel": (0.43, 0.34, 0.18), "brown": (0.30, 0.18, 0.10), "dark brown": (0.17, 0.10, 0.06),
}
BROWS: dict[str, RGB] = {
    "black": (0.10, 0.08, 0.07), "brown": (0.26, 0.17, 0.12), "light brown": (0.42, 0.30, 0.21), "grey": (0.42, 0.40, 0.39),
}
BACKGROUNDS: tuple[str, ...] = ("plain", "gradient", "shapes")
LIGHTS: dict[str, RGB] = {"warm": (1.10, 0.98, 0.80), "neutral": (1.0, 0.99, 0.97), "cool": (0.88, 0.98, 1.12)}


@dataclass(frozen=True, eq=False)
class Scene:
    """One look: colours, light, background, sensor."""

    palette: Palette
    eyes: Eyes
    lights: NDArray[np.float32]
    """(5, 7) rows as ``raster.shade`` wants them: key, fill, rim, rim, ambient; view space."""
    background: NDArray[np.float32]
    """(H, W, 3) linear RGB."""
    noise: float
    """Standard deviation of the sensor's noise, levels of 255."""
    blur: float
    """Weight of each neighbour in the softening 3-tap filter, 0 to 0.25; variance 2 x weight, px squared."""
    attributes: dict[str, Any]
    """What was drawn, in words and numbers."""


@dataclass(frozen=True)
class Placement:
    """Where the head stands in the camera's frame."""

    camera: PinholeCamera
    rotation: tuple[float, float, float]
    """Constant turn of the whole subject, axis-angle, rad."""
    centre: tuple[float, float, float]
    """Middle between chin and crown at rest, metres."""
    share: float
    """Head height (chin to crown) over picture height."""


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _colour(rng: np.random.Generator, table: dict[str, RGB], spread: float = 0.03) -> tuple[str, RGB]:
    name = str(rng.choice(list(table)))
    return name, _shifted(rng, table[name], spread)


def _shifted(rng: np.random.Generator, rgb: RGB, spread: float) -> RGB:
    """A colour near ``rgb``: brightness and each channel vary."""
    values = np.array(rgb) * (1.0 + rng.normal(0.0, spread)) + rng.normal(0.0, spread / 3, 3)
    r, g, b = np.clip(values, 0.02, 0.98)
    return float(r), float(g), float(b)


def _mixed(a: RGB, b: RGB, share: float) -> RGB:
    r, g, blue = (1.0 - share) * np.array(a) + share * np.array(b)
    return float(r), float(g), float(blue)


def draw_palette(rng: np.random.Generator) -> tuple[Palette, Eyes, dict[str, Any]]:
    """Skin, lips, brows and irises that go together."""
    tone, skin = _colour(rng, SKINS)
    hair, brows = _colour(rng, BROWS)
    iris_name, iris = _colour(rng, IRISES)
    if tone in ("brown", "dark", "very dark"):  # light eyes and brows on dark skin are rare; keep contrast plausible
        hair, brows = "black", _shifted(rng, BROWS["black"], 0.03)
        iris_name, iris = "dark brown", _shifted(rng, IRISES["dark brown"], 0.03)
    red = _mixed((skin[0] * 0.92, skin[1] * 0.62, skin[2] * 0.68), (0.72, 0.22, 0.25), _between(rng, 0.0, 0.45))
    palette = Palette(
        skin=skin, cheeks=_mixed(skin, (skin[0], skin[1] * 0.78, skin[2] * 0.8), _between(rng, 0.3, 1.0)),
        lips=_shifted(rng, red, 0.03), brows=brows, lashes=_mixed(brows, (0.05, 0.04, 0.04), 0.7), iris=iris,
        sclera=_shifted(rng, (0.93, 0.92, 0.91), 0.01),
    )
    eyes = Eyes(iris=_between(rng, 27.5, 30.5), pupil=_between(rng, 8.0, 14.0))
    return palette, eyes, {"skin": tone, "brows": hair, "iris": iris_name}


def draw_lights(rng: np.random.Generator) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """A key light from anywhere in front, its fill from the other side, rims and ambient light."""
    name = str(rng.choice(list(LIGHTS)))
    azimuth, height = _between(rng, -70.0, 70.0), _between(rng, -5.0, 55.0)
    contrast = _between(rng, 0.0, 1.0)  # 0 is an overcast sky, 1 a bare lamp

    def row(az: float, el: float, rgb: Array, power: float, gloss: float) -> list[float]:
        a, e = np.radians([az, el])
        towards = (np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e))
        return [*map(float, towards), *(float(c) * power for c in rgb), gloss]

    key, cool = np.array(LIGHTS[name]), np.array([0.92, 0.98, 1.08])
    exposure = _between(rng, 0.85, 1.12)
    side = -1.0 if azimuth > 0 else 1.0
    rows = [
        row(azimuth, height, key, exposure * (0.55 + 0.25 * contrast), 1.0),
        row(side * _between(rng, 35.0, 65.0), _between(rng, -5.0, 25.0), cool, exposure * (0.34 - 0.20 * contrast), 0.4),
        row(side * 135.0, 20.0, cool, _between(rng, 0.0, 0.4), 0.8),
        row(-side * 127.0, 15.0, key, _between(rng, 0.0, 0.25), 0.6),
        row(0.0, 0.0, np.array([1.0, 1.0, 1.03]), exposure * (0.34 - 0.16 * contrast), 0.0),
    ]
    where = "front" if abs(azimuth) < 25 else "subject's left" if azimuth > 0 else "subject's right"
    return np.array(rows, np.float32), {"light": name, "light_from": where, "light_azimuth": round(azimuth, 1),
                                        "light_height": round(height, 1), "light_contrast": round(contrast, 2)}


def draw_background(rng: np.random.Generator, size: tuple[int, int]) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Plain, a gradient, or a few soft blurred shapes."""
    w, h = size
    kind = str(rng.choice(BACKGROUNDS))
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    x, y = (x + 0.5) / w - 0.5, (y + 0.5) / h - 0.5

    def colour() -> NDArray[np.float32]:
        grey = rng.uniform(0.08, 0.85)
        return linear(np.clip(grey + rng.normal(0.0, 0.07, 3), 0.03, 0.95))

    picture = np.broadcast_to(colour(), (h, w, 3)).astype(np.float32)
    if kind != "plain":
        angle = rng.uniform(0.0, 2.0 * np.pi)
        across = np.clip(0.5 + 0.9 * (x * np.cos(angle) + y * np.sin(angle)), 0.0, 1.0)[..., None]
        picture = picture * (1 - across) + colour() * across
    if kind == "shapes":
        for _ in range(int(rng.integers(3, 8))):
            cx, cy = rng.uniform(-0.55, 0.55, 2)
            rx, ry = rng.uniform(0.05, 0.3, 2)
            soft = rng.uniform(0.15, 0.6)
            if rng.random() < 0.5:
                reach = np.hypot((x - cx) / rx, (y - cy) / ry)
            else:
                reach = np.maximum(np.abs(x - cx) / rx, np.abs(y - cy) / ry)
            cover = np.clip((1.0 + soft - reach) / (2 * soft), 0.0, 1.0)
            cover = (cover * cover * (3 - 2 * cover) * rng.uniform(0.5, 1.0))[..., None]
            picture = picture * (1 - cover) + colour() * cover
    return np.ascontiguousarray(picture, np.float32), {"background": kind}


def draw_scene(rng: np.random.Generator, size: tuple[int, int], noise: tuple[float, float],
               blur: tuple[float, float]) -> Scene:
    """A whole look; ``noise`` and ``blur`` are ranges of the fields of :class:`Scene`."""
    palette, eyes, colours = draw_palette(rng)
    lights, light = draw_lights(rng)
    background, behind = draw_background(rng, size)
    sigma, soft = _between(rng, *noise), _between(rng, *blur)
    return Scene(palette, eyes, lights, background, sigma, soft,
                 {**colours, **light, **behind, "noise": round(sigma, 2), "blur": round(soft, 3)})


def head_frame(head: HeadModel, shape: NDArray[np.float32]) -> tuple[Array, float]:
    """Middle between chin and crown at rest, (3,) metres, and the height between them."""
    v = np.asarray(head.vertices(shape=shape))[0].astype(np.float64)
    chin = head.landmarks(v[None].astype(np.float32))[0, head.landmark_index("ibug_08")].astype(np.float64)
    crown = float(v[:, 1].max())
    above = v[head.weights[:, 0] < 0.5]
    middle = np.array([0.5 * (above[:, 0].min() + above[:, 0].max()), 0.5 * (crown + chin[1]),
                       0.5 * (above[:, 2].min() + above[:, 2].max())])
    return middle, crown - float(chin[1])


def place(rng: np.random.Generator, size: tuple[int, int], height: float, fov: tuple[float, float],
          share: tuple[float, float], turn: tuple[float, float, float]) -> Placement:
    """Camera and position.

    Args:
        rng: source of randomness.
        size: picture (width, height), px.
        height: of the head, chin to crown, metres.
        fov: range of the vertical field of view, degrees.
        share: range of the head's height over the picture's.
        turn: the subject's constant pitch, yaw, roll, degrees.
    """
    w, h = size
    camera = PinholeCamera(h / 2 / float(np.tan(np.radians(_between(rng, *fov)) / 2)), w, h)
    part = min(_between(rng, *share), 1.05 * w / h)  # a head in a narrow picture must fit its width
    pixels = part * h
    x = _between(rng, -1.0, 1.0) * max(0.0, min(0.18 * w, 0.5 * w - 0.45 * pixels))
    y = _between(rng, -1.0, 0.7) * max(0.0, min(0.12 * h, 0.5 * h - 0.55 * pixels))
    depth = camera.focal * height / pixels
    pitch, yaw, roll = np.radians(turn)
    # yaw about the vertical, then pitch, then roll, as one rotation vector
    axes = rotation_matrices(np.array([[0, yaw, 0], [pitch, 0, 0], [0, 0, roll]], np.float32)).astype(np.float64)
    rotation = _vector(axes[2] @ axes[1] @ axes[0])
    centre = (x * depth / camera.focal, -y * depth / camera.focal, -depth)
    return Placement(camera, rotation, centre, part)


def _vector(matrix: Array) -> tuple[float, float, float]:
    """Axis-angle of one (3, 3) rotation below half a turn."""
    axis = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    angle = float(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1.0, 1.0)))
    x, y, z = axis * (0.5 if angle < 1e-6 else angle / (2 * np.sin(angle)))
    return float(x), float(y), float(z)


class SceneRenderer(Renderer):
    """A :class:`Renderer` that stands at the origin and takes a scene's lights and background."""

    def __init__(self, head: HeadModel, placement: Placement, scene: Scene) -> None:
        """Prepare the renderer.

        Args:
            head: what is drawn.
            placement: gives the camera and the ball that the key light's shadow covers.
            scene: gives everything else.
        """
        pinhole = placement.camera
        x, y, z = placement.centre
        ball = 0.2 + float(np.hypot(x, y))  # the shadow map is centred on the line of sight
        camera = Camera((0.0, 0.0, z), -z, pinhole.fov, ball)
        super().__init__(head, camera, (pinhole.width, pinhole.height), scene.palette, scene.eyes)
        self._lights = scene.lights
        self._to_shadow = self._shadow_matrix()
        self._background = scene.background


class Sensor:
    """Softens a picture and adds noise, cheaply: pieces of one stored noise field stand for fresh noise."""

    _ROOM = 37
    """Rows and columns that the stored field is larger than a picture by."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int], scene: Scene) -> None:
        w, h = size
        room = (h + self._ROOM, w + self._ROOM)
        grey, tint = rng.standard_normal((*room, 1), np.float32), rng.standard_normal((*room, 3), np.float32)
        self._field = np.round(scene.noise * (0.85 * grey + 0.53 * tint)).astype(np.int16)
        self._weight = round(256 * scene.blur)
        self._rng = rng

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 -> the same, as a camera would record it."""
        out = picture.astype(np.int16)
        if self._weight:
            for axis in (0, 1):
                out = self._soft(out, axis)
        dy, dx = self._rng.integers(0, self._ROOM + 1, 2)
        h, w = picture.shape[:2]
        out += self._field[dy:dy + h, dx:dx + w]
        return np.clip(out, 0, 255, out=out).astype(np.uint8)

    def _soft(self, picture: NDArray[np.int16], axis: int) -> NDArray[np.int16]:
        n = picture.shape[axis]
        wide = picture.astype(np.int32)
        inner = [slice(None)] * 3
        inner[axis] = slice(1, n - 1)
        left, right = list(inner), list(inner)
        left[axis], right[axis] = slice(0, n - 2), slice(2, n)
        core = wide[tuple(inner)]
        around = wide[tuple(left)] + wide[tuple(right)] - 2 * core
        out = picture.copy()
        out[tuple(inner)] = core + ((around * self._weight + 128) >> 8)
        return out
