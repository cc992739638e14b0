"""Names and weights as JSON and CSV: of ARKit, of VRM's expressions of visemes; as BEAT, LAM and Audio2Face have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ....common.files import write_json, write_text
from ..convert.arkit import head_pose
from .base import Job

_DIGITS = 7


def _rows(values: np.ndarray) -> list[list[float]]:
    return np.round(values, _DIGITS).tolist()  # type: ignore[no-any-return]


def matrices(job: Job) -> np.ndarray:
    """``(T, 4, 4)``: MediaPipe's facial transformation matrices, cm, of a clip; the inverse of ``convert.arkit.head_pose``."""
    root = job.head.joints()[0].astype(np.float64)
    apart = -head_pose(np.eye(4)[None], job.head)["translation"][0]  # from MediaPipe's canonical face to the head
    out = np.tile(np.eye(4), (len(job.seq), 1, 1))
    out[:, :3, :3] = job.turns.as_matrix()
    out[:, :3, 3] = 100.0 * (job.placed(root) + job.turns.apply(apart - root))
    return out


def write_frames(job: Job, path: Path) -> None:
    """JSON: a list of frames with their time, weights by name, and the head's pose as a matrix by rows."""
    job.leave_out("identity")
    names, poses = job.curves.names, _rows(matrices(job).reshape(-1, 16))
    frames = [{"time": round(k / job.seq.fps, 6), "blendshapes": dict(zip(names, row, strict=True)),
               "transformation_matrix": [pose[i:i + 4] for i in (0, 4, 8, 12)]}
              for k, (row, pose) in enumerate(zip(_rows(job.curves.values), poses, strict=True))]
    write_json(path, {"fps": job.seq.fps, "title": job.title, "frames": frames}, None)


def write_table(job: Job, path: Path) -> None:
    """CSV: frame, time in seconds, a column for each name."""
    job.leave_out("identity", "turn", "place")
    lines = [f"{k},{k / job.seq.fps:.6f}," + ",".join([f"{v:.{_DIGITS}f}" for v in row])
             for k, row in enumerate(job.curves.values.tolist())]
    write_text(path, "\n".join([",".join(("frame", "time", *job.curves.names)), *lines]) + "\n")


def write_names(job: Job, path: Path) -> None:
    """JSON as BEAT and LAM have it: ``{names, metadata, frames: [{weights, time, rotation}]}``."""
    job.leave_out("identity", "turn", "place")
    names = list(job.curves.names)
    frames = [{"weights": row, "time": round(k / job.seq.fps, 6), "rotation": []}
              for k, row in enumerate(_rows(job.curves.values))]
    write_json(path, {"names": names, "metadata": {"fps": job.seq.fps, "frame_count": len(frames), "blendshape_names": names},
                      "frames": frames}, None)


def write_audio2face(job: Job, path: Path) -> None:
    """JSON as Omniverse Audio2Face exports it: ``facsNames`` and ``weightMat``."""
    job.leave_out("identity", "turn", "place")
    rows = _rows(job.curves.values)
    content: dict[str, Any] = {
        "exportFps": job.seq.fps, "trackPath": job.title, "numPoses": len(job.curves.names), "numFrames": len(rows),
        "facsNames": list(job.curves.names), "weightMat": rows}
    write_json(path, content, None)
