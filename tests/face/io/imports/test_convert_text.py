"""Texts, cells and frames as other programs write them: encodings, comments, clocks, percent, what a frame leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from facelm.face.clip.channels import ARKIT_52
from facelm.face.head.model import HeadModel
from facelm.face.io.convert import Imported, read
from facelm.face.io.convert.arkit import weights

FPS, FRAMES = 20, 40
JAW = [0.7 * float(np.exp(-(((k / FPS - 1.2) / 0.25) ** 2))) for k in range(FRAMES)]
"""Written down independently: 0.7 at 1.2 s, frame 24."""


def table(times: bool = True, cell: str = "{:.6f}", clock: bool = False) -> str:
    names = (["time"] if times else []) + list(ARKIT_52)
    lines = [",".join(names)]
    for k, jaw in enumerate(JAW):
        at = f"00:00:{k / FPS:06.3f}" if clock else f"{k / FPS:.3f}"
        cells = [cell.format(100 * v if "%" in cell else v) for v in (jaw if n == "jawOpen" else 0.0 for n in ARKIT_52)]
        lines.append(",".join(([at] if times else []) + cells))
    return "\n".join(lines) + "\n"


def jaw_of(found: Imported) -> np.ndarray:
    return weights(found.sequence, HeadModel.default(), limit=False)[:, ARKIT_52.index("jawOpen")]


@pytest.mark.parametrize("form", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "comments", "blank", "sep", "savetxt", "percent",
                                  "percent, space", "clock", "json utf-16"])
def test_a_text_is_read_as_it_was_written(tmp_path: Path, form: str) -> None:
    text = {"comments": "# by Foo 1.2, a take\n// of today\n\n" + table(), "blank": "\n \n" + table(), "sep": "sep=,\n" + table(),
            "savetxt": "# " + table(), "percent": table(cell="{:.4f}%"), "percent, space": table(cell="{:.4f} %"),
            "clock": table(clock=True), "json utf-16": json.dumps([
                {"time": k / FPS, **{n: v if n == "jawOpen" else 0.0 for n in ARKIT_52}} for k, v in enumerate(JAW)])
            }.get(form, table())
    encoding = form.removeprefix("json ") if "utf" in form else "utf-8"
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    found = read(tmp_path / "a.csv")
    assert found.sequence.fps == pytest.approx(FPS) and len(found.sequence) == FRAMES and found.sequence.valid.all()
    assert jaw_of(found) == pytest.approx(JAW, abs=2e-6) and not found.warnings


def test_other_texts_are_not_called_pickles(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_text("Dear Sir,\nno data here, sorry ü.\n" * 40, encoding="utf-8")
    with pytest.raises(ValueError, match="is a text that holds neither JSON nor a table") as caught:
        read(tmp_path / "a.bin")
    assert "pickle" not in str(caught.value)
    (tmp_path / "b.csv").write_bytes(table().replace("jawOpen", "Größe").encode("latin-1"))
    with pytest.raises(ValueError, match="is not UTF-8 text: .*save it as UTF-8"):
        read(tmp_path / "b.csv")


@pytest.mark.parametrize("form", ["csv", "json"])
def test_times_that_cannot_be_read_are_said(tmp_path: Path, form: str) -> None:
    if form == "csv":
        lines = table(times=False).splitlines()
        text = "\n".join(["time," + lines[0], *(f"noon {k},{line}" for k, line in enumerate(lines[1:]))])
    else:
        text = json.dumps([{"time": "noon", **{n: JAW[k] for n in ARKIT_52}} for k in range(FRAMES)])
    (tmp_path / "a.csv").write_text(text)
    said = " ".join(read(tmp_path / "a.csv").warnings)
    assert "times of column time cannot be read" in said and "25 fps is assumed" in said and "states no" not in said


def test_time_codes_with_thousandths_are_a_clock(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(table(clock=True).replace("time,", "Timecode,", 1))
    found = read(tmp_path / "a.csv")
    assert found.sequence.fps == pytest.approx(FPS) and len(found.sequence) == FRAMES


@pytest.mark.parametrize("form", ["frames", "flat", "columns", "vrm"])
def test_null_makes_a_frame_invalid(tmp_path: Path, form: str) -> None:
    names = {"jawOpen": "aa"} | {n: n for n in ("ih", "ou", "ee", "oh", "happy")} if form == "vrm" else {n: n for n in ARKIT_52}
    frames = [{names[n]: (None if k == 24 and n == "jawOpen" else v if n == "jawOpen" else 0.0) for n in names}
              for k, v in enumerate(JAW)]
    content = {"frames": [{"time": k / FPS, "blendShapes": f} for k, f in enumerate(frames)],
               "columns": {"fps": FPS, **{n: [f[n] for f in frames] for n in frames[0]}}}.get(
        form, [{"time": k / FPS, **f} for k, f in enumerate(frames)])
    (tmp_path / "a.json").write_text(json.dumps(content))
    found = read(tmp_path / "a.json")
    assert np.flatnonzero(~found.sequence.valid).tolist() == [24]
    jaw = jaw_of(found)
    assert jaw[24] == pytest.approx(jaw[23]) and jaw[24] > 0 and any("1 of 40 frames" in w for w in found.warnings)


def test_names_that_frames_leave_out_are_said(tmp_path: Path) -> None:
    frames = [{n: v if n == "jawOpen" else 0.0 for n in ARKIT_52 if not (n == "jawOpen" and k in (24, 25))}
              for k, v in enumerate(JAW)]
    (tmp_path / "a.json").write_text(json.dumps({"fps": FPS, "frames": [{"blendshapes": f} for f in frames]}))
    found = read(tmp_path / "a.json")
    assert jaw_of(found)[23:27] == pytest.approx([JAW[23], 0, 0, JAW[26]], abs=1e-6)
    assert any("jawOpen (2)" in n for n in found.notes) and found.sequence.valid.all()


def test_frames_without_a_face_are_called_so(tmp_path: Path) -> None:
    frames = [{"faceBlendshapes": [] if k in (3, 4) else [{"categories": [
        {"categoryName": n, "score": 0.1} for n in ARKIT_52]}]} for k in range(FRAMES)]
    (tmp_path / "a.json").write_text(json.dumps(frames))
    found = read(tmp_path / "a.json", fps=30)
    assert any("2 of 40 frames hold no values, as where no face was found" in w for w in found.warnings)
    assert np.flatnonzero(~found.sequence.valid).tolist() == [3, 4]


@pytest.mark.parametrize(("peak", "percent"), [(1.6, False), (3.0, False), (8.0, True), (70.0, True)])
def test_weights_a_little_above_1_are_no_percent(tmp_path: Path, peak: float, percent: bool) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{n: peak if n == "jawOpen" else 0.0 for n in ARKIT_52}] * 5))
    found = read(tmp_path / "a.json", fps=30)
    assert jaw_of(found) == pytest.approx([peak / 100 if percent else peak] * 5, rel=1e-5)
    assert any(("percent" if percent else f"reach {peak:.3g}; they are kept") in w for w in found.warnings)


def test_names_and_orders_that_are_not_used_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(table())
    assert any("--names is not used" in w for w in read(tmp_path / "a.csv", names=("jawOpen", "jawLeft")).warnings)
    assert any("--order is not used" in w for w in read(tmp_path / "a.csv", order="azure").warnings)
    np.save(tmp_path / "b.npy", np.random.default_rng(0).uniform(0, 1, (9, 52)))
    assert not any("not used" in w for w in read(tmp_path / "b.npy", order="arkit", fps=30).warnings)


@pytest.mark.parametrize("given", [
    {"jawLeft": -0.2}, {"jawRight": -0.2}, {"jawLeft": -0.2, "jawRight": -0.2}, {"jawLeft": 0.5, "jawRight": 0.2},
    {"jawLeft": 0.3, "jawForward": -0.4}, {"jawForward": -0.2, "jawLeft": -0.2, "jawRight": 0.4, "jawOpen": -0.2},
    {"eyeLookUpLeft": 0.5, "eyeLookDownLeft": 0.0}, {"jawForward": 1.5, "jawOpen": 1.6}])
def test_no_other_shape_appears_on_the_way_there_and_back(tmp_path: Path, given: dict[str, float]) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{n: given.get(n, 0.0) for n in ARKIT_52}] * 3))
    got = weights(read(tmp_path / "a.json", fps=30).sequence, HeadModel.default(), limit=False)[1]
    # by hand: opposite shapes of one joint leave their difference on the side that is ahead
    wanted = dict(given)
    for a, b in (("jawLeft", "jawRight"), ("eyeLookUpLeft", "eyeLookDownLeft")):
        net = given.get(a, 0.0) - given.get(b, 0.0)
        wanted |= {a: max(net, 0.0), b: max(-net, 0.0)}
    assert got == pytest.approx([wanted.get(n, 0.0) for n in ARKIT_52], abs=1e-5)
