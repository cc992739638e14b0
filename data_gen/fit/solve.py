"""From landmarks to parameters: rigid start, identity and focal length, then every frame of the clip together.

A Gauss-Newton fit of a morphable head to tracked landmarks in the way of Thies et al., "Face2Face" (CVPR 2016,
https://arxiv.org/abs/2007.14808) and of Cao et al., "3D Shape Regression for Real-time Facial Animation" (SIGGRAPH 2013,
https://doi.org/10.1145/2461912.2462012): identity and camera are shared by the clip, expression is not. Second
differences tie frames together, and a window of frames is one banded linear system.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from threadpoolctl import threadpool_limits

from ...common.progress import Progress, silent
from ...face.clip.channels import ARKIT_52, EXPR_NAMES
from ...face.clip.rotation import rotation_matrices, rotation_vector, similarity, slerp
from ...face.clip.sequence import MOTION_FIELDS, FaceSequence
from ...face.head.model import HeadModel
from ...face.landmarks.learned_prior import learned_prior_for
from ...face.landmarks.points import blendshape_prior, embedding_for, lid_aperture
from ...face.landmarks.response import response_for
from ...face.render.camera import PinholeCamera
from .config import FitConfig
from .detect import Detections
from .energy import EXPR, Energy, Observed, Person, Pose, solve_window
from .learned_prior import prior_inputs, with_prior
from .points import PointModel

Array = NDArray[np.float32]

_VIEW = 35.0
"""Degrees that the larger side of a picture is taken to show before its focal length is fitted."""
_RIGID = ("nose", "forehead", "eye_left", "eye_right", "cheeks", "oval")
_DEPTH_SHARE, _DEPTH_BIAS, _POINTS_BIAS = 0.7, 0.0342, -0.0182
"""Of the pitch, see ``_level``; biases in rad on the default head."""
_SAMPLE, _LEAST_REST, _REST_STEPS, _REST_QUANTILE = 200, 12, 4, 0.12
"""Frames that rest is read from, the fewest, Gauss-Newton steps on them, and how rarely a face at rest is below it."""
_HELD: dict[str, float] = {"mouthSmileLeft": 0.4, "mouthSmileRight": 0.4, "eyeBlinkLeft": 0.6, "eyeBlinkRight": 0.6}
"""Blend shapes whose score, where it stays above this, says that an expression is held."""
MIN_POINTS = 60
"""Landmarks that a frame needs."""


@dataclass(frozen=True)
class Fitted:
    """A fitted clip.

    Attributes:
        seq: in the camera's frame (see ``face.camera``); frames without a face are bridged and not ``valid``.
        camera: with the fitted focal length.
        points: ``(T, L, 2)`` px, the fitted head's landmarks in the picture; L as ``index``.
        index: ``(L,)`` which of MediaPipe's 478 points.
        residual: ``(T,)`` px, median distance to what was detected; NaN where nothing was.
        scale: ``(T,)`` px a metre at the face.
    """

    seq: FaceSequence
    camera: PinholeCamera
    points: Array
    index: NDArray[np.int64]
    residual: Array
    scale: Array

    def padded(self, start: int, frames: int) -> Fitted:
        """The same as frames from ``start`` of a film of ``frames``; those of other shots hold the nearest one, not ``valid``."""
        at = np.arange(frames) - start
        inside = (at >= 0) & (at < len(self.seq))
        near = np.clip(at, 0, len(self.seq) - 1)
        rows = {name: getattr(self.seq, name)[near] for name in ("expr", *MOTION_FIELDS)}
        return replace(self, seq=self.seq.replace(**rows, valid=self.seq.valid[near] & inside), points=self.points[near],
                       residual=np.where(inside, self.residual[near], np.nan).astype(np.float32), scale=self.scale[near])


@dataclass(frozen=True)
class Solved:
    """A fit in its own terms: frames with a face ``good (T,)``, the terms, the landmarks, the person and every frame."""

    good: NDArray[np.bool_]
    energy: Energy
    observed: Observed
    person: Person
    pose: Pose


@threadpool_limits.wrap(limits=1)  # thousands of small systems: more threads wait for one another for most of the time
def fit_landmarks(seen: Detections, head: HeadModel | None = None, config: FitConfig | None = None,
                  camera: PinholeCamera | None = None, progress: Progress = silent) -> Fitted:
    """Fit a head to the landmarks of a clip.

    Args:
        seen: what the detector found.
        head: any head that has a MediaPipe embedding; None: the default head.
        config: see :class:`FitConfig`.
        camera: with a known focal length; None: the focal length is fitted.
        progress: called with (frames done, frames in all).

    Raises:
        ValueError: no frame with a face.
    """
    head, config = head or HeadModel.default(), config or FitConfig()
    first = solve_landmarks(seen, head, config, camera, progress)
    good, energy, observed, person, pose = first.good, first.energy, first.observed, first.person, first.pose
    prior = learned_prior_for(head, energy.model.embedding) if config.detector and config.priors.opinion > 0 else None
    if prior is not None and _shows_rest(good, seen.fps):
        found = prior_inputs(energy, observed, person, pose, good)
        observed = with_prior(prior, found, observed, config.priors.opinion, config.priors.opinion_gaze)
        pose = _all_frames(energy, observed, person, pose, seen.fps, config.opinion_steps)
    return _result(seen, good, energy.model, energy, observed, person, pose, np.asarray(energy.model.embedding.index, np.int64))


def solve_landmarks(seen: Detections, head: HeadModel, config: FitConfig, camera: PinholeCamera | None = None,
                    progress: Progress = silent) -> Solved:
    """The fit without the learned prior; arguments as of :func:`fit_landmarks`.

    Raises:
        ValueError: no frame with a face.
    """
    embedding = embedding_for(head)
    model = PointModel(head, embedding, response_for(head, embedding) if config.detector else None)
    index = np.asarray(model.embedding.index, np.int64)
    good = seen.valid & (np.isfinite(seen.points[:, index]).all(-1).sum(1) >= min(MIN_POINTS, len(index)))
    if not good.any():
        raise ValueError(f"no face in any of the {len(seen.valid)} frames; the fit needs at least one frame with a face")
    focal = camera.focal if camera else max(seen.width, seen.height) / 2 / np.tan(np.radians(_VIEW) / 2)
    if camera:
        config = replace(config, priors=replace(config.priors, focal=0.0))
    energy = Energy(model, config, focal)
    observed, start = _begin(seen, good, model, focal)
    person, start = _identify(energy, observed, start, good, config)
    person = _at_rest(energy, observed, person, start, good, seen)
    if energy.bounded:
        model.adapt_lids(model.neutral(person.shape), person.offset)
    pose = _all_frames(energy, observed, person, start, seen.fps, config.steps, progress)
    return Solved(good, energy, observed, person, pose)


def _begin(seen: Detections, good: NDArray[np.bool_], model: PointModel, focal: float) -> tuple[Observed, Pose]:
    """Landmarks in the fit's axes, and the pose of each frame from a similarity to the detector's 3D points."""
    index = model.embedding.index
    raw = seen.points[:, index]
    has = np.isfinite(raw).all(-1) & good[:, None]
    centre = np.array([seen.width / 2, seen.height / 2], np.float32)
    points = np.where(has[..., None], (raw - centre) * np.array([1, -1], np.float32), 0).astype(np.float32)
    depth = np.where(has, -seen.depth[:, index], 0).astype(np.float32)
    stiff = np.isin(np.array(model.embedding.region), _RIGID) & has.any(0)
    rest = model.template - model.template.mean(0)
    frames = len(points)
    rot, scale = np.tile(np.eye(3, dtype=np.float32), (frames, 1, 1)), np.ones(frames, np.float32)
    pos = np.zeros((frames, 3), np.float32)
    for t in np.flatnonzero(good):
        use = stiff & has[t]
        if use.sum() < 12:
            use = has[t]
        shown = np.concatenate([points[t, use], depth[t, use, None]], 1).astype(np.float64)
        found = similarity(rest[use], shown)
        rot[t], scale[t], middle = found.rotation, found.scale, found.translation
        z = focal / scale[t]
        pos[t] = [middle[0] / focal * z, middle[1] / focal * z, -z]
    rot, pos, scale = _bridge(rot, pos, scale, good)
    expr = np.zeros((frames, model.n_columns), np.float32)
    sigma = np.full(model.n_expr, np.inf, np.float32)
    assumed = np.zeros((frames, model.n_expr), np.float32)
    jaw = np.zeros((frames, 3), np.float32)
    if model.head.expr_names == EXPR_NAMES and np.isfinite(seen.blendshapes[good]).all():
        prior = blendshape_prior(np.where(good[:, None], seen.blendshapes, 0))
        assumed, sigma = np.where(good[:, None], prior.expr, 0).astype(np.float32), prior.expr_sigma.astype(np.float32)
        jaw = np.where(good[:, None], prior.jaw, 0).astype(np.float32)
    pose = Pose(rot, pos, jaw, np.zeros((frames, 6), np.float32), expr)
    return Observed(points, has, scale, _openness(seen, good), assumed, sigma), pose


def _openness(seen: Detections, good: NDArray[np.bool_]) -> Array:
    """``(T, 2)`` left and right lid opening against this face's open eyes, 0..1."""
    aperture = np.where(good[:, None], lid_aperture(seen.points), np.nan)
    usual = np.nanmedian(aperture, 0) if np.isfinite(aperture).all(1).any() else np.ones(2)
    share = (aperture / np.maximum(usual, 1e-6) - 0.4) / 0.4  # the detector never closes an eye to the end
    return np.clip(np.nan_to_num(share, nan=0.0), 0, 1).astype(np.float32)


def _bridge(rot: Array, pos: Array, scale: Array, good: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Frames without a face start between their neighbours."""
    known, at = np.flatnonzero(good), np.arange(len(good))
    if len(known) == len(good):
        return rot, pos, scale
    column = lambda v: np.interp(at, known, v[known])  # noqa: E731
    pos = np.stack([column(pos[:, k]) for k in range(3)], 1).astype(np.float32)
    inside = np.clip(at, known[0], known[-1])
    rot = rotation_matrices(slerp(rotation_vector(rot[known].astype(np.float64)), inside, known)).astype(np.float32)
    return rot, pos, column(scale).astype(np.float32)


def _key_frames(observed: Observed, pose: Pose, good: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """Frames that show identity and focal length best: quiet faces, and views that differ most."""
    known = np.flatnonzero(good)
    if len(known) <= count:
        return known
    quiet = np.abs(observed.expr[known]).sum(1) + np.abs(pose.jaw[known]).sum(1)
    chosen = list(known[np.argsort(quiet, kind="stable")[: count // 3]])
    view = np.concatenate([Rotation.from_matrix(pose.rot[known]).as_rotvec(), 0.3 * observed.expr[known],
                           pose.pos[known] / np.abs(pose.pos[known, 2:]).mean()], 1)
    distance = np.min([((view - view[np.searchsorted(known, c)]) ** 2).sum(1) for c in chosen], 0)
    while len(chosen) < count:
        pick = int(np.argmax(distance))
        chosen.append(known[pick])
        distance = np.minimum(distance, ((view - view[pick]) ** 2).sum(1))
    return np.unique(np.array(chosen))


def _identify(energy: Energy, observed: Observed, start: Pose, good: NDArray[np.bool_], config: FitConfig
              ) -> tuple[Person, Pose]:
    """Identity, focal length and landmark offsets of the clip, on its key frames."""
    model = energy.model
    keys = _key_frames(observed, start, good, config.identity_frames)
    seen, pose = observed.part(keys), start.part(keys)
    person = Person(np.zeros(model.n_shape, np.float32), np.zeros((model.n_points, 3), np.float32), energy.log_focal_guess)
    fixed_focal = config.priors.focal == 0
    for step in range(config.identity_steps):
        eq = energy.build(seen, pose, person, shared=True)
        assert eq.cross is not None and eq.shared is not None and eq.shared_gradient is not None
        hessian = eq.hessian.astype(np.float64)
        at = np.arange(hessian.shape[1])
        hessian[:, at, at] *= 1.0 + (1e-2 if step < 2 else 1e-4)
        # Schur complement: the frames' unknowns are eliminated, identity and focal length remain
        both = np.linalg.solve(hessian, np.concatenate([eq.cross, eq.gradient[..., None]], 2).astype(np.float64))
        cross = eq.cross.astype(np.float64)
        reduced = eq.shared - np.einsum("tpa,tpb->ab", cross, both[..., :-1])
        right = eq.shared_gradient - np.einsum("tpa,tp->a", cross, both[..., -1])
        if step == 0:  # the pose first: a wrong start must not bend the face
            change = np.zeros(len(right))
        else:
            change = np.linalg.solve(reduced + 1e-6 * np.eye(len(right)), right)
            if fixed_focal:
                change[-1] = 0.0
        change[-1] = np.clip(change[-1], -0.2, 0.2)
        pose = pose.moved(both[..., -1] - both[..., :-1] @ change)
        shape = np.clip(person.shape + change[:-1], -4, 4).astype(np.float32)
        person = Person(shape, person.offset, float(person.log_focal + change[-1]))
        if step in (config.identity_steps // 2, config.identity_steps - 1):
            person = replace(person, offset=_offsets(energy, seen, pose, person))
    if config.detector:
        pose, person = _level(energy, seen, pose, start.part(keys), person)
    ratio = float(np.exp(person.log_focal - energy.log_focal_guess))
    far = start.pos * np.array([1, 1, ratio], np.float32)  # the same picture through another lens
    return person, replace(start, pos=far)


def _at_rest(energy: Energy, observed: Observed, person: Person, start: Pose, good: NDArray[np.bool_], seen: Detections
             ) -> Person:
    """The look of this face at rest goes to the person: deep-set eyes are no squint, a thin mouth presses no lips.

    What each coefficient does not fall below in a clip is taken for the face's own, up to ``priors.look``, except
    where the detector's blend shapes are sure of an expression that is held (a smile from beginning to end, closed
    eyes). Clips under a second show nothing of rest and are left as they are. Where the configuration says when the face
    rests, all that it does then is its look.
    """
    span = energy.config.rest
    at = np.arange(len(good)) / seen.fps
    known = np.flatnonzero(good if span is None else good & (at >= span[0]) & (at <= span[1]))
    if not len(known):
        assert span is not None
        raise ValueError(f"rest is {span[0]:g}-{span[1]:g} s, where no face was found; choose other seconds of the clip")
    if not energy.bounded or span is None and not _shows_rest(good, seen.fps):
        return person
    pick = known[np.unique(np.linspace(0, len(known) - 1, min(len(known), _SAMPLE)).astype(int))]
    part, pose = observed.part(pick), start.part(pick)
    nothing = np.zeros(EXPR + energy.model.n_columns)
    for _ in range(_REST_STEPS):
        eq = energy.build(part, pose, person)
        pose = pose.moved(solve_window(eq.hessian, eq.gradient, nothing))
    n = energy.model.n_expr
    rest = np.median(pose.expr, 0)
    rest[:n] = np.clip(np.quantile(pose.expr[:, :n], _REST_QUANTILE, axis=0), 0, energy.config.priors.look)
    if span is not None:
        rest[:n] = np.clip(np.median(pose.expr[:, :n], axis=0), 0, 1)
    elif np.isfinite(seen.blendshapes[pick]).all():
        for name, sure in _HELD.items():
            held = float(np.quantile(seen.blendshapes[pick, ARKIT_52.index(name)], _REST_QUANTILE)) - sure
            k = EXPR_NAMES.index(name)
            rest[k] = min(rest[k], max(0.0, rest[k] - max(held, 0.0) / (1 - sure)))
    look = np.tensordot(rest.astype(np.float32), energy.model.expr_basis, 1)
    # a jaw does not rest to one side; where the points say so, it is their bias on this face
    joints, shape = energy.model.joints(person.shape), energy.model.neutral(person.shape)
    aside = np.array([[0.0, 0.0, 0.0], [0.0, *np.median(pose.jaw[:, 1:], 0)]], np.float32)
    still, ahead = np.zeros((2, energy.model.n_columns), np.float32), np.zeros((2, 6), np.float32)
    jaws = energy.model.local(shape, joints, still, aside, ahead).at
    look = look + jaws[1] - jaws[0]
    return replace(person, offset=(person.offset + look).astype(np.float32))


def _shows_rest(good: NDArray[np.bool_], fps: float) -> bool:
    return int(good.sum()) >= max(_LEAST_REST, round(fps))


def _level(energy: Energy, seen: Observed, pose: Pose, spatial: Pose, person: Person) -> tuple[Pose, Person]:
    """The constant part of the pitch, which a flat picture hardly separates from a longer or shorter face.

    The detector's depth has information on it, with an error of its own. Over 24 rendered clips (other ones than the
    benchmark's) the points' pitch was off by 3.2 degrees rms, the depth's by 2.8, and this mixture of both by 1.7. What
    the points lose by it goes to the person's offsets.
    """
    apart = Rotation.from_matrix(pose.rot).inv() * Rotation.from_matrix(spatial.rot)
    change = _DEPTH_SHARE * float(np.median(apart.as_rotvec()[:, 0]))
    if energy.model.response is not None:
        change -= _DEPTH_SHARE * _DEPTH_BIAS + (1 - _DEPTH_SHARE) * _POINTS_BIAS
    turn = Rotation.from_rotvec([float(np.clip(change, -0.15, 0.15)), 0.0, 0.0])
    pose = replace(pose, rot=(Rotation.from_matrix(pose.rot) * turn).as_matrix().astype(np.float32))
    return pose, replace(person, offset=_offsets(energy, seen, pose, person))


def _offsets(energy: Energy, seen: Observed, pose: Pose, person: Person) -> Array:
    """``(L, 3)`` m: where this person's landmarks lie off the model, constant in the head's frame."""
    free = replace(person, offset=np.zeros_like(person.offset))
    miss = energy.residuals(seen, pose, free)
    view = pose.rot[:, :2]  # the two rows that a picture shows
    k = energy.config.data.robust
    kept = seen.seen / (1 + ((miss - np.median(miss, 0)) ** 2).sum(-1) / (k * energy.sigma) ** 2) ** 2
    weight = kept / energy.sigma**2
    h = np.einsum("tl,tij,tik->ljk", weight, view, view) + np.eye(3) * len(miss) * 0.1 / energy.config.priors.offset**2
    g = np.einsum("tl,tij,tli->lj", weight, view, miss)
    out: Array = np.linalg.solve(h, g[..., None])[..., 0].astype(np.float32)
    return out


def _all_frames(energy: Energy, observed: Observed, person: Person, start: Pose, fps: float, steps: int,
                progress: Progress = silent) -> Pose:
    """Every frame, in windows that overlap and are faded into each other."""
    frames, config = len(observed), energy.config
    stiff = energy.stiffness(fps)
    done: list[Pose] = []
    edges = _windows(frames, config.window, config.overlap)
    for number, (low, high) in enumerate(edges):
        part = slice(low, high)
        seen, pose = observed.part(part), start.part(part)
        if number:  # go on from where the window before ended
            before = done[-1]
            shared = edges[number - 1][1] - low
            pose = replace(pose, expr=np.concatenate([before.expr[-shared:], pose.expr[shared:]]),
                           jaw=np.concatenate([before.jaw[-shared:], pose.jaw[shared:]]))
        for _ in range(steps):
            eq = energy.build(seen, pose, person)
            gradient = eq.gradient.astype(np.float64) + energy.time_gradient(pose, stiff)
            step = solve_window(eq.hessian, gradient, stiff)
            pose = pose.moved(step)
            if float(np.abs(step[:, EXPR:]).max(initial=0)) < 2e-3:
                break
        done.append(pose)
        progress(high, frames)
    return _joined(done, edges)


def _windows(frames: int, window: int, overlap: int) -> list[tuple[int, int]]:
    out, low = [], 0
    while True:
        high = min(low + window, frames)
        if frames - high < overlap:  # no tail too short for a solve of its own
            high = frames
        out.append((low, high))
        if high == frames:
            return out
        low = high - overlap


def _joined(parts: list[Pose], edges: list[tuple[int, int]]) -> Pose:
    """Windows cross-faded over the frames they share."""
    out = parts[0]
    for (_, before), (low, _), part in zip(edges[:-1], edges[1:], parts[1:], strict=True):
        shared = before - low
        mix = ((np.arange(shared) + 1) / (shared + 1)).astype(np.float32)

        def fade(a: Array, b: Array, n: int = shared, m: Array = mix) -> Array:
            middle = a[-n:] * (1 - m)[:, None] + b[:n] * m[:, None]
            return np.concatenate([a[:-n], middle, b[n:]]).astype(np.float32)

        a, b = Rotation.from_matrix(out.rot[-shared:]), Rotation.from_matrix(part.rot[:shared])
        turned = (a * Rotation.from_rotvec((a.inv() * b).as_rotvec() * mix[:, None])).as_matrix()
        rot = np.concatenate([out.rot[:-shared], turned, part.rot[shared:]]).astype(np.float32)
        out = Pose(rot, fade(out.pos, part.pos), fade(out.jaw, part.jaw), fade(out.eyes, part.eyes), fade(out.expr, part.expr))
    return out


def _result(seen: Detections, good: NDArray[np.bool_], model: PointModel, energy: Energy, observed: Observed,
            person: Person, pose: Pose, index: NDArray[np.int64]) -> Fitted:
    """The clip in FaceSequence's terms, and how well it explains the landmarks."""
    joints = model.joints(person.shape)
    expr = pose.expr.copy()
    if energy.bounded:
        expr[:, :model.n_expr] = np.clip(expr[:, :model.n_expr], 0, 1)
    final = replace(pose, expr=expr)
    miss = energy.residuals(observed, final, person) * observed.scale[:, None, None]
    distance = np.where(observed.seen, np.linalg.norm(miss, axis=-1), np.nan)
    residual = np.full(len(seen.valid), np.nan, np.float32)
    residual[good] = np.nanmedian(distance[good], 1)
    shown = (observed.points - miss) * np.array([1, -1]) + np.array([seen.width / 2, seen.height / 2])
    # world = R (p - pivot) + pos = R (p - J0) + J0 + translation
    translation = pose.pos + (pose.rot @ (joints[0] - energy.pivot)) - joints[0]
    seq = FaceSequence(
        expr=expr[:, :model.n_expr], rotation=Rotation.from_matrix(pose.rot).as_rotvec().astype(np.float32),
        neck_pose=np.zeros_like(pose.jaw), jaw_pose=pose.jaw, eyes_pose=pose.eyes,
        translation=translation.astype(np.float32), shape=person.shape, valid=good.copy(), head=model.head.ref, fps=seen.fps)
    camera = PinholeCamera(float(np.exp(person.log_focal)), seen.width, seen.height)
    return Fitted(seq, camera, shown.astype(np.float32), index, residual, observed.scale)
