"""Tables, pictures and annotation files of what is measured."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from facelm.agent import measuring
from facelm.agent.measuring import fact_lines, measure, mood, rates
from facelm.agent.options import Result
from facelm.data_gen.performer.animator import perform
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import measure as measure_clip
from facelm.face.facs.schedule import Event, Schedule
from PIL import Image


def film(*events: Event, seconds: float = 12.0, sneer: float = 0.0) -> FaceSequence:
    clip = perform(Schedule(seconds, events))
    expr = clip.expr + np.float32(sneer)
    return clip.replace(expr=np.clip(expr, 0.0, 1.0), translation=np.tile([0.0, 0.0, -0.7], (len(clip), 1)))


EVENTS = (Event("smile", 2.0, 0.4, 1.0, 0.5, 0.9), Event("brow_raise", 6.0, 0.3, 0.5, 0.3, 0.36),
          Event("blink", 9.0, 0.1, 0.0, 0.2))


@pytest.fixture
def clip(tmp_path: Path) -> str:
    return str(film(*EVENTS).save(tmp_path / "me.npz"))


def test_events_frames_tiers_and_a_picture_are_written(clip: str, tmp_path: Path) -> None:
    out = {n: str(tmp_path / f) for n, f in (("csv", "e.csv"), ("frames", "f.csv"), ("elan", "e.eaf"), ("picture", "p.png"))}
    found, written = list(measure([clip], **out))  # type: ignore[arg-type]
    assert written.facts["files"] == list(out.values())
    names = [a["name"] for a in found.facts["actions"]]
    assert names == ["smile", "blink"] and [a["name"] for a in found.facts["unsure"]] == ["brow_raise"]
    assert "sure to" in found.text and "perhaps: brow_raise" in found.text
    assert "a minute: smile 5 (16 % of the time), blink 5" in found.text

    rows = list(csv.DictReader(Path(out["csv"]).read_text(encoding="utf-8").splitlines()))
    sure = {r["name"]: r["sure"] for r in rows}
    assert sure["smile"] == "yes" and sure["brow_raise"] == "no" and {r["file"] for r in rows} == {clip}
    assert all(float(r["start"]) <= float(r["apex"]) <= float(r["end"]) for r in rows)

    frames = list(csv.DictReader(Path(out["frames"]).read_text(encoding="utf-8").splitlines()))
    assert len(frames) == 300 and float(frames[-1]["time"]) == pytest.approx(299 / 25)
    assert max(float(f["smile"]) for f in frames[50:90]) > 0.8 > 0.2 > abs(float(frames[0]["smile"]))

    root = ElementTree.parse(out["elan"]).getroot()
    assert {t.get("TIER_ID") for t in root.iter("TIER")} >= {"smile", "brow_raise", "blink"}
    times = [int(s.get("TIME_VALUE", "")) for s in root.iter("TIME_SLOT")]
    assert times == sorted(times) and len(times) == 2 * len(list(root.iter("ALIGNABLE_ANNOTATION")))
    assert Image.open(out["picture"]).width > 200


def test_a_table_has_a_line_a_file(clip: str, tmp_path: Path) -> None:
    other = str(film(Event("nod", 2.0, 0.3, 1.4, 0.3, 1.0, cycles=4)).save(tmp_path / "you.npz"))
    lines = [r.text for r in measure([clip, other], table=True)]
    assert len(lines) == 2 and lines[0].startswith(f"{clip}: 12.0 s, face 100 %, ") and "smile 5" in lines[0]
    assert "nod 5" in lines[1]


def test_a_rest_is_seconds_of_the_clip_or_another_one(tmp_path: Path) -> None:
    held = film(seconds=4.0, sneer=0.34)
    path, calm = str(held.save(tmp_path / "held.npz")), str(film(seconds=2.0).save(tmp_path / "calm.npz"))

    def first(**options: str) -> Result:
        return next(iter(measure([path], **options)))  # type: ignore[arg-type]

    assert not first().facts["actions"] and "give a rest" in first().text
    assert "brow_raise" in {a["name"] for a in first(rest=calm).facts["unsure"]}
    assert not first(rest="0-0.6").facts["actions"] and first(rest=calm).facts["seconds"] == pytest.approx(4.0)
    for wrong in ("2-1", "x-y", "none.npz", "8-9", "2-60"):
        with pytest.raises((ValueError, FileNotFoundError), match="--rest is"):
            first(rest=wrong)


def test_nothing_is_written_over_what_it_is_made_from_or_twice(clip: str, tmp_path: Path) -> None:
    picture, before = tmp_path / "me.png", Path(clip).read_bytes()
    picture.write_bytes(b"a photo")
    with pytest.raises(ValueError, match="choose another name with --picture"):
        list(measure([str(picture)], picture=str(picture)))
    with pytest.raises(ValueError, match="two outputs have one name"):
        list(measure([clip], csv=str(tmp_path / "a.csv"), frames=str(tmp_path / "a.csv")))
    assert picture.read_bytes() == b"a photo" and Path(clip).read_bytes() == before and not (tmp_path / "a.csv").exists()


def test_of_several_files_a_bad_one_is_named_and_the_others_are_measured(clip: str, tmp_path: Path) -> None:
    bad, table = tmp_path / "bad.npz", tmp_path / "all.csv"
    bad.write_bytes(b"no clip")
    results = list(measure([clip, str(bad), clip], csv=str(table)))
    assert [bool(r.error) for r in results] == [False, True, False, False] and str(bad) in results[1].error
    assert table.read_text(encoding="utf-8").count(f"{clip},smile,") == 2
    with pytest.raises(ValueError, match=r"bad\.npz"):
        list(measure([str(bad)]))


def test_one_picture_is_of_one_file(clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "read", lambda *_: pytest.fail("nothing should be read"))
    with pytest.raises(ValueError, match="--elan is of one file"):
        list(measure([clip, clip], elan=str(tmp_path / "e.eaf")))
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError, match="no such"):
        list(measure([str(tmp_path / "none.mp4")]))


def test_lines_and_rates_are_of_what_is_sure() -> None:
    m = measure_clip(film(*EVENTS))
    assert {n: r["a_minute"] for n, r in rates(m).items()} == {"smile": 5.0, "blink": 5.0} and len(fact_lines(m)) == 2
    assert 0.1 < rates(m)["smile"]["share"] < 0.2 and mood(m).startswith("neutral 8")
    assert fact_lines(measure_clip(film())) == ["  nothing: the face stays at rest"]
    assert json.dumps(m.to_dict("x"))
