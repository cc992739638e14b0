"""Annotated events, and claims against them."""

import pytest
from facelm.eval.seeing.annotations import annotated_clips, read_annotations
from facelm.eval.seeing.score import agreement, claims_of, rest_claims, score_clip, summed, total
from facelm.face.facs.measured import MeasuredAction

TEXT = """
package: npm none 1.0
member: clip.mp4
sha256: "{sha}"
split: tune
person: a
fps: 25
frames: 250
spans: [[0, 10]]
rest: [[8, 10]]
passes:
  one:
    events: [[smile, 1.0, 3.0, both, 3], [blink, 4.0, 4.2], [brow_raise, 5.0, 6.0, left, 2]]
    unclear: [[nod, 6.0, 7.0]]
  two:
    spans: [[0, 5]]
    events: [[smile, 1.2, 3.1], [mouth_open, 2.0, 2.5]]
"""


def clip(**changes: str):
    text = TEXT.format(sha="0" * 64)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return read_annotations(text, "clip.yaml")


def action(name: str, onset: float, offset: float, side: str = "both", intensity: float = 0.6) -> MeasuredAction:
    return MeasuredAction(name, onset, onset, offset, intensity, 1.0, "mm", side=side)  # type: ignore[arg-type]


def test_found_missed_false_and_unclear() -> None:
    claims = claims_of([action("smile", 1.1, 2.0), action("smile", 2.2, 3.1), action("brow_raise", 5.1, 5.8),
                        action("nod", 6.1, 6.5), action("mouth_open", 4.0, 4.5)])
    found = score_clip(clip(), claims)
    assert (found["smile"].recall, found["smile"].precision) == (1.0, 1.0), "two claims are parts of one event"
    assert found["smile"].onset == pytest.approx(0.1)
    assert found["blink"].recall == 0.0
    assert "nod" not in found, "what is unclear counts for nothing"
    assert found["mouth_open"].precision == 0.0
    assert found["brow_raise"].sides == [False]
    everything = total(found)
    assert (everything.events, everything.found, everything.claims, everything.true) == (3, 2, 4, 3)
    assert everything.f1 == pytest.approx(2 * (2 / 3) * 0.75 / (2 / 3 + 0.75))
    assert summed([found, found])["smile"].events == 2


def test_claims_outside_of_what_was_annotated_count_for_nothing() -> None:
    assert score_clip(clip(**{"[[0, 10]]": "[[0, 3.5]]"}), claims_of([action("shake", 5.0, 6.0)])).keys() == {"smile"}


def test_two_annotators_agree_where_both_looked() -> None:
    found = agreement(clip(), "one", "two")
    assert found["smile"].recall == 1.0
    assert found["blink"].recall == 0.0
    assert found["mouth_open"].precision == 0.0
    assert "brow_raise" not in found


def test_claims_at_rest() -> None:
    claims = claims_of([action("smile", 8.5, 9.0), action("blink", 9.0, 9.2), action("nod", 1.0, 2.0)])
    assert rest_claims(clip(), claims) == (1, 2.0)


@pytest.mark.parametrize(("old", "new", "said"), [
    ("[blink, 4.0, 4.2]", "[moonwalk, 4.0, 4.2]", "unknown action 'moonwalk'"),
    ("[nod, 6.0, 7.0]", "[nod, 6.0, 5.0]", "must be later"),
    ("[blink, 4.0, 4.2]", "[blink, 4.0, 4.2, left]", "no sides"), ("split: tune", "split: test", "'tune' or 'judge'"),
    ("brow_raise, 5.0, 6.0, left, 2", "brow_raise, 5.0, 6.0, left, 4", "less than or equal to 3")])
def test_faults_are_named(old: str, new: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        clip(**{old: new})


def test_the_kept_annotations_are_sound() -> None:
    clips = annotated_clips()
    people = {c.person: {d.split for d in clips if d.person == c.person} for c in clips}
    assert all(len(splits) == 1 for splits in people.values()), "a person is in one split only"
    for c in clips:
        assert all(b <= c.frames / c.fps + 0.05 for _, b in c.spans), c.name
        assert all(e.end <= c.frames / c.fps + 0.3 for p in c.passes.values() for e in (*p.events, *p.unclear)), c.name
    assert len({c.sha256 for c in clips}) == len(clips)
