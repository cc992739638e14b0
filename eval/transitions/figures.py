"""Pictures of a report: confusion matrices (Figs. 8, 9, 13, 14), latents (Fig. 7), losses (Fig. 15) and strips of faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ...common.files import atomic_file
from ...face.io.video import write_png
from .metrics import tsne


@dataclass
class FigureData:
    """What the pictures are drawn of; empty parts are not drawn."""

    labels: tuple[str, ...] = ()
    confusion: dict[str, list[list[int]]] = field(default_factory=dict)
    """By method, (C, C) counts."""
    latents: dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]] = field(default_factory=dict)
    """By method, (N, D) latents and (N,) labels."""
    losses: dict[str, list[float]] = field(default_factory=dict)
    """By method, the validation loss after each epoch."""
    strips: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    """By method, (K, H, W) or (K, H, W, 3) faces; the same K for all."""


def draw(data: FigureData, folder: Path, title: str) -> tuple[list[Path], list[str]]:
    """Write what can be written.

    Args:
        data: what to draw. folder: where; it exists. title: says which data it is.

    Returns:
        Files that were written, and why others were not.
    """
    written, why = [], []
    if data.strips:
        written.append(write_png(strip(list(data.strips.values()), list(data.strips)), folder / "faces.png"))
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        if data.confusion or data.latents or data.losses:
            why.append("confusion matrices, t-SNE and loss curves need matplotlib: pip install 'facelm[eval]'")
        return written, why
    if data.confusion:
        written.append(_save(plt, _confusions(plt, data.confusion, data.labels, title), folder / "confusion.png"))
    if data.losses:
        written.append(_save(plt, _losses(plt, data.losses, title), folder / "losses.png"))
    if data.latents:
        try:
            written.append(_save(plt, _latents(plt, data.latents, data.labels, title), folder / "tsne.png"))
        except ValueError as err:
            why.append(str(err))
    return written, why


def strip(rows: Sequence[NDArray[np.uint8]], names: Sequence[str] = ()) -> NDArray[np.uint8]:
    """(H,W,3) uint8: one row of pictures for each method, its name before it; grey pictures become grey RGB."""
    bands = []
    for pictures in rows:
        colour = np.repeat(pictures[..., None], 3, -1) if pictures.ndim == 3 else pictures
        bands.append(np.concatenate(list(colour), 1))
    if len({b.shape for b in bands}) != 1:
        raise ValueError(f"rows of pictures have shapes {[b.shape for b in bands]}; needed: one for all")
    if names:
        bands = [np.concatenate([_name(name, band.shape[0]), band], 1) for name, band in zip(names, bands, strict=True)]
    return np.ascontiguousarray(np.concatenate(bands, 0))


def _name(text: str, height: int) -> NDArray[np.uint8]:
    """(H, 110, 3) uint8: a row's name, a word a line."""
    field = Image.new("RGB", (110, height), "white")
    ImageDraw.Draw(field).multiline_text((8, height / 2), text.replace(" ", "\n"), "black", ImageFont.load_default(15), "lm")
    return np.asarray(field)


def _save(plt: Any, figure: Any, path: Path) -> Path:
    with atomic_file(path) as partial:
        figure.savefig(partial, dpi=110, bbox_inches="tight", format="png")
    plt.close(figure)
    return path


def _confusions(plt: Any, matrices: Mapping[str, list[list[int]]], labels: Sequence[str], title: str) -> Any:
    from sklearn.metrics import ConfusionMatrixDisplay

    figure, axes = plt.subplots(1, len(matrices), figsize=(3.6 * len(matrices), 4.0), squeeze=False)
    for axis, (name, counts) in zip(axes[0], matrices.items(), strict=True):
        matrix = np.asarray(counts, float)
        share = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
        ConfusionMatrixDisplay(share, display_labels=labels).plot(
            ax=axis, cmap="Blues", values_format=".0f", xticks_rotation=90, colorbar=False, im_kw={"vmin": 0, "vmax": 100},
            text_kw={"fontsize": 7})
        axis.tick_params(labelsize=7, labelleft=axis is axes[0][0])
        axis.set(title=name, xlabel="recognised", ylabel="asked for" if axis is axes[0][0] else "")
    figure.suptitle(f"Recognised expressions, % ({title})", fontsize=9)
    return figure


def _latents(plt: Any, latents: Mapping[str, tuple[NDArray[np.float32], NDArray[np.int64]]], labels: Sequence[str],
             title: str) -> Any:
    figure, axes = plt.subplots(1, len(latents), figsize=(3.6 * len(latents), 3.8), squeeze=False)
    for axis, (name, (points, label)) in zip(axes[0], latents.items(), strict=True):
        places, rows = tsne(points)
        for k, emotion in enumerate(labels):
            own = label[rows] == k
            if own.any():
                axis.scatter(*places[own].T, s=6, label=emotion, color=plt.get_cmap("tab10")(k))
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_title(name, fontsize=9)
    axes[0][-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(f"t-SNE of the latents ({title})", fontsize=9)
    return figure


def _losses(plt: Any, losses: Mapping[str, Sequence[float]], title: str) -> Any:
    figure, axis = plt.subplots(figsize=(5, 3.4))
    for name, values in losses.items():
        axis.plot(np.arange(1, len(values) + 1), values, label=name)
    axis.set_xlabel("epoch")
    axis.set_ylabel("validation loss")
    axis.legend(fontsize=8)
    axis.set_title(title, fontsize=9)
    return figure
