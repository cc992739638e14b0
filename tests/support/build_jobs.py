"""Jobs for worker processes, in a module that is quick to import."""

from __future__ import annotations

import os
from pathlib import Path


def job(text: str) -> str:
    """Upper case; "die" kills the process, "die once FILE" only the first time."""
    if text == "die":
        os._exit(3)
    if text.startswith("die once") and not (mark := Path(text.split()[-1])).exists():
        mark.touch()
        os._exit(3)
    return f"{text.split()[0].upper()} {os.environ['OMP_NUM_THREADS']}"


def died(text: str) -> str:
    """What stands for a job that kills its process."""
    return f"dead: {text}"
