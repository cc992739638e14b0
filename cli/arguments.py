"""Types of command-line arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole(least: int) -> Callable[[str], int]:
    """A reader of whole numbers of at least ``least``, whose refusal names the value and what is allowed."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not allowed; give a whole number of at least {least}")
        return value

    return read


positive = whole(1)
