"""Seven expressions put on photos: what is found of them, what else changed, whose face it is, and what it costs.

The expressions are those of He et al. 2026 (https://arxiv.org/abs/2603.14781, Table I), and surprise. "Found" is theirs: all
actions of the expression. Theirs are found by OpenFace on other faces, ours by this project's fit and by MediaPipe's blend
shapes on the photos at hand, so that the two tables are not one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.files import files_in
from ...common.optional import require
from ...common.progress import Progress, silent
from ...data_gen.fit.photo import fit_pictures
from ...data_gen.photo.edit import Edited, PhotoEditor
from ...face.clip.channels import ARKIT_52
from ...face.facs.script_text import read_script
from ...face.io.media import PICTURES
from ...face.io.photo import load_picture
from ..table import Table
from ..transitions.images import psnr
from .judges import judges_in

EXPRESSIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "smile": ("smile strong", ("mouthSmile",)), "angry": ("anger strong", ("browDown",)),
    "sad": ("sadness strong", ("mouthFrown", "browInnerUp")), "close eyes": ("eye_close strong", ("eyeBlink",)),
    "raise brow": ("brow_raise strong", ("browOuterUp",)), "frown brow": ("brow_lower strong", ("browDown",)),
    "surprised": ("surprise strong", ("jawOpen", "browOuterUp"))}
"""Name -> the script, and the blend shapes that the second judge must see rise. The last way leaves out "strong", as the paper's
prompts do."""
WAYS = ("the photo itself", "as the words say", "calibrated", "calibrated, not strong")
_ON = 0.24
"""Intensity from which an action is there, as in ``face.facs.measure``."""
_RISE, _SURE = 0.15, 0.6
_AWAY = 0.15
"""Share of the face's width beyond its mesh at which the background begins."""
_SIDE = 256
_PAPER = "He et al. 2026, Table I (OpenFace, 1,000 faces each; another judge and other faces): smile .91, angry .49, sad .48, " \
         "raise brow .68, frown brow .43"


@dataclass(frozen=True)
class EditRow:
    """One expression on one photo, drawn in one way."""

    photo: str
    expression: str
    way: str
    found: bool
    """All actions measured on the result."""
    rises: bool
    """The detector's blend shapes rise by 0.15 or reach 0.6, all of the expression's."""
    share: float
    """Measured of asked, mean over the actions."""
    psnr: float
    ssim: float
    """Against the photo, the face's surroundings."""
    lpips: float | None
    """256 px."""
    identity: float | None
    """Distance of the recogniser's numbers; 0.6 is its limit for one person."""
    unchanged: float
    """Share of the photo's pixels that keep their bits."""
    background: int
    """Largest difference beyond the face's surroundings and neck, 0 to 255."""
    amount: float
    seconds: float
    """Of the processor, from the fitted photo to the picture, with measuring where calibrated."""


@dataclass(frozen=True)
class PhotoReport:
    """Every edit, and what preparing the photos took."""

    rows: tuple[EditRow, ...]
    fit_seconds: tuple[float, ...]
    judged: bool

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def _mean(self, rows: Sequence[EditRow], name: str, digits: int = 2) -> str:
        values = [getattr(r, name) for r in rows if getattr(r, name) is not None]
        return f"{float(np.mean(values)):.{digits}f}" if values else "-"

    def table(self) -> str:
        """Accuracy by expression and way, then likeness, identity and cost."""
        photos = len(dict.fromkeys(r.photo for r in self.rows))
        names = tuple(EXPRESSIONS)
        of = lambda **k: [r for r in self.rows if all(getattr(r, a) == b for a, b in k.items())]  # noqa: E731
        accuracy = [(f"{way}, {judge}", *(self._mean(of(way=way, expression=e), field) for e in names),
                     self._mean(of(way=way), field)) for judge, field in (("by fit", "found"), ("by blend shapes", "rises"))
                    for way in WAYS]
        one = Table("actions", f"All actions of the expression found, share of {photos} photos", ("", *names, "mean"),
                    tuple(accuracy), (_PAPER,))
        columns = ("", "measured / asked", "PSNR dB", "SSIM", "LPIPS", "identity", "most", "untouched", "background", "CPU s")
        likeness = []
        for way in WAYS[1:]:
            if not (rows := of(way=way)):
                continue
            most = max((r.identity for r in rows if r.identity is not None), default=None)
            likeness.append((way, self._mean(rows, "share"), self._mean(rows, "psnr", 1), self._mean(rows, "ssim", 3),
                             self._mean(rows, "lpips", 3), self._mean(rows, "identity"), "-" if most is None else f"{most:.2f}",
                             self._mean(rows, "unchanged", 3), str(max(r.background for r in rows)), self._mean(rows, "seconds")))
        notes = [f"PSNR and SSIM on the face's surroundings; background: largest difference of 255; fit of a photo "
                 f"{np.mean(self.fit_seconds):.2f} CPU s"]
        if not self.judged:
            notes.append("LPIPS and identity need --judges FOLDER (scripts/fetch_judges.py)")
        two = Table("likeness", "Against the photo", columns, tuple(likeness), tuple(notes))
        return f"{one.text()}\n\n{two.text()}"


def photos_in(place: str | Path | None) -> list[Path]:
    """The photos of a folder in the order of their names, one photo, or by default the astronaut of scikit-image.

    Raises:
        FileNotFoundError: no such place, or scikit-image is not installed.
        ValueError: a folder without photos.
    """
    if place is None:
        spec = find_spec("skimage")
        found = Path(spec.origin).parent / "data" / "astronaut.png" if spec and spec.origin else None
        if found is None or not found.is_file():
            raise FileNotFoundError("no photos: name some with --photos FOLDER, or pip install scikit-image, which has one")
        return [found]
    return files_in(place, "photo", (*PICTURES, ".heic", ".avif"))


def evaluate_photos(paths: Sequence[str | Path], judges: str | Path | None = None, progress: Progress = silent) -> PhotoReport:
    """Put every expression on every photo, as the words say and calibrated.

    Args:
        paths: photos.
        judges: folder with the networks' weights; None: without LPIPS and identity.
        progress: called with (edits done, edits in all, name of the photo).

    Raises:
        FileNotFoundError: no such photo or weights.
        ValueError: no photos, or one without a face that can be edited.
    """
    if not paths:
        raise ValueError("no photos to evaluate; give at least one")
    networks = judges_in(Path(judges)) if judges is not None else None
    rows: list[EditRow] = []
    fits: list[float] = []
    total = len(paths) * len(EXPRESSIONS)
    for number, path in enumerate(paths):
        picture = load_picture(path)
        begin = time.process_time()
        editor = PhotoEditor(fit_pictures([picture]))
        fits.append(time.process_time() - begin)
        for k, name in enumerate(EXPRESSIONS):
            rows += _rows(editor, Path(path).name, name, networks)
            progress(number * len(EXPRESSIONS) + k + 1, total, Path(path).name)
    return PhotoReport(tuple(rows), tuple(fits), networks is not None)


def _rows(editor: PhotoEditor, photo: str, expression: str, networks: Any) -> list[EditRow]:
    line, shapes = EXPRESSIONS[expression]
    script = read_script(line)
    source = editor.photo.picture.rgb
    out = []
    before = editor.photo.blendshapes
    for way in WAYS:
        if way != WAYS[1]:  # as the words say is what the photo itself was compared with
            begin = time.process_time()
            edit = editor.edit(script if way != WAYS[3] else read_script(line.removesuffix(" strong")), calibrate=way in WAYS[2:])
            taken = time.process_time() - begin
        rgb = source if way == WAYS[0] else edit.rgb
        shown = edit.shown if way in WAYS[2:] and edit.shown else editor.measured(rgb, tuple(edit.asked))[1]
        editor.meter.points(rgb)
        after = editor.meter.blendshapes
        columns = [[k for k, n in enumerate(ARKIT_52) if n.startswith(shape)] for shape in shapes]
        rises = all(float(after[c].mean()) >= _SURE or float(after[c].mean() - before[c].mean()) >= _RISE for c in columns)
        share = float(np.mean([np.clip(shown[n] / w, 0, 1.5) for n, w in edit.asked.items() if n in shown])) if shown else 0.0
        found = bool(shown) and all(shown.get(n, 0.0) >= _ON for n in edit.asked)
        box = _surroundings(editor)
        near, far = source[box], rgb[box]
        lpips = identity = None
        if networks is not None:
            lpips = networks[0](_small(near), _small(far))
            identity = _identity(editor, networks[1], rgb)
        out.append(EditRow(photo, expression, way, found, rises, share, psnr(near, far), ssim(near, far), lpips, identity,
                           float((rgb == source).all(-1).mean()), _background(editor, edit, rgb), edit.amount, taken))
    return out


def ssim(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Structural similarity (Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861) of two pictures (H,W,3) uint8."""
    import torch

    image = require("torchmetrics.functional.image", "eval", "SSIM needs torchmetrics")
    a, b = (torch.from_numpy(np.array(p)).float().permute(2, 0, 1)[None] / 255 for p in (first, second))
    return float(image.structural_similarity_index_measure(a, b, data_range=1.0))


def _surroundings(editor: PhotoEditor) -> tuple[slice, slice]:
    """The face with a seventh of its size around it."""
    points = editor.photo.points
    low, high = points.min(0), points.max(0)
    pad = 0.14 * (high - low)
    x0, y0 = np.maximum(low - pad, 0).astype(int)
    x1, y1 = np.ceil(high + pad).astype(int)
    return slice(y0, y1), slice(x0, x1)


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    cv2 = require("cv2", "photo", "scaling pictures needs OpenCV")
    return np.asarray(cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _identity(editor: PhotoEditor, network: Any, rgb: NDArray[np.uint8]) -> float | None:
    """Distance between the recogniser's numbers of the photo and of a picture of it."""
    own, other = (editor.meter.all_points(p) for p in (editor.photo.picture.rgb, rgb))
    if own is None or other is None:
        return None
    return float(np.linalg.norm(network(editor.photo.picture.rgb, own) - network(rgb, other)))


def _background(editor: PhotoEditor, edit: Edited, rgb: NDArray[np.uint8]) -> int:
    """Largest difference where neither the face nor the neck, on the photo or on the edit, is near."""
    face = editor.face
    mask = np.zeros(rgb.shape[:2], np.uint8)
    cv2 = require("cv2", "photo", "measuring the background needs OpenCV")
    for vertices in (editor.fit.vertices(editor.index), editor.fit.vertices(editor.index, edit.pose)):
        at = editor.photo.camera.project(vertices)
        ok = np.isfinite(at).all(1)
        hull = cv2.convexHull(at[ok].astype(np.float32)).round().astype(np.int32)
        cv2.fillConvexPoly(mask, hull, 1)
    radius = int(_AWAY * face.width)
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
    away = mask == 0
    if not away.any():
        return 0
    return int(np.abs(rgb[away].astype(int) - editor.photo.picture.rgb[away]).max())
