"""The animator moves as recorded faces do."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from facelm.benchmarks.kinematics import RECORDED, kinematics
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.data_gen.performer.sampler import sample_event
from facelm.face.facs.script_text import read_script


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    folder: Path = tmp_path_factory.mktemp("made")
    perform(lay_out(read_script("smile; blink x2; nod x3"))).save(folder / "a.npz")
    [rows] = kinematics(12, 3, folder).values()
    return {row["quantity"]: {k: v for k, v in row.items() if k != "quantity"} | {"made": row[folder.name]} for row in rows}


def first(cell: str) -> float:
    found = re.match(r"-?\d+(\.\d+)?", cell)
    assert found, cell
    return float(found[0])


def test_the_animator_is_within_what_was_recorded(table: dict[str, dict[str, str]]) -> None:
    assert table.keys() == RECORDED.keys()
    mine = {key: row["animator, 60 fps"] for key, row in table.items()}
    assert 0.05 <= first(mine["blink: closing, s"]) <= 0.1
    assert 1.4 <= first(mine["blink: opening / closing"]) <= 2.2
    assert 0.3 <= first(mine["smile: onset, s"]) <= 0.9
    assert first(mine["smile: peak velocity and amplitude, r"]) > 0.6
    assert first(mine["inner brow raise: peak velocity and amplitude, r"]) > 0.6
    assert first(mine["SD above 5 Hz at rest or held"]) < 0.003
    assert mine["clips that end in mid-movement"].startswith("0 %")
    nods = [float(x) for x in mine["nod: each amplitude / the first"].split(" (")[0].split()]
    assert len(nods) == 4 and np.all(np.diff(nods) < 0) and nods[-1] - nods[-2] < nods[-2] - nods[-3]


def test_clips_of_a_folder_are_compared(table: dict[str, dict[str, str]], tmp_path: Path) -> None:
    assert table["blink: closing, s"]["made"].endswith("n = 2)") and table["smile: onset, s"]["made"].endswith("n = 1)")
    with pytest.raises(ValueError, match="no clips"):
        kinematics(1, 0, tmp_path)


@pytest.mark.parametrize("name", ["smile", "brow_raise", "mouth_open", "turn_left", "happiness"])
def test_larger_movements_of_sampled_scripts_are_faster(name: str) -> None:
    rng = np.random.default_rng(0)
    events = [sample_event(rng, name, 0.0) for _ in range(400)]
    size = np.array([e.intensity for e in events])
    speed = 1.875 * size / np.array([e.rise for e in events])  # of a minimum-jerk movement
    assert np.corrcoef(size, speed)[0, 1] > 0.6
