"""HeadModel: a 3D morphable head in FLAME's layout, any edition, evaluated in NumPy."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np

from ...common.files import naming
from ..clip.channels import EXPR_NAMES, MOTION_FIELDS
from ..clip.sequence import FaceSequence, HeadRef
from .file import check_head, content_hash, read_head_fields, write_head
from .lbs import Skin
from .texture import Layout, Picture, check_texture, files_in, layout_of, read_texture

PART_NAMES: tuple[str, ...] = ("skin", "lips", "eyeball", "teeth", "gums", "tongue", "mouth_inside")
"""What ``HeadModel.part`` of the default head tells apart; eyebrows are painted by ``brow_weight``."""

IBUG = 68
"""The first landmarks of a head are ``ibug_00..ibug_67``."""


@lru_cache(maxsize=1)
def _default_head() -> HeadModel:
    asset = resources.files("facelm").joinpath("face", "assets", "head_default.npz")
    with resources.as_file(asset) as path:
        return HeadModel.load(path)


class Pose(TypedDict, total=False):
    """Arguments of :meth:`HeadModel.vertices` beside the expression."""

    rotation: np.ndarray | None
    neck_pose: np.ndarray | None
    jaw_pose: np.ndarray | None
    eyes_pose: np.ndarray | None
    translation: np.ndarray | None
    shape: np.ndarray | None


def pose_arguments(head: HeadModel, given: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Check and fill the arguments of ``vertices``: shape (S,), expr (T,E), pose (T,5,3), translation (T,3)."""
    widths = {"expr": head.n_expr, **MOTION_FIELDS}
    if unknown := given.keys() - {"shape", *widths}:
        raise TypeError(f"unknown head parameters {', '.join(sorted(unknown))}; known: {', '.join(widths)}, shape")
    arrays = {name: np.atleast_2d(np.asarray(given[name], np.float32)) for name in widths if given.get(name) is not None}
    frames = max((len(a) for a in arrays.values()), default=1)
    full: dict[str, np.ndarray] = {}
    for name, width in widths.items():
        array = arrays.get(name, np.zeros((1, width), np.float32))
        if array.ndim != 2 or array.shape[1] != width:
            raise ValueError(f"{name} has shape {np.shape(given[name])}, needed (T, {width})")
        if len(array) not in (1, frames):
            raise ValueError(f"{name} has {len(array)} frames, other arguments have {frames}")
        full[name] = np.broadcast_to(array, (frames, width))
    shape = given.get("shape")
    s = np.zeros(head.n_shape, np.float32) if shape is None else np.asarray(shape, np.float32)
    if s.shape == (0,):  # a clip without identity is of the average head
        s = np.zeros(head.n_shape, np.float32)
    if s.shape != (head.n_shape,):
        raise ValueError(f"shape has shape {s.shape}, needed ({head.n_shape},)")
    pose = np.concatenate([full[name] for name in ("rotation", "neck_pose", "jaw_pose", "eyes_pose")], 1)
    return s, full["expr"], pose.reshape(frames, 5, 3), full["translation"]


@dataclass(frozen=True, eq=False)
class HeadModel:
    """A head: FLAME's arrays plus names, landmarks, regions and part labels.

    Metres and radians; y up, +z forward, the subject's left is +x.  V vertices, F faces, S identity and
    E expression columns, L landmarks.  Arrays are read-only after construction. Heads are equal when their arrays are.

    Raises:
        ValueError: from the constructor when an array does not fit the others.
    """

    name: str
    edition: str
    v_template: np.ndarray
    """(V, 3) float32, m: the average head at rest."""
    faces: np.ndarray
    """(F, 3) int32, counter-clockwise seen from outside."""
    shapedirs: np.ndarray
    """(V, 3, S + E) float32, m: identity columns, then expression columns."""
    posedirs: np.ndarray
    """(V, 3, 36) float32, m: offsets for ``R - I`` of joints 1..4, row by row."""
    J_regressor: np.ndarray
    """(5, V) float32: joints from shaped vertices."""
    weights: np.ndarray
    """(V, 5) float32: skinning weights; joints global, neck, jaw, left eye, right eye."""
    n_shape: int
    expr_names: tuple[str, ...]
    lmk_names: tuple[str, ...]
    lmk_faces: np.ndarray
    """(L,) int32: face of each landmark."""
    lmk_bary: np.ndarray
    """(L, 3) float32: its barycentric coordinates."""
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    """Region name -> (n,) int32 vertex indices."""
    part: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    """(V,) uint8 index into ``part_names``; empty means all skin."""
    part_names: tuple[str, ...] = PART_NAMES
    brow_weight: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    """(V,) float32 in [0, 1]: how much of a vertex is eyebrow; empty means nowhere."""
    meta: dict[str, Any] = field(default_factory=dict)
    """JSON-like: sources, licence, the build's report; not part of the head's identity."""
    texture: Picture | None = None
    """(T, T, 3) uint8 sRGB, laid on by ``layout``; not part of the head's identity, and not of its file."""

    def __post_init__(self) -> None:
        kinds = {"v_template": np.float32, "faces": np.int32, "shapedirs": np.float32, "posedirs": np.float32,
                 "J_regressor": np.float32, "weights": np.float32, "lmk_faces": np.int32, "lmk_bary": np.float32,
                 "part": np.uint8, "brow_weight": np.float32}
        for name, kind in kinds.items():
            array = np.asarray(getattr(self, name))
            if array.dtype.kind not in "fiu" and array.size:
                raise ValueError(f"head {self.name!r}: {name} holds {array.dtype}, needed numbers")
            if name in ("part", "brow_weight") and array.size == 0:
                array = np.zeros(len(self.v_template), kind)
            if np.dtype(kind).kind in "iu" and array.dtype.kind == "f":
                raise ValueError(f"head {self.name!r}: {name} holds {array.dtype}, needed whole numbers")
            array = np.ascontiguousarray(array, kind)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        masks = {}
        for name, index in self.masks.items():
            masks[str(name)] = np.ascontiguousarray(index, np.int32)
            masks[str(name)].setflags(write=False)
        object.__setattr__(self, "masks", masks)
        check_head(self._fields)
        if self.texture is not None:
            if self.layout is None:
                raise ValueError(f"head {self.name!r} has no texture coordinates: only heads with the default head's faces do")
            object.__setattr__(self, "texture", check_texture(self.texture))

    # -- files ----------------------------------------------------------------------------------

    @classmethod
    def default(cls) -> HeadModel:
        """The packaged head (CC0, see docs/head.md); loaded once."""
        return _default_head()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> HeadModel:
        """Read a head file, or the folder of a textured head (an avatar): ``head.npz`` and ``albedo.png``.

        Raises:
            FileNotFoundError: nothing there.
            ValueError: not a head file, damaged, or its arrays do not fit each other.
        """
        file, picture = files_in(Path(path)) if Path(path).is_dir() else (path, None)
        with naming(file), np.errstate(all="ignore"):
            return cls(**read_head_fields(file), texture=None if picture is None else read_texture(picture))

    def save(self, path: str | os.PathLike[str], step: float | None = None) -> None:
        """Write a head file; exact, or with offsets rounded to multiples of ``step`` metres."""
        write_head(self._fields, path, step)

    @property
    def _fields(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "texture"}

    @cached_property
    def sha256(self) -> str:
        """Hash (hex) of the canonical bytes of every array; what clips remember their head by."""
        return content_hash(self._fields)

    @property
    def ref(self) -> HeadRef:
        """The reference that clips of this head carry."""
        return HeadRef(self.name, self.edition, self.sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HeadModel) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    # -- sizes ----------------------------------------------------------------------------------

    @property
    def n_vertices(self) -> int:
        """Number of vertices, V."""
        return len(self.v_template)

    @property
    def n_expr(self) -> int:
        """Number of expression columns, E."""
        return len(self.expr_names)

    @property
    def named(self) -> bool:
        """True when the expression columns are ARKit shapes by name."""
        return len(set(self.expr_names) & set(EXPR_NAMES)) >= 30

    @cached_property
    def layout(self) -> Layout | None:
        """Where its surface lies in a texture; None of a head with other faces than the default head's."""
        return layout_of(self.faces)

    # -- geometry -------------------------------------------------------------------------------

    @cached_property
    def _skin(self) -> Skin:
        return self._arrange(None)

    def _arrange(self, vertex_idx: np.ndarray | None) -> Skin:
        return Skin.of(self.v_template, self.shapedirs, self.posedirs, self.J_regressor, self.weights,
                       self.n_shape, vertex_idx)

    def joints(self, shape: np.ndarray | None = None) -> np.ndarray:
        """(5, 3) m: rest-pose joints of an identity ``(S,)`` (None: the average)."""
        s = pose_arguments(self, {"shape": shape})[0]
        return self._skin.joints + (s @ self._skin.joint_basis[: self.n_shape]).reshape(5, 3)

    def vertices(
        self, expr: np.ndarray | None = None, rotation: np.ndarray | None = None,
        neck_pose: np.ndarray | None = None, jaw_pose: np.ndarray | None = None,
        eyes_pose: np.ndarray | None = None, translation: np.ndarray | None = None,
        shape: np.ndarray | None = None,
    ) -> np.ndarray:
        """Posed vertices of T frames.

        Args:
            expr: ``(T, E)`` coefficients; rotation, neck_pose, jaw_pose: ``(T, 3)`` axis-angle, rad;
            eyes_pose: ``(T, 6)``, left eye then right; translation: ``(T, 3)`` m; shape: ``(S,)``.
            Missing ones are zero; one frame (or a vector) is repeated for all.

        Returns:
            ``(T, V, 3)`` float32, m.

        Raises:
            ValueError: when an argument has the wrong shape.
        """
        return self._skin.pose(*pose_arguments(self, {
            "expr": expr, "rotation": rotation, "neck_pose": neck_pose, "jaw_pose": jaw_pose, "eyes_pose": eyes_pose,
            "translation": translation, "shape": shape}))

    def sequence_vertices(self, seq: FaceSequence, frames: Any = slice(None)) -> np.ndarray:
        """(T, V, 3) m of some frames of a clip (all of them); refuses a clip of another head."""
        self.require(seq)
        return self.vertices(**seq.parameters(frames))

    def require(self, seq: FaceSequence, what: str = "this clip") -> None:
        """Refuse a clip of another head, or one with another number of expression columns."""
        seq.require_head(self.ref, what)
        if seq.expr.shape[1] != self.n_expr:
            raise ValueError(f"{what}: expr has shape {seq.expr.shape}, needed (T, {self.n_expr}) for the head {self.ref}")

    # -- landmarks ------------------------------------------------------------------------------

    def landmark_index(self, name: str) -> int:
        """Position of a landmark, e.g. ``"ibug_30"`` or ``"nose_tip"``."""
        if name not in self.lmk_names:
            raise ValueError(f"head {self.name!r} has no landmark {name!r}; it has {', '.join(self.lmk_names)}")
        return self.lmk_names.index(name)

    def ibug_index(self) -> list[int]:
        """Positions of the 68 iBUG landmarks, in their order.

        Raises:
            ValueError: the head lacks some of them.
        """
        wanted = [f"ibug_{k:02d}" for k in range(IBUG)]
        if missing := [n for n in wanted if n not in self.lmk_names]:
            raise ValueError(f"head {self.name!r}: {len(missing)} of the 68 iBUG landmarks are missing (first: {missing[0]}); "
                             "heads are matched and measured by them: add a landmark embedding when importing the head")
        return [self.lmk_names.index(n) for n in wanted]

    def landmarks(self, verts: np.ndarray) -> np.ndarray:
        """(T, L, 3) landmarks of posed vertices ``(T, V, 3)``."""
        verts = np.asarray(verts)
        if verts.ndim != 3 or verts.shape[1:] != self.v_template.shape:
            raise ValueError(f"vertices have shape {verts.shape}, needed (T, {self.n_vertices}, 3)")
        corners = verts[:, self.faces[self.lmk_faces]]
        return np.einsum("tlkc,lk->tlc", corners, self.lmk_bary)

    def subset(self, vertex_idx: Sequence[int] | np.ndarray) -> HeadSubset:
        """This head evaluated at some vertices only: as fast as they are few."""
        index = np.asarray(vertex_idx, np.int64)
        if index.ndim != 1 or (len(index) and (index.min() < 0 or index.max() >= self.n_vertices)):
            raise ValueError(f"vertex indices must be a list of numbers in 0..{self.n_vertices - 1}")
        return HeadSubset(self, self._arrange(index))

    @cached_property
    def _landmark_subset(self) -> tuple[HeadSubset, np.ndarray]:
        corners = self.faces[self.lmk_faces]
        needed, where = np.unique(corners, return_inverse=True)
        return self.subset(needed), where.reshape(corners.shape)

    def landmark_positions(self, expr: np.ndarray | None = None, **pose: Unpack[Pose]) -> np.ndarray:
        """(T, L, 3) landmarks from parameters, evaluating only the vertices they hang on.

        Equals ``landmarks(vertices(...))``; about twenty times faster.  Arguments as in :meth:`vertices`.
        """
        subset, where = self._landmark_subset
        return np.einsum("tlkc,lk->tlc", subset.vertices(expr, **pose)[:, where], self.lmk_bary)

    def sequence_landmarks(self, seq: FaceSequence) -> np.ndarray:
        """(T, L, 3) m landmarks of a clip; refuses a clip of another head."""
        seq.require_head(self.ref)
        return self.landmark_positions(**seq.parameters())


@dataclass(frozen=True, eq=False)
class HeadSubset:
    """Some vertices of a head, posed like the whole."""

    head: HeadModel
    skin: Skin

    def vertices(self, expr: np.ndarray | None = None, **pose: Unpack[Pose]) -> np.ndarray:
        """(T, N, 3) m; arguments as in :meth:`HeadModel.vertices`."""
        return self.skin.pose(*pose_arguments(self.head, {"expr": expr, **pose}))
