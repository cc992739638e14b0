"""The formats that are read, how one is recognised by content, and the table of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ....common.files import naming
from ....common.text import printable
from ...clip.sequence import FORMAT, FaceSequence
from ...head.model import HeadModel
from .base import Format, Imported, Options, finish, listed
from .files import open_content
from .flame.dicts import DICT_FORMATS
from .flame.others import OTHER_FORMATS
from .shapes import azure, expressions, facecap, forms, livelink, metahuman, units
from .shapes.orders import ORDERS
from .tables import Table

LIVELINK = Format(
    "Live Link Face",
    "https://dev.epicgames.com/documentation/unreal-engine/recording-face-animation-on-ios-device-in-unreal-engine",
    "a `Timecode` column of codes, ARKit names", "csv", "weights; angles of head and eyes, rad", "time codes (drop-frame too)",
    "nothing",
    livelink.matches, livelink.channels)
EXPRESS = Format(
    "Express4D", "https://github.com/jaron1990/Express4D", "a matrix of 61 columns", "npy, pt, csv", "as Live Link Face",
    "asked for",
    "nothing", livelink.is_express, livelink.express_channels)
AZURE = Format(
    "Azure visemes", "https://learn.microsoft.com/azure/ai-services/speech-service/how-to-speech-synthesis-viseme",
    "`FrameIndex, BlendShapes`",
    "json, json lines", "55 weights", "60 fps", "head and eye roll", azure.matches, azure.channels)
FACECAP = Format(
    "Face Cap", "https://www.bannaflak.com/face-cap", "lines `bs,` and `k,`", "txt", "weights", "ms in each line",
    "head turn and place",
    facecap.matches, facecap.channels)
METAHUMAN = Format(
    "MetaHuman controls", "https://www.unrealengine.com/metahuman", "columns `CTRL_expressions_*`", "csv, json", "0 to 1",
    "times, else asked for", "controls without a shape of ARKit", metahuman.matches, metahuman.channels)
OPENFACE = Format(
    "OpenFace", "https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format", "columns `AU01_r` ...", "csv",
    "intensity 0 to 5; pose in rad and mm, x right, y down; gaze", "`timestamp`", "landmarks, presence", units.is_openface,
    units.openface_channels)
PYFEAT = Format(
    "py-feat", "https://py-feat.org", "columns `AU01` ...", "csv", "0 to 1", "times, else asked for",
    "head pose, emotions, landmarks",
    units.is_pyfeat, units.pyfeat_channels)
VRM = Format(
    "VRM expressions", "https://github.com/vrm-c/vrm-specification", "presets of VRM 1.0 or 0.x", "vrma; csv, json of curves",
    "0 to 1",
    "times, else asked for", "custom expressions, turns of bones", expressions.is_vrm, expressions.vrm_channels)
VISEMES = Format(
    "Oculus visemes", "https://developers.meta.com/horizon/documentation/unity/audio-ovrlipsync-viseme-reference",
    "`PP, FF, TH` ... `aa, E, ih`",
    "csv, json of curves", "0 to 1", "times, else asked for", "nothing", expressions.is_viseme, expressions.viseme_channels)
SHAPES = Format(
    "ARKit / MediaPipe blend shapes", "https://developer.apple.com/documentation/arkit/arfaceanchor/blendshapelocation",
    "at least 10 ARKit names in any spelling (frames, columns, or names beside a matrix: MediaPipe, Audio2Face, Audio2Face-3D, "
    "LAM, BEAT), or a matrix of 51 or 52 columns", "json, csv, npz, npy",
    "weights 0 to 1; MediaPipe's matrices in cm, rows or columns",
    "times or stated, else asked for", "names that ARKit does not have", forms.matches, forms.channels)
FORMATS: tuple[Format, ...] = (OTHER_FORMATS[0], *DICT_FORMATS, *OTHER_FORMATS[1:], LIVELINK, EXPRESS, FACECAP, AZURE, OPENFACE,
                               PYFEAT,
                               METAHUMAN, SHAPES, VISEMES, VRM)
UNFORESEEN = "is damaged, or laid out in a way that is not known"
_ODD = (TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_WRAPPERS = ("flame", "flame_params", "flame_param", "params", "codedict", "outputs", "results", "arr_0", "data")


def read(path: str | os.PathLike[str], head: HeadModel | None = None, fps: float | None = None, *, names: tuple[str, ...] = (),
         order: str | None = None, fill: bool = False) -> Imported:
    """Read a file or folder of another tool's facial motion as a clip; every row or frame of it is one of the clip's.

    Args:
        path: see ``FORMATS``; recognised by content, never by name.
        head: the head that the parameters drive. FLAME parameters need one (`facelm head import`); blend shapes drive the
            default head unless another one with ARKit columns is given.
        fps: frames per second, whatever the file says; default: by its times or what it states, else 25 with a warning.
        names: of the columns of a matrix or table that has none.
        order: a known order of such columns: arkit (alphabetical), mediapipe, livelink or azure.
        fill: put interpolated frames, marked invalid, where times or time codes leave some out.

    Returns:
        The clip, with what was read, assumed and left out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, hostile, of no known format, or not fitting the head; one sentence that names the file.
    """
    where = Path(path)
    if fps is not None and not (np.isfinite(fps) and 1 <= fps <= 1000):
        raise ValueError(f"fps is {fps}; allowed: 1 to 1000")
    if order is not None and order not in ORDERS:
        raise ValueError(f"order is {order!r}; allowed: {', '.join(ORDERS)}")
    options = Options(fps, tuple(names), order, fill)
    try:
        with naming(where), np.errstate(all="ignore"):
            return _read(where, open_content(where), head, options)
    except MemoryError:
        raise ValueError(f"{where} needs more memory than there is") from None
    except _ODD as err:  # the last net: what a reader did not foresee is the file's fault for its user all the same
        raise ValueError(f"{where} {UNFORESEEN} ({type(err).__name__}: {printable(' '.join(str(err).split()))[:120]})") from err


def _read(where: Path, content: Any, head: HeadModel | None, options: Options) -> Imported:
    if isinstance(content, dict) and "format" in content and np.ravel(np.asarray(content["format"]))[:1].tolist() == [FORMAT]:
        raise ValueError(f"{where} is a facelm clip already ({FaceSequence.load(where).head}); `facelm retarget` moves it "
                         "to another head")
    layers = _layers(content)
    asked = [(SHAPES, layers[-1])] if options.names or options.order else []
    for form, inner in [(f, layer) for layer in layers for f in FORMATS if f.matches(layer)][:1] or asked:
        if form.flame and head is None:
            raise ValueError(f"{form.name} parameters drive a FLAME head, which cannot be shipped: import yours once with "
                             "`facelm head import generic_model.pkl -o flame.npz` and give --head flame.npz")
        on = head if head is not None else HeadModel.default()
        channels = form.channels(inner, on, options)
        for option, given in (("--names", options.names), ("--order", options.order)):
            if given and option not in options.used:
                channels.warnings.append(f"{option} is not used: " + (
                    "--names says it all" if "--names" in options.used else "the file names its columns, or the format does"))
        return finish(channels, on, options, form.name)
    known = ", ".join(f.name for f in FORMATS)
    raise ValueError(f"unknown parameters: {_contents(content)}; known formats: {known} (facelm convert --list); a matrix "
                     "or table without names is read with --names or --order")


def _layers(content: Any) -> list[Any]:
    """The content, and what it holds alone or under a usual name, three levels down."""
    out = [content]
    for _ in range(3):
        if not isinstance(content, dict):
            break
        inner = [v for k, v in content.items() if isinstance(v, (dict, np.ndarray, list))
                 and (len(content) == 1 or k in _WRAPPERS)]
        if len(inner) != 1:
            break
        content = inner[0]
        out.append(content)
    return out


def _contents(content: Any) -> str:
    """What a file holds, for a message."""
    if isinstance(content, dict):
        return f"keys {listed([str(k) for k in content], 12) or '(none)'}"
    if isinstance(content, Table):
        if not content.header:
            return f"a table without a header, {len(content.cells[0]) if content.cells else 0} columns"
        return f"columns {listed(list(content.header), 12)}"
    if isinstance(content, np.ndarray):
        return f"an array of shape {content.shape}"
    return f"a {type(content).__name__}" + (f" of {len(content)}" if isinstance(content, (list, tuple)) else "")


def format_table() -> str:
    """The formats as a Markdown table."""
    head = ("format", "recognised by", "file", "values", "frame rate", "left out", "head")
    lines = [head, tuple("---" for _ in head)]
    for f in FORMATS:
        lines.append((f"[{f.name}]({f.url})", f.known_by, f.container, f.values, f.time, f.lost, "FLAME"
                      if f.flame else "with ARKit columns"))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def format_list() -> list[dict[str, str]]:
    """The same for programs, a dict a format."""
    return [{"format": f.name, "recognised_by": f.known_by.replace("`", ""), "file": f.container.replace("`", ""),
             "values": f.values.replace("`", ""), "frame_rate": f.time.replace("`", ""), "left_out": f.lost.replace("`", ""),
             "head": "FLAME" if f.flame else "ARKit columns", "url": f.url} for f in FORMATS]
