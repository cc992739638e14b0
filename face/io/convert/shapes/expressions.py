"""VRM's expressions (1.0 and 0.x) and Oculus' visemes: a VRM animation (.vrma), or curves by name in a CSV or JSON.

https://github.com/vrm-c/vrm-specification. What an expression looks like is up to the avatar; they are read as the shapes
of ARKit in ``face/assets/expressions.yaml``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from .....common.config import load_yaml
from ....clip.channels import ARKIT_52
from ....head.model import HeadModel
from ..arkit import ignored, shape_channels
from ..base import Channels, Options, timed
from ..timing import of_columns
from .curves import curves_of

_MORE: dict[str, dict[str, float]] = {"relaxed": {"mouthSmile": 0.4, "eyeSquint": 0.2}, "blink": {"eyeBlink": 1}, "neutral": {}}
"""Presets of VRM that are only read."""


def _table(target: str) -> dict[str, dict[str, float]]:
    """Expression -> shares of ARKit's shapes, both sides named."""
    text = resources.files("facelm").joinpath("face", "assets", "expressions.yaml").read_text(encoding="utf-8")
    stated: dict[str, dict[str, float]] = {**load_yaml(text)[target], **(_MORE if target == "vrm" else {"sil": {}})}
    return {name: {n: float(v) for shape, v in shares.items() for n in (
        [shape] if shape in ARKIT_52 else [shape + "Left", shape + "Right"])} for name, shares in stated.items()}


TABLES: dict[str, dict[str, dict[str, float]]] = {target: _table(target) for target in ("vrm", "viseme")}
_OLD = {"joy": "happy", "sorrow": "sad", "fun": "relaxed", "a": "aa", "i": "ih", "u": "ou", "e": "ee", "o": "oh",
        "blink_l": "blinkLeft",
        "blink_r": "blinkRight"}
_SHORT = {"e": "E", "i": "ih", "o": "oh", "u": "ou"}
_NAMES: dict[str, dict[str, str]] = {
    "vrm": {**{n.lower(): n for n in TABLES["vrm"]}, **_OLD}, "viseme": {**{n.lower(): n for n in TABLES["viseme"]}, **_SHORT}}
_SIGNS = {"vrm": {"aa", "ih", "ou", "ee", "oh", "blink", "blinkLeft", "blinkRight"},
          "viseme": {"PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR"}}
"""Of which one is there at least."""
_VRMA = "VRMC_vrm_animation"
_LONGEST = 36_000
"""Frames that a VRM animation is sampled to."""


def preset(target: str, name: str) -> str | None:
    """The name of VRM 1.0 (or of a viseme) of an expression in any spelling, or None."""
    return _NAMES[target].get(name.lower().removeprefix("preset.").removeprefix("expression.").removeprefix("viseme_"))


def matches(target: str, content: Any) -> bool:
    """At least three of the names, one that no other format has among them."""
    try:
        found = curves_of(content, lambda n: preset(target, n) is not None)
    except ValueError:
        return False
    names = {preset(target, n) for n in found.used} if found else set()
    return len(names) >= 3 and bool(names & _SIGNS[target])


def channels(target: str, content: Any, head: HeadModel, options: Options) -> Channels:
    """Expressions as shapes of ARKit; of a shape that several move, the sum."""
    found = curves_of(content, lambda n: preset(target, n) is not None)
    if found is None:
        raise ValueError("there are no expressions that are known")
    scores: dict[str, np.ndarray] = {}
    for name, value in found.used.items():
        for shape, share in TABLES[target][str(preset(target, name))].items():
            scores[shape] = scores.get(shape, 0.0) + share * value
    if not scores:
        raise ValueError("the file holds no other expression than a neutral face")
    out = shape_channels(scores, head)
    out.timing = timed(content if isinstance(content, Mapping) else {}, of_columns(found.times))
    rest = {n: v for n, v in found.others.items() if n != TURNS}
    notes, warnings = ignored(rest)
    out.notes += [*found.notes, *notes]
    out.warnings += ["expressions are what each avatar makes of them; they are read as the usual shapes of ARKit", *warnings]
    if TURNS in found.others:
        out.warnings.append("the turns of the bones, the head's too, are left out")
    return out


is_vrm, vrm_channels = partial(matches, "vrm"), partial(channels, "vrm")
is_viseme, viseme_channels = partial(matches, "viseme"), partial(channels, "viseme")
TURNS = "(turns of bones)"
"""Name of a curve that says whether a VRM animation turns bones."""


# -- VRM animation ----------------------------------------------------------------------------
def read_vrma(path: Path) -> dict[str, Any]:
    """The expression curves of a VRM animation, sampled at its keys' usual step: name -> (T,), with ``time``.

    Raises:
        ValueError: no VRM animation, or damaged.
    """
    data = path.read_bytes()
    try:
        document, binary = _chunks(data)
        return _sampled(document, binary)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error, RecursionError, OverflowError) as err:
        said = str(err) if type(err) is ValueError else f"it is damaged ({type(err).__name__})"
        raise ValueError(f"{path} is a glTF file that cannot be read as a VRM animation: {said[:200]}") from None


def _chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    """JSON and binary chunk of a GLB file."""
    size = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20: 20 + size])
    if _VRMA not in document.get("extensions", {}):
        raise ValueError(f"it holds no {_VRMA}; export the expressions' motion as .vrma, or their weights as CSV")
    return document, data[28 + size:]


def _array(document: dict[str, Any], binary: bytes, index: int) -> np.ndarray:
    """A float accessor (N, width)."""
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
    if accessor["componentType"] != 5126 or view.get("byteStride") not in (None, 4 * width):
        raise ValueError("its keys are no plain 32-bit floats")
    start, count = view.get("byteOffset", 0) + accessor.get("byteOffset", 0), int(accessor["count"])
    if not 0 <= start <= len(binary) - 4 * width * count or count < 1:
        raise ValueError("its keys lie outside of the file")
    return np.frombuffer(binary, "<f4", width * count, start).reshape(count, width).astype(np.float64)


def _sampled(document: dict[str, Any], binary: bytes) -> dict[str, Any]:
    expressions = document["extensions"][_VRMA].get("expressions", {})
    nodes = {int(v["node"]): str(n) for group in ("preset", "custom") for n, v in expressions.get(group, {}).items()}
    curves: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    turning = False
    for animation in document.get("animations", [])[:1]:
        for channel in animation["channels"]:
            target, sampler = channel["target"], animation["samplers"][channel["sampler"]]
            if target.get("path") == "rotation":
                turns = _array(document, binary, sampler["output"])
                turning |= float(np.ptp(turns, 0).max()) > 1e-4
            if target.get("path") == "translation" and target.get("node") in nodes:
                times, values = _array(document, binary, sampler["input"])[:, 0], _array(document, binary, sampler["output"])
                if sampler.get("interpolation") == "CUBICSPLINE":
                    values = values[1::3]
                if len(times) != len(values) or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
                    raise ValueError("its keys' times do not ascend")
                curves[nodes[target["node"]]] = times, values[:, 0]
    if not curves:
        raise ValueError("no expression moves in it")
    steps = np.concatenate([np.diff(t) for t, _ in curves.values()])
    step = float(np.median(steps)) if len(steps) else 1 / 30
    end = max(t[-1] for t, _ in curves.values())
    if not 1e-3 <= step <= 1.0 or end / step > _LONGEST:
        raise ValueError(f"its keys are {step:.3g} s apart over {end:.3g} s; at most {_LONGEST} frames are read")
    grid = np.arange(int(round(end / step)) + 1) * step
    moving = {TURNS: np.linspace(0.0, 1.0, len(grid))} if turning else {}
    return {"time": grid, **moving, **{n: np.interp(grid, t, v) for n, (t, v) in curves.items()}}
