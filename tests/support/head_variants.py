"""Heads made from the default one, so that the truth about them is known: renumbered, resized, mixed, and as an ICT file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from facelm.face.clip.channels import EXPR_NAMES, JOINT_SHAPES
from facelm.face.head.model import HeadModel
from shared_data import shared

SPLIT = ("browInnerUp", "cheekPuff")
"""Shapes that ICT-FaceKit has by side and ARKit does not."""


def real_ict() -> Path | None:
    """The ICT-FaceKit file to test with, where there is one."""
    return shared("heads/ict_facekit_light.npz")


def renumbered(head: HeadModel, keep: np.ndarray, order: np.ndarray | None = None) -> tuple[HeadModel, np.ndarray]:
    """``head`` with only the vertices ``keep`` (V,) bool, in another order; and the new number of each old one (-1: gone)."""
    old = np.flatnonzero(keep) if order is None else order[keep[order]]
    new = np.full(head.n_vertices, -1)
    new[old] = np.arange(len(old))
    faces = new[head.faces]
    there = (faces >= 0).all(1)
    number = np.cumsum(there) - 1
    marks = there[head.lmk_faces]
    regressor = head.J_regressor[:, old]
    regressor = np.where(regressor.sum(1, keepdims=True) > 0.99, regressor, 1 / len(old))
    return replace(
        head, name="variant", v_template=head.v_template[old], faces=faces[there], shapedirs=head.shapedirs[old],
        posedirs=head.posedirs[old], J_regressor=regressor, weights=head.weights[old], part=head.part[old],
        brow_weight=head.brow_weight[old], lmk_names=tuple(n for n, m in zip(head.lmk_names, marks, strict=True) if m),
        lmk_faces=number[head.lmk_faces[marks]], lmk_bary=head.lmk_bary[marks],
        masks={k: np.sort(new[m][new[m] >= 0]) for k, m in head.masks.items()}), new


def another(head: HeadModel, seed: int, size: float = 0.7, scale: float = 1.13) -> tuple[HeadModel, np.ndarray]:
    """Another person's head with other vertex numbers, another size and another origin."""
    rng = np.random.default_rng(seed)
    v = head.vertices(shape=(size * rng.normal(size=head.n_shape)).astype(np.float32))[0]
    out, new = renumbered(head, np.ones(head.n_vertices, bool), rng.permutation(head.n_vertices))
    moved = np.empty_like(v)
    moved[new] = scale * v + np.array([0.01, -0.1, 0.05], np.float32)
    return replace(out, v_template=moved, shapedirs=scale * out.shapedirs, posedirs=scale * out.posedirs), new


def unnamed(head: HeadModel, seed: int = 0) -> HeadModel:
    """The same head with its expression columns mixed by a random rotation: like a PCA head."""
    mix = np.linalg.qr(np.random.default_rng(seed).normal(size=(head.n_expr, head.n_expr)))[0]
    basis = head.shapedirs.copy()
    basis[:, :, head.n_shape:] = basis[:, :, head.n_shape:] @ mix
    return replace(head, name="unnamed", shapedirs=basis, expr_names=tuple(f"pc_{k:02d}" for k in range(head.n_expr)))


def ict_arrays(head: HeadModel, sockets: bool = False, seed: int = 0) -> dict[str, np.ndarray]:
    """The default head as ICT-FaceKit would store it: centimetres, split sides, blend shapes only.

    ``sockets``: without teeth and tongue; the eyeballs stay as sockets, joined to the skin.
    """
    v = head.v_template.astype(np.float64)
    angles = head.meta["arkit_angles"]

    def posed(joint: str, at: int, angle: float) -> np.ndarray:
        pose = np.zeros((1, 6 if joint == "eyes_pose" else 3), np.float32)
        pose[0, at] = angle
        return head.vertices(**{joint: pose})[0] - head.v_template

    names = list(head.expr_names)
    column = {n: head.shapedirs[:, :, head.n_shape + k].astype(np.float64) for k, n in enumerate(names)}
    shapes: dict[str, np.ndarray] = {}
    for name in EXPR_NAMES:
        if name == "tongueOut":
            continue
        if name in SPLIT:
            left = 1 / (1 + np.exp(-v[:, :1] / 0.005))
            shapes[f"{name}_L"], shapes[f"{name}_R"] = left * column[name], (1 - left) * column[name]
        else:
            side = {"Left": "_L", "Right": "_R"}
            end = next((e for e in side if name.endswith(e) and name not in ("mouthLeft", "mouthRight")), None)
            shapes[name[: -len(end)] + side[end] if end else name] = column[name]
    for name in sorted(JOINT_SHAPES):
        if name.startswith("jaw"):
            shapes[name] = posed("jaw_pose", 0 if name == "jawOpen" else 1, angles[name])
        else:
            at = (0 if name.endswith("Left") else 3) + (0 if "Up" in name or "Down" in name else 1)
            shapes[name.replace("Left", "_L").replace("Right", "_R")] = posed("eyes_pose", at, angles[name])
    faces, marks = head.faces.astype(np.int64), head.faces[head.lmk_faces[:68], head.lmk_bary[:68].argmax(1)].astype(np.int64)
    keep = np.ones(len(v), bool)
    if sockets:
        keep = np.isin(head.part, [head.part_names.index(n) for n in ("skin", "lips", "mouth_inside")])
        bridges = []
        for name, mark in (("eyeball_left", 42), ("eyeball_right", 39)):
            ball = head.masks[name]
            keep[ball] = True
            bridges.append([marks[mark], ball[-1], ball[-2]])
        faces = np.concatenate([faces, bridges])
    order = np.random.default_rng(seed).permutation(len(v))
    old = order[keep[order]]
    new = np.full(len(v), -1)
    new[old] = np.arange(len(old))
    faces = new[faces]
    cm = 100.0
    return {"v_template": (cm * v[old] + [0.0, 3.5, 1.0]).astype(np.float32),
            "faces": faces[(faces >= 0).all(1)].astype(np.int32),
            "expression": np.stack([cm * s[old] for s in shapes.values()]).astype(np.float16),
            "expression_names": np.array(list(shapes)), "landmarks68": new[marks].astype(np.int32),
            "identity": (cm * head.shapedirs[old, :, :4]).transpose(2, 0, 1).astype(np.float16)}


def expr(head: HeadModel, **coefficients: float) -> np.ndarray:
    out = np.zeros((1, head.n_expr), np.float32)
    for name, value in coefficients.items():
        out[0, head.expr_names.index(name)] = value
    return out


def mark(head: HeadModel, name: str, **pose: np.ndarray) -> np.ndarray:
    return head.landmark_positions(**pose)[0, head.landmark_index(name)]
