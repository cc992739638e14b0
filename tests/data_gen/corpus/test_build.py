"""The corpus build: complete rows, resumable, reproducible, with a list of what was left out."""

from __future__ import annotations

import errno
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("mediapipe")

import build_fakes  # noqa: E402
from build_fakes import build, contents  # noqa: E402
from facelm.data_gen.corpus import build as building  # noqa: E402
from facelm.data_gen.corpus import stages  # noqa: E402
from facelm.data_gen.corpus.plan import plan  # noqa: E402
from facelm.data_gen.corpus.recipe import (  # noqa: E402
    PackStage,
    PromptStage,
    Recipe,
    SplitStage,
    VideoStage,
    differences,
    load_recipe,
)
from facelm.data_gen.corpus.splits import split_of  # noqa: E402
from facelm.data_gen.corpus.synth import MOTION, iter_corpus, load_clip, read_manifest  # noqa: E402
from facelm.data_gen.performer.animator import perform  # noqa: E402
from facelm.data_gen.video.footage import FootageConfig  # noqa: E402
from facelm.face.facs.schedule import Schedule  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
RECIPE = Recipe(clips=9, seed=3, prompts=PromptStage(max_seconds=3.0), video=VideoStage(footage=FootageConfig(size=64, fps=12.5)),
                pack=PackStage(shard_size=4, webdataset=True, plots=False))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(RECIPE, folder / "c", truth_out=folder / "true")
    return folder


def rows(folder: Path) -> list[dict]:
    return [r for s in ("train", "val", "test") for r in iter_corpus(folder, s)]


# -- what comes out -------------------------------------------------------------------------
def test_rows_hold_the_fit_the_words_and_the_truth(built: Path) -> None:
    seen = rows(built / "c")
    assert [r["clip_id"] for r in seen] != [] and len({r["clip_id"] for r in seen}) == len(seen) == 7
    for row in seen:
        clip, script = load_clip(row), Schedule.from_json(row["true_script"])
        assert row["split"] == split_of(script)  # decided by what is true, not by what was seen
        assert clip.fps == 25.0 and len(clip) == row["n_frames"] and not clip.rotation.any()
        assert abs(clip.seconds - script.seconds) <= 0.08
        played = perform(script)
        frames = min(len(played), len(clip))
        # filmed at half the rate, panned and noisy: still the same motion, up to what the filter takes as idle
        assert np.abs(clip.neck_pose[:frames] - played.neck_pose[:frames]).mean() < np.radians(1.5)
        assert row["captions"] and len(row["describe"]) == 2 and len(row["captions"]) == len(row["registers"])
        names = {f["name"] for f in json.loads(row["facts"])}
        assert {f["name"] for f in json.loads(row["true_facts"])} & names or not names
        assert json.loads(row["quality"])["ok"] and json.loads(row["camera"])["focal"] == 300.0
        assert len(row["camera_rotation"]) == 3 * row["n_frames"] and row["licence"] == "Apache-2.0"


def test_failures_are_listed_and_stop_nothing(built: Path) -> None:
    folder = built / "c" / "build" / "failures"
    lost = {p.stem: [json.loads(line) for line in p.read_text().splitlines()] for p in folder.glob("*.jsonl")}
    assert [r["id"] for r in lost["fit"]] == ["3-0000005"] and "no face" in lost["fit"][0]["reason"]
    assert str(built) not in lost["fit"][0]["reason"]  # the list is the same wherever it was made
    assert [r["id"] for r in [*lost["facts"], *lost["filter"]]] == ["3-0000007"]
    manifest = read_manifest(built / "c")
    assert manifest["clips"] == 7 and manifest["asked"] == 9 and sum(manifest["counts"].values()) == 7


def test_the_true_corpus_has_the_same_clips_in_the_same_splits(built: Path) -> None:
    fitted, true = ({r["clip_id"]: r for r in rows(built / k)} for k in ("c", "true"))
    assert {k: r["split"] for k, r in fitted.items()} == {k: r["split"] for k, r in true.items()}
    for key, row in true.items():
        assert row["script"] == fitted[key]["true_script"]
        played = perform(Schedule.from_json(row["script"]))
        assert all(np.abs(getattr(load_clip(row), n) - getattr(played, n)).max() < 1e-3 for n in MOTION)


def test_datasets_and_the_card(built: Path) -> None:
    datasets = pytest.importorskip("datasets")
    files = {"train": [str(p) for p in sorted((built / "c" / "data").glob("train-*.parquet"))]}
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(built / "cache"))["train"]
    assert len(loaded) == sum(r["split"] == "train" for r in rows(built / "c"))
    clip = load_clip(loaded[0])
    assert len(clip) == loaded[0]["n_frames"]
    card = (built / "c" / "README.md").read_text()
    assert card.startswith("---\n") and "data/train-*.parquet" in card and "7 clips" in card
    assert "| fit | 1 |" in card and str(built) not in card


def test_webdataset_reads_the_tars(built: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    tars = sorted((built / "c" / "webdataset").glob("*.tar"))
    samples = [s for t in tars for s in webdataset.WebDataset(str(t), shardshuffle=False, empty_check=False)]
    assert {s["__key__"] for s in samples} == {r["clip_id"] for r in rows(built / "c")}
    by_id = {r["clip_id"]: r for r in rows(built / "c")}
    for sample in samples:
        words = json.loads(sample["json"])
        row = by_id[sample["__key__"]]
        assert words["captions"] == row["captions"]
        target = built / "sample.npz"
        target.write_bytes(sample["npz"])
        with np.load(target) as arrays:
            assert (arrays["camera_rotation"].ravel() == np.asarray(row["camera_rotation"])).all()


# -- again ----------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_second_run_does_nothing_and_processes_make_the_same(built: Path, tmp_path: Path) -> None:
    before = contents(built / "c")
    again = build(RECIPE, built / "c", truth_out=built / "true")
    assert not any(again.stage_runs.values()) and contents(built / "c") == before
    build(RECIPE, tmp_path / "two", truth_out=tmp_path / "true", workers=2)
    assert contents(tmp_path / "two") == before
    assert contents(tmp_path / "true") == contents(built / "true")


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(built: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(RECIPE.to_dict()))
    draw = random.Random(20)
    moments = sorted(draw.sample(range(2, 60), 2)) + [10_000]
    for moment in moments:
        done = subprocess.run([sys.executable, build_fakes.__file__, str(recipe), str(tmp_path / "c"), str(tmp_path / "true"),
                               str(moment)], capture_output=True, text=True, timeout=600)
        assert done.returncode == (0 if moment == 10_000 else -9), done.stderr
    assert contents(tmp_path / "c") == contents(built / "c")
    assert contents(tmp_path / "true") == contents(built / "true")


def test_a_change_is_refused_or_redoes_what_it_concerns(tmp_path: Path) -> None:
    small = replace(RECIPE, clips=3)
    build(small, tmp_path / "c")
    reworded = replace(small, captions=replace(small.captions, questions=2))
    with pytest.raises(ValueError, match=r"begun with another recipe \(captions.questions: 6 -> 2\)"):
        build(reworded, tmp_path / "c")
    report = build(reworded, tmp_path / "c", update=True)
    assert {k: n for k, n in report.stage_runs.items() if n} == {"captions": 3, "filter": 3, "pack": 1}
    assert all(len(r["questions"]) <= 2 for r in rows(tmp_path / "c"))
    refitted = replace(reworded, fit=replace(reworded.fit, config=replace(reworded.fit.config, steps=5)))
    report = build(refitted, tmp_path / "c", update=True)
    # the videos had been removed and are made again; the stand-in fits the same, so nothing after it is redone
    assert report.stage_runs["video"] == report.stage_runs["fit"] == 3 and report.stage_runs["facts"] == 0
    assert not list((tmp_path / "c").rglob("*.mp4"))
    more = build(replace(refitted, clips=4), tmp_path / "c")  # more clips need no --update
    assert more.stage_runs["fit"] == 1 and more.packed == 4
    assert build(replace(refitted, clips=4), tmp_path / "c", limit=2).packed == 2
    (tmp_path / "c" / "data").joinpath("train-00000-of-00001.parquet").write_bytes(b"damaged")
    assert build(replace(refitted, clips=4), tmp_path / "c").packed == 4 == len(rows(tmp_path / "c"))


def test_retry_tries_failed_clips_again(tmp_path: Path) -> None:
    only = replace(RECIPE, clips=6, pack=PackStage(plots=False))
    assert build(only, tmp_path / "c").failures == {"fit": 1}
    assert build(only, tmp_path / "c").stage_runs["fit"] == 0
    assert build(only, tmp_path / "c", retry=True).stage_runs["fit"] == 1


def test_trouble_of_the_machine_stops_the_build_and_is_blamed_on_no_clip(tmp_path: Path) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with patch.object(build_fakes, "film", full), pytest.raises(OSError, match="No space"):
        build(replace(RECIPE, clips=2), tmp_path / "c")
    assert build(replace(RECIPE, clips=2), tmp_path / "c").packed == 2


# -- the parts ------------------------------------------------------------------------------
def test_recipes_parse_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    for path in sorted((ROOT / "configs" / "data").glob("*.yaml")):
        assert load_recipe(path).backend in ("performer", "t2v", "videos")
    bad = tmp_path / "bad.yaml"
    for text, said in (("backend: film", "backend is 'film'"), ("clips: 0", "clips is 0"), ("clip: 3", "unknown entry 'clip'"),
                       ("{clips: 1, prompts: {min_seconds: 5, max_seconds: 5.1}}", "at least half a second"),
                       ("{clips: 1, fit: {config: {steps: 0}}}", "steps is 0"),
                       ("{backend: videos, split: {rule: structure}}", "true scripts"),
                       ("{clips: 1, video: 3}", "video must be a mapping")):
        bad.write_text(text)
        with pytest.raises(ValueError, match=said):
            load_recipe(bad)
    with pytest.raises(FileNotFoundError):
        load_recipe(tmp_path / "none.yaml")
    assert differences({"a": {"b": 1}, "c": (1, 2)}, {"a": {"b": 2}, "c": [1, 2]}) == ["a.b: 1 -> 2"]


def test_folders_and_numbers_are_checked_first(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    for options, said in (({"out": tmp_path / "full"}, "holds no build"), ({"workers": -1}, "workers is -1"),
                          ({"limit": 0}, "limit is 0"), ({"truth_out": tmp_path / "full"}, "not empty")):
        with pytest.raises(ValueError, match=said):
            build(RECIPE, **{"out": tmp_path / "new", **options})
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match="needs a folder"):
        build(Recipe(backend="videos"), tmp_path / "new")
    with pytest.raises(FileNotFoundError, match="holds no video"):
        build(Recipe(backend="videos", video=VideoStage(folder=str(tmp_path / "full"))), tmp_path / "new")


def test_a_video_never_spans_splits(tmp_path: Path) -> None:
    recipe = Recipe(backend="videos", video=VideoStage(folder=str(tmp_path)), split=SplitStage(val=0.3, test=0.3))
    asked = [stages.Record(str(i), "prompts", "", {"group": f"person {i // 3}"}) for i in range(300)]
    found = [stages.split_of_clip(recipe, r) for r in asked]
    assert all(len(set(found[i:i + 3])) == 1 for i in range(0, 300, 3))
    assert {s: found.count(s) // 3 for s in set(found)}.keys() == {"train", "val", "test"}
    assert 20 <= found.count("test") // 3 <= 40


def test_videos_are_named_by_their_content(tmp_path: Path) -> None:
    for name, content in (("a.mp4", b"one"), ("copy of a.mp4", b"one"), ("sub/b.MOV", b"two"), ("notes.txt", b"three")):
        path = tmp_path / "v" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    recipe = Recipe(backend="videos", video=VideoStage(folder=str(tmp_path / "v")))
    items = plan(recipe)
    assert [i.spec["source"] for i in items] == ["a.mp4", "sub/b.MOV"]  # a copy is not a second clip
    (tmp_path / "v" / "a.mp4").rename(tmp_path / "v" / "z.mp4")
    assert {i.id for i in plan(recipe)} == {i.id for i in items}
    report_error = pytest.raises(ValueError, match="no clip is left to pack")
    with patch.object(building, "_check_machine", lambda recipe: None), report_error:
        building.build_corpus(recipe, tmp_path / "c", workers=0, progress=False)
    lost = [json.loads(line) for line in (tmp_path / "c" / "build" / "failures" / "fit.jsonl").read_text().splitlines()]
    assert len(lost) == 2 and all(r["reason"] and str(tmp_path) not in r["reason"] for r in lost)


def test_the_suite_can_be_acted(tmp_path: Path) -> None:
    recipe = replace(RECIPE, clips=3, prompts=PromptStage(source="suite"), pack=PackStage(plots=False))
    build(recipe, tmp_path / "c")
    for row in rows(tmp_path / "c"):
        assert row["prompt"] and json.loads(row["attributes"])["gender"] and row["true_script"]
        assert json.loads(row["agreement"])["against"] == "script"
