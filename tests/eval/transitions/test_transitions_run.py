"""`facelm eval transitions` end to end on a tiny expression set, with the procedural animator as language model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from facelm.common.store import Store
from facelm.eval.baselines.i2fet.kept_text import KeptText
from facelm.eval.datasets.tuples import make_tuples
from facelm.eval.transitions.bench import VARIANTS, classifier_frames
from facelm.eval.transitions.options import RECIPES, TransitionOptions, tables_of
from facelm.eval.transitions.run import run
from facelm.eval.transitions.shapes import ShapeRenderer
from transitions_tiny import PerformerLM, WordText, tiny_set


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:  # noqa: ANN001
    path = tmp_path_factory.mktemp("set") / "tiny.npz"
    tiny_set().save(path)
    return path


def options(saved: Path, work: Path, **more) -> TransitionOptions:  # noqa: ANN003
    settings = {"data": "surrogate-ckplus", "work": work, "expressions": saved, "recipe": RECIPES / "tiny.yaml", **more}
    return TransitionOptions(**settings)


def test_everything_once(saved: Path, tmp_path: Path) -> None:
    steps: set[str] = set()
    lm = PerformerLM()
    report = run(options(saved, tmp_path), lm, lambda done, of, stage="": steps.add(stage), encoder=WordText())
    assert [t.name for t in report.tables] == list(tables_of("surrogate-ckplus"))
    main = report.results.main
    assert set(main) == {"ground truth", "lm", "lm, paraphrased"} | {f"{m}{p}" for m in ("I2FET", "MotionCLIP")
                                                                     for p in ("", ", paraphrased")}
    assert main["I2FET"].items == 6 and len(main["I2FET"].scores) == 2 and len(main["MotionCLIP"].scores) == 1
    assert main["lm"].items == 3 and len(main["lm"].scores) == 1, "a model that does not sample is evaluated once"
    assert np.sum(main["I2FET"].confusion) == 6 * 2 * 2
    assert set(report.results.variants) == set(VARIANTS)
    assert set(report.results.rendered) == {"I2FET", "MotionCLIP", "language model"}
    assert report.results.neutral["coefficients at 0"].l1 == 0.0, "the tiny set's neutral faces are at rest"
    made = report.results.quality["language model"]
    assert made["identity"] == 1.0 and made["drift"] < 0.5 and made["monotonic"] > 0.9 and made["facs"] > 0.6
    curves = report.results.dynamics
    assert curves["minjerk"].correlation > curves["linear"].correlation
    assert any(s.startswith("training I2FET") for s in steps) and any("classifier" in s or "ResNet" in s for s in steps)
    files = {p.name for p in report.save(tmp_path / "report")}
    assert {"report.json", "tables.md", "tables.txt", "faces.png"} <= files
    stored = json.loads((tmp_path / "report/report.json").read_text())
    assert stored["results"]["encoder"] == WordText.name and str(tmp_path) not in json.dumps(stored)
    text = (tmp_path / "report/tables.md").read_text()
    assert "tiny, made in a test" in text and "91.44" in text and report.table() in (tmp_path / "report/tables.txt").read_text()


@pytest.mark.slow
def test_without_a_language_model_its_row_says_why(saved: Path, tmp_path: Path) -> None:
    report = run(options(saved, tmp_path, tables=("II",)), None, encoder=WordText())
    table, = report.tables
    row = next(r for r in table.rows if r[0] == "language model")
    assert set(row[1:]) == {"-"} and any("no language model was given" in n for n in table.notes)
    assert not report.results.variants and not report.results.rendered


@pytest.mark.slow
def test_an_interrupted_run_is_gone_on_with(saved: Path, tmp_path: Path, monkeypatch) -> None:  # noqa: ANN001
    want = options(saved, tmp_path / "a", tables=("V",))

    class Killed(Exception):
        pass

    def kill(done: int, of: int, stage: str = "") -> None:
        if "I2FET (e_p)" in stage and "epochs" in stage:
            raise Killed

    with pytest.raises(Killed):
        run(want, None, kill, encoder=WordText())
    seen: list[str] = []
    resumed = run(want, None, lambda done, of, stage="": seen.append(stage), encoder=WordText())
    assert not [w for w in seen if "no_ifed" in w or "ResNet" in w], "what was finished is not made again"
    whole = run(options(saved, tmp_path / "b", tables=("V",)), None, encoder=WordText())
    assert {k: e.scores for k, e in resumed.results.variants.items()} == {k: e.scores for k, e in whole.results.variants.items()}
    # a third run only reads
    monkeypatch.setattr(ShapeRenderer, "draw", lambda *a, **k: pytest.fail("drew again"))
    third = run(want, None, encoder=WordText())
    assert third.tables == resumed.tables


@pytest.mark.slow
def test_refused_instructions_count_as_wrong(saved: Path, tmp_path: Path) -> None:
    from facelm.eval.datasets.expressions import ExpressionSet

    data = ExpressionSet.load(saved)
    tuples = make_tuples(data, 60, 0)
    texts = [tuples.instructions[i] for i in tuples.rows("test")[:3]]
    report = run(options(saved, tmp_path, tables=("II",)), PerformerLM(refuse=texts[0]), encoder=WordText())
    entry = report.results.main["lm"]
    assert entry.failed == 1 and entry.scores[0].acc2 <= 2 / 3
    assert any("1 instructions were refused" in n for n in report.tables[0].notes)


def test_classifier_never_sees_its_test_records() -> None:
    data = tiny_set(subjects=12, frames=3)
    for split in ("random", "subject"):
        frames = classifier_frames(data, make_tuples(data, 400, 0, split), 0)
        parts = [set(data.record[rows]) for rows in (frames.train, frames.val, frames.test)]
        assert all(parts) and not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    subjects = [set(data.subject[rows]) for rows in (frames.train, frames.test)]
    assert not subjects[0] & subjects[1]


def test_kept_text_is_encoded_once(tmp_path: Path) -> None:
    class Counting(WordText):
        asked: list[str] = []

        def encode(self, sentences):  # noqa: ANN001, ANN202
            self.asked += list(sentences)
            return super().encode(sentences)

    first = KeptText(Counting, Store(tmp_path), "k")
    a, mask = first.encode(["one two", "three", "one two"])
    second = KeptText(Counting, Store(tmp_path), "k")
    b, _ = second.encode(["three", "four five"])
    assert Counting.asked == ["one two", "three", "four five"]
    assert a.shape == (3, 16, 12) and mask.sum(1).tolist() == [2, 1, 2] and np.array_equal(a[1], b[0])
    assert second.name == WordText.name


def test_other_data_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds surrogate-ckplus, not surrogate-celebvhq"):
        run(options(saved, tmp_path, data="surrogate-celebvhq"), None, encoder=WordText())
    with pytest.raises(FileNotFoundError, match="no such"):
        run(options(tmp_path / "none.npz", tmp_path), None, encoder=WordText())
