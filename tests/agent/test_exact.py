"""The exact mode: what else is asked for changes nothing, since every sequence is decoded alone in 32-bit floats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.agent.loading import load_agent
from facelm.agent.options import Model
from facelm.face.clip.sequence import FaceSequence
from facelm.llm.decode import Cache
from tiny_agent import write_base, write_weights

SCRIPTS = ["2 s; smile strong at 0.5 s", "3 s; nod x2; wink left at 1 s", "1 s; blink",
           "4 s; brow_raise at 1 s; turn left at 2 s"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clips: list[FaceSequence]) -> Path:
    folder = tmp_path_factory.mktemp("exact")
    write_base(folder / "base")
    write_weights(folder / "w", clips)
    return folder


def test_alone_and_in_a_batch_are_equal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    step = Cache.step

    def watched(self: Cache, ids: torch.Tensor) -> torch.Tensor:
        rows.append(len(ids))
        assert self.model.dtype == torch.float32
        return step(self, ids)

    monkeypatch.setattr(Cache, "step", watched)
    monkeypatch.setattr("facelm.llm.model.compute_dtype", lambda device="cpu": torch.bfloat16)  # a processor that is fast with it
    agent = load_agent(Model(str(folder / "w"), str(folder / "base"), exact=True))
    together = agent.perform_many(SCRIPTS, seed=3, idle=False, repair=False)
    assert set(rows) == {1}, "one sequence at a time"
    for i, line in enumerate(SCRIPTS):
        alone, = agent.perform_many([line], seed=3 + i, idle=False, repair=False)
        for field in ("expr", "rotation", "jaw_pose", "eyes_pose"):
            assert np.array_equal(getattr(alone.clip, field), getattr(together[i].clip, field)), (line, field)
