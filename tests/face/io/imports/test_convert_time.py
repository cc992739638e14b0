"""Time: every row is a frame, the rate comes from what the file says, and --fps wins."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from facelm.face.clip.channels import ARKIT_52
from facelm.face.clip.sequence import FaceSequence
from facelm.face.io.convert import read
from facelm.face.io.convert.timing import of_codes, of_columns, of_seconds
from hypothesis import given, settings
from hypothesis import strategies as st

NTSC = 30000 / 1001


def code(frame: int, base: int, every: int = 1, mark: str = ":", fraction: str = ".000") -> str:
    at = frame * every
    return f"{at // base // 3600:02d}:{at // base // 60 % 60:02d}:{at // base % 60:02d}{mark}{at % base:02d}{fraction}"


def drop_code(frame: int, base: int = 30) -> str:
    """SMPTE 12M drop-frame, counted out number by number."""
    number, left = 0, frame
    while left:
        number += 1
        if number % (60 * base) == 0 and number // (60 * base) % 10:
            number += base // 15
        left -= 1
    return code(number, base, mark=";")


# -- time codes ------------------------------------------------------------------------------
@pytest.mark.parametrize("base", [12, 15, 24, 25, 30, 48, 50, 60, 100, 120])
@pytest.mark.parametrize("start", [0, 1, 7])
def test_rate_is_what_the_codes_turn_over_at(base: int, start: int) -> None:
    got = of_codes([code(k + start, base) for k in range(2 * base + 5)])
    assert got.fps == base and got.at is None and not got.warnings


def test_a_take_counts_every_second_frame_and_one_is_missing() -> None:
    got = of_codes([code(k, 60, 2, fraction=".652") for k in range(90) if k != 40])
    assert got.fps == 30 and got.at is not None and got.at.tolist() == [k for k in range(90) if k != 40]


def test_a_clock_that_drifts_leaves_nothing_out() -> None:
    """Steps of 1.0006 frames, as a device's clock runs against its time code: whole numbers skip one now and then."""
    codes = []
    for k in range(2000):
        at = 100 + k * 1.0006
        codes.append(f"00:00:{int(at) // 60:02d}:{at % 60:06.3f}")
    got = of_codes(codes)
    assert got.fps == 60 and got.at is None and not got.warnings


def test_codes_that_repeat_are_frames_too() -> None:
    """60 rows a second under codes that count 30."""
    got = of_codes([code(k // 2, 30) for k in range(240)])
    assert got.fps == 60 and got.at is None and not got.warnings
    some = [code(k, 30) for k in range(90)]
    some[40] = some[39]
    got = of_codes(some)
    assert got.fps == 30 and any("1 row repeat" in n for n in got.notes)


def test_25_rows_a_second_under_codes_of_30() -> None:
    frames = [(s, round(k * 30 / 25)) for s in range(4) for k in range(25)]
    got = of_codes([f"00:00:{s:02d}:{f:02d}.000" for s, f in frames])
    assert got.fps == 25 and any("each second holds 25 rows" in n for n in got.notes)


@pytest.mark.parametrize("base", [30, 60])
@pytest.mark.parametrize("mark", [";", ":"])
def test_drop_frame_codes_are_29_97_and_leave_nothing_out(base: int, mark: str) -> None:
    rows = [drop_code(k, base).replace(";", mark) for k in range(1750 * base // 30, 1750 * base // 30 + 4 * base)]
    got = of_codes(rows)
    assert got.fps == pytest.approx(base * 1000 / 1001, abs=1e-9) and got.at is None and not got.warnings
    assert any("drop-frame" in n for n in got.notes)


def test_midnight_and_short_takes_and_nonsense() -> None:
    got = of_codes([*(code(86400 * 30 - 5 + k, 30) for k in range(5)), *(code(k, 30) for k in range(5))])
    assert got.fps == 30 and got.at is None
    short = of_codes(["00:00:00:40.0"])
    assert short.fps == 60 and any("assumed" in w for w in short.warnings)
    back = of_codes([code(k, 25) for k in (50, 51, 52, 30, 31, 80, 81, 110)])
    assert any("backwards" in w for w in back.warnings)
    with pytest.raises(ValueError, match="'soon' cannot be read"):
        of_codes(["00:00:00:01", "soon"])


# -- times -----------------------------------------------------------------------------------
@pytest.mark.parametrize("fps", [12.5, 15, 23.976, 24, 25, NTSC, 30, 47.952, 50, 59.94, 60, 90, 120, 17.3])
@pytest.mark.parametrize("digits", [3, 6])
def test_even_times_give_the_rate(fps: float, digits: int) -> None:
    times = np.round(7.5 + np.arange(300) / fps, digits)
    got = of_seconds(times)
    assert got.fps == pytest.approx(fps, rel=2e-4) and got.at is None and not got.warnings


def test_29_97_is_not_30() -> None:
    for digits in (3, 4, 9):
        assert of_seconds(np.round(np.arange(120) / NTSC, digits)).fps == pytest.approx(NTSC, abs=1e-6)
        assert of_seconds(np.round(np.arange(120) / 30, digits)).fps == 30


@pytest.mark.parametrize(("name", "scale"), [("timestampMs", 1e3), ("timestamp_ms", 1e3), ("time", 1.0), ("timeCode", 1.0),
                                             ("timestamp", 1e3), ("timestamp", 1e6), ("timestamp", 1.0), ("t", 1.0)])
def test_units_of_times_by_name_or_step(name: str, scale: float) -> None:
    got = of_columns({"frame": np.arange(90.0), name: 1000 * scale + np.arange(90) * scale / 15})
    assert got.fps == pytest.approx(15)


def test_gaps_and_jitter_in_times() -> None:
    times = np.delete(np.arange(100) / 30, [40, 41, 42])
    got = of_seconds(times)
    assert got.fps == 30 and got.at is not None and got.at[-1] == 99 and any("leave out 3 frames" in w for w in got.warnings)
    rng = np.random.default_rng(0)
    jitter = np.arange(300) / 30 + rng.uniform(-0.004, 0.004, 300)
    got = of_seconds(jitter)
    assert got.fps == pytest.approx(30, rel=0.01) and got.at is None
    assert of_seconds(np.zeros(50)).fps is None and of_seconds(np.full(9, np.nan)).fps is None


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_times_are_rows_or_said(times: list[float]) -> None:
    with np.errstate(all="ignore"):
        got = of_seconds(np.array(times, float))
    assert got.fps is None or 1 <= got.fps <= 1000
    assert got.at is None or len(got.at) == len(times) and (np.diff(got.at) >= 1).all()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 59), st.integers(0, 59), st.integers(0, 119)), min_size=1,
                max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_codes_are_rows_or_said(parts: list[tuple[int, int, int, int]]) -> None:
    got = of_codes([f"{h:02d}:{m:02d}:{s:02d}:{f:02d}.5" for h, m, s, f in parts])
    assert got.fps is not None and got.fps > 0
    assert got.at is None or len(got.at) == len(parts) and (np.diff(got.at) >= 1).all()


# -- whole files -----------------------------------------------------------------------------
def frames(times: list[float | None], name: str = "timestampMs") -> list[dict[str, float]]:
    return [{**({name: t} if t is not None else {}), **{n: 0.01 * k for n in ARKIT_52}} for k, t in enumerate(times)]


def test_asked_wins_and_29_97_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(frames([k * 1000 / 15 for k in range(45)])))
    assert read(path).sequence.fps == pytest.approx(15)
    got = read(path, fps=29.97)
    assert got.sequence.fps == 29.97 and len(got.sequence) == 45 and any("29.97 fps is taken" in n for n in got.notes)
    got.sequence.save(tmp_path / "c.npz")
    assert FaceSequence.load(tmp_path / "c.npz").fps == 29.97
    assert FaceSequence.load(tmp_path / "c.npz").seconds == pytest.approx(45 / 29.97)


def test_stated_and_timed_rates_that_differ_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"fps": 60, "frames": frames([k / 30 for k in range(60)], "time")}))
    got = read(path)
    assert got.sequence.fps == 30 and any("states 60 fps" in w for w in got.warnings)
    path.write_text(json.dumps({"metadata": {"fps": 29.97}, "frames": frames([None] * 10)}))
    assert read(path).sequence.fps == 29.97


def test_null_frames_are_invalid_and_keep_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    rows = [*frames([k / 25 for k in range(10)], "time")]
    path.write_text(json.dumps([*rows[:4], None, *rows[5:]]))
    got = read(path).sequence
    assert len(got) == 10 and np.flatnonzero(~got.valid).tolist() == [4] and got.fps == 25
