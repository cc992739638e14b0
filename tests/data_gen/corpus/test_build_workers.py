"""Work in this process, in several and on Ray gives the same; a dying process costs one job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("mediapipe")

from build_fakes import build, contents  # noqa: E402
from build_jobs import died, job  # noqa: E402
from facelm.data_gen.corpus.build import build_corpus  # noqa: E402
from facelm.data_gen.corpus.recipe import FactsStage, PackStage, PromptStage, Recipe, VideoStage  # noqa: E402
from facelm.data_gen.corpus.synth import iter_corpus, load_clip  # noqa: E402
from facelm.data_gen.corpus.workers import WorkerPool  # noqa: E402
from facelm.data_gen.video.footage import FootageConfig  # noqa: E402

RECIPE = Recipe(clips=3, seed=3, prompts=PromptStage(max_seconds=2.4), video=VideoStage(footage=FootageConfig(size=64, fps=12.5)),
                facts=FactsStage(), pack=PackStage(shard_size=2, plots=False))
TINY = replace(RECIPE, clips=2, seed=11, prompts=PromptStage(max_seconds=1.94), video=VideoStage(
    footage=FootageConfig(size=176, fps=12.5, pitch=4, yaw=6, roll=3, share=(0.6, 0.7))))


def test_a_dying_process_costs_one_job(tmp_path: Path) -> None:
    jobs = ["a", "b", "die", f"die once {tmp_path / 'mark'}", *"cdefgh"]
    with WorkerPool(2) as pool:
        found = list(pool.run(job, jobs, died))
        again = list(pool.run(job, ["x", "y"], died))
    assert sorted(found) == sorted(["dead: die", "DIE 1", *(f"{x.upper()} 1" for x in "abcdefgh")])
    assert sorted(again) == ["X 1", "Y 1"]
    assert list(WorkerPool(0).run(len, ["ab", "c"], died)) == [2, 1]


@pytest.mark.slow
def test_real_clips_from_script_to_shard(tmp_path: Path) -> None:
    """Nothing is stood in for: filmed, detected, fitted, measured, worded, packed."""
    try:
        report = build_corpus(TINY, tmp_path / "c", workers=0, truth_out=tmp_path / "true", progress=False)
    except FileNotFoundError as err:  # no landmark model on this machine
        pytest.skip(str(err))
    assert report.packed == 2 and not report.failures, (tmp_path / "c" / "build" / "failures" / "fit.jsonl").read_text()
    for split, count in report.counts.items():
        seen = list(iter_corpus(tmp_path / "c", split)) if count else []
        assert len(seen) == count
        for row in seen:
            clip = load_clip(row)
            assert clip.fps == 25.0 and len(clip) == row["n_frames"] and row["captions"]
    assert not list(tmp_path.rglob("*.mp4"))
    before = contents(tmp_path / "c")
    again = build_corpus(TINY, tmp_path / "c", workers=0, truth_out=tmp_path / "true", progress=False)
    assert not any(again.stage_runs.values()) and contents(tmp_path / "c") == before


@pytest.mark.slow
def test_ray_makes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "support"))  # where the workers find the fakes
    build(RECIPE, tmp_path / "one")
    build(RECIPE, tmp_path / "ray", ray="local", workers=2)
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")
    with WorkerPool(2, "local") as pool:
        assert sorted(pool.run(job, ["a", "b"], died)) == ["A 1", "B 1"]


def test_no_cluster_is_one_line() -> None:
    pytest.importorskip("ray")
    with pytest.raises(ValueError, match="no Ray cluster answers at '127.0.0.1:1'"):
        WorkerPool(2, "127.0.0.1:1")
