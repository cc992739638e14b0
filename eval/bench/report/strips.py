"""Film strips of clips: a few frames a second side by side in one JPEG, which the page plays."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ....face.clip.sequence import FaceSequence
from ....face.head.model import HeadModel
from ....face.render.render import render_frames

SIZE, FPS, MOST = 120, 8.0, 40
"""Pixels, frames a second, and frames of a strip; a longer clip plays faster."""


@dataclass(frozen=True)
class Strip:
    """A film strip as a data URL."""

    url: str
    frames: int
    seconds: float


def strip(clip: FaceSequence, head: HeadModel) -> Strip:
    """Draw a clip's strip."""
    count = int(np.clip(round(clip.seconds * FPS), 2, MOST))
    rows = np.linspace(0, len(clip) - 1, count).round().astype(int)
    whole = np.concatenate(list(render_frames(clip, head, SIZE, frames=rows.tolist())), axis=1)
    buffer = io.BytesIO()
    Image.fromarray(whole).save(buffer, "JPEG", quality=72, optimize=True)
    return Strip("data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode(), count, clip.seconds)
