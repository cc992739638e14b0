"""VRM Animation (.vrma): the expressions and the head's turn of a clip, for any VRM 1.0 avatar.

https://github.com/vrm-c/vrm-specification/tree/master/specification/VRMC_vrm_animation-1.0 : an expression's weight is the x of
a node's translation. ARKit's shapes go to custom expressions under their own names, as avatars with all 52 have them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ....common.files import atomic_file
from ..glb.buffer import Buffer
from .base import Job

_BONES = {"hips": 0.0, "spine": 0.1, "chest": 0.15, "neck": 0.25, "head": 0.08}
"""A humanoid's bones up to the head, and how far each lies above the one before, m."""


def write_vrma(job: Job, path: Path) -> None:
    """Write the animation; the head bone gets the whole turn of the head."""
    job.clamp = True
    buffer, curves = Buffer(), job.curves
    nodes: list[dict[str, Any]] = [
        {"name": name, "translation": [0.0, up, 0.0], **({"children": [k + 1]} if k + 1 < len(_BONES) else {})}
        for k, (name, up) in enumerate(_BONES.items())]
    first = len(nodes)
    nodes += [{"name": name, "translation": [0.0, 0.0, 0.0]} for name in curves.names]
    turn = job.turns.as_quat()
    turn[1:] *= np.cumprod(np.where((turn[1:] * turn[:-1]).sum(-1) < 0, -1, 1), 0)[:, None]
    tracks = [(first - 1, "rotation", turn)] + [
        (first + k, "translation", np.c_[column, np.zeros((len(column), 2))]) for k, column in enumerate(curves.values.T)]
    times = buffer.add(np.arange(len(job.seq)) / job.seq.fps, bounds=True)
    kind = "preset" if job.target == "vrm" else "custom"
    extension = {"specVersion": "1.0", "humanoid": {"humanBones": {name: {"node": k} for k, name in enumerate(_BONES)}},
                 "expressions": {kind: {name: {"node": first + k} for k, name in enumerate(curves.names)}}}
    job.leave_out("identity", "place")
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "facelm"}, "extensionsUsed": ["VRMC_vrm_animation"],
        "extensions": {"VRMC_vrm_animation": extension}, "scene": 0,
        "scenes": [{"nodes": [0, *range(first, len(nodes))], "extras": {"fps": job.seq.fps}}], "nodes": nodes,
        "animations": [{"name": path.stem[:200],
                        "samplers": [{"input": times, "output": buffer.add(v), "interpolation": "LINEAR"} for *_, v in tracks],
                        "channels": [{"sampler": k, "target": {"node": node, "path": what}}
                                     for k, (node, what, _) in enumerate(tracks)]}]}
    with atomic_file(path) as partial:
        partial.write_bytes(buffer.glb(document))
