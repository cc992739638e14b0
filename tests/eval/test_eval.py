"""The evaluation: its scores on known cases, and its report for a perfect and a random agent."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from facelm.data_gen.corpus.splits import split_of
from facelm.eval.evaluate import detections, evaluate, score_motion, score_text
from facelm.eval.items import Item, fresh_items
from facelm.eval.metrics import (
    Counts,
    Detection,
    bootstrap_interval,
    count_actions,
    event_onsets,
    expand,
    order_score,
)
from facelm.eval.reconstruction import evaluate_tokenizer, matches
from facelm.eval.retrieval import nearest
from facelm.face.clip.normalise import Normalised
from facelm.face.clip.sequence import FaceSequence
from facelm.face.clip.spontaneous import filter_idle
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import MeasuredAction
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.head.model import HeadModel
from facelm.tokenizer.codec import FaceTokenizer, MotionTokens
from tiny_agent import tiny_face_tokenizer


def script(*events: tuple[str, float], seconds: float = 8.0) -> Schedule:
    return Schedule(seconds, tuple(Event(name, start, 0.4, 0.4, 0.4) for name, start in events))


def seen(*found: tuple[str, float]) -> list[Detection]:
    return [Detection(name, onset) for name, onset in found]


# -- counts -----------------------------------------------------------------------------
@pytest.mark.parametrize(("asked", "found", "counts"), [
    (["smile", "nod"], {"smile", "nod"}, Counts(2, 0, 0)),
    (["smile", "nod"], {"smile"}, Counts(1, 1, 0)),
    (["smile", "nod"], {"smile", "nod", "shake"}, Counts(2, 0, 1)),
    (["smile"], {"smile", "squint"}, Counts(1, 0, 0)),  # a smile squints: neither for nor against
    (["nod"], {"nod", "squint"}, Counts(1, 0, 1)),
    (["happiness"], {"smile", "squint", "mouth_open"}, Counts(2, 0, 0)),
    (["happiness"], {"smile"}, Counts(1, 1, 0)),  # nothing that an emotion asks for is a mere side effect
    (["smile", "smile"], {"smile"}, Counts(1, 0, 0)),  # an action counts once a clip
    (["happiness", "smile"], set(), Counts(0, 2, 0)),
    (["nod"], {"nod", "blink"}, Counts(1, 0, 0)),
    (["blink"], {"nod"}, Counts(0, 1, 1)),
    (["blink"], {"blink"}, Counts(1, 0, 0)),
])
def test_count_actions(asked: list[str], found: set[str], counts: Counts) -> None:
    assert count_actions(script(*((name, float(i)) for i, name in enumerate(asked))), found) == counts


def test_a_blink_that_was_not_asked_for_counts_where_none_is_spontaneous() -> None:
    assert count_actions(script(("nod", 0)), {"nod", "blink"}, spontaneous=False) == Counts(1, 0, 1)


def test_counts_add_up_and_give_the_usual_scores() -> None:
    total = Counts(3, 1, 0) + Counts(1, 0, 2)
    assert total == Counts(4, 1, 2)
    assert (total.recall, total.precision) == (4 / 5, 4 / 6)
    assert total.f1 == pytest.approx(2 * total.recall * total.precision / (total.recall + total.precision))
    assert Counts().f1 == Counts().recall == Counts().precision == 0


def test_intervals_hold_the_score_and_narrow_with_more_items() -> None:
    some = [Counts(1, 0, 0), Counts(0, 1, 1), Counts(2, 1, 0), Counts(1, 1, 2)]
    (low, high), (low_many, high_many) = (bootstrap_interval(some * n, "f1") for n in (5, 200))
    score = sum(some, Counts()).f1
    assert low < low_many < score < high_many < high
    assert bootstrap_interval([Counts(1, 0, 0)] * 5, "recall") == (1.0, 1.0)


def test_expand_replaces_emotions_only() -> None:
    assert expand(["happiness", "nod"]) == {"smile", "squint", "nod"}
    assert expand(["neutral"]) == set() and expand([]) == set()


# -- order ------------------------------------------------------------------------------
ORDERS = [
    # (events, found, right, complete)
    ("in order", [("smile", 0), ("nod", 2)], [("smile", 0.1), ("nod", 2.1)], True, True),
    ("exchanged", [("smile", 0), ("nod", 2)], [("nod", 0.1), ("smile", 2.1)], False, True),
    ("at once", [("smile", 0), ("nod", 2)], [("nod", 0.1), ("smile", 0.1)], False, True),
    ("another pace", [("smile", 0), ("nod", 2)], [("smile", 3), ("nod", 3.5)], True, True),
    ("one of three missing", [("smile", 0), ("nod", 2), ("shake", 4)], [("smile", 0), ("shake", 4)], True, False),
    ("missing and exchanged", [("smile", 0), ("nod", 2), ("shake", 4)], [("shake", 0), ("smile", 4)], False, False),
    ("repeated", [("smile", 0), ("nod", 2), ("smile", 4)], [("smile", 0), ("nod", 2), ("smile", 4)], True, True),
    ("repeated, exchanged", [("smile", 0), ("nod", 2), ("smile", 4)], [("smile", 0), ("smile", 2), ("nod", 4)], False, True),
    ("repeated, first one missing", [("nod", 0), ("smile", 2), ("nod", 4)], [("smile", 2), ("nod", 4)], True, False),
    ("an emotion takes all it needs", [("happiness", 0), ("nod", 3)], [("smile", 0.1), ("squint", 0.2), ("nod", 3)], True, True),
    ("half an emotion", [("nod", 0), ("happiness", 3)], [("nod", 0), ("squint", 3)], True, True),
    # the squint of the wink is no sign of the happiness that follows later
    ("side effect of another", [("wink_left", 0), ("nod", 2), ("happiness", 4)],
     [("wink_left", 0), ("squint", 0), ("nod", 2), ("smile", 4), ("squint", 4.1)], True, True),
    ("shared action", [("squint", 0), ("nod", 2), ("anger", 4)],
     [("squint", 0), ("nod", 2), ("brow_lower", 4), ("squint", 4), ("lip_press", 4)], True, True),
    ("shared action, once", [("squint", 0), ("anger", 4)], [("squint", 0), ("brow_lower", 4), ("lip_press", 4)], True, True),
]


@pytest.mark.parametrize(("events", "found", "right", "complete"), [o[1:] for o in ORDERS], ids=[o[0] for o in ORDERS])
def test_order_score(events: list, found: list, right: bool, complete: bool) -> None:
    score = order_score(script(*events), seen(*found))
    assert score is not None and score.scored
    assert (score.right, score.complete) == (right, complete)


def test_order_has_nothing_to_say() -> None:
    assert order_score(script(("smile", 0)), seen(("smile", 0))) is None, "one event"
    assert order_score(script(("smile", 0), ("nod", 0.2)), seen(("nod", 0), ("smile", 1))) is None, "simultaneous"
    for found in ((), (("smile", 0),), (("shake", 0), ("talking", 3))):
        score = order_score(script(("smile", 0), ("nod", 2)), seen(*found))
        assert score is not None and not score.scored and not score.right and not score.complete
    three = order_score(script(("smile", 0), ("nod", 0.2), ("shake", 3)), seen(("nod", 0), ("smile", 0.1), ("shake", 3)))
    assert three is not None and three.right, "the simultaneous pair may come either way"


def test_due_times_choose_but_never_repair() -> None:
    asked = script(("nod", 0), ("smile", 4))
    assert event_onsets(asked, seen(("nod", 1), ("smile", 0), ("smile", 3))) == [1, 3]
    twice_as_fast = seen(("smile", 0.2), ("nod", 0.1), ("smile", 2.0), ("smile", 3.9))
    assert event_onsets(asked, twice_as_fast, due=[0, 2]) == [0.1, 2.0]
    assert order_score(asked, seen(("nod", 3), ("smile", 1)), due=[3, 1]).right is False  # type: ignore[union-attr]


def test_a_clip_with_very_many_occurrences_is_scored_in_time() -> None:
    many = [Detection("blink", 0.1 * i) for i in range(200)]
    assert order_score(script(*(("blink", float(i)) for i in range(7))), many) is not None


# -- text -------------------------------------------------------------------------------
def test_score_text_by_hand() -> None:
    scripts = [script(("smile", 0), ("nod", 3)), script(("anger", 0))]
    right = score_text("x", scripts, ["Smiles, then nods.", "Looks angry."])
    assert (right.recall, right.precision, right.order, right.order_strict) == (1, 1, 1, 1)
    turned = score_text("x", scripts, ["Nods, then smiles.", "Looks angry."])
    assert (turned.f1, turned.order) == (1, 0)
    assert score_text("x", scripts[:1], ["Smiles while nodding."]).order == 0, "what is said to be at once has no order"
    wrong = score_text("x", scripts, ["Shakes the head.", ""])
    assert wrong.recall == wrong.precision == wrong.order_strict == 0 and wrong.order is None
    for spontaneous, precision in ((False, 0.5), (True, 1.0)):
        assert score_text("x", [script(("smile", 0))], ["Smiles, then blinks."], spontaneous).precision == precision


@pytest.fixture(scope="module")
def items(head: HeadModel) -> list[Item]:
    return fresh_items(40, "test", 1, head)


def test_fresh_items_are_of_their_split_and_reproducible(items: list[Item], head: HeadModel) -> None:
    assert {split_of(i.script) for i in items} == {"test"}
    again = fresh_items(3, "test", 1, head)
    assert [i.prompt for i in again] == [i.prompt for i in items[:3]]
    assert fresh_items(1, "test", 2, head)[0].script != items[0].script
    assert split_of(fresh_items(1, "train", 1, head)[0].script) == "train"


def test_canonical_descriptions_and_true_clips_score_full_marks(items: list[Item], head: HeadModel) -> None:
    scripts = [i.script for i in items]
    for row in (score_text("text", scripts, [i.description for i in items]),
                score_motion("clip", scripts, [detections(i.clip, head) for i in items])):
        assert row.f1 >= 0.99 and row.order is not None and row.order >= 0.97 and row.order_strict == row.order, row


# -- retrieval --------------------------------------------------------------------------
def test_retrieval_finds_each_text_and_prefers_rare_words() -> None:
    texts = ["she smiles and nods", "he frowns", "she smiles and shakes her head", "he winks", "they smile"]
    assert nearest(texts, texts) == [0, 1, 2, 3, 4]
    assert nearest(texts, ["WINKS!", "and shakes", "nods and smiles she"]) == [3, 2, 0]
    assert nearest(texts, ["xyzzy", ""]) == [0, 0], "nothing in common: any answer, no crash"
    assert nearest(["m1 m2", "m2 m1", "m3"], ["m2 m1 m7"]) == [1], "order counts through pairs of words"


# -- the whole report -------------------------------------------------------------------
class Scripted:
    """An agent that knows the answers (``honest``) or gives those of other items."""

    def __init__(self, items: Sequence[Item], tokenizer: FaceTokenizer, honest: bool) -> None:
        self.tokenizer, self.head = tokenizer, HeadModel.default()
        answers = list(items) if honest else [*items[7:], *items[:7]]
        self.clips = {i.prompt: a.clip for i, a in zip(items, answers, strict=True)}
        self.texts = [a.description for a in answers]

    def generate_many(self, prompts: Sequence[str], *, seed: int, idle: bool, temperature: float,
                      progress) -> list[FaceSequence]:  # noqa: ANN001
        assert not idle, "spontaneous motion would be measured as performed"
        progress(len(prompts), len(prompts))
        return [self.clips[p] for p in prompts]

    def describe_many(self, clips: Sequence[FaceSequence], model: bool = False) -> list[str]:
        assert len(clips) == len(self.texts)
        return self.texts


@pytest.fixture(scope="module")
def tokenizer(clips: list[FaceSequence]) -> FaceTokenizer:
    return tiny_face_tokenizer(clips)


@pytest.mark.slow
def test_a_perfect_agent_equals_the_ground_truth_and_a_random_one_equals_chance(
        items: list[Item], tokenizer: FaceTokenizer, head: HeadModel) -> None:
    train = fresh_items(30, "train", 1, head)
    seen: list[tuple[int, int, str]] = []
    perfect = evaluate(Scripted(items, tokenizer, True), items, train, progress=lambda *a: seen.append(a))
    rows = {r.name: r for r in perfect.l2m}
    mine, truth, chance = rows["language model"], rows["ground truth"], rows["random training clip"]
    assert (mine.recall, mine.precision, mine.order) == (truth.recall, truth.precision, truth.order)
    assert mine.recall > 0.99 and mine.precision > 0.99 and chance.f1 < 0.5
    texts = {r.name: r for r in perfect.m2l}
    assert texts["language model"].f1 == texts["ground truth"].f1 > 0.99 and texts["random training text"].f1 < 0.5
    assert {stage for _, _, stage in seen} >= {"generating", "describing", "measuring: ground truth"}
    assert all(e["found"] == e["asked"] for e in perfect.per_action.values())
    assert set(rows) == {"language model", "ground truth", "ground truth through tokenizer", "nearest training text",
                         "random training clip"}

    random = evaluate(Scripted(items, tokenizer, False), items, train)
    for rows_of in (random.l2m, random.m2l):
        assert rows_of[0].f1 < 0.5 and rows_of[0].order_strict is not None and rows_of[0].order_strict < 0.3
        assert rows_of[0].f1_interval[0] <= rows_of[0].f1 <= rows_of[0].f1_interval[1]

    facts = perfect.to_dict()
    assert (facts["items"], facts["train_items"]) == (40, 30)
    table = perfect.table()
    assert "Language2Motion (40 test items)" in table and "Motion2Language" in table and len(table.splitlines()) == 18


@pytest.mark.parametrize(("only", "full", "empty"), [("l2m", "l2m", "m2l"), ("m2l", "m2l", "l2m")])
def test_one_direction_only(items: list[Item], tokenizer: FaceTokenizer, only: str, full: str, empty: str) -> None:
    report = evaluate(Scripted(items[:8], tokenizer, True), items[:8], items, only)
    assert getattr(report, full) and not getattr(report, empty)
    nearest = next(r for r in getattr(report, full) if "nearest" in r.name)
    if only == "l2m":  # an untrained tokenizer may write two clips alike
        assert nearest.recall == nearest.precision == 1, "the items are their own nearest neighbours"
    assert nearest.f1 > 0.5


def test_an_evaluation_needs_items(items: list[Item], tokenizer: FaceTokenizer) -> None:
    for test, train in (([], items), (items, [])):
        with pytest.raises(ValueError, match="needs test items"):
            evaluate(Scripted(items, tokenizer, True), test, train)


# -- reconstruction ---------------------------------------------------------------------
class Lossless(FaceTokenizer):
    """Remembers the clip: what a tokenizer without loss would report."""

    def encode(self, clip: FaceSequence | Normalised) -> MotionTokens:
        self.last = clip.seq if isinstance(clip, Normalised) else clip
        return super().encode(clip)

    def decode(self, ids, head=None, shape=None, idle_seed=None) -> FaceSequence:  # noqa: ANN001
        return self.last


def test_a_lossless_tokenizer_has_no_error_and_an_untrained_one_does(tokenizer: FaceTokenizer,
                                                                   clips: list[FaceSequence]) -> None:
    lossless = Lossless(tokenizer.model, tokenizer.kept, tokenizer.head_sha256)
    report = evaluate_tokenizer(lossless, clips[:6])
    assert max(report.mm.values()) == report.head_deg == report.gaze_deg == report.onset_error == 0
    assert report.jitter == report.action_recall == report.action_precision == 1
    steps = [tokenizer.encode(Normalised(c)) for c in clips[:6]]
    assert report.tokens_per_second == pytest.approx(sum(len(t.ids) for t in steps) / sum(c.seconds for c in clips[:6]))
    worse = evaluate_tokenizer(tokenizer, clips[:6])
    assert min(worse.mm.values()) > 0 and worse.action_recall < 0.9
    assert worse.tokens_per_second == report.tokens_per_second
    assert "reconstruction of 6 clips" in worse.table()
    other_rate = evaluate_tokenizer(lossless, [c.resample(30) for c in clips[:2]])
    assert max(other_rate.mm.values()) == 0, "clips of another frame rate are brought to the tokenizer's"
    with pytest.raises(ValueError, match="no clips"):
        evaluate_tokenizer(tokenizer, [])


def test_occurrences_are_matched_one_to_one_where_they_overlap() -> None:
    def at(name: str, onset: float, offset: float) -> MeasuredAction:
        return MeasuredAction(name, onset, onset, offset, 1.0, 1.0, "mm")

    was = [at("blink", 0, 0.3), at("blink", 1, 1.3), at("smile", 0, 2)]
    now = [at("blink", 0.1, 0.4), at("blink", 0.2, 0.35), at("smile", 1.9, 4), at("nod", 0, 1)]
    assert matches(was, now) == [(was[0], now[0]), (was[2], now[2])]


def test_filtering_keeps_what_is_measured(clips: list[FaceSequence]) -> None:
    """The reconstruction report encodes unfiltered clips: filtering a clip without idle motion loses no action."""
    lost = sum(len(set(measure(c).names) - set(measure(filter_idle(c)).names)) for c in clips[:8])
    assert lost == 0
