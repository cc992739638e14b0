"""FaceSequence: one clip of head-model parameters over time.

Field names follow VHAP (https://github.com/ShenhanQian/VHAP). Angles are axis-angle in
radians, lengths in metres, y up, the face looks along +z and the subject's left is +x.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.files import atomic_file
from .arrays import read_npz
from .channels import EXPR_NAMES, MOTION_FIELDS, mirror_name
from .rotation import slerp

FORMAT = "facelm-sequence"
FORMAT_VERSION = 1
MAX_FRAMES = 1_000_000
MAX_WIDTH = 4096
MAX_FPS = 1000.0
MAX_EXPR = 10.0
"""Largest expression or identity coefficient that is accepted."""
MAX_METRES = 1000.0

FloatArray = NDArray[np.float32]
_KNOWN = "known"
_KEYS = ("expr", *MOTION_FIELDS, "shape", "valid", "fps", "head", "format")


_LATER = {"ca12f3e31a85c5c550659dc581ad33b211e7ffcaaab64ddf9a8f271fccdda87f":
          ("facelm-default", "2", "1abdf3e556180b2b1fd9ddb49e1716af556858c3af49551e80a2b31b28612d63")}
"""Earlier editions of the default head, by sha256, and the one on which their parameters mean the same: edition 2 differs
in the tongue alone."""


@dataclass(frozen=True)
class HeadRef:
    """Which head model the parameters belong to."""

    name: str
    edition: str
    sha256: str

    @classmethod
    def stored(cls, name: str, edition: str, sha256: str) -> HeadRef:
        """The head that stored parameters are of; of an earlier edition of the default head, today's edition."""
        return cls(*_LATER.get(sha256, (name, edition, sha256)))

    @staticmethod
    def stored_text(text: str) -> str:
        """The same of a reference that was stored as text."""
        later = {str(HeadRef("facelm-default", "1", sha)): str(HeadRef(*found)) for sha, found in _LATER.items()}
        return later.get(text, text)

    def __str__(self) -> str:
        return f"{self.name} ({self.edition}, {self.sha256[:8]})"


@dataclass(frozen=True)
class FaceSequence:
    """A clip: per-frame parameters of one head, one identity.

    Attributes:
        expr: ``(T, E)`` expression coefficients (the default head: 41 ARKit shapes, 0 to 1; generated and
            fitted clips go a little beyond).
        rotation: ``(T, 3)`` global rotation, axis-angle, rad.
        neck_pose: ``(T, 3)`` rotation of the head on the neck, axis-angle, rad.
        jaw_pose: ``(T, 3)`` jaw, axis-angle, rad; +x opens.
        eyes_pose: ``(T, 6)`` left eye then right eye, axis-angle, rad; +y to the subject's left.
        translation: ``(T, 3)`` m.
        shape: ``(S,)`` identity coefficients.
        valid: ``(T,)`` bool; False where a fit failed.
        fps: frames per second.
        head: the head model that these parameters drive.

    Raises:
        ValueError: on wrong shapes, T = 0, values that are not finite or absurd.
    """

    expr: FloatArray
    rotation: FloatArray
    neck_pose: FloatArray
    jaw_pose: FloatArray
    eyes_pose: FloatArray
    translation: FloatArray
    shape: FloatArray
    valid: NDArray[np.bool_]
    head: HeadRef
    fps: float = field(default=25.0)

    def __post_init__(self) -> None:
        expr = _floats(self.expr, "expr", MAX_EXPR)
        if expr.ndim != 2 or not 1 <= expr.shape[1] <= MAX_WIDTH:
            raise ValueError(f"expr has shape {expr.shape}; needed: (frames, expression columns)")
        frames = expr.shape[0]
        if frames == 0:
            raise ValueError("the clip has 0 frames; at least 1 is needed")
        if frames > MAX_FRAMES:
            raise ValueError(f"the clip has {frames} frames; at most {MAX_FRAMES} are allowed: cut it into parts")
        object.__setattr__(self, "expr", expr)
        for name, width in MOTION_FIELDS.items():
            limit = MAX_METRES if name == "translation" else 4 * np.pi
            value = _floats(getattr(self, name), name, limit)
            if value.shape != (frames, width):
                raise ValueError(f"{name} has shape {value.shape}; needed: ({frames}, {width}), as expr has {frames} frames")
            object.__setattr__(self, name, value)
        shape = _floats(self.shape, "shape", MAX_EXPR)
        if shape.ndim != 1 or len(shape) > MAX_WIDTH:
            raise ValueError(f"shape has shape {shape.shape}; needed: one row of at most {MAX_WIDTH} identity coefficients")
        object.__setattr__(self, "shape", shape)
        valid = np.ascontiguousarray(self.valid)
        if valid.shape != (frames,) or valid.dtype != np.bool_:
            raise ValueError(f"valid is {valid.dtype} of shape {valid.shape}; needed: bool of shape ({frames},)")
        object.__setattr__(self, "valid", valid)
        fps = float(self.fps)
        if not np.isfinite(fps) or not 1.0 <= fps <= MAX_FPS:
            raise ValueError(f"fps is {self.fps}; allowed: 1 to {MAX_FPS:g}")
        object.__setattr__(self, "fps", fps)

    # -- basics ---------------------------------------------------------------------------
    def __len__(self) -> int:
        return int(self.expr.shape[0])

    @property
    def seconds(self) -> float:
        """Duration in seconds: frames / fps."""
        return len(self) / self.fps

    @classmethod
    def rest(cls, frames: int, head: HeadRef, *, n_expr: int = len(EXPR_NAMES), n_shape: int = 0,
             fps: float = 25.0) -> FaceSequence:
        """A face at rest for ``frames`` frames."""
        if not 1 <= frames <= MAX_FRAMES:
            raise ValueError(f"a clip of {frames} frames is not possible; allowed: 1 to {MAX_FRAMES}")
        poses = {name: np.zeros((frames, width), np.float32) for name, width in MOTION_FIELDS.items()}
        return cls(expr=np.zeros((frames, n_expr), np.float32), shape=np.zeros(n_shape, np.float32),
                   valid=np.ones(frames, bool), head=head, fps=fps, **poses)

    def replace(self, **changes: object) -> FaceSequence:
        """A copy with some fields changed (validated again)."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def _per_frame(self) -> Iterator[tuple[str, np.ndarray]]:
        for name in ("expr", *MOTION_FIELDS, "valid"):
            yield name, getattr(self, name)

    def parameters(self, frames: Any = slice(None)) -> dict[str, FloatArray]:
        """What ``HeadModel.vertices`` takes, by name: the pose of some frames (all of them), and the identity."""
        return {name: getattr(self, name)[frames] for name in ("expr", *MOTION_FIELDS)} | {"shape": self.shape}

    def slice(self, start: int, stop: int | None = None) -> FaceSequence:
        """Frames ``start`` to ``stop`` (Python slice rules; at least one frame must remain)."""
        return self.replace(**{name: value[start:stop] for name, value in self._per_frame()})

    def concat(self, *others: FaceSequence) -> FaceSequence:
        """This clip followed by others of the same head, identity and fps."""
        for other in others:
            if other.head != self.head:
                raise ValueError(
                    f"cannot join clips of different heads: {self.head} and {other.head}; "
                    "bring them to one head first: facelm retarget CLIP.npz --to HEAD.npz -o OUT.npz")
            if other.fps != self.fps:
                raise ValueError(f"cannot join clips of {self.fps:g} and {other.fps:g} fps; use resample() first")
            if other.shape.shape != self.shape.shape or not np.allclose(other.shape, self.shape, atol=1e-5):
                raise ValueError("cannot join clips of different identities (their shape differs); set one shape with replace()")
        clips = (self, *others)
        return self.replace(**{name: np.concatenate([getattr(c, name) for c in clips]) for name, _ in self._per_frame()})

    def resample(self, fps: float) -> FaceSequence:
        """The same motion at another frame rate; linear, rotations by slerp.

        Frame ``i`` shows the time ``i / fps``; the duration is kept to within one frame.
        """
        if not np.isfinite(fps) or not 1.0 <= fps <= MAX_FPS:
            raise ValueError(f"fps is {fps}; allowed: 1 to {MAX_FPS:g}")
        if fps == self.fps:
            return self
        frames = max(1, round(self.seconds * fps))
        last = len(self) - 1
        at = np.minimum(np.arange(frames) * (self.fps / fps), last)
        low = np.minimum(at.astype(int), last)
        high = np.minimum(low + 1, last)
        mix = (at - low)[:, None].astype(np.float32)
        out: dict[str, object] = {}
        for name, value in self._per_frame():
            if name == "valid":
                out[name] = value[low] & value[high]
            elif name in ("expr", "translation"):
                out[name] = value[low] * (1 - mix) + value[high] * mix
            else:
                out[name] = slerp(value, at).astype(np.float32)
        return self.replace(fps=fps, **out)

    def mirror(self, expr_names: tuple[str, ...] = EXPR_NAMES) -> FaceSequence:
        """The same motion with left and right exchanged (identity is kept).

        Args:
            expr_names: names of the expression columns; needed to know the pairs.
        """
        if len(expr_names) != self.expr.shape[1]:
            raise ValueError(
                f"mirroring needs the names of all {self.expr.shape[1]} expression columns, got {len(expr_names)}; "
                "a clip of a head without named left/right columns cannot be mirrored")
        order = [expr_names.index(mirror_name(n)) for n in expr_names]
        flip = np.array([1, -1, -1], np.float32)  # a reflection in x keeps pitch, turns yaw and roll around
        return self.replace(
            expr=self.expr[:, order], rotation=self.rotation * flip, neck_pose=self.neck_pose * flip,
            jaw_pose=self.jaw_pose * flip, translation=self.translation * np.array([-1, 1, 1], np.float32),
            eyes_pose=np.concatenate([self.eyes_pose[:, 3:] * flip, self.eyes_pose[:, :3] * flip], axis=1))

    # -- files ----------------------------------------------------------------------------
    @property
    def digest(self) -> str:
        """A sha256 of all numbers, which tells whether a clip is still the one that something is known of."""
        own = hashlib.sha256(np.float64(self.fps).tobytes() + np.ascontiguousarray(self.shape).tobytes())
        for _, value in self._per_frame():
            own.update(np.ascontiguousarray(value).tobytes())
        return own.hexdigest()

    def save(self, path: str | os.PathLike[str], known: str = "") -> Path:
        """Write one ``.npz`` (no pickled objects); the file appears whole or not at all.

        Args:
            path: the file.
            known: what is known of the clip besides its motion, which :meth:`known` reads.
        """
        path = Path(path)
        if path.suffix.lower() != ".npz":
            raise ValueError(f"a clip is saved as .npz, not {path.name!r}")
        arrays: dict[str, Any] = dict(self._per_frame()) | ({_KNOWN: np.array(known)} if known else {})
        with atomic_file(path) as partial, open(partial, "wb") as handle:
            np.savez_compressed(
                handle, shape=self.shape, fps=np.float64(self.fps),
                head=np.array([self.head.name, self.head.edition, self.head.sha256]),
                format=np.array([FORMAT, str(FORMAT_VERSION)]), **arrays)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike[str], head: HeadRef | None = None) -> FaceSequence:
        """Read a clip; nothing in the file is unpickled or executed.

        Args:
            path: an ``.npz`` written by :meth:`save`.
            head: when given, the clip must belong to this head.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a clip, damaged, or of another head; the sentence says which.
        """
        arrays = read_npz(path, "clip")
        if missing := [k for k in _KEYS if k not in arrays]:
            raise ValueError(f"{path} is not a clip: {', '.join(missing)} missing (needed: {', '.join(_KEYS)})")
        arrays = {k: arrays[k] for k in _KEYS}
        if (tag := [str(x) for x in np.atleast_1d(arrays.pop("format"))]) != [FORMAT, str(FORMAT_VERSION)]:
            raise ValueError(f"{path}: format is {tag}; this version reads {[FORMAT, str(FORMAT_VERSION)]}")
        ref = [str(x) for x in np.atleast_1d(arrays.pop("head"))]
        if len(ref) != 3:
            raise ValueError(f"{path}: head has {len(ref)} entries; needed: name, edition, sha256")
        fps = arrays.pop("fps")
        if fps.size != 1 or fps.dtype.kind not in "fiu":
            raise ValueError(f"{path}: fps is {fps.dtype} of shape {fps.shape}; needed: one number")
        try:
            clip = cls(head=HeadRef.stored(*ref), fps=float(fps.reshape(())), **arrays)
        except ValueError as err:
            raise ValueError(f"{path}: {err}") from err
        if head is not None:
            clip.require_head(head, str(path))
        return clip

    @staticmethod
    def known(path: str | os.PathLike[str]) -> str:
        """What a clip's file says of it besides its motion; empty where it says nothing.

        Raises:
            FileNotFoundError, ValueError: as :meth:`load`.
        """
        found = read_npz(path, "clip").get(_KNOWN)
        return str(found) if found is not None and found.dtype.kind == "U" and found.size == 1 else ""

    def require_head(self, head: HeadRef, what: str = "this clip") -> None:
        """Refuse to go on when the clip belongs to another head."""
        if self.head != head:
            raise ValueError(f"{what} is of the head {self.head}, not {head}; "
                             "bring it to this head first: facelm retarget CLIP.npz --to HEAD.npz -o OUT.npz")


def _floats(value: object, name: str, limit: float) -> FloatArray:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} is of type {array.dtype}; needed: numbers (float32)")
    array = np.ascontiguousarray(array, dtype=np.float32)
    if array.size and not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{name} has a value that is not finite (first at index {tuple(int(i) for i in where)})")
    if array.size and (worst := float(np.abs(array).max())) > limit:
        raise ValueError(f"{name} reaches {worst:.4g}; allowed: up to {limit:.4g} in size")
    return array
