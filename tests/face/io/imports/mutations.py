"""Damaged and odd variants of files, by fixed seeds: bytes, text, and the values inside of containers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from inputs import save

Rng = np.random.Generator
ODD_TEXT = ["", "nan", "inf", "-1e999", "1e308", "0x10", "1,5", "1;5", "null", '"', "'", "\x1b[31mred", "\0", "é\u202e",
            "9" * 400, "[", "]", "{", "}",
            "00:00:00:99", "::::", "-", "True", "1e-320", "/etc/passwd", "$(reboot)"]
ODD_VALUES: list[Any] = [None, True, "", "text", "\x1b[2J", [], {}, [[]], [None], {"a": {"b": {}}}, 1e308, -1e308, 10 ** 30,
                         float("nan"), float("inf"), -1, 0,
                         [1, 2], [[1.0] * 3] * 2, ["x"], [{"a": 1}], [[[[[[1]]]]]]]
ODD_ARRAYS: list[Callable[[np.ndarray], Any]] = [
    lambda a: np.zeros(a.shape, [("a", "<f4"), ("b", "<i4")]), lambda a: a.astype(str), lambda a: a.astype(complex),
    lambda a: a[:0],
    lambda a: a.reshape(-1), lambda a: a[None, None], lambda a: np.asarray(0.0), lambda a: a.astype("datetime64[s]")
    if a.dtype.kind in "iu" else a * np.nan,
    lambda a: np.full(a.shape, np.inf), lambda a: a.astype(np.float16), lambda a: a.astype(np.uint64), lambda a: a.astype(bool),
    lambda a: a.T,
    lambda a: a.astype(np.float64) * 1e300, lambda a: a[: len(a) // 2] if a.ndim else a, lambda a: np.zeros((3, 0)),
    lambda a: np.asarray("text"),
    lambda a: a.astype(">f8"), lambda a: np.asfortranarray(a.astype(np.float32)), lambda a: np.zeros((2, 2, 2, 2)),
    lambda a: np.zeros((1, 5000)),
    lambda a: a.astype(np.longdouble), lambda a: -a.astype(np.float64)]


def of_bytes(data: bytes, rng: Rng) -> bytes:
    """Bytes changed, lost, doubled, swapped or cut."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        if not out:
            break
        at, way = int(rng.integers(len(out))), int(rng.integers(7))
        if way == 0:
            out[at] = int(rng.integers(256))
        elif way == 1:
            out[at] ^= 1 << int(rng.integers(8))
        elif way == 2:
            del out[at: at + int(rng.integers(1, 64))]
        elif way == 3:
            out[at:at] = rng.bytes(int(rng.integers(1, 64)))
        elif way == 4:
            out[at:at] = out[at: at + int(rng.integers(1, 200))]
        elif way == 5:
            out[at: at + 8] = [b"\0" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7][int(rng.integers(3))]
        else:
            del out[at:]
    return bytes(out)


def of_head(data: bytes, rng: Rng) -> bytes:
    """One byte of the first 300, where containers keep what they claim."""
    out = bytearray(data)
    out[int(rng.integers(min(300, len(out))))] = int(rng.integers(256))
    return bytes(out)


def of_text(data: bytes, rng: Rng) -> bytes:
    """Numbers, cells and lines of a text changed, lost or doubled."""
    text = data.decode("utf-8", "replace")
    for _ in range(int(rng.integers(1, 4))):
        way = int(rng.integers(4))
        if way == 0 and (spots := [m.span() for m in re.finditer(r"[-\d.:]+|[A-Za-z_]+", text[:20_000])]):
            a, b = spots[int(rng.integers(len(spots)))]
            text = text[:a] + ODD_TEXT[int(rng.integers(len(ODD_TEXT)))] + text[b:]
        elif way == 1:
            lines = text.split("\n")
            k = int(rng.integers(len(lines)))
            lines[k: k + 1] = [[], [lines[k]] * 2, [lines[k][: len(lines[k]) // 2]], [lines[k] + lines[k]],
                               [""]][int(rng.integers(5))]
            text = "\n".join(lines)
        elif way == 2:
            mark = ",;\t {}[]:\""[int(rng.integers(10))]
            text = text.replace(mark, ",;\t {}[]:\""[int(rng.integers(10))], int(rng.integers(1, 50)))
        else:
            at = int(rng.integers(len(text) + 1))
            text = text[:at] + ODD_TEXT[int(rng.integers(len(ODD_TEXT)))] + text[at:]
    return text.encode("utf-8", "surrogatepass")


def of_value(value: Any, rng: Rng, depth: int = 0) -> Any:
    """A JSON value or a dict of arrays with one of its parts odd, lost or doubled."""
    inner = isinstance(value, (dict, list)) and len(value) and (depth == 0 or rng.random() < 0.7)
    if isinstance(value, np.ndarray) and not inner:
        odd = ODD_ARRAYS[int(rng.integers(len(ODD_ARRAYS)))]
        try:
            return odd(value)
        except (TypeError, ValueError):
            return value[..., :0] if value.ndim else value
    if not inner:
        return ODD_VALUES[int(rng.integers(len(ODD_VALUES)))]
    if isinstance(value, dict):
        key = list(value)[int(rng.integers(len(value)))]
        way = rng.random()
        if way < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if way < 0.2:
            return {("x\x1b[1m" if k == key else k): v for k, v in value.items()}
        return {k: of_value(v, rng, depth + 1) if k == key else v for k, v in value.items()}
    k = int(rng.integers(len(value)))
    way = rng.random()
    if way < 0.1:
        return value[:k] + value[k + 1:]
    if way < 0.15:
        return value[:k] + [value[k]] * 3 + value[k:]
    return [of_value(v, rng, depth + 1) if j == k else v for j, v in enumerate(value)]


def variants(path: Path, content: Any, folder: Path, count: int, seed: int) -> Iterator[Path]:
    """``count`` damaged variants of a file, written one after another under one name in ``folder``.

    Args:
        path: the file, or a folder of which one file is damaged.
        content: the dict of arrays or JSON value in it, for variants with odd values; None for bytes only.
        folder: an empty one.
        count: how many.
        seed: of all choices.
    """
    rng = np.random.default_rng(seed)
    text = path.suffix in (".csv", ".json", ".jsonl", ".txt")
    for _ in range(count):
        out = folder / f"in{path.suffix}"
        if path.is_dir():
            yield _in_folder(path, out, rng)
            continue
        way = rng.random()
        if content is not None and way < 0.5:
            try:
                odd = of_value(content, rng)
                out.write_text(json.dumps(odd)) if path.suffix in (".json", ".jsonl") else save(out, odd)
            except Exception:  # what cannot be written in this container is damaged by bytes
                out.write_bytes(of_bytes(path.read_bytes(), rng))
        elif text and way < 0.85:
            out.write_bytes(of_text(path.read_bytes(), rng))
        else:
            out.write_bytes((of_head if rng.random() < 0.4 else of_bytes)(path.read_bytes(), rng))
        yield out


def _in_folder(path: Path, out: Path, rng: Rng) -> Path:
    """The folder again, with links to its files but for one that is damaged."""
    import shutil

    shutil.rmtree(out, ignore_errors=True)
    inner = path / "checkpoint" if (path / "checkpoint").is_dir() else path
    out.mkdir()
    files = sorted(inner.iterdir())[:6]
    bad = files[int(rng.integers(len(files)))]
    for file in files:
        if file is bad:
            (out / file.name).write_bytes((of_head if rng.random() < 0.3 else of_bytes)(file.read_bytes(), rng))
        else:
            (out / file.name).symlink_to(file)
    return out
