"""A trained baseline's transition: two key poses, interpolated from the source."""

from __future__ import annotations

import numpy as np
import pytest
from facelm.agent.requests import transition_request
from facelm.cli.baseline import baseline_transition
from scripted_agent import still

TURN = "Turn this face from anger to happiness."


class TwoPoses:
    def __init__(self, columns: int = 41) -> None:
        rng = np.random.default_rng(0)
        self.expr, self.pose = rng.uniform(0, 1, (1, 2, columns)), rng.normal(0, 0.1, (1, 2, 6))

    def generate(self, instructions: list[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
        assert instructions == [TURN] and seed == 4
        return self.expr, self.pose


def test_a_baseline_is_interpolated_from_the_source_through_both_poses() -> None:
    model, source = TwoPoses(), still(mouthSmileLeft=0.4)
    done = baseline_transition(model, transition_request(TURN, 3.0), source, seed=4)
    clip, middle = done.clip, done.keys[0]
    assert len(clip) == 75 and done.keys == (37, 74)
    assert np.array_equal(clip.expr[0], source.expr[-1]) and np.array_equal(clip.shape, source.shape)
    assert np.allclose(clip.expr[[37, 74]], model.expr[0], atol=1e-6)
    assert np.allclose(clip.rotation[74], model.pose[0, 1, :3], atol=1e-6)
    assert np.allclose(clip.jaw_pose[37], model.pose[0, 0, 3:], atol=1e-6)
    assert np.allclose(np.diff(clip.expr[:middle + 1].astype(float), 2, axis=0), 0, atol=1e-6), "linear"
    assert (clip.translation == source.translation[-1]).all() and (clip.eyes_pose == source.eyes_pose[-1]).all()
    smooth = baseline_transition(model, transition_request(TURN, 3.0), source, seed=4, curve="minjerk").clip
    assert np.array_equal(smooth.expr[[0, 37, 74]], clip.expr[[0, 37, 74]])
    assert np.abs(smooth.expr[1] - smooth.expr[0]).max() < 0.2 * np.abs(clip.expr[1] - clip.expr[0]).max()
    with pytest.raises(ValueError, match="names 3 expressions"):
        baseline_transition(model, transition_request("Go from anger to happiness to fear"), source, seed=4)
    with pytest.raises(ValueError, match=r"\(K, 41\) and \(K, 6\)"):
        baseline_transition(TwoPoses(50), transition_request(TURN), source, seed=4)
