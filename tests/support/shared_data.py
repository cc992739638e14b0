"""Real files to test with, where there are some: FACELM_TEST_DATA, or a folder beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

_ROOTS = [r for r in (os.environ.get("FACELM_TEST_DATA"), str(Path(__file__).resolve().parents[3] / "shared" / "data")) if r]


def shared(name: str) -> Path | None:
    """A file by its path among them; None where it is not there."""
    return next((p for r in _ROOTS if (p := Path(r, name)).is_file()), None)
