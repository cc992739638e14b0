"""The layout of a contact sheet: pictures with their times, a title, and a timeline of actions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_PAPER = (24, 25, 28)
_INK = (236, 236, 238)
_FAINT = (120, 122, 128)
_BARS = ((231, 170, 96), (116, 178, 219), (150, 200, 130), (214, 132, 140), (178, 150, 214),
         (214, 200, 120))


def _font(points: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=points)


def _wrap(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
          width: int, lines: int) -> list[str]:
    """``text`` in at most ``lines`` lines that fit ``width`` pixels; the rest becomes an ellipsis."""
    out: list[str] = [""]
    for word in text.split():
        longer = f"{out[-1]} {word}".strip()
        if draw.textlength(longer, font=font) <= width or not out[-1]:
            out[-1] = longer
        else:
            out.append(word)
    if len(out) > lines:
        out = out[:lines]
        out[-1] += " ..."
    for i, line in enumerate(out):
        while len(line) > 4 and draw.textlength(line, font=font) > width:
            line = line[:-5].rstrip() + " ..."
        out[i] = line
    return out


def _rows(timeline: Sequence[tuple[str, float, float]]) -> list[list[tuple[str, float, float]]]:
    """The timeline in rows, one action name a row, in order of first onset."""
    rows: dict[str, list[tuple[str, float, float]]] = {}
    for name, onset, offset in sorted(timeline, key=lambda item: (item[1], item[2])):
        rows.setdefault(name, []).append((name, float(onset), float(offset)))
    return list(rows.values())


def lay_out(
    pictures: Sequence[np.ndarray], times: Sequence[float], columns: int, title: str | None = None,
    timeline: Sequence[tuple[str, float, float]] | None = None, seconds: float | None = None,
) -> np.ndarray:
    """A contact sheet: title, pictures in rows with their times, timeline.

    Args:
        pictures: (H,W,3) uint8 each, all of one size; at least one.
        times: seconds, one a picture.
        columns: pictures in a row.
        title: text above.
        timeline: (name, onset s, offset s); an empty one says that nothing was measured.
        seconds: length of the clip, for the timeline's axis; the last time when None.

    Returns:
        (H,W,3) uint8.
    """
    if not pictures or len(pictures) != len(times):
        raise ValueError(f"{len(pictures)} pictures and {len(times)} times: as many of each wanted, at least one")
    h, w = pictures[0].shape[:2]
    columns = min(columns, len(pictures))
    n_rows = -(-len(pictures) // columns)
    gap = max(2, w // 64)
    unit = max(9, w // 16)
    width = columns * w + (columns + 1) * gap
    probe = ImageDraw.Draw(Image.new("RGB", (8, 8)))
    big, small = _font(unit * 1.25), _font(unit * 0.85)
    lines = _wrap(probe, title, big, width - 4 * gap, 3) if title else []
    top = int(len(lines) * unit * 1.6) + (2 * gap if lines else 0)
    rows = _rows(timeline) if timeline is not None else []
    bar = int(unit * 1.3)
    strip = 0 if timeline is None else bar * max(1, len(rows)) + 2 * unit + 2 * gap
    image = Image.new("RGB", (width, top + n_rows * (h + gap) + gap + strip), _PAPER)
    draw = ImageDraw.Draw(image)
    for i, line in enumerate(lines):
        draw.text((2 * gap, gap + int(i * unit * 1.6)), line, font=big, fill=_INK)
    for i, (picture, time) in enumerate(zip(pictures, times, strict=True)):
        x = gap + (i % columns) * (w + gap)
        y = top + gap + (i // columns) * (h + gap)
        image.paste(Image.fromarray(picture), (x, y))
        draw.text((x + gap + 2, y + h - int(unit * 1.25)), f"{time:.2f} s", font=small, fill=_INK,
                  stroke_width=max(1, unit // 14), stroke_fill=_PAPER)
    if timeline is not None:
        _draw_strip(draw, rows, times, seconds or max(times[-1], 1e-3), small, unit, bar,
                    (2 * gap, image.height - strip, width - 2 * gap))
    return np.asarray(image)


def _draw_strip(
    draw: ImageDraw.ImageDraw, rows: list[list[tuple[str, float, float]]], times: Sequence[float],
    seconds: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, unit: int, bar: int,
    place: tuple[int, int, int],
) -> None:
    """Bars of the actions over a time axis; thin lines mark the pictures' times."""
    left, top, right = place
    names = [row[0][0].replace("_", " ") for row in rows] or ["no action measured"]
    margin = int(max(draw.textlength(n, font=font) for n in names)) + unit
    x0, x1 = left + margin, right - unit
    y1 = top + unit // 2 + bar * len(names)

    def at(time: float) -> float:
        return x0 + (x1 - x0) * min(max(time / seconds, 0.0), 1.0)

    for time in times:
        draw.line([(at(time), top + unit // 2), (at(time), y1)], fill=(58, 60, 66), width=1)
    draw.line([(x0, y1), (x1, y1)], fill=_FAINT, width=1)
    if not rows:
        draw.text((left, top + unit // 2), names[0], font=font, fill=_FAINT)
    for i, row in enumerate(rows):
        y = top + unit // 2 + i * bar
        draw.text((left, y + bar * 0.08), names[i], font=font, fill=_INK)
        for _, onset, offset in row:
            draw.rounded_rectangle((at(onset), y + bar * 0.2, max(at(offset), at(onset) + 2), y + bar * 0.8),
                                   radius=bar * 0.2, fill=_BARS[i % len(_BARS)])
    step = next(s for s in (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 1e9) if seconds / s <= 10)
    for k in range(int(seconds / step + 1e-6) + 1):
        label = f"{k * step:g} s"
        draw.line([(at(k * step), y1), (at(k * step), y1 + unit // 4)], fill=_FAINT, width=1)
        draw.text((at(k * step) - draw.textlength(label, font=font) / 2, y1 + unit // 3), label,
                  font=font, fill=_FAINT)
