"""Run a command of `facelm` in this process; what it refuses is raised."""

from __future__ import annotations

from facelm.cli.main import parse
from facelm.cli.output import emit


def command(*argv: object) -> int:
    """Run a command line and print its results; returns the exit code."""
    line = parse([str(a) for a in argv])
    return emit(line.run(), line.json)
