"""GLB export: a clip that plays in any glTF 2.0 viewer, and in Blender, Unity, Unreal and the web.

The head's own rig is kept: a skin with its five joints as nodes, its expression columns as morph
targets (named as the head names them: ARKit names on the default head), rotation tracks for the
joints and a weights track for the morph targets. Played back at a frame's time, the file gives
the head model's vertices (tested to 1e-4 m):

- Pose correctives, which glTF has no notion of, become a few extra morph targets
  ``poseCorrective_*`` with exact per-frame weights: the principal directions of what the
  correctives do in this clip. They belong to the clip, not to the rig.
- A joint's place follows the expression in FLAME's equations; where that matters, joints get
  translation tracks that make glTF's fixed inverse bind matrices give the same result.

Format: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from ...common.files import atomic_file
from ..clip.channels import JOINTS, PARENTS
from ..clip.sequence import FaceSequence
from ..head.lbs import world_transforms
from ..head.model import HeadModel
from ..head.surface import vertex_normals
from ..render.shading import PARTS, Appearance, Eyes, Palette, appearance, linear

_FLOAT, _UINT16, _UINT32, _UINT8 = 5126, 5123, 5125, 5121
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_STILL = 1e-6
"""Movement below this (weights, radians, metres) is no animation."""
_MOVES = 1e-6
"""A vertex that a morph target moves less than this, metres, is left out of it."""
_FINISH = {"skin": 0.62, "lips": 0.42, "eyes": 0.12, "teeth": 0.30, "tongue": 0.35, "gums": 0.35, "mouth": 0.5,
           "brows": 0.95, "lashes": 0.95}
"""Roughness of each part; everything is a dielectric."""


class _Buffer:
    """The binary chunk and the accessors into it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, raw: bytes, target: int | None = None) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        entry: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw)}
        if target is not None:
            entry["target"] = target
        self.data += raw
        self.views.append(entry)
        return len(self.views) - 1

    def _accessor(self, entry: dict[str, Any]) -> int:
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def add(self, array: np.ndarray, kind: int = _FLOAT, target: int | None = None, bounds: bool = False) -> int:
        """An accessor over ``array`` (N,) or (N,width)."""
        dtype = {_FLOAT: "<f4", _UINT16: "<u2", _UINT32: "<u4", _UINT8: "u1"}[kind]
        a = np.ascontiguousarray(array, dtype)
        width = 1 if a.ndim == 1 else a.shape[1]
        entry: dict[str, Any] = {"bufferView": self.view(a.tobytes(), target), "componentType": kind,
                                 "count": len(a), "type": _TYPES[width]}
        if bounds:
            flat = a.reshape(len(a), -1)
            entry["min"], entry["max"] = flat.min(0).tolist(), flat.max(0).tolist()
        return self._accessor(entry)

    def add_sparse(self, array: np.ndarray, threshold: float) -> int:
        """A float accessor (N,3) that stores only the rows longer than ``threshold``.

        Written dense where that is smaller; all-zero data takes no bytes at all.
        """
        a = np.ascontiguousarray(array, "<f4")
        rows = np.flatnonzero(np.abs(a).max(1) > threshold)
        kept = np.zeros_like(a)
        kept[rows] = a[rows]
        entry: dict[str, Any] = {"componentType": _FLOAT, "count": len(a), "type": "VEC3",
                                 "min": kept.min(0).tolist(), "max": kept.max(0).tolist()}
        index_type, index = (_UINT16, rows.astype("<u2")) if len(a) <= 65535 else (_UINT32, rows.astype("<u4"))
        if len(rows) * 12 + index.nbytes >= a.nbytes:
            entry["bufferView"] = self.view(kept.tobytes(), 34962)
        elif len(rows):
            entry["sparse"] = {"count": len(rows),
                               "indices": {"bufferView": self.view(index.tobytes()), "componentType": index_type},
                               "values": {"bufferView": self.view(a[rows].tobytes())}}
        return self._accessor(entry)


@dataclass(frozen=True, eq=False)
class _Motion:
    """What moves: morph targets with their weights, and the joints' local transforms."""

    names: list[str]
    deltas: np.ndarray  # (M,V,3) metres
    weights: np.ndarray  # (T,M)
    rotations: np.ndarray  # (T,5,4) quaternions x, y, z, w
    translations: np.ndarray  # (T,5,3) metres, local to the parent
    joints: np.ndarray  # (5,3) bind positions, metres
    base: np.ndarray  # (V,3) bind pose, metres


def _features(local: Rotation, frames: int) -> np.ndarray:
    """(T,36) entries of ``R - I`` of the joints but the root, which FLAME's pose correctives are linear in."""
    return (local.as_matrix().reshape(frames, 5, 9)[:, 1:] - np.eye(3).ravel()).reshape(frames, 36)


def corrective_basis(head: HeadModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pose correctives as few morph targets: (R,V,3) deltas, and (36,R) what makes their weights of features.

    The exact offset is ``posedirs @ (R - I)``. Weighted by what each of its 36 entries moves, the matrix ``features`` (T,36) has
    low rank (a jaw that opens and shuts: 2); directions that move no vertex by more than 10 micrometres are dropped.
    """
    v = len(head.v_template)
    posedirs = np.asarray(head.posedirs, np.float64).reshape(v * 3, -1)
    strength = np.linalg.norm(posedirs, axis=0)
    u, s, vt = np.linalg.svd(features * strength, full_matrices=False)
    deltas, makes = [np.zeros((0, v, 3))], [np.zeros((36, 0))]
    for k in range(len(s)):
        delta = (posedirs @ (vt[k] / np.where(strength > 0, strength, np.inf))).reshape(v, 3)
        peak = np.abs(u[:, k]).max() * s[k]
        if peak * np.linalg.norm(delta, axis=1).max() >= 1e-5:
            deltas.append(delta[None] * peak)  # weights within [-1, 1], as viewers' sliders expect
            makes.append((strength * vt[k] / peak)[:, None])
    return np.concatenate(deltas), np.concatenate(makes, 1)


def _motion(seq: FaceSequence, head: HeadModel, every: bool, basis: tuple[np.ndarray, np.ndarray] | None = None) -> _Motion:
    """Bind pose, morph targets and tracks that reproduce the head model's equations; correctives of a basis, or of the clip."""
    n = len(seq)
    base_dirs = np.asarray(head.shapedirs, np.float64)
    shape = np.zeros(head.n_shape)
    shape[: len(seq.shape)] = seq.shape
    base = np.asarray(head.v_template, np.float64) + base_dirs[..., : head.n_shape] @ shape
    expr_dirs = np.moveaxis(base_dirs[..., head.n_shape:], -1, 0)
    used = np.arange(len(expr_dirs)) if every else np.flatnonzero(np.abs(seq.expr).max(0) > _STILL)
    names = [str(head.expr_names[i]) for i in used]
    regressor = np.asarray(head.J_regressor, np.float64)
    joints = regressor @ base
    # FLAME's joints follow the expression: J(t) = J + sum_e expr_e * (J_regressor @ dir_e)
    shift = np.einsum("jv,evc->ejc", regressor, expr_dirs)
    moved = joints[None] + np.einsum("te,ejc->tjc", seq.expr.astype(np.float64), shift)
    pose = np.stack([seq.rotation, seq.neck_pose, seq.jaw_pose, seq.eyes_pose[:, :3],
                     seq.eyes_pose[:, 3:]], 1).astype(np.float64)
    local = Rotation.from_rotvec(pose.reshape(-1, 3))
    # World transform of joint j maps a bind-pose point v to  A_j v + b_j;  glTF gives  A_j (v - J_j) + q_j.
    world, offset = world_transforms(local.as_matrix().reshape(n, 5, 3, 3), moved)
    q = offset + np.einsum("tjab,jb->tja", world, joints) + seq.translation[:, None]
    parents = list(PARENTS[1:])
    steps = np.einsum("tjba,tjb->tja", world[:, parents], q[:, 1:] - q[:, parents])
    translations = np.concatenate([q[:, :1], steps], 1)
    quaternions = local.as_quat().reshape(n, 5, 4)
    turns = np.where((quaternions[1:] * quaternions[:-1]).sum(-1) < 0, -1, 1)
    quaternions[1:] *= np.cumprod(turns, 0)[..., None]  # the short way round between key frames
    features = _features(local, n)
    extra, makes = corrective_basis(head, features) if basis is None else basis
    return _Motion(
        names + [f"poseCorrective_{k}" for k in range(len(extra))],
        np.concatenate([expr_dirs[used], extra]),
        np.concatenate([seq.expr[:, used], features @ makes], 1),
        quaternions, translations, joints, base)


def _normals(v: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,3) unit normals, as the format wants them also where a vertex belongs to no face."""
    out = vertex_normals(v, faces)
    return np.where(out.any(1, keepdims=True), out, [0.0, 0.0, 1.0])


def _eye_texture(palette: Palette, eyes: Eyes, side: int = 256) -> bytes:
    """PNG of an eye seen from its front: the disc's radius is 90 degrees from the pupil."""
    y, x = np.mgrid[0:side, 0:side]
    x, y = (x + 0.5) / side * 2 - 1, 1 - (y + 0.5) / side * 2
    angle, phi = np.hypot(x, y) * 90.0, np.arctan2(y, x)
    rad = np.clip(angle / eyes.iris, 0.0, 1.0)
    fibre = 1 + 0.18 * np.sin(phi * 23) * np.sin(phi * 7 + 1.3)
    ring = 1 - 0.8 * np.clip((rad - 0.76) / 0.24, 0, 1)
    pupil = np.clip((angle - eyes.pupil) / (0.07 * eyes.iris) + 0.5, 0, 1)
    iris = linear(palette.iris) * ((0.8 + 0.45 * rad) * fibre * ring * pupil)[..., None] + 0.004
    away = np.clip((np.radians(angle - eyes.iris)) * 0.9, 0, 1)
    grey = 1 - 0.35 * np.clip(1 - np.maximum(angle - eyes.iris, 0) / (0.25 * eyes.iris), 0, 1)
    white = linear(palette.sclera) * (grey[..., None] * (1 - away[..., None] * [0.10, 0.28, 0.26]))
    mix = np.clip((eyes.iris - angle) / (0.08 * eyes.iris) + 0.5, 0, 1)[..., None]
    value = np.clip(white + (iris - white) * mix, 0, 1)
    srgb = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    stream = io.BytesIO()
    Image.fromarray(np.round(srgb * 255).astype(np.uint8)).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _eye_uv(direction: np.ndarray) -> np.ndarray:
    """(N,2) texture coordinates of unit directions on the eyeball, +z the front pole."""
    angle = np.arccos(np.clip(direction[:, 2], -1, 1)) / (math.pi / 2)
    flat = np.linalg.norm(direction[:, :2], axis=1)
    unit = direction[:, :2] / np.maximum(flat, 1e-9)[:, None]
    return 0.5 + 0.5 * unit * angle[:, None] * [1, -1]


def _primitives(buffer: _Buffer, head: HeadModel, motion: _Motion, look: Appearance) -> tuple[list[dict[str, Any]], ...]:
    """Mesh primitives and their materials, one for each part that the head has."""
    faces = np.asarray(look.faces, np.int64)
    normals = _normals(motion.base, faces)
    bent = [_normals(motion.base + d, faces) - normals for d in motion.deltas]
    skin = np.asarray(head.weights, np.float64)
    order = np.argsort(-skin, axis=1)[:, :4]
    top = np.take_along_axis(skin, order, 1)
    top /= top.sum(1, keepdims=True)
    order = np.where(top > 0, order, 0)  # the format wants joint 0 where the weight is 0
    corner = look.part[faces]
    # a face on a border belongs to skin if any corner does
    face_part = np.where((corner == corner[:, :1]).all(1), corner[:, 0], corner.min(1))
    primitives: list[dict[str, Any]] = []
    materials: list[dict[str, Any]] = []
    for p, name in enumerate(PARTS):
        own = faces[face_part == p]
        if not len(own):
            continue
        index, flat = np.unique(own.reshape(-1), return_inverse=True)
        colour = look.albedo[index]
        # the material carries the colour, vertex colours only shade it: they may not exceed 1
        factor = colour.max(0) if name != "eyes" else np.ones(3)
        attributes = {
            "POSITION": buffer.add(motion.base[index], target=34962, bounds=True),
            "NORMAL": buffer.add(normals[index], target=34962),
            "JOINTS_0": buffer.add(order[index], _UINT8, 34962),
            "WEIGHTS_0": buffer.add(top[index], target=34962),
        }
        pbr: dict[str, Any] = {"baseColorFactor": [*np.round(factor, 5).tolist(), 1.0],
                               "metallicFactor": 0.0, "roughnessFactor": _FINISH[name]}
        if name == "eyes":
            attributes["TEXCOORD_0"] = buffer.add(_eye_uv(look.extra[index, :3]), target=34962)
            pbr["baseColorTexture"] = {"index": 0}
        elif np.ptp(colour, axis=0).max() > 1e-3:
            rgba = np.pad(np.clip(colour / np.maximum(factor, 1e-6), 0, 1), ((0, 0), (0, 1)), constant_values=1)
            attributes["COLOR_0"] = buffer.add(rgba, target=34962)
        targets = [{"POSITION": buffer.add_sparse(d[index], _MOVES), "NORMAL": buffer.add_sparse(b[index], 0.01)}
                   for d, b in zip(motion.deltas, bent, strict=True)]
        primitives.append({"attributes": attributes, "material": len(materials), "mode": 4,
                           "indices": buffer.add(flat, _UINT16 if len(index) <= 65535 else _UINT32, 34963),
                           **({"targets": targets} if targets else {})})
        # a head without a mouth cavity shows the inside of its skin when the mouth opens
        materials.append({"name": name, "pbrMetallicRoughness": pbr,
                          "doubleSided": name == "skin" and not (look.part == PARTS.index("mouth")).any()})
    return primitives, materials


def _animation(buffer: _Buffer, motion: _Motion, fps: float, mesh_node: int
               ) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The tracks that move, and the joint nodes (at the first frame where they do not)."""
    nodes: list[dict[str, Any]] = []
    tracks: list[tuple[int, str, np.ndarray]] = []
    for j, name in enumerate(JOINTS):
        kids = [k for k, parent in enumerate(PARENTS) if parent == j]
        rotation, place = motion.rotations[:, j], motion.translations[:, j]
        nodes.append({"name": name, **({"children": kids} if kids else {}),
                      "translation": place[0].tolist(), "rotation": rotation[0].tolist()})
        if np.abs(rotation - rotation[0]).max() > _STILL:
            tracks.append((j, "rotation", rotation))
        if np.abs(place - place[0]).max() > _STILL:
            tracks.append((j, "translation", place))
    if motion.names and np.abs(motion.weights - motion.weights[0]).max() > _STILL:
        tracks.append((mesh_node, "weights", motion.weights.reshape(-1)))
    if not tracks:
        return None, nodes
    times = buffer.add(np.arange(len(motion.weights)) / fps, bounds=True)
    samplers = [{"input": times, "output": buffer.add(values), "interpolation": "LINEAR"} for *_, values in tracks]
    channels = [{"sampler": k, "target": {"node": node, "path": path}} for k, (node, path, _) in enumerate(tracks)]
    return {"name": "clip", "channels": channels, "samplers": samplers}, nodes


def write_glb(
    seq: FaceSequence,
    head: HeadModel | None,
    path: str | os.PathLike[str],
    *,
    all_targets: bool = False,
    title: str | None = None,
    palette: Palette | None = None,
    eyes: Eyes | None = None,
) -> Path:
    """Write a clip as one self-contained GLB.

    Metres, y up, the face towards +z (glTF's own convention), the subject's left at +x.

    Args:
        seq: the clip.
        head: its head; the default head when None.
        path: ends in .glb; its folder must exist. The file appears when it is complete.
        all_targets: write every expression column as a morph target; only those that the clip
            uses when False.
        title: stored as the scene's name.
        palette: colours.
        eyes: iris and pupil.

    Returns:
        The path.

    Raises:
        ValueError: another suffix, or the clip is of another head.
        FileNotFoundError: the folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() != ".glb":
        raise ValueError(f"cannot write {path.name!r}: the suffix must be .glb")
    head = head or HeadModel.default()
    seq.require_head(head.ref)
    motion = _motion(seq, head, all_targets)
    with atomic_file(path) as partial:
        Path(partial).write_bytes(_document(head, motion, seq.fps, title, appearance(head, palette, eyes)))
    return path


def _document(head: HeadModel, motion: _Motion, fps: float, title: str | None, look: Appearance) -> bytes:
    """A GLB of a head and its motion."""
    buffer = _Buffer()
    primitives, materials = _primitives(buffer, head, motion, look)
    mesh_node = len(JOINTS)
    animation, nodes = _animation(buffer, motion, fps, mesh_node)
    mesh: dict[str, Any] = {"name": "head", "primitives": primitives}
    if motion.names:
        mesh["weights"] = motion.weights[0].tolist()
        mesh["extras"] = {"targetNames": motion.names}
    nodes.append({"name": "head", "mesh": 0, "skin": 0})
    inverse = np.tile(np.eye(4), (5, 1, 1))
    inverse[:, :3, 3] = -motion.joints
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "facelm"},
        "scene": 0,
        "scenes": [{"name": (title or "facelm clip")[:200], "nodes": [0, mesh_node]}],
        "nodes": nodes,
        "meshes": [mesh],
        "skins": [{"name": "rig", "joints": list(range(5)), "skeleton": 0,
                   # matrices are stored column by column
                   "inverseBindMatrices": buffer.add(inverse.transpose(0, 2, 1).reshape(5, 16))}],
        "materials": materials,
    }
    if any("baseColorTexture" in m["pbrMetallicRoughness"] for m in materials):
        image = buffer.view(_eye_texture(look.palette, look.eyes))
        document["images"] = [{"name": "eye", "bufferView": image, "mimeType": "image/png"}]
        document["samplers"] = [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}]
        document["textures"] = [{"source": 0, "sampler": 0}]
    if animation:
        document["animations"] = [animation]
    buffer.data += b"\0" * (-len(buffer.data) % 4)
    document["buffers"] = [{"byteLength": len(buffer.data)}]
    document["bufferViews"], document["accessors"] = buffer.views, buffer.accessors
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + len(buffer.data)
    return b"".join((struct.pack("<4sII", b"glTF", 2, total), struct.pack("<I4s", len(text), b"JSON"), text,
                     struct.pack("<I4s", len(buffer.data), b"BIN\0"), buffer.data))


class Rig:
    """A head as a rig that any clip of it plays on: its targets and joints are the same for all clips.

    Attributes:
        head: the head.
        names: of the morph targets: every expression column, then a few pose correctives, good for usual poses of jaw and neck.
    """

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        reach = np.array([[0.1, 0.2, 0.1], [0.3, 0.5, 0.3], [0.0, 0.15, 0.15], [0.4, 0.6, 0.1], [0.4, 0.6, 0.1]])
        poses = np.random.default_rng(0).uniform(-reach, reach, (256, 5, 3))
        poses[:, 2, 0] = np.linspace(0.0, 0.55, len(poses))  # jaws only open
        self._basis = corrective_basis(head, _features(Rotation.from_rotvec(poses.reshape(-1, 3)), len(poses)))
        rest = FaceSequence.rest(1, head.ref, n_expr=head.n_expr, n_shape=head.n_shape)
        self._rest = _motion(rest, head, True, self._basis)
        self.names = tuple(self._rest.names)

    def glb(self) -> bytes:
        """The head at rest with all its morph targets and joints, as a GLB."""
        return _document(self.head, self._rest, 1.0, "head", appearance(self.head, None, None))

    def frames(self, seq: FaceSequence) -> np.ndarray:
        """``(T, M + 35)`` float32: M morph weights, five quaternions (x, y, z, w), and five places (m, local to the parent)."""
        seq.require_head(self.head.ref)
        m, n = _motion(seq, self.head, True, self._basis), len(seq)
        return np.concatenate([m.weights, m.rotations.reshape(n, 20), m.translations.reshape(n, 15)], 1).astype("<f4")
