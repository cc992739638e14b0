"""The agent: exact durations, seeds, and errors in one sentence."""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.agent.pipeline import FaceLM, weights_dir
from facelm.agent.requests import GenerateRequest, Question, parsed, sampling_of, transition_request
from facelm.face.clip.sequence import FaceSequence, HeadRef
from facelm.face.clip.spontaneous import add_idle
from facelm.face.facs.measure import measure
from facelm.face.head.model import HeadModel
from scripted_agent import needs_tokenizer, scripted_agent, what_windows_mean  # noqa: F401
from tiny_agent import tiny_agent, tiny_face_tokenizer, write_base, write_weights

OTHER = HeadRef("flame", "2023", "0" * 64)


@pytest.fixture(scope="module")
def scripted() -> FaceLM:
    """Reads from a table and performs as the procedural animator does."""
    return scripted_agent()


@pytest.fixture(scope="module")
def agent(clips: list[FaceSequence]) -> FaceLM:
    return tiny_agent(clips)


def same(a: FaceSequence, b: FaceSequence, atol: float = 0) -> bool:
    names = ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation")
    return len(a) == len(b) and all(np.allclose(getattr(a, n), getattr(b, n), rtol=0, atol=atol) for n in names)


# -- words to motion --------------------------------------------------------------------
@needs_tokenizer
@pytest.mark.parametrize("seconds", [1.8, 2.04, 3.3])
def test_seconds_are_exact_to_the_frame(scripted: FaceLM, seconds: float) -> None:
    clip = scripted.generate("smile", seconds=seconds, idle=False)
    assert len(clip) == round(seconds * clip.fps) and clip.fps == 25
    clip.require_head(HeadModel.default().ref)


@needs_tokenizer
def test_the_same_seed_gives_the_same_clip_and_another_one_another(scripted: FaceLM) -> None:
    a, b, c = (scripted.generate("nod", 3.0, seed=s) for s in (3, 3, 4))
    assert same(a, b) and not same(a, c)
    others = [scripted.generate("nod", 3.0, seed=s, idle=False) for s in range(4, 9)]
    assert not all(same(scripted.generate("nod", 3.0, seed=3, idle=False), o) for o in others)


@needs_tokenizer
def test_a_prompt_in_a_list_is_performed_as_if_alone(scripted: FaceLM) -> None:
    """Prompt i of a list is performed with seed + i, across batches (4 here) and beside longer prompts."""
    prompts = ["smile", "nod slowly turn left", "frown", "turn right", "smile"]
    many = scripted.generate_many(prompts, [2.5, None, 2.5, None, 2.5], seed=5, candidates=2)
    for i in (1, 4):
        alone = scripted.generate(prompts[i], [2.5, None, 2.5, None, 2.5][i], seed=5 + i, candidates=2)
        assert same(many[i], alone, atol=1e-5), i
    assert not same(many[0], many[4])


@needs_tokenizer
def test_each_prompt_may_have_its_own_duration(scripted: FaceLM) -> None:
    seen: list[tuple[int, int]] = []
    lengths = [2.0, 3.4, 4.0]
    clips = scripted.generate_many(["nod"] * 3, lengths, candidates=1, progress=lambda *x: seen.append(x[:2]))
    assert [len(c) for c in clips] == [50, 85, 100]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    free = scripted.generate("nod", None, seed=1, idle=False)
    assert 1.0 < free.seconds < 6.0


@needs_tokenizer
def test_what_was_read_is_said_with_the_result(scripted: FaceLM) -> None:
    made, = scripted.perform(GenerateRequest.of(["moonwalk"]))
    assert made.text == "moonwalk" and made.script.unknown == ("moonwalk",)
    assert made.to_dict()["prompt"] == "moonwalk" and "I don't know how a face does 'moonwalk'" in made.lines()[-1]
    assert scripted.read("moonwalk") == made.script and scripted.read_many(["nod", "smile"])[0] == scripted.read("nod")


@needs_tokenizer
def test_idle_is_a_layer_on_top(scripted: FaceLM) -> None:
    bare, alive = (scripted.generate("nod", 3.0, seed=7, idle=i) for i in (False, True))
    assert not same(bare, alive)
    assert same(alive, add_idle(bare, seed=7), atol=1e-6)


def test_an_untrained_model_reads_and_performs_something_valid(agent: FaceLM) -> None:
    for script in agent.read_many(["smile", "nod slowly turn left"]):
        assert script.from_json(script.to_json()) == script
    made, = agent.perform_many(["3 s; smile"], candidates=1, repair=False)
    assert len(made.clip) == 75 and np.isfinite(made.clip.expr).all()


# -- motion to words --------------------------------------------------------------------
def test_describe_and_ask_answer_in_words(agent: FaceLM, clips: list[FaceSequence]) -> None:
    texts = agent.describe_many(clips[:2])
    assert len(texts) == 2 and all(isinstance(t, str) for t in texts)
    assert agent.describe(clips[1]) == texts[1]
    assert isinstance(agent.ask(clips[0], "what ?"), str)
    assert agent.measure(clips[0]) == measure(clips[0])


@pytest.mark.parametrize(("arguments", "words"), [
    ({"prompts": [""]}, "prompt is empty"),
    ({"prompts": ["  \t"]}, "prompt is empty"),
    ({"prompts": ["nod", "x" * 2001]}, "2001 characters"),
    ({"seconds": 0.1}, "allowed: 0.2 to 600"),
    ({"seconds": 600.5}, "allowed: 0.2 to 600"),
    ({"seconds": float("nan")}, "allowed: 0.2 to 600"),
    ({"seconds": [1.0, 2.0]}, "2 durations for 1 prompts"),
    ({"seed": -1}, "seed is -1"),
    ({"temperature": -0.1}, "temperature is -0.1"),
    ({"temperature": float("nan")}, "temperature is nan"),
    ({"candidates": 0}, "candidates is 0; allowed: 1 to 64"),
    ({"candidates": 65}, "candidates is 65"),
])
def test_wrong_requests_are_refused(agent: FaceLM, arguments: dict, words: str) -> None:
    given = {"prompts": ["nod"], **arguments}
    with pytest.raises(ValueError, match=words) as refused:
        agent.generate_many(**given)
    assert str(refused.value).count("\n") == 0
    with pytest.raises(ValueError, match=words):
        GenerateRequest.of(given.pop("prompts"), given.pop("seconds", None), sampling_of(**given))


def test_clips_that_the_model_cannot_read_are_refused(agent: FaceLM, clips: list[FaceSequence]) -> None:
    for call in (agent.describe, lambda c: agent.ask(c, "when ?")):
        with pytest.raises(ValueError, match="of the head flame"):
            call(clips[0].replace(head=OTHER))
        with pytest.raises(ValueError, match=r"41.0 s long.*up to 40 s"):
            call(FaceSequence.rest(41 * 25, clips[0].head))
    with pytest.raises(ValueError, match="question is empty"):
        agent.ask(clips[0], " ")


# -- weights ----------------------------------------------------------------------------
def test_saved_weights_give_the_same_agent(agent: FaceLM, clips: list[FaceSequence], tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    weights, base = write_weights(tmp_path / "w", clips), write_base(tmp_path / "base")
    again = FaceLM.from_pretrained(weights, str(base))
    assert again.tokenizer.layout == agent.tokenizer.layout
    assert again.lm.vocabulary == agent.lm.vocabulary and again.lm.tasks == agent.lm.tasks
    assert torch.allclose(again.lm.model.rows, agent.lm.model.rows, atol=1e-2), "saved in half precision"
    assert again.describe(clips[0]) == agent.describe(clips[0])
    monkeypatch.setenv("FACELM_WEIGHTS", str(weights))
    assert weights_dir() == weights
    assert weights_dir(tmp_path / "w") == weights
    with pytest.raises(FileNotFoundError, match="facelm train"):
        weights_dir(tmp_path)


def test_a_language_model_of_another_tokenizer_is_refused(clips: list[FaceSequence], tmp_path: Path) -> None:
    weights, base = write_weights(tmp_path / "w", clips), write_base(tmp_path / "base")
    other = tiny_face_tokenizer(clips[:3], seed=1)
    assert other.layout != tiny_face_tokenizer(clips).layout
    other.save_pretrained(weights / "tokenizer")
    with pytest.raises(ValueError, match="another motion tokenizer"):
        FaceLM.from_pretrained(weights, str(base))


@pytest.mark.parametrize(("ask", "words"), [
    (lambda: GenerateRequest.of([None], 3), "prompts.0 is None"),
    (lambda: transition_request("from anger to joy", "a"), "seconds is 'a'"),
    (lambda: transition_request("from anger to joy", via=3), "via is 3"), (lambda: parsed(Question, None), "the value is None"),
    (lambda: parsed(Question, "why " * 600), "2400 characters; at most 2000")])
def test_a_wrong_request_names_its_value(ask, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=words) as caught:
        ask()
    assert "\n" not in str(caught.value)
