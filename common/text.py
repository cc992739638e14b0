"""Text out of files and from users, made safe to print: no character in it acts on a terminal."""

from __future__ import annotations


def one_line(err: object, most: int | None = None) -> str:
    """What an error or a text says, on one line of at most ``most`` characters."""
    return " ".join(str(err).split())[:most]


def printable(text: str) -> str:
    """The text with control characters written out (``\\x1b``); line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text)
