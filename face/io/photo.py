"""A photo as pixels: any file that Pillow or OpenCV reads, upright, sRGB, 8 bits; and pictures written with what they are."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from ...common.files import atomic_file
from ...common.optional import require
from ...common.text import printable
from .mark import exif_of, made_with, png_info, xmp_of
from .media import MIN_SIDE

MAX_SIDE = 4096
"""Longer side that is kept, px; more holds nothing that a face's landmarks or a screen would show."""
_KINDS = "JPEG, PNG, WebP, AVIF, HEIC, TIFF or BMP"
SUFFIXES: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".webp")
"""Of pictures that are written."""
EDITED = made_with("edited expression")
"""What pictures and films say whose faces do what they did not do."""
_FILMS = ("GIF",)
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


@dataclass(frozen=True, eq=False)
class Picture:
    """A photo."""

    rgb: NDArray[np.uint8]
    """(H,W,3) upright, sRGB."""
    path: Path | None = None
    alpha: NDArray[np.uint8] | None = None
    """(H,W); None where all is opaque."""
    scale: float = 1.0
    """Pixels of it for one of the file."""
    notes: tuple[str, ...] = ()
    """What was done to the file, in words."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.rgb.shape[1], self.rgb.shape[0]

    @property
    def name(self) -> str:
        """The file, for messages."""
        return printable(str(self.path)) if self.path else "the photo"


def load_picture(path: str | os.PathLike[str]) -> Picture:
    """Read a photo.

    Turned as its EXIF says, converted to sRGB by its profile, CMYK and 16 bits to 8 bits RGB; a longer side above 4096
    px is scaled down. Transparent parts are laid over grey and kept in ``alpha``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no photo, damaged, a film, or sides under 64 px; the text says what is allowed.
        ImportError: a HEIC file without pi-heif.
    """
    path = Path(path)
    said = printable(str(path))
    if not path.exists():
        raise FileNotFoundError(f"{said}: no such file; a photo is needed ({_KINDS})")
    if not path.is_file():
        raise ValueError(f"{said}: not a file; a photo is needed ({_KINDS})")
    data = path.read_bytes()
    if not data:
        raise ValueError(f"{said}: the file is empty; a photo is needed ({_KINDS})")
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC:
        require("pi_heif", "photo", f"{said}: HEIC photos need pi-heif").register_heif_opener()
    notes: list[str] = []
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.format in _FILMS or getattr(opened, "n_frames", 1) > 1 and opened.format in ("PNG", "WEBP"):
                raise ValueError(f"{said}: a film and no photo; save one picture of it as PNG, or use facelm fit")
            _check_size(said, opened.size)
            image = _upright(opened, notes)
            rgb, alpha = _pixels(image, notes)
    except Image.DecompressionBombError as err:
        raise ValueError(f"{said}: too many pixels ({err}); save the photo with at most 170 million") from err
    except (OSError, SyntaxError) as err:
        deep = _deep(data)
        if deep is None:
            why = "" if isinstance(err, UnidentifiedImageError) else f" ({printable(str(err))[:100].replace(said, '...')})"
            raise ValueError(f"{said}: not a readable photo{why}; allowed: {_KINDS}") from err
        _check_size(said, deep.shape[1::-1])
        rgb, alpha = deep, None
        notes.append("16 bits made 8")
    height, width = rgb.shape[:2]
    scale = min(1.0, MAX_SIDE / max(width, height))
    if scale < 1:
        size = (round(width * scale), round(height * scale))
        rgb = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))
        alpha = None if alpha is None else np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BOX))
        notes.append(f"scaled from {width}x{height} to {size[0]}x{size[1]} px")
    return Picture(np.ascontiguousarray(rgb), path, alpha, scale, tuple(notes))


def _check_size(said: str, size: tuple[int, int]) -> None:
    if min(size) < MIN_SIDE:
        raise ValueError(f"{said}: {size[0]}x{size[1]} px; at least {MIN_SIDE} a side are needed, "
                         "and about 100 across the face for a good result")


def _upright(opened: Image.Image, notes: list[str]) -> Image.Image:
    if opened.getexif().get(274, 1) > 1:
        notes.append("turned upright as its EXIF says")
    return ImageOps.exif_transpose(opened)


def _pixels(image: Image.Image, notes: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """(H,W,3) sRGB and (H,W) alpha where it is not all opaque."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # Pillow would clip 16 bits instead of scaling them
        image = Image.fromarray((np.asarray(image, np.float64) / 257.0).clip(0, 255).astype(np.uint8))
        notes.append("16 bits made 8")
    alpha = None
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"))
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (128, 128, 128, 255)), rgba).convert("RGB")
        alpha = None if (alpha == 255).all() else alpha
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if turned is not None:
                if image.mode == "CMYK":
                    notes.append("CMYK made RGB by its colour profile")
                return np.asarray(turned), alpha
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append("its colour profile cannot be read: taken as sRGB")
    if image.mode == "CMYK":
        notes.append("CMYK made RGB")
    return np.asarray(image.convert("RGB")), alpha


def _deep(data: bytes) -> NDArray[np.uint8] | None:
    """What only OpenCV reads: 16-bit RGB TIFF. None when it does not either."""
    cv2 = require("cv2", "photo", "this kind of picture needs OpenCV")
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        return None
    if found is None or found.dtype != np.uint16:
        return None
    return np.ascontiguousarray((found[..., ::-1] / 257.0).round().astype(np.uint8))


# -- writing -----------------------------------------------------------------------------
def save_picture(rgb: NDArray[np.uint8], path: str | os.PathLike[str], *, alpha: NDArray[np.uint8] | None = None,
                 made: str = EDITED) -> Path:
    """Write (H,W,3) uint8 as PNG (to the bit), JPEG or WebP, with ``made`` in its metadata (text, EXIF, XMP).

    Raises:
        ValueError: another suffix.
        FileNotFoundError: the folder does not exist.
    """
    target = Path(path)
    kind = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}.get(target.suffix.lower())
    if kind is None:
        raise ValueError(f"{printable(str(path))!r} must end in {' or '.join(SUFFIXES)}")
    image = Image.fromarray(rgb if alpha is None or kind == "JPEG" else np.dstack([rgb, alpha]))
    exif = exif_of(made)
    with atomic_file(target) as partial:
        if kind == "PNG":
            image.save(partial, kind, pnginfo=png_info(made), exif=exif)
        else:
            more = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"quality": 95}
            image.save(partial, kind, exif=exif, xmp=xmp_of(made).encode(), **more)
    return target


def marked(rgb: NDArray[np.uint8], text: str = "edited with facelm") -> NDArray[np.uint8]:
    """A picture with a line in its lower right corner that says what it is."""
    image = Image.fromarray(rgb)
    height = max(10, round(0.025 * min(image.size)))
    draw, font = ImageDraw.Draw(image, "RGBA"), ImageFont.load_default(height)
    x0, y0, x1, y1 = draw.textbbox((0, 0), text, font=font)
    pad = height // 2
    left, top = image.width - (x1 - x0) - 3 * pad, image.height - (y1 - y0) - 3 * pad
    draw.rectangle((left, top, image.width - pad, image.height - pad), fill=(0, 0, 0, 140))
    draw.text((left + pad - x0, top + pad - y0), text, font=font, fill=(255, 255, 255, 230))
    return np.asarray(image)
