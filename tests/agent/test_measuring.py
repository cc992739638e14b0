"""Tables, pictures and annotation files of what is measured."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from facelm.agent import measuring
from facelm.agent.measuring import fact_lines, measure, mood, rates
from facelm.agent.options import ReadingOptions, Result
from facelm.data_gen.fit import fit
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
    assert table.read_text(encoding="utf-8").count(f"{clip},,smile,") == 2
    with pytest.raises(ValueError, match=r"bad\.npz"):
        list(measure([str(bad)]))


def faces_of(monkeypatch: pytest.MonkeyPatch, *faces: tuple[int, list[tuple[int, FaceSequence]]], frames: int = 500) -> None:
    """Let a film show persons, each in shots that begin at some frames."""
    quality, info = SimpleNamespace(ok=True, reasons=()), SimpleNamespace(notes=())
    made = [fit.FittedFace(tuple(SimpleNamespace(seq=seq, start=start, info=info, quality=quality,  # type: ignore[misc]
                                                 detections=SimpleNamespace(faces_seen=len(faces)))
                                 for start, seq in shots), frames, number) for number, shots in faces]
    monkeypatch.setattr(fit, "fit_faces", lambda path, head=None, *, face=None, every=False, progress=None: [
        f for f in made if face in (None, f.number)] if every or face else made[:1])


def test_every_shot_of_a_film_is_measured_on_the_film_s_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(b"a film")
    shots = [(0, film(Event("smile", 1.0, 0.4, 1.0, 0.5, 0.9), seconds=4.0)),
             (200, film(Event("blink", 2.0, 0.1, 0.0, 0.2), Event("smile", 5.0, 0.4, 1.0, 0.5, 0.9), seconds=8.0, sneer=0.2))]
    faces_of(monkeypatch, (1, shots))
    found, _ = measure([str(path)], frames=str(tmp_path / "f.csv"))
    assert [(a["name"], round(a["onset"])) for a in found.facts["actions"]] == [("smile", 1), ("blink", 10), ("smile", 13)]
    assert found.facts["seconds"] == 20.0 and found.facts["found"] == pytest.approx(0.6)
    rows = list(csv.DictReader((tmp_path / "f.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 500 and [k for k in range(1, 500) if rows[k]["valid"] != rows[k - 1]["valid"]] == [100, 200, 400]
    assert rows[150]["smile"] == "" and max(float(r["smile"]) for r in rows[330:360]) > 0.8
    # a rest in one shot is that of the other one too
    calm = next(iter(measure([str(path)], rest="0-0.6"))).facts
    assert "brow_raise" not in {a["name"] for a in calm["actions"] if a["onset"] < 4.0} and calm["seconds"] == 20.0
    with pytest.raises(ValueError, match="no face was found"):
        list(measure([str(path)], rest="5-6"))


def test_two_faces_are_two_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "two.mp4"
    path.write_bytes(b"a film")
    faces_of(monkeypatch, (1, [(0, film(EVENTS[0], seconds=8.0))]), (2, [(0, film(EVENTS[2], seconds=10.0))]), frames=250)
    one, two, files = measure([str(path)], csv=str(tmp_path / "e.csv"), elan=str(tmp_path / "e.eaf"))
    assert (one.facts["face"], two.facts["face"]) == (1, 2) and one.text.startswith(f"{path} face 1: ")
    assert [[a["name"] for a in r.facts["actions"]] for r in (one, two)] == [["smile"], ["blink"]]
    assert [Path(f).name for f in files.facts["files"]] == ["e.csv", "e-face1.eaf", "e-face2.eaf"]
    rows = csv.DictReader((tmp_path / "e.csv").read_text(encoding="utf-8").splitlines())
    assert {("1", "smile"), ("2", "blink")} <= {(r["face"], r["name"]) for r in rows}
    alone, = measure([str(path)], reading=ReadingOptions(face=2))
    assert [a["name"] for a in alone.facts["actions"]] == ["blink"] and "face" not in alone.facts


def test_one_picture_is_of_one_file(clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "load_faces", lambda *_: pytest.fail("nothing should be read"))
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
