"""The agent: exact durations, seeds, errors in one sentence, and the conversation in the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from facelm.agent import pipeline
from facelm.agent.chat import ChatSession, loop
from facelm.agent.pipeline import FaceLM, weights_dir
from facelm.agent.requests import GenerateRequest, Question, Sampling, parsed, sampling_of, transition_request
from facelm.face.clip.sequence import FaceSequence, HeadRef
from facelm.face.clip.spontaneous import add_idle
from facelm.face.facs.measure import measure
from facelm.face.head.model import HeadModel
from tiny_agent import tiny_agent, tiny_face_tokenizer, write_base, write_weights

OTHER = HeadRef("flame", "2023", "0" * 64)


@pytest.fixture(scope="module")
def agent(clips: list[FaceSequence]) -> FaceLM:
    return tiny_agent(clips)


def same(a: FaceSequence, b: FaceSequence, atol: float = 0) -> bool:
    names = ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation")
    return len(a) == len(b) and all(np.allclose(getattr(a, n), getattr(b, n), rtol=0, atol=atol) for n in names)


# -- words to motion --------------------------------------------------------------------
@pytest.mark.parametrize("seconds", [0.2, 1.0, 1.3, 2.04])
def test_seconds_are_exact_to_the_frame(agent: FaceLM, seconds: float) -> None:
    clip = agent.generate("smile", seconds=seconds, idle=False)
    assert len(clip) == round(seconds * clip.fps) and clip.fps == 25
    clip.require_head(HeadModel.default().ref)


def test_the_same_seed_gives_the_same_clip_and_another_one_another(agent: FaceLM) -> None:
    a, b, c = (agent.generate("smile", 1.6, seed=s) for s in (3, 3, 4))
    assert same(a, b) and not same(a, c)
    assert not same(*(agent.generate("smile", 1.6, seed=s, idle=False) for s in (3, 4)))
    assert same(*(agent.generate("smile", 1.6, seed=s, idle=False, temperature=0) for s in (3, 4)))


def test_a_prompt_in_a_list_is_performed_as_if_alone(agent: FaceLM) -> None:
    """Prompt i of a list is performed with seed + i, across batches (4 here) and beside longer prompts."""
    prompts = ["smile", "nod slowly turn left", "frown", "turn right", "smile", "nod"]
    for candidates in (1, 2):
        many = agent.generate_many(prompts, 1.0, seed=5, candidates=candidates)
        for i, clip in enumerate(many):
            assert same(clip, agent.generate(prompts[i], 1.0, seed=5 + i, candidates=candidates), atol=1e-5), i
        assert not same(many[0], many[4])


def test_neighbouring_seeds_share_no_candidates(agent: FaceLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the best of several tries would be the same performance for one seed after the other."""
    drawn: list[list[bytes]] = []

    def first_of(lm: object, prompts: list[str], made: list[list[np.ndarray]]) -> list[np.ndarray]:
        drawn.extend([m.tobytes() for m in c] for c in made)
        return [c[0] for c in made]

    monkeypatch.setattr(pipeline, "best_of", first_of)
    agent.generate_many(["smile"] * 3, 1.6, seed=3, candidates=3)
    alone = agent.generate("smile", 1.6, seed=4, candidates=3)
    assert len(drawn) == 4 and len({m for c in drawn[:3] for m in c}) == 9 and drawn[3] == drawn[1]
    assert same(alone, agent.generate("smile", 1.6, seed=4, candidates=1)), "the first try is that of one candidate"


def test_each_prompt_may_have_its_own_duration(agent: FaceLM) -> None:
    seen: list[tuple[int, int]] = []
    lengths = [1.0, 0.4, 2.0, 0.6, 1.2]
    clips = agent.generate_many(["nod"] * 5, lengths, candidates=1, progress=lambda done, of: seen.append((done, of)))
    assert [len(c) for c in clips] == [25, 10, 50, 15, 30]
    assert seen == [(4, 5), (5, 5)]
    free = agent.generate("nod", None, seed=1, idle=False)
    assert len(free) % 4 == 0 and free.seconds <= 21


def test_idle_is_a_layer_on_top(agent: FaceLM) -> None:
    bare, alive = (agent.generate("nod", 2.0, seed=7, idle=i) for i in (False, True))
    assert not same(bare, alive)
    assert same(alive, add_idle(bare, seed=7), atol=1e-6)


def test_an_identity_is_kept(agent: FaceLM, head: HeadModel) -> None:
    shape = np.linspace(-1, 1, head.n_shape).astype(np.float32)
    assert np.array_equal(agent.generate("nod", 0.4, shape=shape).shape, shape)


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
    ({"prompts": ["nod", "x" * 1001]}, "1001 characters"),
    ({"seconds": 0.1}, "allowed: 0.2 to 20"),
    ({"seconds": 20.5}, "allowed: 0.2 to 20"),
    ({"seconds": float("nan")}, "allowed: 0.2 to 20"),
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
    assert again.generate("nod", 1.0).seconds == 1.0 and isinstance(again.describe(clips[0]), str)
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


# -- chat -------------------------------------------------------------------------------
class Scripted:
    """Records what is asked of it; performs a smile-free resting face of the wanted length."""

    def __init__(self) -> None:
        self.head = HeadModel.default()
        self.calls: list[tuple] = []

    def perform(self, asked: GenerateRequest) -> list[FaceSequence]:
        (prompt,), (seconds,), sampling = asked.prompts, asked.seconds, asked.sampling
        self.calls.append(("generate", prompt, seconds, sampling.seed, sampling.idle))
        return [FaceSequence.rest(round(25 * (seconds or 2.0)), self.head.ref)]

    def describe_many(self, clips: list[FaceSequence]) -> list[str]:
        return [self.describe(c) for c in clips]

    def describe(self, clip: FaceSequence) -> str:
        if clip.seconds > 40:
            raise ValueError("too long")
        self.calls.append(("describe", len(clip)))
        return "A resting face."

    def ask(self, clip: FaceSequence, question: str) -> str:
        self.calls.append(("ask", len(clip), question))
        return "Never."

    def measure(self, clip: FaceSequence):  # noqa: ANN201
        return measure(clip, self.head)


@pytest.fixture()
def session(tmp_path: Path) -> ChatSession:
    return ChatSession(Scripted(), tmp_path / "chat", Sampling(idle=False))  # type: ignore[arg-type]


def kinds(session: ChatSession) -> list[str]:
    return [c[0] for c in session.agent.calls]  # type: ignore[attr-defined]


def test_nothing_can_be_asked_before_there_is_a_clip(session: ChatSession) -> None:
    for line in ("How often does it blink?", "/describe", "/measure", "describe it"):
        with pytest.raises(ValueError, match="/open CLIP.npz"):
            session.reply(line)
    assert kinds(session) == []


def test_a_performance_becomes_the_clip_that_is_asked_about(session: ChatSession) -> None:
    first = session.reply("She smiles.")
    assert first.clip is not None and first.clip.is_file() and len(FaceSequence.load(first.clip)) == 50
    assert session.reply("How often does it blink?").text == "Never."
    assert session.agent.calls[-1] == ("ask", 50, "How often does it blink?")  # type: ignore[attr-defined]
    assert session.reply("/seconds 1.2").clip is None
    second = session.reply("She nods.")
    assert second.clip is not None and second.clip != first.clip
    calls = [c for c in session.agent.calls if c[0] == "generate"]  # type: ignore[attr-defined]
    assert [c[2:] for c in calls] == [(None, 0, False), (1.2, 1, False)], "duration, seed of the turn, idle"
    assert session.reply("/measure").text == "at rest"
    session.reply("/seconds 0")
    assert session.seconds is None


def test_a_file_that_is_there_is_not_overwritten(session: ChatSession) -> None:
    session.out.mkdir()
    (session.out / "turn-000.npz").write_text("mine")
    made = session.reply("She smiles.").clip
    assert made is not None and made.name == "turn-001.npz"
    assert (session.out / "turn-000.npz").read_text() == "mine"


def test_open_measures_and_describes(session: ChatSession, clips: list[FaceSequence], tmp_path: Path) -> None:
    path = clips[0].save(tmp_path / "a.npz")
    assert "A resting face." in session.reply(f"/open {path}").text
    shown = session.reply("/measure").text
    assert all(a.name in shown for a in measure(clips[0]).actions)
    long = FaceSequence.rest(1100, clips[0].head).save(tmp_path / "long.npz")
    for line in (f"/open {long}", f"/open {tmp_path / 'none.npz'}", "/open", f"/open {tmp_path}"):
        with pytest.raises((ValueError, FileNotFoundError)):
            session.reply(line)
    assert session.clip is not None and len(session.clip) == len(clips[0]), "a refused clip replaces nothing"


@pytest.mark.parametrize("line", ["/dance", "/", "/seconds", "/seconds x", "/seconds 99", "/seconds nan", "/seconds -1"])
def test_wrong_commands_are_refused(session: ChatSession, line: str) -> None:
    with pytest.raises(ValueError, match=r"/help|/seconds needs|allowed: 0.2"):
        session.reply(line)
    assert session.seconds is None


@pytest.mark.parametrize(("line", "kind", "words"), [
    ("She smiles, then nods twice.", "generate", "She smiles, then nods twice."),
    ("wink", "generate", "wink"),
    ("Have her smile.", "generate", "Have her smile."),
    ("Do a slow nod.", "generate", "Do a slow nod."),
    ("When the smile fades, she nods.", "generate", "When the smile fades, she nods."),
    ("Can you smile and nod?", "generate", "smile and nod"),
    ("Could you please frown?", "generate", "frown"),
    ("please look up", "generate", "look up"),
    ("Look up as if to ask why.", "generate", "Look up as if to ask why."),
    ("Isolate a wink of the left eye.", "generate", "Isolate a wink of the left eye."),
    ("Whatever: puff the cheeks", "generate", "Whatever: puff the cheeks"),
    ("How often does she blink", "ask", "How often does she blink"),
    ("what happens first", "ask", "what happens first"),
    ("When does it smile?", "ask", "When does it smile?"),
    ("Is the head turning?", "ask", "Is the head turning?"),
    ("do the eyes close", "ask", "do the eyes close"),
    ("The left eye or the right one?", "ask", "The left eye or the right one?"),
    ("Tell me when she smiles", "ask", "When she smiles"),
    ("describe the clip", "describe", None),
    ("Can you describe it?", "describe", None),
    ("Tell me what happens", "describe", None),
])
def test_questions_and_performances_are_told_apart(session: ChatSession, line: str, kind: str, words: str | None) -> None:
    session.clip = FaceSequence.rest(10, HeadModel.default().ref)
    session.reply(line)
    call = session.agent.calls[0]  # type: ignore[attr-defined]
    assert call[0] == kind
    if words is not None:
        assert call[1 if kind == "generate" else 2] == words


def test_the_loop_answers_wrong_lines_and_ends(session: ChatSession) -> None:
    sink = io.StringIO()
    loop(session, io.StringIO("Does it blink?\n\n/dance\nShe smiles.\nDoes it blink?\n/quit\nShe nods.\n"), sink)
    text = sink.getvalue()
    assert text.count("cannot do that:") == 2 and "Never." in text and text.count("> ") == 6
    assert kinds(session) == ["generate", "describe", "ask"]
    loop(session, io.StringIO("/help"), sink)  # the end of input is an end as well


@pytest.mark.parametrize(("ask", "words"), [
    (lambda: GenerateRequest.of([None], 3), "prompts.0 is None"),
    (lambda: transition_request("from anger to joy", "a"), "seconds is 'a'"),
    (lambda: transition_request("from anger to joy", via=3), "via is 3"), (lambda: parsed(Question, None), "the value is None"),
    (lambda: parsed(Question, "why " * 300), "1200 characters; at most 1000")])
def test_a_wrong_request_names_its_value(ask, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=words) as caught:
        ask()
    assert "\n" not in str(caught.value)
