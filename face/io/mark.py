"""The mark in the metadata of what shows a real person's face: that it was made, and with what."""

from __future__ import annotations

from PIL.PngImagePlugin import PngInfo


def made_with(what: str) -> str:
    """The mark's text, e.g. of ``"edited expression"``."""
    return f"made with facelm: {what}"


def png_comment(text: str | None) -> PngInfo | None:
    """A comment as PNG text."""
    if text is None:
        return None
    info = PngInfo()
    info.add_text("Comment", text)
    info.add_text("Software", "facelm")
    return info
