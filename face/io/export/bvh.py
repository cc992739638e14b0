"""The five joints as BVH (Biovision Hierarchy), for tools that animate bones: centimetres and degrees, y up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ....common.files import write_text
from ...clip.channels import JOINTS, PARENTS
from .base import Job

_ENDS = {"jaw": (0.0, -3.0, 7.0), "eye_left": (0.0, 0.0, 3.0), "eye_right": (0.0, 0.0, 3.0)}
"""cm: the ends of the bones without children."""


def write_bvh(job: Job, path: Path) -> None:
    """Write the joints; rotations are turned in the order z, x, y of their own axes (channels Zrotation Xrotation Yrotation)."""
    seq = job.seq
    rest = 100.0 * job.head.joints(seq.shape if len(seq.shape) else None).astype(np.float64)
    lines = ["HIERARCHY"]

    def joint(j: int, depth: int) -> None:
        pad = "  " * depth
        at = rest[j] if j == 0 else rest[j] - rest[PARENTS[j]]
        position = "6 Xposition Yposition Zposition" if j == 0 else "3"
        lines.extend([f"{pad}{'ROOT' if j == 0 else 'JOINT'} {JOINTS[j]}", f"{pad}{{",
                      f"{pad}  OFFSET {at[0]:.6f} {at[1]:.6f} {at[2]:.6f}",
                      f"{pad}  CHANNELS {position} Zrotation Xrotation Yrotation"])
        kids = [k for k, parent in enumerate(PARENTS) if parent == j]
        for kid in kids:
            joint(kid, depth + 1)
        if not kids:
            end = " ".join(f"{v:.6f}" for v in _ENDS[JOINTS[j]])
            lines.extend([f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET {end}", f"{pad}  }}"])
        lines.append(f"{pad}}}")

    joint(0, 0)
    pose = np.stack([seq.rotation, seq.neck_pose, seq.jaw_pose, seq.eyes_pose[:, :3], seq.eyes_pose[:, 3:]], 1)
    turns = Rotation.from_rotvec(pose.reshape(-1, 3)).as_euler("ZXY", degrees=True).reshape(len(seq), 15)
    values = np.c_[rest[0] + 100.0 * seq.translation, turns]
    lines += ["MOTION", f"Frames: {len(seq)}", f"Frame Time: {1 / seq.fps:.9f}",
              *(" ".join([f"{v:.6f}" for v in row]) for row in values.tolist())]
    write_text(path, "\n".join(lines) + "\n")
