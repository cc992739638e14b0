"""The mark in the metadata of what shows a real person's face: that it was made, and with what."""

from __future__ import annotations

from PIL import Image
from PIL.PngImagePlugin import PngInfo

_DESCRIPTION, _SOFTWARE = 270, 305
"""Tags of Exif."""


def made_with(what: str) -> str:
    """The mark's text, e.g. of ``"edited expression"``."""
    return f"made with facelm: {what}"


def png_mark(mark: str | None) -> PngInfo | None:
    """The mark as PNG text."""
    if mark is None:
        return None
    info = PngInfo()
    info.add_text("Comment", mark)
    info.add_text("Software", "facelm")
    return info


def exif_mark(mark: str) -> bytes:
    """The mark as Exif, for JPEG."""
    exif = Image.Exif()
    exif[_DESCRIPTION], exif[_SOFTWARE] = mark, "facelm"
    return exif.tobytes()
