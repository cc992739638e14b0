"""The mark in the metadata of what shows a real person's face: that it was made, and with what."""

from __future__ import annotations

from PIL import Image
from PIL.PngImagePlugin import PngInfo

_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"
"""IPTC's term for pictures that hold synthetic elements, https://cv.iptc.org/newscodes/digitalsourcetype/."""
_DESCRIPTION, _SOFTWARE = 0x010E, 0x0131
"""Tags of Exif."""


def made_with(what: str) -> str:
    """The mark's text, e.g. of ``"edited expression"``."""
    return f"made with facelm: {what}"


def exif_of(made: str) -> Image.Exif:
    """The mark as Exif."""
    exif = Image.Exif()
    exif[_DESCRIPTION], exif[_SOFTWARE] = made, "facelm"
    return exif


def xmp_of(made: str) -> str:
    """The mark as XMP, with IPTC's term for what it is."""
    return ('<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
            f'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="{_SOURCE}">'
            f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{made}</rdf:li></rdf:Alt></dc:description>'
            "</rdf:Description></rdf:RDF></x:xmpmeta>")


def png_info(made: str | None) -> PngInfo | None:
    """The mark as PNG text and XMP."""
    if made is None:
        return None
    info = PngInfo()
    info.add_text("Description", made)
    info.add_text("Software", "facelm")
    info.add_itxt("XML:com.adobe.xmp", xmp_of(made))
    return info
