"""A personal head and its poses from one or several photos of one person, or from a film in which the face turns.

A single photo does not say what of a face is its own and what is an expression. The detector's blend shapes, a network's
opinion of the pixels, are the mean of the expression's prior (Tikhonov), shapes that a flat picture confuses with
identity are shrunk, and only what is left is the person's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from ...common.progress import Progress, silent
from ...face.clip.channels import ARKIT_52, EXPR_INDEX
from ...face.clip.sequence import FaceSequence
from ...face.head.model import HeadModel
from ...face.io.media import probe, read_frames
from ...face.io.photo import Picture, load_picture
from ...face.landmarks.apart import expression_apart
from ...face.landmarks.person import person_mask
from ...face.landmarks.personal import View, field_for, joint_offsets, personal_head
from ...face.render.camera import PinholeCamera
from .config import FitConfig, Priors, Smoothness
from .detect import MAX_SIDE, Detections, detect_frames
from .fit import FitResult, fit_media
from .solve import fit_landmarks

Array = NDArray[np.float32]

MAX_TURN = 50.0
"""Degrees from the camera up to which a face is taken."""
_CANVAS = 1000.0
"""Longer side of the common picture that several photos are brought to, px."""
_APART = Smoothness(rotation=10, translation=10, jaw=10, gaze=10, expression=10, lids=10, habits=100)
"""Photos do not follow each other in time."""
_CONFUSED: dict[str, float] = {"cheekPuff": 0.35, "mouthPucker": 0.6, "mouthClose": 0.6,
                               "noseSneerLeft": 0.6, "noseSneerRight": 0.6}
"""Shapes that a single flat picture cannot tell from a face's own form, and what of them is kept."""
_SURE_OPEN, _SURE_CLOSED = 0.3, 0.6
"""The detector's blink score below which narrow eyes are the face's own, and above which they close."""
_DRAWN, _FACE_SIDE = 0.6, 256
"""Share of a face that is one flat colour from which on it is drawn, looked at with so many pixels a side."""
_DARK, _LEAST_WIDTH = 0.42, 36.0
"""Brightness around both eyes against the face's below which something covers them; px across a face that can be used."""
_POSES, _AHEAD = 5, 12.0
"""Pictures taken of a film; degrees within which a face counts as frontal."""
_UNLIKE, _REACH = 1.5e-3, 3e-3
"""m: what the expressions of several pictures leave in their landmarks, and how far a face's are from the model."""
_UNDER_EYE = (230, 229, 231, 450, 449, 451)
_SKIN = (50, 205, 36, 280, 425, 266, 4, 214, 434, 199)
"""MediaPipe's points on cheeks, tip of the nose, beside the mouth and chin."""


@dataclass(frozen=True, eq=False)
class FittedPhoto:
    """One photo of the person.

    Attributes:
        picture: its pixels.
        camera: pinhole camera of these pixels.
        pose: one frame of the personal head, in the camera's frame, ``shape`` zero.
        points: ``(478,2)`` px, MediaPipe's.
        blendshapes: ``(52,)`` the detector's scores, ``ARKIT_52``.
        person: ``(H,W)`` in 0..1, see ``face.landmarks.person``.
        turn: degrees between the face and the camera.
    """

    picture: Picture
    camera: PinholeCamera
    pose: FaceSequence
    points: Array
    blendshapes: Array
    person: Array
    turn: float


@dataclass(frozen=True, eq=False)
class PhotoFit:
    """A person.

    Attributes:
        head: the personal head, whose rest is this face without expression; an ordinary head.
        base: the general head that it was made of, with the same vertices, faces and expressions.
        photos: the photos; the first is the most frontal one.
        notes: what was done and decided, in words.
    """

    head: HeadModel
    base: HeadModel
    photos: tuple[FittedPhoto, ...]
    notes: tuple[str, ...]

    def vertices(self, photo: int = 0, pose: FaceSequence | None = None) -> Array:
        """``(V,3)`` m in that photo's camera frame: as on the photo, or with another pose's expression, jaw and gaze.

        Args:
            photo: which of the photos.
            pose: one frame; its place and turn of the head are not used.
        """
        own = self.photos[photo].pose
        if pose is not None:
            own = own.replace(expr=pose.expr[:1], jaw_pose=pose.jaw_pose[:1], eyes_pose=pose.eyes_pose[:1])
        return np.asarray(self.head.vertices(**own.parameters(slice(0, 1)))[0], np.float32)


    def scaled(self, photo: int, scale: float) -> PhotoFit:
        """The same person on a smaller copy of one photo; itself at scale 1 with one photo."""
        own = self.photos[photo]
        size = round(own.picture.size[0] * scale), round(own.picture.size[1] * scale)
        if scale >= 1 or min(size) < 64:
            return self if len(self.photos) == 1 else replace(self, photos=(own,))
        factor = np.array(size, np.float32) / np.array(own.picture.size, np.float32)
        box = Image.Resampling.BOX
        rgb = np.asarray(Image.fromarray(own.picture.rgb).resize(size, box))
        camera = replace(own.camera, focal=own.camera.focal * float(factor[0]), width=size[0], height=size[1])
        person = np.asarray(Image.fromarray(own.person).resize(size, box), np.float32)
        small = replace(own, picture=replace(own.picture, rgb=rgb, alpha=None), camera=camera, person=person,
                        points=np.asarray(own.points * factor, np.float32))
        return replace(self, photos=(small,))


def fit_photos(paths: Sequence[str | os.PathLike[str]] | str | os.PathLike[str], head: HeadModel | None = None, *,
               face: int | None = None, progress: Progress = silent) -> PhotoFit:
    """Fit one person to photos, or to a film.

    Args:
        paths: a photo, several photos, or one film.
        head: the general head; None: the default one.
        face: which face when there are several, counted from the left; None: the largest.
        progress: called with (photos done, photos in all, "detect").

    Raises:
        FileNotFoundError: no such file.
        ValueError: no photo, no face on one, a face that is too small, turned away or covered; one line that names the file.
        ImportError: MediaPipe or OpenCV is not installed.
    """
    files = [Path(paths)] if isinstance(paths, (str, os.PathLike)) else [Path(p) for p in paths]
    if not files:
        raise ValueError("no photos given; at least one is needed")
    head = head or HeadModel.default()
    if len(files) == 1 and files[0].exists() and (files[0].is_dir() or _is_film(files[0])):
        film = FilmFit.of(files[0], head, face=face, progress=progress)
        return film.person(film.differing())
    pictures = []
    for done, file in enumerate(files, 1):
        pictures.append(load_picture(file))
        progress(done, len(files), "detect")
    return fit_pictures(pictures, head, face=face)


def fit_pictures(pictures: Sequence[Picture], head: HeadModel | None = None, *, face: int | None = None) -> PhotoFit:
    """The same from photos that are loaded; arguments and errors as of :func:`fit_photos`."""
    head = head or HeadModel.default()
    notes = [f"{p.name}: {note}" for p in pictures for note in p.notes]
    found = [_look(p, face, notes) for p in pictures]
    sizes = [PinholeCamera(1.0, *p.size) for p in pictures]
    seq, cameras = _solved(found, head, sizes, single=len(pictures) == 1)
    points = [d.points[0] for d in found]
    turns = _turns(seq)
    order = np.argsort(turns, kind="stable")
    for k in order:
        if turns[k] > MAX_TURN:
            raise ValueError(f"{pictures[k].name}: the face is turned {turns[k]:.0f} degrees away; at most {MAX_TURN:.0f} "
                             "can be used: take a photo from nearer the front")
    personal = _person(head, seq, cameras, points)
    photos = tuple(FittedPhoto(pictures[k], cameras[k], _posed(seq, int(k), head, personal), found[k].points[0],
                               found[k].blendshapes[0], person_mask(pictures[k].rgb), float(turns[k])) for k in order)
    return PhotoFit(personal, head, photos, tuple(notes))


def _solved(found: Sequence[Detections], head: HeadModel, sizes: Sequence[PinholeCamera], single: bool
            ) -> tuple[FaceSequence, list[PinholeCamera]]:
    """The poses of photos and their cameras, expression apart from identity; of ``sizes`` only width and height count."""
    seen = _common([_scaled(d) for d in found])
    config = FitConfig(priors=Priors(blendshapes=1.0), smooth=_APART, identity_frames=max(24, len(found)))
    fitted = fit_landmarks(seen, head, config)
    cameras = [replace(c, focal=fitted.camera.focal * max(c.width, c.height) / _CANVAS) for c in sizes]
    seq = fitted.seq
    if head.named:
        seq = seq.replace(expr=_own_look(seq.expr.copy(), seen.blendshapes, head, single))
        seq = _expression_apart(head, seq, cameras, [d.points[0] for d in found])
    return seq, cameras


def _posed(seq: FaceSequence, frame: int, head: HeadModel, personal: HeadModel) -> FaceSequence:
    """The same frame of the personal head, which turns about its own neck joint."""
    rows = seq.parameters(slice(frame, frame + 1))
    shift = personal.joints()[0] - head.joints(seq.shape)[0]
    turned = Rotation.from_rotvec(rows["rotation"][0]).apply(shift) - shift
    rows["translation"] = (rows["translation"] + turned).astype(np.float32)
    rows["shape"] = np.zeros_like(seq.shape)
    return seq.replace(**rows, valid=np.ones(1, bool), head=personal.ref)


def _views(head: HeadModel, seq: FaceSequence, cameras: Sequence[PinholeCamera], points: Sequence[Array]) -> list[View]:
    """What each picture's landmarks say beyond the fitted parameters; the detector's known bias is taken out."""
    embedding = field_for(head).embedding
    at = embedding.positions(head.vertices(**seq.parameters()).astype(np.float64), head.faces)
    views = []
    for k, (camera, seen) in enumerate(zip(cameras, points, strict=True)):
        turn = Rotation.from_rotvec(seq.rotation[k]).as_matrix()
        where = at[k] + embedding.bias @ turn.T
        miss = (seen[embedding.index] - camera.project(where)) / camera.focal * -where[:, 2:]
        views.append(View(turn[:, :2].T, miss * np.array([1.0, -1.0])))
    return views


def _person(head: HeadModel, seq: FaceSequence, cameras: Sequence[PinholeCamera], points: Sequence[Array]) -> HeadModel:
    """The personal head: the identity and what the landmarks of all pictures say beyond it."""
    views, embedding = _views(head, seq, cameras, points), field_for(head).embedding
    several = {"noise": _UNLIKE, "reach": _REACH} if len(views) > 1 else {}
    return personal_head(head, seq.shape, joint_offsets(views, embedding, **several))


def _expression_apart(head: HeadModel, seq: FaceSequence, cameras: Sequence[PinholeCamera], points: Sequence[Array]
                      ) -> FaceSequence:
    """Each picture's expression solved again, see ``face.landmarks.apart``."""
    embedding = field_for(head).embedding
    expr, jaw = seq.expr.copy(), seq.jaw_pose.copy()
    for k, view in enumerate(_views(head, seq, cameras, points)):
        found = expression_apart(head, embedding, seq.slice(k, k + 1), joint_offsets([view], embedding))
        expr[k], jaw[k, 0] = found.expr, found.jaw
    return seq.replace(expr=expr, jaw_pose=jaw)


def _own_look(expr: Array, scores: Array, head: HeadModel, single: bool) -> Array:
    """``(T,E)`` with what a picture alone calls expression by mistake given back to the face."""
    out = expr.copy()
    index = {name: head.expr_names.index(name) for name in (*EXPR_INDEX,) if name in head.expr_names}
    if single:
        for name, share in _CONFUSED.items():
            if name in index:
                out[:, index[name]] *= share
    for side in ("Left", "Right"):
        name = f"eyeBlink{side}"
        sure = np.clip((scores[:, ARKIT_52.index(name)] - _SURE_OPEN) / (_SURE_CLOSED - _SURE_OPEN), 0, 1)
        if name in index:
            open_ = out[:, index[name]] * sure
            out[:, index[name]] = np.where(np.isfinite(open_), open_, out[:, index[name]])
    return out


# -- looking -----------------------------------------------------------------------------
def _look(picture: Picture, face: int | None, notes: list[str]) -> Detections:
    """The face on one photo, checked."""
    width, height = picture.size
    small = _fitted(picture.rgb, MAX_SIDE)
    try:
        seen = detect_frames([small], width, height, 25.0, face=face, name=picture.name)
    except ValueError as err:
        if "no face in any" not in str(err):
            raise
        raise ValueError(f"{picture.name}: no face found ({width}x{height} px); a face of a person, from the front or half "
                         "from the side, not covered, at least a fifteenth of the picture's longer side, is needed") from err
    if seen.faces_seen > 1 and face is None:
        chosen = float(np.nanmean(seen.points[0, :, 0]))
        number = 1 + int(np.argmin(np.abs(seen.boxes[:, [0, 2]].mean(1) - chosen)))
        notes.append(f"{picture.name}: {seen.faces_seen} faces; face {number} from the left is used, the largest "
                     "(--face chooses another)")
    across = float(np.ptp(seen.points[0, :, 0]))
    if across < _LEAST_WIDTH:
        raise ValueError(f"{picture.name}: the face is {across:.0f} px wide; at least {_LEAST_WIDTH:.0f} are needed")
    bright = _eyes_brightness(picture.rgb, seen.points[0])
    if bright < _DARK:
        raise ValueError(f"{picture.name}: something dark covers the eyes (brightness {bright:.2f} of the face's, "
                         f"at least {_DARK:g} needed); use a photo without sunglasses")
    if _flat(picture.rgb, seen.points[0]) > _DRAWN:
        raise ValueError(f"{picture.name}: a drawing and no photo (its face is painted in flat colours); use a photo of a person")
    return seen


def _flat(rgb: NDArray[np.uint8], points: Array) -> float:
    """Share of the face's pixels that equal their neighbour; 0.3 on heavily compressed film, 0.75 and more on drawings."""
    (x0, y0), (x1, y1) = (np.quantile(points, q, axis=0).astype(int) for q in (0.02, 0.98))
    part = _fitted(rgb[max(y0, 0):y1 + 1, max(x0, 0):x1 + 1], _FACE_SIDE).astype(np.int16)
    return float((np.abs(np.diff(part, axis=1)).max(2) == 0).mean()) if part.shape[1] > 1 else 0.0


def _fitted(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    scale = side / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BOX))


def _eyes_brightness(rgb: NDArray[np.uint8], points: Array) -> float:
    """Of the skin under the eyes against the face's brighter skin; the brighter eye's, as sunglasses cover both."""
    radius = max(1, int(0.02 * np.ptp(points[:, 0])))

    def levels(index: Sequence[int]) -> list[float]:
        corners = np.clip(points[list(index)].astype(int) - radius, 0, None)
        parts = [rgb[y:y + 2 * radius + 1, x:x + 2 * radius + 1] for x, y in corners]
        return [float(part.mean()) for part in parts if part.size] or [255.0]

    skin = max(float(np.quantile(levels(_SKIN), 0.75)), 1.0)
    return max(float(np.median(levels(_UNDER_EYE[:3]))), float(np.median(levels(_UNDER_EYE[3:])))) / skin


def _scaled(seen: Detections) -> Detections:
    """Brought into the middle of a square of ``_CANVAS`` px, so that photos of all sizes share one focal length."""
    scale = np.float32(_CANVAS / max(seen.width, seen.height))
    middle = (_CANVAS - scale * np.array([seen.width, seen.height], np.float32)) / 2
    return replace(seen, points=(seen.points * scale + middle).astype(np.float32), depth=seen.depth * scale,
                   width=int(_CANVAS), height=int(_CANVAS))


def _common(seen: Sequence[Detections]) -> Detections:
    """Photos as frames of one clip."""
    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(d, name) for d in seen])

    return replace(seen[0], points=joined("points"), depth=joined("depth"), blendshapes=joined("blendshapes"),
                   pose=joined("pose"), valid=joined("valid"), events=(), faces_seen=1, boxes=np.zeros((0, 4), np.float32))


def _turns(seq: FaceSequence) -> NDArray[np.float64]:
    """``(T,)`` degrees between where the face and where the camera look from."""
    ahead = Rotation.from_rotvec(seq.rotation).as_matrix()[:, :, 2]
    return np.degrees(np.arccos(np.clip(ahead[:, 2], -1, 1)))


# -- films -------------------------------------------------------------------------------
def _is_film(path: Path) -> bool:
    """Whether a file holds moving pictures; what is neither is left to the photo's reader to explain."""
    try:
        return probe(path).kind != "image"
    except ValueError:
        return False


@dataclass(frozen=True, eq=False)
class FilmFit:
    """A fitted film of one person, any of whose frames can be taken as photos.

    Attributes:
        path: the film.
        head: the general head.
        result: the film's own fit, which sees how the face rests.
    """

    path: Path
    head: HeadModel
    result: FitResult

    @classmethod
    def of(cls, path: str | os.PathLike[str], head: HeadModel | None = None, *, face: int | None = None,
           progress: Progress = silent) -> FilmFit:
        """Fit a film; arguments and errors as of :func:`fit_photos`."""
        head = head or HeadModel.default()
        result = fit_media(path, head, face=face, progress=progress)
        if not result.seq.valid.any():
            raise ValueError(f"{path}: no frame with a trusted fit; {'; '.join(result.quality.reasons) or 'use another film'}")
        return cls(Path(path), head, result)

    @property
    def known(self) -> NDArray[np.int64]:
        """Frames with a trusted fit."""
        return np.flatnonzero(self.result.seq.valid)

    @property
    def turns(self) -> NDArray[np.float64]:
        """``(T,)`` degrees between the face and the camera."""
        return _turns(self.result.seq)

    def person(self, frames: Sequence[int] | NDArray[np.int64]) -> PhotoFit:
        """The person as a few frames show it, in their order."""
        chosen = np.asarray(frames, np.int64)
        seq = self.result.seq
        part = seq.replace(**seq.parameters(chosen), valid=np.ones(len(chosen), bool))
        points = [self.result.detections.points[k] for k in chosen]
        personal = _person(self.head, part, [self._camera] * len(chosen), points)
        return PhotoFit(personal, self.head, self.photos(chosen, personal), self.result.notes)

    def photos(self, frames: Sequence[int] | NDArray[np.int64], personal: HeadModel) -> tuple[FittedPhoto, ...]:
        """Frames, each with the pose of a personal head on it."""
        result, start = self.result, self.result.start
        assert result.info is not None
        wanted = {int(k) for k in frames}
        low, high = min(wanted) + start, max(wanted) + start + 1
        rgb = {k - start: f for k, f in enumerate(read_frames(result.info, None, low, high), low) if k - start in wanted}
        return tuple(FittedPhoto(Picture(rgb[k], self.path, None, 1.0, (f"{(k + start) / result.seq.fps:.2f} s of the film",)),
                                 self._camera, _posed(result.seq, k, self.head, personal), result.detections.points[k],
                                 result.detections.blendshapes[k], person_mask(rgb[k]), float(self.turns[k]))
                     for k in map(int, frames))

    @property
    def _camera(self) -> PinholeCamera:
        assert self.result.info is not None
        return PinholeCamera(self.result.camera.focal, self.result.info.width, self.result.info.height)

    def differing(self) -> NDArray[np.int64]:
        """A few frames whose views differ, the quietest frontal one first."""
        return _differing(self.result.seq, self.known)


def _differing(seq: FaceSequence, known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frames: the quietest frontal one first, then those whose views differ most from the ones taken, with a trusted fit."""
    turn = Rotation.from_rotvec(seq.rotation[known]).as_matrix()[:, :, 2]
    away = np.degrees(np.arccos(np.clip(turn[:, 2], -1, 1)))
    quiet = np.abs(seq.expr[known]).sum(1) + 3 * np.abs(seq.jaw_pose[known]).sum(1) + np.where(away > _AHEAD, away, 0.0)
    chosen = [int(np.argmin(quiet))]
    while len(chosen) < _POSES:
        apart = np.min([np.linalg.norm(turn - turn[c], axis=1) for c in chosen], axis=0) - 0.02 * quiet / max(quiet.max(), 1e-6)
        apart[away > MAX_TURN] = -1
        best = int(np.argmax(apart))
        if apart[best] < np.radians(6):
            break
        chosen.append(best)
    return known[np.array(chosen)]
