"""Small copies of CK+ and CelebV-HQ in their own layout, and parameters that need no fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from facelm.eval.datasets.sources import Record, Unusable
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from PIL import Image


def ck_sequence(root: Path, name: str, frames: int, label: str | None, *, images: str = "cohn-kanade-images",
                labels: str = "Emotion") -> None:
    """A CK+ sequence of flat grey pictures; ``label`` is the emotion file's text, None for an empty folder."""
    folder = root / images / name
    folder.mkdir(parents=True)
    stem = name.replace("/", "_")
    for k in range(1, frames + 1):
        Image.fromarray(np.full((64, 80), 40 + k, np.uint8)).save(folder / f"{stem}_{k:08d}.png")
    (root / labels / name).mkdir(parents=True)
    if label is not None:
        (root / labels / name / f"{stem}_{frames:08d}_emotion.txt").write_text(label)


def ramp(frames: int, column: str = "mouthSmileLeft", fps: float = 30.0, yaw: np.ndarray | None = None) -> FaceSequence:
    """A clip in which one channel rises from 0 to 1, turned by ``yaw`` degrees a frame."""
    rest = FaceSequence.rest(frames, HeadModel.default().ref, fps=fps, n_shape=3)
    expr = rest.expr.copy()
    expr[:, EXPR_NAMES.index(column)] = np.linspace(0.0, 1.0, frames)
    rotation = np.zeros((frames, 3), np.float32)
    if yaw is not None:
        rotation[:, 1] = np.radians(yaw)
    return rest.replace(expr=expr, rotation=rotation)


class FakeSource:
    """Parameters from a dict by record name; others get a ramp as long as their pictures."""

    name = "fitted"

    def __init__(self, clips: dict[str, FaceSequence | str] | None = None, needs_media: bool = True) -> None:
        self.clips, self.needs_media, self.seen = clips or {}, needs_media, []  # type: ignore[var-annotated]

    @property
    def head(self) -> str:
        return str(HeadModel.default().ref)

    def clip(self, record: Record) -> FaceSequence:
        self.seen.append(record.name)
        found = self.clips.get(record.name)
        if isinstance(found, str):
            raise Unusable(found)
        return found if found is not None else ramp(len(record.media))


def celeb(root: Path, clips: dict[str, dict[str, Any]], videos: list[str] | None = None) -> None:
    """``celebvhq_info.json`` and empty videos (of all clips unless named)."""
    root.mkdir(exist_ok=True)
    about = {"appearance_mapping": [], "action_mapping": []}
    (root / "celebvhq_info.json").write_text(json.dumps({"meta_info": about, "clips": clips}))
    (root / "processed_vid").mkdir()
    for name in clips if videos is None else videos:
        (root / "processed_vid" / f"{name}.mp4").write_bytes(b"video")


def entry(subject: str, labels: Any, **more: Any) -> dict[str, Any]:
    """A clip's entry."""
    return {"ytb_id": subject, "duration": {"start_sec": 1.0, "end_sec": 2.0}, "bbox": {},
            "attributes": {"appearance": [], "action": [], "emotion": {"sep_flag": isinstance(labels, list), "labels": labels}},
            "version": "v0.1", **more}
