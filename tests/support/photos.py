"""Photos to test with: the astronaut of scikit-image (public domain, NASA), where that package is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def astronaut() -> Path:
    """The file of a photograph, 512x512 px; the test is skipped where it is not there."""
    found = find_spec("skimage")
    place = Path(found.origin).parent / "data" / "astronaut.png" if found and found.origin else None
    if place is None or not place.is_file():
        pytest.skip("scikit-image is not installed")
    pytest.importorskip("mediapipe")
    return place


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))
