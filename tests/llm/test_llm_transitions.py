"""Transitions in the language model: sequences, batches, training from a recipe, and generation."""

from dataclasses import replace

import numpy as np
import pytest
from facelm.agent.learning.training import tokenize_transitions
from facelm.common.progress import silent
from facelm.data_gen.corpus.transitions import read_transitions, write_transitions
from facelm.llm.config import DataConfig, parse_config
from facelm.llm.examples import Clip, Stream, collate, read_clips, transition_example
from facelm.llm.generate import MotionLM
from facelm.llm.model import read_card
from facelm.llm.prompts import INSTRUCTION, Turn
from facelm.llm.train import train
from facelm.tokenizer.codec import FaceTokenizer
from llm_tiny import DATA, LAYOUT, tiny_base, tiny_clips, tiny_config, tiny_model

TEMPLATE = tiny_model().template
SYMBOLS = LAYOUT.encode(np.array([[1, 1, 2]] * 2 + [[3, 1, 2]] * 3))
SOURCE = LAYOUT.encode(np.array([[2, 1, 2]]))


def clip(source=SOURCE):
    return Clip("t", ("turn smile frown",), (), (), SYMBOLS, 5, source=source)


def make(source=SOURCE, **data):
    return transition_example(TEMPLATE, clip(source), replace(DATA, transition=1.0, **data), np.random.default_rng(0))


def test_a_sequence_holds_source_instruction_and_motion():
    e = make(seconds=1.0, transition_reading=0.0)
    assert e == TEMPLATE.encode([Turn("0.8s: turn smile frown", SOURCE, answer_motion=SYMBOLS, steps=5)])
    first, steps = e.answers[0]
    assert steps == 5
    assert TEMPLATE.vocabulary.symbols(e.ids[first:first + len(SYMBOLS)]).tolist() == SYMBOLS.tolist()
    assert not any(e.kinds[:1 + len(TEMPLATE.vocabulary.span(SOURCE))])  # no loss over the source


def test_without_a_source_only_words_are_given():
    assert make(None, seconds=0.0, transition_reading=0.0) == TEMPLATE.encode([Turn("turn smile frown", answer_motion=SYMBOLS)])


def test_reading_asks_for_the_instruction():
    assert make(transition_reading=1.0) == TEMPLATE.encode([Turn(INSTRUCTION, SYMBOLS, "turn smile frown")])


def test_the_stream_mixes_transitions_in_by_weight():
    config = replace(DATA, perform=0.5, understand=0.0, transition=0.5, seconds=0.0, transition_reading=0.0)
    stream = Stream(tiny_clips(4), TEMPLATE, config, 0, [clip()])
    begin = TEMPLATE.vocabulary.begin
    with_source = [stream.example(k).ids.count(begin) == 2 for k in range(200)]
    assert 70 < sum(with_source) < 130
    assert len(collate(TEMPLATE, [stream.example(k) for k in range(4)]).ids) == 4
    with pytest.raises(ValueError, match="facelm data transitions"):
        Stream(tiny_clips(4), TEMPLATE, config, 0)


def test_without_transitions_the_stream_is_what_it_was():
    old, new = Stream(tiny_clips(6), TEMPLATE, DATA, 0), Stream(tiny_clips(6), TEMPLATE, DATA, 0, [clip()])
    assert [old.example(k) for k in range(20)] == [new.example(k) for k in range(20)]


def test_config_refuses_bad_weights():
    with pytest.raises(ValueError, match="data.transition is -1.0; allowed: greater than or equal to 0"):
        parse_config({"data": {"transition": -1.0}})
    with pytest.raises(ValueError, match="transition_reading is 2.0; allowed: less than or equal to 1"):
        parse_config({"data": {"transition_reading": 2.0}})
    assert DataConfig().transition == 0.0


def test_generation_takes_sources_and_lengths():
    lm = MotionLM(tiny_model())
    made = lm.transition(["smile frown", "nod"], [SOURCE, None], seconds=[0.8, None], seed=1, max_seconds=2.0)
    assert lm.seconds(made[0]) == pytest.approx(0.8)
    alone = lm.transition(["smile frown"], [SOURCE], seconds=[0.8], seed=1)
    assert alone[0].tolist() == made[0].tolist()
    bare = [lm.transition(["smile frown"], [s], seconds=[1.6], temperature=0.0)[0].tolist() for s in (SOURCE, None)]
    assert bare[0] != bare[1]  # the source is read
    with pytest.raises(ValueError, match="2 instructions but 1 sources"):
        lm.transition(["a", "b"], [None])
    with pytest.raises(ValueError, match="a prompt is empty"):
        lm.transition([" "])


def test_a_corpus_of_transitions_is_tokenized_and_trained_on(tmp_path):
    write_transitions(tmp_path, 40, seed=2)
    tokenizer = _released()
    rows = [r for r in read_transitions(tmp_path) if r["split"] != "test"]
    assert tokenize_transitions(tmp_path, tokenizer, tmp_path / "t.parquet") == len(rows)
    clips = read_clips(tmp_path / "t.parquet", "train", tokenizer.layout)
    by_id = {r["clip_id"]: r for r in rows}
    for c in clips:
        row = by_id[c.clip_id]
        assert (c.source is not None) == row["sourced"] and c.captions == tuple(row["instructions"])
        assert c.steps == -(-round(row["spec"].seconds * 25) // 4)
    base = tiny_base()
    base.model.save_pretrained(tmp_path / "base")
    base.tokenizer.save_pretrained(tmp_path / "base")
    config = tiny_config(max_steps=2)
    config = replace(config, model=replace(config.model, name=str(tmp_path / "base")),
                     data=replace(config.data, transition=1.0, max_tokens=300, batch_tokens=300))
    result = train(config, tmp_path / "t.parquet", tokenizer.layout, tmp_path / "out", progress=silent,
                   transitions=tmp_path / "t.parquet")
    assert result.reached.step == 2 and "transition/motion" in result.validation
    assert read_card(tmp_path / "out")["info"]["config"]["data"]["transition"] == 1.0


def _released():
    from facelm.agent.pipeline import weights_dir

    return FaceTokenizer.from_pretrained(weights_dir() / "tokenizer")
