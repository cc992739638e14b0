"""The loader of CK+: labels, layout, faults, caching of fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from datasets_fixtures import FakeSource, ck_sequence, ramp
from facelm.eval.datasets import ckplus, sources
from facelm.eval.datasets.expressions import ExpressionSet
from facelm.eval.datasets.load import load_dataset
from facelm.eval.datasets.sources import FileSource, FitSource, Record, Unusable
from facelm.face.clip.sequence import FaceSequence, HeadRef
from facelm.face.head.model import HeadModel

HAPPY, ANGRY = "   5.0000000e+00\n", "   1.0000000e+00\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    out = tmp_path / "ck"
    ck_sequence(out, "S005/001", 6, ANGRY)
    ck_sequence(out, "S005/002", 12, HAPPY)
    ck_sequence(out, "S010/001", 5, HAPPY)
    return out


def reasons(data: ExpressionSet) -> dict[str, str]:
    return {s.what: s.reason for s in data.skipped}


def test_last_frames_are_rows_and_the_first_is_neutral(root: Path) -> None:
    data = ckplus.load(root, FakeSource(), frames=3)
    of = [i for i, r in enumerate(data.record) if r == "S005/002"]
    smile = data.expr[of].max(1)
    assert np.allclose(smile, [9 / 11, 10 / 11, 1.0], atol=1e-6)
    assert [str(x) for x in data.image[of]] == [f"cohn-kanade-images/S005/002/S005_002_{k:08d}.png" for k in (10, 11, 12)]
    assert (data.neutral_expr[data.neutral[of]] == 0).all()
    assert data.counts["happiness"] == 5 and data.counts["anger"] == 3 and data.labels[0] == "happiness"
    assert reasons(data) == {"S010": "a single expression: no pair can be made"}
    assert "single expression" in data.summary() and "CK+ (fitted by facelm)" in data.title


@pytest.mark.parametrize("code", range(1, 8))
def test_every_code_has_its_emotion(tmp_path: Path, code: int) -> None:
    ck_sequence(tmp_path, "S001/001", 3, f"   {code}.0000000e+00")
    names = ["", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"]
    assert ckplus.read_label(tmp_path / "Emotion" / "S001" / "001") == names[code]


@pytest.mark.parametrize(("text", "reason"), [
    (None, "no emotion label"), ("happy", "not a number"), ("", "not a number"), ("nan", "not known"), ("9.0", "not known"),
    ("2.5", "not known"), ("0.0", "neutral, which is not one of the seven"), ("\x00\xff", "not a number")])
def test_labels_that_cannot_be_read_are_reported(root: Path, text: str | None, reason: str) -> None:
    ck_sequence(root, "S011/001", 4, text)
    data = ckplus.load(root, FakeSource())
    assert reason in reasons(data)["S011/001"]
    assert "S011/001" not in data.record


def test_sequences_without_pictures_labels_or_with_stray_files(root: Path) -> None:
    ck_sequence(root, "S012/001", 0, HAPPY)
    (root / "cohn-kanade-images" / "S013" / "001").mkdir(parents=True)
    (root / "cohn-kanade-images" / ".DS_Store").write_bytes(b"x")
    (root / "cohn-kanade-images" / "S005" / "001" / ".DS_Store").write_bytes(b"x")
    (root / "cohn-kanade-images" / "S005" / "001" / "Thumbs.db").write_bytes(b"x")
    data = ckplus.load(root, FakeSource())
    assert reasons(data)["S012/001"] == "no pictures" and reasons(data)["S013/001"] == "no emotion label"
    assert len(ckplus.find_sequences(root)[0][0].media) == 6


def test_the_usual_nesting_is_found(tmp_path: Path) -> None:
    for name, label in (("S005/001", ANGRY), ("S005/002", HAPPY)):
        images = "extended-cohn-kanade-images/cohn-kanade-images"
        ck_sequence(tmp_path, name, 4, label, images=images, labels="Emotion_labels/Emotion")
    assert len(ckplus.load(tmp_path, FakeSource(), frames=1)) == 2


def test_a_wrong_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    with pytest.raises(FileNotFoundError, match=r"looked for Emotion/SXXX/NNN.*found holiday"):
        ckplus.load(tmp_path, FakeSource())
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_dataset("ckplus", tmp_path / "none", tmp_path / "work")
    with pytest.raises(FileNotFoundError, match="surrogate-ckplus"):
        load_dataset("ckplus", None, tmp_path / "work")
    with pytest.raises(ValueError, match=r"'ck' is not known; allowed: ckplus"):
        load_dataset("ck", None, tmp_path / "work")
    with pytest.raises(ValueError, match="only surrogates have"):
        load_dataset("ckplus", tmp_path, tmp_path / "work", params="true")


def test_fewer_subjects_are_the_same_ones_each_time(root: Path) -> None:
    source = FakeSource()
    data = ckplus.load(root, source, subjects=1)
    assert len(data.subjects) == 1 and len({s.split("/")[0] for s in source.seen}) == 1
    assert ckplus.load(root, FakeSource(), subjects=1).subjects == data.subjects
    with pytest.raises(ValueError, match="subjects is 0"):
        load_dataset("ckplus", root, root, subjects=0)


def test_nothing_usable_is_an_error_that_says_why(tmp_path: Path) -> None:
    ck_sequence(tmp_path, "S001/001", 3, None)
    with pytest.raises(ValueError, match="1 x no emotion label"):
        ckplus.load(tmp_path, FakeSource())


def test_an_untrusted_apex_is_skipped_and_an_untrusted_start_leaves_no_neutral_face(root: Path) -> None:
    bad = ramp(6)
    blind = ramp(12)
    apex, start = bad.valid.copy(), blind.valid.copy()
    apex[3:], start[0] = False, False
    data = ckplus.load(root, FakeSource({"S005/001": bad.replace(valid=apex), "S005/002": blind.replace(valid=start)}))
    assert reasons(data)["S005/001"] == "no trusted fit at the apex"
    assert set(data.neutral[data.record == "S005/002"]) == {-1}


# -- the fitter's cache ------------------------------------------------------------------
@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A fitter that writes down what it is asked for; S005/002 fails."""
    asked: list[str] = []
    model = tmp_path / "model.task"
    model.write_bytes(b"model")

    def fit(self: FitSource, record: Record) -> FaceSequence:
        asked.append(record.name)
        if record.name == "S005/002":
            raise ValueError(f"{record.media[0].parent}: no face found")
        return ramp(len(record.media))

    monkeypatch.setattr("facelm.data_gen.fit.landmarker.landmarker_model", lambda path=None: model)
    monkeypatch.setattr(FitSource, "_fit", fit)
    return asked


def test_each_sequence_is_fitted_once_and_a_failure_is_remembered(root: Path, tmp_path: Path, fits: list[str]) -> None:
    ck_sequence(root, "S005/003", 4, HAPPY)
    first = load_dataset("ckplus", root, tmp_path / "work")
    assert fits == ["S005/001", "S005/002", "S005/003", "S010/001"]
    assert reasons(first)["S005/002"] == "no face found"
    again = load_dataset("ckplus", root, tmp_path / "work")
    assert len(fits) == 4 and (again.expr == first.expr).all() and again.skipped == first.skipped
    picture = next((root / "cohn-kanade-images" / "S010" / "001").glob("*.png"))
    picture.write_bytes(picture.read_bytes() + b" ")
    load_dataset("ckplus", root, tmp_path / "work")
    assert fits[4:] == ["S010/001"]


def test_going_on_after_a_kill_fits_only_what_is_missing(root: Path, tmp_path: Path, fits: list[str],
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    whole = FaceSequence.save

    def dies(self: FaceSequence, path: Path) -> Path:
        if len(fits) == 3:
            raise KeyboardInterrupt
        return whole(self, path)

    with monkeypatch.context() as patched:
        patched.setattr(FaceSequence, "save", dies)
        with pytest.raises(KeyboardInterrupt):
            load_dataset("ckplus", root, tmp_path / "work")
    assert not list((tmp_path / "work").rglob("*.part*"))
    data = load_dataset("ckplus", root, tmp_path / "work")
    assert fits == ["S005/001", "S005/002", "S010/001", "S010/001"] and len(data) == 5


# -- parameters that the user has --------------------------------------------------------
def test_parameter_files_of_several_names_and_faults(root: Path, tmp_path: Path) -> None:
    given = tmp_path / "deca"
    (given / "S005").mkdir(parents=True)
    ramp(6).save(given / "S005_001.npz")
    ramp(12).save(given / "S005" / "002.npz")
    ck_sequence(root, "S010/002", 4, ANGRY)
    ck_sequence(root, "S010/003", 4, ANGRY)
    ramp(9).save(given / "S010_002.npz")
    (given / "S010_003.npz").write_bytes(b"PK broken")
    data = load_dataset("ckplus", root, tmp_path / "work", params=given)
    assert data.counts["anger"] == 3 and data.counts["happiness"] == 3 and data.title == "CK+ (parameters from deca)"
    told = reasons(data)
    assert told["S010/001"] == "no parameter file" and told["S010/002"] == "9 frames of parameters for 4 pictures"
    assert told["S010/003"].startswith("parameters cannot be read") and str(given) not in told["S010/003"]


def test_blend_shapes_as_csv_and_one_frame_files(root: Path, tmp_path: Path) -> None:
    from facelm.face.clip.channels import ARKIT_52

    given = tmp_path / "mine"
    given.mkdir()
    for name, frames in (("S005_001", 6), ("S005_002", 1)):
        lines = [",".join(ARKIT_52)] + [",".join(["0.5"] * len(ARKIT_52))] * frames
        (given / f"{name}.csv").write_text("\n".join(lines) + "\n")
    data = load_dataset("ckplus", root, tmp_path / "work", params=given)
    assert data.counts == {**dict.fromkeys(data.labels, 0), "anger": 3, "happiness": 1}
    single = data.record == "S005/002"
    assert data.neutral[single].tolist() == [-1] and data.image[single][0].endswith("_00000012.png")


def test_parameters_of_two_heads_and_a_missing_folder_are_refused(root: Path, tmp_path: Path) -> None:
    given = tmp_path / "p"
    given.mkdir()
    ramp(6).save(given / "S005_001.npz")
    ramp(12).replace(head=HeadRef("other", "1", "0" * 64)).save(given / "S005_002.npz")
    with pytest.raises(ValueError, match="one data set has one head"):
        load_dataset("ckplus", root, tmp_path / "work", params=given)
    with pytest.raises(FileNotFoundError, match="is not a folder; give 'fit'"):
        load_dataset("ckplus", root, tmp_path / "work", params=tmp_path / "nowhere")
    source = FileSource(given, HeadModel.default(), "p")
    with pytest.raises(Unusable, match="no parameter file"):
        source.path(Record("S999/001"))


# -- the real fitter ---------------------------------------------------------------------
def test_pictures_without_a_face_and_cut_short_do_not_stop_the_rest(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    cut = next((root / "cohn-kanade-images" / "S010" / "001").glob("*.png"))
    cut.write_bytes(cut.read_bytes()[:60])
    with pytest.raises(ValueError, match="no labelled expression") as caught:
        load_dataset("ckplus", root, tmp_path / "work")
    assert "no face" in str(caught.value)
    told = {p.read_text() for p in (tmp_path / "work" / "fits").rglob("*.json")}
    assert len(told) == 3 and all('"reason":"' in t and str(root) not in t for t in told)
    assert isinstance(sources.source_of("fit", root, tmp_path / "work", HeadModel.default()), FitSource)
