"""What would be between two clips, measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facelm.agent.motion.combining import between_scripts, blended, joined
from facelm.agent.requests import Sampling
from facelm.agent.talk.agent import Agent
from facelm.agent.talk.tools import Call
from facelm.data_gen.performer.layout import lay_out
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.evidence.happenings import happenings
from facelm.face.facs.script_text import read_script, write_script
from facelm.face.head.model import HeadModel
from scipy.spatial.transform import Rotation
from scripted_agent import needs_tokenizer, rule_agent, still


def mean(first: str, second: str, share: float = 0.5) -> str | None:
    a, b = read_script(first), read_script(second)
    script = between_scripts(a, b, (lay_out(a), lay_out(b)), share)
    return None if script is None else write_script(script)


@pytest.mark.parametrize(("first", "second", "share", "expected"), [
    ("smile 30%; nod x2", "smile strong; nod x4", 0.5, "smile 65%; nod x3"),
    ("smile; nod x2", "smile; nod x5", 0.2, "smile; nod x3"),  # 2.6
    ("smile at 1 s for 2 s; 6 s", "smile at 3 s for 1 s; 8 s", 0.25, "smile at 1.5 s for 1.75 s; 6.5 s"),
    ("nod x2", "nod x2 speed 2", 0.5, "nod x2 speed 1.5"), ("smile held; 4 s", "smile held; 8 s", 0.5, "smile held; 6 s"),
    ("smile; never blink", "smile", 0.5, "smile"), ("smile; nod", "nod; smile", 0.5, None),
    ("wink left", "wink right", 0.5, None),
    ("smile; still", "smile", 0.5, None)])
def test_scripts_with_the_same_cues_have_a_mean(first: str, second: str, share: float, expected: str | None) -> None:
    assert mean(first, second, share) == (expected and write_script(read_script(expected)))


def test_one_that_says_a_time_meets_the_time_of_the_other() -> None:
    start = lay_out(read_script("smile")).of_cue(0)[0].start
    assert mean("smile", "smile at 4 s") == f"smile at {round((start + 4.0) / 2, 3):g} s"


def test_a_blend_lies_between_in_every_channel_and_in_length(random_clip: FaceSequence) -> None:
    other = still(20, fps=25.0, seed=3, mouthSmileLeft=0.8)
    for share in (0.0, 0.25, 1.0):
        out = blended(random_clip, other, share)
        assert len(out) == round((1 - share) * 30 + share * 20) and np.array_equal(out.shape, random_clip.shape)
        ends = [(1 - share) * random_clip.expr[k] + share * other.expr[k] for k in (0, -1)]
        assert np.allclose(out.expr[[0, -1]], ends, atol=1e-6)
        way = Rotation.from_rotvec(random_clip.neck_pose[0]).inv() * Rotation.from_rotvec(out.neck_pose[0])
        whole = Rotation.from_rotvec(random_clip.neck_pose[0]).inv() * Rotation.from_rotvec(other.neck_pose[0])
        assert way.magnitude() == pytest.approx(share * whole.magnitude(), abs=1e-5)
    assert np.allclose(blended(random_clip, other, 0.0).expr, random_clip.expr, atol=1e-6)
    half_turns = (random_clip.replace(neck_pose=np.tile(np.array([0, a, 0], np.float32), (30, 1))) for a in (3.0, -3.0))
    assert np.allclose(np.abs(blended(*half_turns, 0.5).neck_pose[:, 1]), np.pi, atol=1e-5)  # not by way of 0


def test_clips_of_other_heads_are_refused(random_clip: FaceSequence) -> None:
    alien = random_clip.replace(head=replace(random_clip.head, sha256="0" * 64))
    for both in (joined, lambda a, b: blended(a, b, 0.5)):
        with pytest.raises(ValueError, match="head"):
            both(random_clip, alien)


@needs_tokenizer
def test_the_in_between_measures_between(tmp_path: Path) -> None:
    agent = Agent(tmp_path, rule_agent(), Sampling(idle=False))
    for line in ("smile 30% for 2 s; nod x2", "smile strong for 4 s; nod x4"):
        first, = agent.tools.agent.perform_many([line], None, 0, False)
        with agent.memory.turn():
            agent.memory.add([first.clip], "performed", line, made=first)

    def smile(clip: int) -> tuple[float, float, int]:
        rows = happenings(agent.memory.latest(clip).measured())
        one = next(s for s in rows if s.name == "smile")
        return one.strength, one.end - one.start, sum(s.times for s in rows if s.name == "nod")

    reply = agent.say("halfway between clip 1 and clip 2")
    assert reply.clip is not None and reply.clip.script is not None and reply.clip.how == "between"
    low, high, middle = smile(1), smile(2), smile(3)
    assert all(a < m < b for a, m, b in zip(low, middle, high, strict=True)) and middle[2] == 3
    assert middle[0] == pytest.approx(0.65, abs=0.08) and middle[1] == pytest.approx(3.0, abs=0.25)
    agent.say("another clip: she winks with her left eye and turns her head to the right")
    mixed = agent.call(Call("between", {"first": "clip 2", "second": "clip 4", "share": 0.4}))
    assert mixed.clip is not None and mixed.clip.script is None
    a, b, c = (agent.memory.latest(n).sequence() for n in (2, 4, 5))
    assert c.seconds == pytest.approx(0.6 * a.seconds + 0.4 * b.seconds, abs=0.05)
    column = HeadModel.default().expr_names.index("mouthSmileLeft")
    assert c.expr[:, column].max() == pytest.approx(0.6 * a.expr[:, column].max(), rel=0.2)
    with pytest.raises(ValueError, match="share is 2"):
        agent.call(Call("between", {"share": 2.0}))
