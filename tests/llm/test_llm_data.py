"""Vocabulary, chat format, examples and batches of the language model."""

import json

import numpy as np
import pytest
from facelm.llm.config import DataConfig, load_config, parse_config
from facelm.llm.examples import Position, Stream, _order, collate, legal_masks, prepare_tokens, read_clips
from facelm.llm.prompts import DESCRIBE, MOTION, NONE, TEXT, Template, Turn
from facelm.llm.vocabulary import MotionVocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_tiny import DATA, LAYOUT, random_motion, tiny_clips, tiny_tokenizer


@pytest.fixture(scope="module")
def template() -> Template:
    tokenizer = tiny_tokenizer()
    return Template.of(tokenizer, MotionVocabulary(len(tokenizer), LAYOUT))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_symbols_survive_ids_and_json(seed):
    vocabulary = MotionVocabulary(100, LAYOUT)
    symbols = random_motion(np.random.default_rng(seed))
    ids = vocabulary.span(symbols)
    assert np.array_equal(vocabulary.symbols(ids), symbols)
    assert all(100 <= i < vocabulary.size for i in ids)
    assert MotionVocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


def test_vocabulary_refuses_foreign_symbols():
    vocabulary = MotionVocabulary(100, LAYOUT)
    with pytest.raises(ValueError, match="0..18"):
        vocabulary.span([LAYOUT.n_symbols])


def test_loss_lies_on_answers_only(template):
    motion = random_motion(np.random.default_rng(1))
    encoded = template.encode(
        [
            Turn("4.0s: smile", answer_motion=motion, steps=LAYOUT.steps(motion)),
            Turn("what ?", motion=motion, answer="nod"),
        ]
    )
    by_kind = {
        kind: [i for i, k in zip(encoded.ids, encoded.kinds, strict=True) if k == kind] for kind in (NONE, TEXT, MOTION)
    }
    vocabulary = template.vocabulary
    assert by_kind[MOTION] == vocabulary.span(motion)[1:]
    assert by_kind[TEXT] == [vocabulary.begin, *template.words("nod"), template.stop]
    assert by_kind[NONE].count(vocabulary.begin) == 1  # the motion that the user hands over


def test_a_prompt_cannot_end_its_turn(template):
    assert template.stop not in template.words("smile <|im_end|> frown")


def test_batches_predict_the_next_token(template):
    stream = Stream(tiny_clips(), template, DATA, 0)
    seen = {"text": 0, "motion": 0}
    for group in stream.window(0):
        batch = collate(template, group)
        assert batch.ids.numel() <= DATA.batch_tokens or len(batch.ids) == 1
        flat = batch.ids.flatten()
        width = batch.ids.shape[1]
        wanted = [(row * width + t, kind) for row, e in enumerate(group) for t, kind in enumerate(e.kinds[1:]) if kind]
        assert sorted(batch.text_at.tolist()) == [p for p, kind in wanted if kind == TEXT]
        assert batch.motion_at.tolist() == [p for p, kind in wanted if kind == MOTION]
        vocabulary = template.vocabulary
        for at, target in zip(batch.motion_at.tolist(), batch.motion_target.tolist(), strict=True):
            expected = vocabulary.end if target == LAYOUT.n_symbols else target + vocabulary.first_symbol
            assert int(flat[at + 1]) == expected
        # what is to be learned is always allowed, and it was not all allowed
        legal = batch.legal.numpy()
        assert legal[np.arange(len(legal)), batch.motion_target.numpy()].all()
        assert not len(legal) or not legal.all()
        seen["text"] += len(batch.text_at)
        seen["motion"] += len(batch.motion_at)
    assert min(seen.values()) > 0


def test_a_stated_length_allows_the_end_only_there():
    motion = random_motion(np.random.default_rng(2), steps=9)
    free, exact = legal_masks(LAYOUT, motion.tolist(), None), legal_masks(LAYOUT, motion.tolist(), 9)
    assert exact[-1].sum() == 1 and exact[-1, -1]
    assert exact[:-1, -1].sum() == 0 and free[:, -1].sum() > 1


def test_stream_goes_on_where_it_stopped(template):
    clips = tiny_clips(40)
    first = Stream(clips, template, DATA, 3).batches()
    taken = [next(first) for _ in range(9)]
    again = Stream(clips, template, DATA, 3).batches(taken[4][1])
    for batch, position in taken[5:]:
        other, there = next(again)
        assert position == there and batch.ids.equal(other.ids) and batch.legal.equal(other.legal)
    other = Stream(clips, template, DATA, 4).batches(Position())
    assert not all(
        a[0].ids.shape == b[0].ids.shape and a[0].ids.equal(b[0].ids) for a, b in zip(taken, other, strict=False)
    )


def test_an_epoch_uses_every_clip_once_and_easy_ones_come_first(template):
    clips = tiny_clips(30)
    stream = Stream(clips, template, DATA, 0)
    used = [clips[i].clip_id for i in _order(stream.seed, 0, 0, len(clips))]
    assert sorted(used) == sorted(c.clip_id for c in clips)
    easy = Stream(clips, template, DataConfig(easy_examples=50), 0)
    counts = [[clips[i].n_events for i in pool] for _, pool in easy._stages]
    assert [max(c) for c in counts] == [1, 2, 3]
    assert [first for first, _ in easy._stages] == [0, 50, 100]


def test_corpus_round_trip_and_refusals(tmp_path):
    clips = tiny_clips(6)
    rows = [
        {
            "clip_id": c.clip_id,
            "split": "val" if i == 0 else "train",
            "seconds": 1.0,
            "captions": list(c.captions),
            "questions": list(c.questions),
            "answers": list(c.answers),
            "kinds": ["a", "b"],
            "n_events": c.n_events,
        }
        for i, c in enumerate(clips)
    ]
    assert prepare_tokens(rows, [c.symbols for c in clips], tmp_path / "a.parquet") == 6
    back = read_clips(tmp_path, "train", LAYOUT)
    assert [b.clip_id for b in back] == [c.clip_id for c in clips[1:]]
    assert np.array_equal(back[0].symbols, clips[1].symbols) and back[0].steps == clips[1].steps
    with pytest.raises(FileNotFoundError, match="no Parquet"):
        read_clips(tmp_path / "nothing", "train", LAYOUT)
    with pytest.raises(ValueError, match="split 'test'"):
        read_clips(tmp_path, "test", LAYOUT)
    with pytest.raises(ValueError, match="this tokenizer has"):
        read_clips(tmp_path, "train", type(LAYOUT)((2, 2), (0, 0), 2))


def test_describe_answer_prefers_the_description(template):
    from facelm.llm.examples import understand_example

    clip = type(tiny_clips(1)[0])("c", ("smile",), (), (), random_motion(np.random.default_rng(0)), 5, 1, "nod left")
    encoded = understand_example(template, clip, DATA, np.random.default_rng(0))
    answer = [i for i, k in zip(encoded.ids, encoded.kinds, strict=True) if k == TEXT]
    assert answer == [*template.words("nod left"), template.stop]
    assert template.words(DESCRIBE)[0] in encoded.ids


def test_configurations(tmp_path):
    from pathlib import Path

    for path in sorted((Path(__file__).parents[2] / "configs").glob("lm_*.yaml")):
        assert load_config(path).lora.rank >= 1
    (tmp_path / "a.yaml").write_text("lora: {rank: 8}\noptim: {lr: 1e-3}\n")
    (tmp_path / "b.yaml").write_text("base: a.yaml\noptim: {clip: 2}\n")
    config = load_config(tmp_path / "b.yaml")
    assert (config.lora.rank, config.optim.lr, config.optim.clip) == (8, 1e-3, 2)
    with pytest.raises(ValueError, match="^the configuration.optim: unknown entry 'learning_rate'; known: lr, [^\n]*$"):
        parse_config({"optim": {"learning_rate": 1}})
    with pytest.raises(ValueError, match="^the configuration.lora.rank is 'big'; allowed: a valid integer$"):
        parse_config({"lora": {"rank": "big"}})
    with pytest.raises(ValueError, match="must say when to stop"):
        parse_config({"run": {"max_minutes": 0}})
    (tmp_path / "c.yaml").write_text("base: c.yaml\n")
    with pytest.raises(ValueError, match="circle"):
        load_config(tmp_path / "c.yaml")
