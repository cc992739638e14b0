"""GLB export: a clip that plays in any glTF 2.0 viewer, and in Blender, Unity, Unreal and the web.

The head's own rig is kept: a skin with its five joints as nodes, its expression columns as morph
targets (named as the head names them: ARKit names on the default head), rotation tracks for the
joints and a weights track for the morph targets. Played back at a frame's time, the file gives
the head model's vertices (tested to 1e-4 m):

- Pose correctives, which glTF has no notion of, become a few extra morph targets
  ``poseCorrective_*``: the principal directions of what the correctives do in usual poses, the same
  for every clip.
- A joint's place follows the expression in FLAME's equations; where that matters, joints get
  translation tracks that make glTF's fixed inverse bind matrices give the same result.
- Weights stay within 0 to 1, since importers cut them: what goes both ways has a twin, ``NAME_minus``.

Format: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from ...common.files import atomic_file
from ..clip.channels import JOINTS, PARENTS
from ..clip.sequence import FaceSequence
from ..head.model import HeadModel
from ..head.surface import vertex_normals
from ..head.texture import Picture
from ..render.shading import PARTS, Appearance, Eyes, Palette, appearance, eye_colours, srgb
from .glb.buffer import UINT8, UINT16, UINT32, Buffer
from .glb.motion import MOVES, Motion, arkit_error, arkit_motion, head_motion, motion_of, usual_basis

_STILL = 1e-6
"""Movement below this (weights, radians, metres) is no animation."""
_REGIONS = ("lips_upper", "lips_lower", "lids", "jaw", "teeth_lower", "eyeball_left", "face")
"""For which an error is told."""
_FINISH = {"skin": 0.62, "lips": 0.42, "eyes": 0.12, "teeth": 0.30, "tongue": 0.35, "gums": 0.35, "mouth": 0.5,
           "brows": 0.95, "lashes": 0.95}
"""Roughness of each part; everything is a dielectric."""


def _normals(v: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,3) unit normals, as the format wants them also where a vertex belongs to no face."""
    out = vertex_normals(v, faces)
    return np.where(out.any(1, keepdims=True), out, [0.0, 0.0, 1.0])


def _eye_texture(palette: Palette, eyes: Eyes, side: int = 256) -> Picture:
    """An eye seen from its front: the disc's radius is 90 degrees from the pupil."""
    y, x = np.mgrid[0:side, 0:side]
    x, y = (x + 0.5) / side * 2 - 1, 1 - (y + 0.5) / side * 2
    angle, phi = np.hypot(x, y) * (math.pi / 2), np.arctan2(y, x)
    seen = np.stack([np.sin(angle) * np.cos(phi), np.sin(angle) * np.sin(phi), np.cos(angle)], -1)
    return srgb(eye_colours(seen.reshape(-1, 3), palette, eyes)).reshape(side, side, 3)


def encoded(picture: Picture, kind: Literal["PNG", "JPEG"]) -> bytes:
    """A picture as the bytes of a file."""
    stream = io.BytesIO()
    how: dict[str, Any] = {"optimize": True} if kind == "PNG" else {"quality": 92, "subsampling": 0}
    Image.fromarray(picture).save(stream, format=kind, **how)
    return stream.getvalue()


def _eye_uv(direction: np.ndarray) -> np.ndarray:
    """(N,2) texture coordinates of unit directions on the eyeball, +z the front pole."""
    angle = np.arccos(np.clip(direction[:, 2], -1, 1)) / (math.pi / 2)
    flat = np.linalg.norm(direction[:, :2], axis=1)
    unit = direction[:, :2] / np.maximum(flat, 1e-9)[:, None]
    return 0.5 + 0.5 * unit * angle[:, None] * [1, -1]


def _primitives(buffer: Buffer, head: HeadModel, motion: Motion, look: Appearance) -> tuple[list[dict[str, Any]], ...]:
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
    layout = head.layout if head.texture is not None else None
    primitives: list[dict[str, Any]] = []
    materials: list[dict[str, Any]] = []
    for p, name in enumerate(PARTS):
        own = faces[face_part == p]
        if not len(own):
            continue
        if layout is None:
            index, flat = np.unique(own.reshape(-1), return_inverse=True)
        else:  # a vertex on a seam of the texture is two
            place, flat = np.unique(layout.faces[face_part == p].reshape(-1), return_inverse=True)
            index = layout.vertex[place]
        colour = look.albedo[index]
        # the material carries the colour, vertex colours only shade it: they may not exceed 1
        factor = colour.max(0) if name != "eyes" and layout is None else np.ones(3)
        attributes = {
            "POSITION": buffer.add(motion.base[index], target=34962, bounds=True),
            "NORMAL": buffer.add(normals[index], target=34962),
            "JOINTS_0": buffer.add(order[index], UINT8, 34962),
            "WEIGHTS_0": buffer.add(top[index], target=34962),
        }
        pbr: dict[str, Any] = {"baseColorFactor": [*np.round(factor, 5).tolist(), 1.0],
                               "metallicFactor": 0.0, "roughnessFactor": _FINISH[name]}
        if layout is not None:
            attributes["TEXCOORD_0"] = buffer.add(layout.uv[place], target=34962)
            pbr["baseColorTexture"] = {"index": 0}
        elif name == "eyes":
            attributes["TEXCOORD_0"] = buffer.add(_eye_uv(look.extra[index, :3]), target=34962)
            pbr["baseColorTexture"] = {"index": 0}
        elif np.ptp(colour, axis=0).max() > 1e-3:
            rgba = np.pad(np.clip(colour / np.maximum(factor, 1e-6), 0, 1), ((0, 0), (0, 1)), constant_values=1)
            attributes["COLOR_0"] = buffer.add(rgba, target=34962)
        targets = [{"POSITION": buffer.add_sparse(d[index], MOVES), "NORMAL": buffer.add_sparse(b[index], 0.01)}
                   for d, b in zip(motion.deltas, bent, strict=True)]
        primitives.append({"attributes": attributes, "material": len(materials), "mode": 4,
                           "indices": buffer.add(flat, UINT16 if len(index) <= 65535 else UINT32, 34963),
                           **({"targets": targets} if targets else {})})
        # a head without a mouth cavity shows the inside of its skin when the mouth opens
        materials.append({"name": name, "pbrMetallicRoughness": pbr,
                          "doubleSided": name == "skin" and not (look.part == PARTS.index("mouth")).any()})
    return primitives, materials


def _animation(buffer: Buffer, motion: Motion, fps: float, mesh_node: int, name: str
               ) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The tracks that move, and the joint nodes (at the first frame where they do not)."""
    nodes: list[dict[str, Any]] = []
    tracks: list[tuple[int, str, np.ndarray]] = []
    for j, joint in enumerate(JOINTS):
        kids = [k for k, parent in enumerate(PARENTS) if parent == j]
        rotation, place = motion.rotations[:, j], motion.translations[:, j]
        nodes.append({"name": joint, **({"children": kids} if kids else {}),
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
    return {"name": name[:200], "channels": channels, "samplers": samplers}, nodes


def write_glb(
    seq: FaceSequence,
    head: HeadModel | None,
    path: str | os.PathLike[str],
    *,
    target: Literal["head", "arkit52"] = "head",
    title: str | None = None,
    notes: list[str] | None = None,
) -> Path:
    """Write a clip as one self-contained GLB.

    Metres, y up, the face towards +z (glTF's own convention), the subject's left at +x. Keys lie at ``k / fps`` seconds; the
    scene's extras state ``fps``. The animation has the file's name.

    Args:
        seq: the clip.
        head: its head; the default head when None.
        path: ends in .glb; its folder must exist. The file appears when it is complete.
        target: the head's own columns and joints, exact; or ARKit's 52 shapes, jaw and eyes included, as morph targets.
        title: stored as the scene's name.
        notes: gets what was changed or is not exact, one sentence each.

    Returns:
        The path.

    Raises:
        ValueError: another suffix, the clip is of another head, or the head has no ARKit columns.
        FileNotFoundError: the folder does not exist.
    """
    path = Path(path)
    if path.suffix.lower() != ".glb":
        raise ValueError(f"cannot write {path.name!r}: the suffix must be .glb")
    head = head or HeadModel.default()
    seq.require_head(head.ref)
    if target == "arkit52":
        motion = arkit_motion(seq, head)
        said = off(seq, head, motion)
    else:
        motion, added = head_motion(seq, head)
        said = [f"weights outside 0 to 1 have targets of their own: {', '.join(added)}"] if added else []
    with atomic_file(path) as partial:
        Path(partial).write_bytes(_document(head, motion, seq.fps, title, path.stem, appearance(head)))
    if notes is not None:
        notes += said
    return path


def off(seq: FaceSequence, head: HeadModel, motion: Motion) -> list[str]:
    """What the straight lines and cut weights of :func:`arkit_motion` cost, by region, in one sentence."""
    error = arkit_error(seq, head, motion)
    shown = {n: 1e3 * error[:, head.masks[n]] for n in _REGIONS if n in head.masks} or {"skin": 1e3 * error}
    return ["jaw and eyes move in straight lines and weights stay within 0 to 1; off by "
            + ", ".join(f"{n.replace('_', ' ')} {e.mean():.2f} (at most {e.max():.2f})" for n, e in shown.items()) + " mm"]


def _document(head: HeadModel, motion: Motion, fps: float, title: str | None, name: str, look: Appearance) -> bytes:
    """A GLB of a head and its motion."""
    mark = head.meta.get("mark")
    buffer = Buffer()
    primitives, materials = _primitives(buffer, head, motion, look)
    mesh_node = len(JOINTS)
    animation, nodes = _animation(buffer, motion, fps, mesh_node, name)
    mesh: dict[str, Any] = {"name": "head", "primitives": primitives}
    if motion.names:
        mesh["weights"] = motion.weights[0].tolist()
        mesh["extras"] = {"targetNames": motion.names}
    nodes.append({"name": "head", "mesh": 0, "skin": 0})
    inverse = np.tile(np.eye(4), (5, 1, 1))
    inverse[:, :3, 3] = -motion.joints
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "facelm", **({"extras": {"made_with": mark}} if mark else {})},
        "scene": 0,
        "scenes": [{"name": (title or "facelm clip")[:200], "nodes": [0, mesh_node],
                    "extras": {"fps": fps, "frames": len(motion.weights)}}],
        "nodes": nodes,
        "meshes": [mesh],
        "skins": [{"name": "rig", "joints": list(range(5)), "skeleton": 0,
                   # matrices are stored column by column
                   "inverseBindMatrices": buffer.add(inverse.transpose(0, 2, 1).reshape(5, 16))}],
        "materials": materials,
    }
    if any("baseColorTexture" in m["pbrMetallicRoughness"] for m in materials):
        own = head.texture  # a photo is smaller as JPEG
        picture = encoded(_eye_texture(look.palette, look.eyes), "PNG") if own is None else encoded(own, "JPEG")
        document["images"] = [{"name": "eye" if own is None else "skin", "bufferView": buffer.view(picture),
                               "mimeType": "image/png" if own is None else "image/jpeg"}]
        document["samplers"] = [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}]
        document["textures"] = [{"source": 0, "sampler": 0}]
    if animation:
        document["animations"] = [animation]
    return buffer.glb(document)


class Rig:
    """A head as a rig that any clip of it plays on: its targets and joints are the same for all clips.

    Attributes:
        head: the head.
        names: of the morph targets: every expression column, then a few pose correctives, good for usual poses of jaw and neck.
    """

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        rest = FaceSequence.rest(1, head.ref, n_expr=head.n_expr, n_shape=head.n_shape)
        self._rest = motion_of(rest, head, usual_basis(head))
        self.names = tuple(self._rest.names)

    def glb(self) -> bytes:
        """The head at rest with all its morph targets and joints, as a GLB."""
        return _document(self.head, self._rest, 1.0, "head", "head", appearance(self.head, None, None))

    def frames(self, seq: FaceSequence) -> np.ndarray:
        """``(T, M + 35)`` float32: M morph weights, five quaternions (x, y, z, w), and five places (m, local to the parent)."""
        seq.require_head(self.head.ref)
        m, n = motion_of(seq, self.head, usual_basis(self.head)), len(seq)
        return np.concatenate([m.weights, m.rotations.reshape(n, 20), m.translations.reshape(n, 15)], 1).astype("<f4")
