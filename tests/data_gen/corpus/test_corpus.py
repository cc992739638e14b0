"""The corpus: complete, reproducible, resumable, without leakage, readable by `datasets`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from facelm.data_gen.corpus.splits import EVERYDAY, has_reserved_pair, reserved_pairs, split_of, structure  # noqa: E402
from facelm.data_gen.corpus.synth import (  # noqa: E402
    MOTION,
    CorpusConfig,
    iter_corpus,
    load_clip,
    make_row,
    read_manifest,
    script_of,
    synth,
)
from facelm.data_gen.performer.animator import perform  # noqa: E402
from facelm.data_gen.text.parser import actions_in_text  # noqa: E402
from facelm.face.facs.schedule import Schedule  # noqa: E402


def nothing_measured(seq: object) -> SimpleNamespace:
    """Stands in for the measurement where it is not what is tested."""
    return SimpleNamespace(actions=())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "c"
    synth(90, folder, seed=5, shard_size=20, measure=nothing_measured, progress=False)
    return folder


def test_rows_are_complete_and_true(corpus: Path) -> None:
    seen = []
    for split in ("train", "val", "test"):
        for row in iter_corpus(corpus, split):
            seen.append(row["clip_id"])
            script = Schedule.from_json(row["script"])
            assert row["split"] == split == split_of(script)
            assert len(row["captions"]) == len(row["registers"]) == len(set(row["captions"])) >= 2
            assert len(row["describe"]) == 2 and len(row["questions"]) == len(row["answers"]) == len(row["kinds"]) >= 3
            for text in row["captions"] + row["describe"]:
                assert Counter(actions_in_text(text)) == Counter(e.name for e in script.events), text
    assert len(seen) == len(set(seen)) == 90


def test_clip_is_the_performance(corpus: Path) -> None:
    for row in list(iter_corpus(corpus, "train"))[:12]:
        clip, played = load_clip(row), perform(Schedule.from_json(row["script"]))
        assert len(clip) == len(played) == row["n_frames"] and clip.head == played.head and clip.fps == played.fps
        for name in MOTION:
            assert np.abs(getattr(clip, name) - getattr(played, name)).max() < 6e-4
        assert not clip.rotation.any() and not played.rotation.any() and not played.translation.any()


def test_finishing_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    synth(90, folder, seed=5, shard_size=20, measure=nothing_measured, progress=False)
    whole = contents(folder)
    assert whole == contents(corpus)
    shards = sorted((folder / "data").glob("train-*"))
    shards[0].unlink()
    shards[1].write_bytes(shards[1].read_bytes()[:500])  # cut short
    (folder / "data" / ".train-00000-of-00005.parquet.1.part").write_bytes(b"left over")
    report = synth(90, folder, seed=5, shard_size=20, measure=nothing_measured, progress=False)
    assert report.written == 40
    assert contents(folder) == whole
    assert synth(90, folder, seed=5, shard_size=20, measure=nothing_measured, progress=False).written == 0


def test_workers_change_nothing(corpus: Path, tmp_path: Path) -> None:
    synth(90, tmp_path / "w", seed=5, shard_size=20, workers=2, measure=nothing_measured, progress=False)
    assert contents(tmp_path / "w") == contents(corpus)


def test_a_clip_depends_on_seed_and_index_only() -> None:
    a, b = CorpusConfig(10, seed=1), CorpusConfig(1000, seed=1, shard_size=7)
    row, other = make_row(a, 3, nothing_measured), make_row(b, 3, nothing_measured)
    assert all(np.array_equal(row[k], other[k]) for k in row)
    assert make_row(CorpusConfig(10, seed=2), 3, nothing_measured)["script"] != row["script"]


def test_splits_do_not_leak() -> None:
    config = CorpusConfig(1500, seed=0)
    by_split: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    pairs_in_train, counts, reserved = set(), Counter(), 0
    for i in range(config.clips):
        script = script_of(config, i)
        split = split_of(script)
        counts[split] += 1
        by_split[split].add(structure(script))
        reserved += has_reserved_pair(script)
        if split != "test":
            names = [e.name for e in script.events]
            pairs_in_train |= {frozenset((a, b)) for a in names for b in names if a != b}
    assert not by_split["train"] & by_split["test"] and not by_split["train"] & by_split["val"]
    assert not pairs_in_train & reserved_pairs()
    assert reserved > 10
    assert 0.85 < counts["train"] / 1500 < 0.95 and min(counts["val"], counts["test"]) > 0.025 * 1500


def test_split_ignores_style_and_subject_and_everyday_pairs_are_not_reserved() -> None:
    script = script_of(CorpusConfig(10), 0)
    assert split_of(replace(script, subject="man", seed=99)) == split_of(replace(script, subject="woman"))
    assert 8 <= len(reserved_pairs()) <= 40 and not reserved_pairs() & EVERYDAY


def test_read_by_datasets(corpus: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(corpus), cache_dir=str(tmp_path))
    assert set(loaded) == {p.name.split("-")[0] for p in (corpus / "data").iterdir()}
    row, own = loaded["train"][0], next(iter_corpus(corpus, "train"))
    assert row["captions"] == own["captions"]
    assert np.array_equal(load_clip(row).expr, load_clip(own).expr)


def test_card_and_columns(corpus: Path) -> None:
    card = (corpus / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\nlanguage: en\nconfigs:\n- config_name: default\n")
    assert "reserved for test" in card and "| train |" in card
    assert read_manifest(corpus)["clips"] == 90
    row = next(iter_corpus(corpus, "train", columns=("clip_id", "captions")))
    assert set(row) == {"clip_id", "captions"}


def test_the_real_measurement_fills_the_facts() -> None:
    from facelm.face.facs.measure import measure

    found = wanted = 0
    for i in range(6):
        row = make_row(CorpusConfig(10, seed=7), i, measure)
        facts = json.loads(row["facts"])
        names = {f["name"] for f in facts}
        expected = Schedule.from_json(row["script"]).expected_actions()
        found, wanted = found + len(names & set(expected)), wanted + len(expected)
        assert all(0 <= f["onset"] <= f["apex"] <= f["offset"] <= row["seconds"] + 1e-3 for f in facts)
    assert found >= 0.85 * wanted


def test_folders_and_numbers_are_refused(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not touch")
    with pytest.raises(ValueError, match="not empty"):
        synth(5, tmp_path / "mine", progress=False)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    with pytest.raises(ValueError, match="is a file"):
        synth(5, tmp_path / "mine" / "thesis.txt", progress=False)
    with pytest.raises(ValueError, match="another corpus"):
        synth(90, corpus, seed=6, shard_size=20, measure=nothing_measured, progress=False)
    for bad in ({"clips": 0}, {"clips": 5, "seed": -1}, {"clips": 5, "shard_size": 0}, {"clips": 5, "workers": 0}):
        with pytest.raises(ValueError, match="allowed"):
            synth(out_dir=tmp_path / "new", progress=False, **bad)
    assert not (tmp_path / "new").exists()
    with pytest.raises(FileNotFoundError, match="no such corpus"):
        next(iter_corpus(tmp_path / "absent", "train"))
    with pytest.raises(ValueError, match="corpus.json is missing"):
        next(iter_corpus(tmp_path / "mine", "train"))
    with pytest.raises(ValueError, match="split"):
        next(iter_corpus(corpus, "dev"))
    with pytest.raises(ValueError, match="unknown columns"):
        next(iter_corpus(corpus, "train", columns=("tokens",)))
    with pytest.raises(ValueError, match="no row of a facelm corpus"):
        load_clip({"fps": 25})


def test_a_damaged_or_missing_file_is_named(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    synth(30, folder, seed=5, shard_size=20, measure=nothing_measured, progress=False)
    first, *rest = sorted((folder / "data").glob("train-*"))
    first.write_bytes(b"PAR1 no more than this PAR1")
    with pytest.raises(ValueError, match="damaged"):
        list(iter_corpus(folder, "train"))
    first.unlink()
    with pytest.raises(ValueError, match="to finish"):
        list(iter_corpus(folder, "train"))
