"""The benchmark runner and the arithmetic of the fit benchmarks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facelm.benchmarks.__main__ import COMMANDS, app
from facelm.benchmarks.fits.real import closures, pair_spans
from facelm.benchmarks.fits.scores import geometry, grouped, match_actions, rigid_onto
from facelm.benchmarks.report import Counts, markdown, plain
from facelm.data_gen.performer.sampler import sample_script
from facelm.data_gen.video.footage import FootageConfig, prepare
from facelm.face.clip.rotation import rotation_matrices
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import measure
from facelm.face.head.model import HeadModel


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    app.meta([name, "--help"], result_action="return_value")
    text = capsys.readouterr().out
    assert f"facelm.benchmarks {name}" in text and COMMANDS[name][1].split()[0] in text


def test_tables_are_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "speed.json"
    app.meta(["animator-speed", "--clips", "1", "--json", "--out", str(out)], result_action="return_value")
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(out.read_text())
    assert [row["what"] for row in printed["procedural animator"]] == ["sample_script", "perform", "add_idle", "filter_idle"]


def test_markdown() -> None:
    text = markdown({"a": [{"x": 1.23456, "y": None, "deep": {"k": 1}}, {"x": 12345.6, "y": True}], "empty": []})
    assert text.splitlines() == ["### a", "", "| x | y |", "|---|---|", "| 1.235 | - |", "| 12,346 | yes |"]
    assert plain({"a": (float("nan"), 2)}) == {"a": [None, 2]}


def test_counts() -> None:
    total = Counts(2, 1, 0) + Counts(0, 0, 1)
    assert (total.precision, total.recall, total.f1) == (2 / 3, 2 / 3, 2 / 3)
    assert Counts().f1 == Counts().precision == 1.0


# -- fits -------------------------------------------------------------------------------
def test_scores_of_a_perfect_and_of_a_spoiled_fit(head: HeadModel) -> None:
    script = sample_script(np.random.default_rng(6), required=("smile", "brow_raise"))
    take = prepare(script, FootageConfig(), 2)
    truth, camera, every = take.truth, take.placement.camera, np.ones(len(take.truth), bool)
    same = geometry(truth, camera, truth, camera, head, every)
    assert max(same.rotation, same.lips, same.lids, same.identity, same.lips_motion, abs(same.focal), abs(same.depth)) < 2e-2
    turn = np.tile(np.float32([0, np.radians(5), 0]), (len(truth), 1))
    off = geometry(truth, camera, FaceSequence.rest(len(truth), truth.head, n_shape=head.n_shape).replace(
        rotation=truth.rotation + turn, translation=truth.translation), camera, head, every)
    assert off.rotation > 3 and off.lips_motion > 0.5 and off.identity > 0.5
    measured = measure(truth, head)
    perfect = match_actions(measured, measured)
    assert {k: c.f1 for k, c in grouped(perfect.counts).items()} == dict.fromkeys(("expression", "blink", "gaze", "head"), 1.0)
    empty = match_actions(measured, replace(measured, actions=()))
    assert grouped(empty.counts)["expression"].recall == 0.0 and len(empty.wrong) == len(measured.actions)
    late = replace(measured, actions=tuple(replace(a, onset=a.onset + 9, offset=a.offset + 9) for a in measured.actions))
    assert grouped(match_actions(measured, late).counts)["expression"].f1 == 0.0


def test_rigid_alignment_undoes_a_rigid_motion(head: HeadModel) -> None:
    fixed = np.asarray(head.v_template[None], np.float64)
    rot = rotation_matrices(np.float32([[0.2, -0.4, 0.1]])).astype(np.float64)
    moved = fixed @ rot.transpose(0, 2, 1) + [0.1, 0.0, -0.8]
    assert np.abs(rigid_onto(moved, fixed, np.arange(300)) - fixed).max() < 1e-6
    assert np.abs(rigid_onto(1.03 * moved, fixed, np.arange(300)) - fixed).max() > 1e-3, "size is not aligned away"


def test_closures_of_the_landmarks_are_paired_by_time() -> None:
    lids = np.full(100, 0.1)
    lids[20:25], lids[60:66], lids[80:84] = 0.01, 0.03, 0.06  # the last does not close
    use = np.ones(100, bool)
    spans = closures(lids, use, 25.0)
    assert [(round(a * 25), round(b * 25)) for a, b in spans] == [(20, 25), (60, 66)]
    assert pair_spans(spans, [(0.9, 1.1), (3.2, 3.4)]) == 1 and pair_spans(spans, spans) == 2 and pair_spans(spans, []) == 0
    assert closures(lids, np.zeros(100, bool), 25.0) == []
