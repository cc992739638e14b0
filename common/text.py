"""Text out of files and from users, made safe to print: no character in it acts on a terminal."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


def one_line(err: object, most: int | None = None) -> str:
    """What an error or a text says, on one line of at most ``most`` characters."""
    return " ".join(str(err).split())[:most]


def printable(text: str) -> str:
    """The text with control characters written out (``\\x1b``); line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text)


def encoding_of(start: bytes) -> str:
    """The encoding of a text by its first bytes: its byte-order mark, of UTF-16 also zeros in every second byte; else UTF-8."""
    for mark, name in ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
                       (codecs.BOM_UTF16_BE, "utf-16")):
        if start.startswith(mark):
            return name
    pairs = start[: len(start) // 2 * 2]
    for first, name in ((0, "utf-16-le"), (1, "utf-16-be")):
        if len(pairs) >= 8 and not any(pairs[1 - first :: 2]) and all(b > 31 or b in b"\t\n\r" for b in pairs[first::2]):
            return name
    return "utf-8-sig"


def utf8(text: str) -> str:
    """A text of the command line or of stdin, whose bytes Python may have taken as another locale's ("C": ASCII).

    Raises:
        ValueError: some bytes are not UTF-8.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        raise ValueError(f"{printable(text)[:100]!r} holds bytes that are not UTF-8; set the terminal to UTF-8") from None


def counted(count: int, noun: str) -> str:
    """A count and its noun: "1 frame", "2 frames"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def often(count: int) -> str:
    """A count in words: "not at all", "once", "twice", "3 times"."""
    return ("not at all", "once", "twice")[count] if 0 <= count < 3 else f"{count} times"


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence: "a, b and c"; empty for none."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
