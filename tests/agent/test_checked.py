"""Scripts performed and checked: who performed what, repairs, exact lengths, streams."""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facelm.agent import tools
from facelm.agent.motion.checked import idle_of, perform_scripts, plan
from facelm.agent.motion.windows import Job, agreement
from facelm.agent.pipeline import FaceLM
from facelm.agent.requests import Sampling
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.face.clip.spontaneous import IdleConfig
from facelm.face.facs.check import check
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import MeasuredAction
from facelm.face.facs.script import Script
from facelm.face.facs.script_text import read_script
from facelm.face.head.model import HeadModel
from facelm.llm.grammar.windows import cut
from scripted_agent import ScriptedLM, needs_tokenizer, scripted_agent, what_windows_mean  # noqa: F401
from tiny_agent import tiny_agent

pytestmark = needs_tokenizer
LINES = ["mouth_open; nod x2", "anger; into surprise", "brow_raise x2; with mouth_open", "6 s; wink left; tongue_out"]
"""What the released tokenizer keeps well enough for all checks."""
BARE = Sampling(idle=False)


def draws(agent: FaceLM) -> list[tuple]:
    assert isinstance(agent.lm, ScriptedLM)
    return agent.lm.draws


@pytest.fixture(scope="module")
def right() -> FaceLM:
    return scripted_agent()


@pytest.mark.parametrize("line", LINES)
def test_what_the_model_performs_rightly_is_the_models_alone(right: FaceLM, line: str) -> None:
    before = len(draws(right))
    made, = right.perform_many([line], seed=3, idle=False)
    assert made.checks.ok, made.lines()
    assert set(made.by) == {"model"} and made.shares == {"model": 1.0, "repaired": 0.0, "animator": 0.0}
    windows = cut(made.schedule, right.tokenizer.step_seconds)
    assert [d[0] for d in draws(right)[before:]] == windows and {d[2] for d in draws(right)[before:]} == {0.0}, \
        "the likeliest motion agrees: no more is sampled"
    assert made.lines()[-1] == f"checked:     all {len(made.checks.items)} checks hold"


def test_weights_say_who_performs_unless_somebody_else_does() -> None:
    agent = scripted_agent()
    agent.lm.performer = "animator"
    assert set(agent.perform_many([LINES[0]], idle=False)[0].by) == {"animator"} and not draws(agent)
    assert set(agent.perform_many([LINES[0]], idle=False, repair=False)[0].by) == {"model"}, "nobody else is left"
    asked = FaceLM(agent.tokenizer, agent.lm, agent.head, performer="model")
    assert set(asked.perform_many([LINES[0]], idle=False)[0].by) == {"model"}
    agent.lm.tasks = ("read",)
    with pytest.raises(ValueError, match="not trained to perform"):
        asked.perform_many([LINES[0]])


def test_a_window_that_only_another_sample_gets_right_is_repaired() -> None:
    agent = scripted_agent(right=lambda window, pair: pair[1] % 1000 >= 200)
    made, = agent.perform_many([LINES[0]], idle=False)
    assert made.checks.ok and set(made.by) == {"repaired"}
    tried = {pair[1] % 1000 for _, pair, _ in draws(agent)}
    assert {0, 100, 101, 102, 200} <= tried, "the likeliest, three samples, then others"
    assert {t for _, pair, t in draws(agent) if pair[1] % 1000 >= 100} == {0.5, 0.7}
    sampled = scripted_agent(right=lambda window, pair: pair[1] % 1000 >= 100).perform_many([LINES[0]], idle=False)[0]
    assert set(sampled.by) == {"model"} and sampled.checks.ok, "one of several samples is still the model's own"


def test_what_the_model_never_gets_right_is_the_animators() -> None:
    agent = scripted_agent(right=lambda window, pair: False)
    made, = agent.perform_many([LINES[0]], idle=False)
    assert made.checks.ok and made.by == ("animator", "animator") and made.shares["animator"] == 1.0
    expected = agent.performer.animated(made.schedule)
    assert np.array_equal(made.clip.expr, agent.performer.clip(expected, len(made.clip)).expr)


def test_without_chance_nothing_is_drawn_twice() -> None:
    agent = scripted_agent(right=lambda window, pair: False)
    made, = agent.perform_many([LINES[0]], idle=False, temperature=0.0)
    assert made.checks.ok and made.by == ("animator", "animator")
    assert len(draws(agent)) == len({d[0] for d in draws(agent)}) == len(cut(made.schedule, 0.16))
    assert {d[2] for d in draws(agent)} == {0.0}


def test_the_worst_window_of_a_cue_names_who_performed_it() -> None:
    agent = scripted_agent(right=lambda window, pair: not any(e.name == "nod" for e in window.events))
    made, = agent.perform_many(["mouth_open; nod x2 at 12 s"], idle=False)
    assert made.by == ("model", "animator") and made.shares == {"model": 0.5, "repaired": 0.0, "animator": 0.5}
    assert [line.rsplit("[", 1)[1] for line in made.lines() if "[" in line] == ["model]", "animator]"]


def test_without_repair_failures_stay_and_are_said() -> None:
    agent = scripted_agent(right=lambda window, pair: False)
    made, = agent.perform_many(["smile strong; nod x2"], idle=False, candidates=1, repair=False)
    assert not made.checks.ok and set(made.by) == {"model"} and len(draws(agent)) == len(cut(made.schedule, 0.16))
    assert {c.cue for c in made.checks.failed} == {0, 1}
    said = "\n".join(made.lines())
    assert all(c.sentence in said for c in made.checks.failed) and "NOT smile strong [model]" in said
    facts = made.to_dict()
    assert facts["line"] == "smile strong; nod x2" and facts["by"] == ["model", "model"]
    assert Script.from_dict(facts["script"]) == made.script and facts["checks"] == made.checks.to_dict()


def test_the_checks_are_those_of_the_clip(right: FaceLM) -> None:
    for idle in (False, True):
        for made in right.perform_many(LINES, seed=1, idle=idle):
            assert made.checks == check(made.script, measure(made.clip, right.head), made.schedule)


@pytest.mark.parametrize("seconds", [2.0, 3.24, pytest.param(20.0, marks=pytest.mark.slow)])
def test_lengths_are_exact_to_the_frame(right: FaceLM, seconds: float) -> None:
    for made in right.perform_many(["smile", "4 s; nod"], seconds, idle=False):
        assert len(made.clip) == round(seconds * 25) and made.script.seconds == seconds
    one, two = right.perform_many(["smile", "nod"], [seconds, None], idle=False)
    assert len(one.clip) == round(seconds * 25) and two.script.seconds is None
    assert len(two.clip) == round(two.schedule.seconds * 25)


def test_a_script_in_a_list_is_performed_as_if_alone(right: FaceLM) -> None:
    done: list[tuple[int, int]] = []
    many = right.perform_many([*LINES, LINES[0]], seed=5, progress=lambda d, of, stage="": done.append((d, of)))
    assert done == [(i, 5) for i in range(1, 6)]
    for i, made in enumerate(many):
        alone, = right.perform_many([made.script], seed=5 + i)
        assert np.array_equal(made.clip.expr, alone.clip.expr) and made.by == alone.by and made.schedule == alone.schedule
    assert not np.array_equal(many[0].clip.expr[:40], many[4].clip.expr[:40])


def test_nothing_is_performed_of_what_cannot_be_done(right: FaceLM) -> None:
    for line, seconds, words in (("smile for 5 s; nod x9", 1.0, "make it longer"), ("mouth_open at 5 s", 2.0, "make it longer"),
                                 ("smile; never smile", None, "asks for 'smile' and says 'never smile'")):
        before = len(draws(right))
        with pytest.raises(ValueError, match=words) as refused:
            right.perform_many([line], seconds)
        assert "\n" not in str(refused.value) and len(draws(right)) == before


def test_a_plan_is_one_whose_rendition_passes(right: FaceLM) -> None:
    for seed in range(3):
        script = read_script("brow_raise; nod x3; wink right")
        schedule = plan(right.performer, script, seed)
        assert schedule == plan(right.performer, script, seed)
        codes = right.performer.animated(schedule)
        clip = right.performer.clip(codes, round(schedule.seconds * 25))
        assert check(script, measure(clip, right.head), schedule).ok


def test_an_identity_is_kept_and_does_not_change_the_motion(right: FaceLM, head: HeadModel) -> None:
    shape = np.linspace(-1, 1, head.n_shape).astype(np.float32)
    (a,), (b,) = (right.perform_many(["smile"], idle=False, shape=s) for s in (shape, None))
    assert np.array_equal(a.clip.shape, shape) and np.array_equal(a.clip.expr, b.clip.expr)


@pytest.mark.slow
def test_a_random_model_performs_everything_too(clips: list) -> None:
    """Untrained weights and tokenizer: exact lengths, valid clips, true checks."""
    agent, scripts = tiny_agent(clips), [read_script(x) for x in ("2 s; smile", "nod x2", "3 s")]
    for made in perform_scripts(agent.performer, scripts, replace(BARE, candidates=2)):
        assert len(made.clip) == round(made.schedule.seconds * 25) and np.isfinite(made.clip.expr).all()
        assert made.checks == check(made.script, measure(made.clip, agent.head), made.schedule)


# -- idle motion ------------------------------------------------------------------------
def test_idle_does_nothing_that_is_counted_or_forbidden(right: FaceLM) -> None:
    usual = IdleConfig()
    assert idle_of(read_script("smile")) == usual
    assert idle_of(read_script("smile; never blink")).blink_rate == idle_of(read_script("blink x2")).blink_rate == 0
    assert idle_of(read_script("smile; never head")).head_drift == 0 == idle_of(read_script("smile; never gaze")).saccade_rate
    bare, alive = (right.perform_many(["smile"], 4.0, seed=7, idle=i)[0].clip for i in (False, True))
    assert len(bare) == len(alive) and not np.array_equal(bare.expr, alive.expr)
    still, asked = (right.perform_many(["smile; still"], 4.0, seed=7, idle=i)[0].clip for i in (False, True))
    assert np.array_equal(still.expr, asked.expr), "nothing else moves"


def test_blinks_are_as_many_as_asked_for_with_idle_motion(right: FaceLM) -> None:
    made, = right.perform_many(["blink x2"], 8.0, seed=2)
    assert made.checks.ok and sum(a.name == "blink" for a in measure(made.clip, right.head).actions) == 2


# -- streams ----------------------------------------------------------------------------
@pytest.mark.parametrize("line", [
    "mouth_open", pytest.param("25 s; smile; nod x2 at 9 s; anger at 15 s for 4 s; into happiness held", marks=pytest.mark.slow)])
def test_a_stream_equals_the_one_shot_result(right: FaceLM, line: str) -> None:
    whole, = right.perform_many([line], seed=4, idle=False)
    pieces = list(right.stream(line, seed=4))
    assert sum(map(len, pieces)) == len(whole.clip)
    joined = pieces[0].concat(*pieces[1:])
    for name in ("expr", "jaw_pose", "neck_pose", "eyes_pose"):
        assert np.allclose(getattr(joined, name), getattr(whole.clip, name), atol=1e-4), name
    if "25 s" in line:
        assert len(pieces) > 3 and len(pieces[0]) < 8 * 25, "the first frames come before the last window"


def test_a_stream_asks_the_model_only_for_what_is_taken() -> None:
    agent = scripted_agent()
    stream = agent.stream("40 s; smile at 2 s; nod at 20 s; smile at 35 s")
    next(stream)
    early = len(draws(agent))
    list(stream)
    assert early <= 2 < len(draws(agent))


# -- windows ----------------------------------------------------------------------------
def test_windows_go_on_from_one_another(right: FaceLM) -> None:
    seen: list[tuple[int, ...] | None] = []
    original = ScriptedLM.perform_windows

    def noting(self, windows, before, seeds, sampling):  # noqa: ANN001, ANN202
        seen.extend(before)
        return original(self, windows, before, seeds, sampling)

    schedule = plan(right.performer, read_script("20 s; happiness at 1 s until 18 s; nod at 8 s"), 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedLM, "perform_windows", noting)
        parts = [p for p, in right.performer.windows([Job(schedule)])]
    assert seen[0] == list(right.tokenizer.layout.rest_codes)
    assert [list(p.codes[-1]) for p in parts[:-1]] == [list(b) for b in seen[1:]]
    assert all(p.agreement == 1.0 and len(p.codes) == p.window.steps for p in parts)


def test_jobs_of_other_lengths_end_one_by_one(right: FaceLM) -> None:
    jobs = [Job(plan(right.performer, read_script(f"{n} s; smile"), n), n) for n in (2, 20)]
    rows = list(right.performer.windows(jobs))
    assert [r[0] is None for r in rows] == [False, *[True] * (len(rows) - 1)] and all(r[1] is not None for r in rows)


def test_agreement_is_of_what_is_measured(head: HeadModel) -> None:
    found = measure(perform(lay_out(read_script("smile; nod x2; brow_raise left"), 0), head), head).actions
    assert len(found) >= 3 and agreement(found, found) == 1.0 and agreement((), ()) == 1.0
    assert agreement(found, found[1:]) < 1.0 and agreement(found[1:], found) < 1.0 and agreement(found, ()) == 0.0

    def changed(**values: object) -> tuple[MeasuredAction, ...]:
        at = next(i for i, a in enumerate(found) if a.name == "nod")
        return (*found[:at], replace(found[at], **values), *found[at + 1:])

    nod = next(a for a in found if a.name == "nod")
    assert agreement(found, changed(onset=nod.onset + 0.1)) == 1.0
    for wrong in ({"cycles": 3}, {"onset": nod.onset + 0.6}, {"name": "shake"}):
        assert agreement(found, changed(**wrong)) < 1.0, wrong


@needs_tokenizer
def test_the_demo_writes_four_files_and_says_what_was_asked_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "load_agent", lambda model: scripted_agent())
    done = tools.demo("a nod", out=str(tmp_path / "demo"))
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == ["clip.glb", "clip.mp4", "clip.npz", "sheet.png"]
    assert done.facts["prompt"] == "a nod" and done.facts["line"] == "nod x2" and done.facts["checks"]["ok"]
    assert "nod x2" in done.text and "Nods twice." in done.text
