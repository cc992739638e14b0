"""Vocabulary, chat format, examples and batches of the language model."""

import json
from dataclasses import replace

import numpy as np
import pytest
from facelm.face.facs.script import mark
from facelm.llm.config import DataConfig, load_config, parse_config
from facelm.llm.data import prepare_tokens, read_clips, read_pieces, read_readings, write_pieces, write_readings
from facelm.llm.examples import (
    TASKS,
    Examples,
    Position,
    Stream,
    collate,
    legal_masks,
    perform_example,
    read_example,
    see_example,
    understand_example,
    validation_batches,
)
from facelm.llm.prompts import DESCRIBE, MOTION, NONE, SCRIPT, TEXT, MotionAnswer, Template, Turn
from facelm.llm.vocabulary import MotionVocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_tiny import (
    DATA,
    LAYOUT,
    READINGS,
    random_motion,
    tiny_clips,
    tiny_examples,
    tiny_pieces,
    tiny_tokenizer,
    tiny_vocabulary,
)


@pytest.fixture(scope="module")
def template() -> Template:
    tokenizer = tiny_tokenizer()
    return Template.of(tokenizer, tiny_vocabulary(len(tokenizer)))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_symbols_survive_ids_and_json(seed):
    vocabulary = tiny_vocabulary(100)
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
            Turn("smile", answer_motion=motion, steps=LAYOUT.steps(motion)),
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


def test_words_hold_the_rows_of_their_marks(template):
    marked = template.words(f"smile {mark('t', 3)} s")
    row = template.vocabulary.script_ids(["t3"])
    assert marked == [*template.words("smile"), *row, *template.words("s")]
    with pytest.raises(ValueError, match="no 't3'"):
        Template.of(template.tokenizer, MotionVocabulary(template.vocabulary.n_text, LAYOUT)).words(mark("t", 3))


def test_a_script_is_an_answer_between_its_brackets(template):
    encoded = read_example(template, READINGS[4])
    vocabulary = template.vocabulary
    opening, unknown, closing = vocabulary.script_ids(["<script>", "unknown", "</script>"])
    words = template.tokenizer.encode(" what slowly", add_special_tokens=False)
    answer = [(i, k) for i, k in zip(encoded.ids, encoded.kinds, strict=True) if k]
    assert answer == [(opening, TEXT), (unknown, SCRIPT), *((i, TEXT) for i in words), (template.stop, TEXT), (closing, SCRIPT)]


def test_performing_and_seeing_are_each_others_inverse(template):
    vocabulary = template.vocabulary
    for piece in tiny_pieces(12):
        codes = LAYOUT.decode(piece.symbols, piece.before)
        performed, seen = perform_example(template, piece), see_example(template, piece)
        (answer,) = performed.answers
        last = performed.ids.index(vocabulary.end, answer.first)
        written = vocabulary.symbols(performed.ids[answer.first:last])
        assert answer.steps == len(codes) == int(piece.tokens[1][1:])
        assert np.array_equal(LAYOUT.decode(written, answer.before), codes)
        first = seen.ids.index(vocabulary.begin)
        shown = vocabulary.symbols(seen.ids[first:seen.ids.index(vocabulary.end, first)])
        assert np.array_equal(LAYOUT.decode(shown), codes), "what is seen starts from rest"
        script = [i for i, k in zip(seen.ids, seen.kinds, strict=True) if k == SCRIPT]
        assert script == vocabulary.script_ids([*piece.tokens, "</script>"])
        handed = performed.ids.count(vocabulary.begin) - 1
        assert handed == (piece.before != LAYOUT.rest_codes), "the state before is handed over unless it is rest"


def test_batches_predict_the_next_token(template):
    stream = Stream(tiny_examples(), template, DATA, 0)
    vocabulary = template.vocabulary
    seen = dict.fromkeys(("text", "motion", "script"), 0)
    for group in [g for k in range(3) for g in stream.window(k)]:
        batch = collate(template, group)
        assert batch.ids.numel() <= DATA.batch_tokens or len(batch.ids) == 1
        flat = batch.ids.flatten()
        width = batch.ids.shape[1]
        wanted = [(row * width + t, kind) for row, e in enumerate(group) for t, kind in enumerate(e.kinds[1:]) if kind]
        for kind, at in ((TEXT, batch.text_at), (MOTION, batch.motion_at), (SCRIPT, batch.script_at)):
            assert sorted(at.tolist()) == [p for p, k in wanted if k == kind]
        for at, target in zip(batch.motion_at.tolist(), batch.motion_target.tolist(), strict=True):
            expected = vocabulary.end if target == LAYOUT.n_symbols else target + vocabulary.first_symbol
            assert int(flat[at + 1]) == expected
        for at, target in zip(batch.script_at.tolist(), batch.script_target.tolist(), strict=True):
            assert int(flat[at + 1]) == vocabulary.first_script + target and 0 <= target < len(vocabulary.script)
        first = {vocabulary.n_text: vocabulary.begin, vocabulary.n_text + 1: vocabulary.first_script}
        for at, target in zip(batch.text_at.tolist(), batch.text_target.tolist(), strict=True):
            assert int(flat[at + 1]) == first.get(target, target)
        # what is to be learned is always allowed, and it was not all allowed
        legal = batch.legal.numpy()
        assert legal[np.arange(len(legal)), batch.motion_target.numpy()].all()
        assert not len(legal) or not legal.all()
        for name in seen:
            seen[name] += len(getattr(batch, f"{name}_at"))
    assert min(seen.values()) > 0


def test_a_stated_length_allows_the_end_only_there():
    motion = random_motion(np.random.default_rng(2), steps=9)
    free, exact = (legal_masks(LAYOUT, motion.tolist(), MotionAnswer(0, steps)) for steps in (None, 9))
    assert exact[-1].sum() == 1 and exact[-1, -1]
    assert exact[:-1, -1].sum() == 0 and free[:, -1].sum() > 1


def test_stream_goes_on_where_it_stopped(template):
    data = tiny_examples(40)
    first = Stream(data, template, DATA, 3).batches()
    taken = [next(first) for _ in range(9)]
    again = Stream(data, template, DATA, 3).batches(taken[4][1])
    for batch, position in taken[5:]:
        other, there = next(again)
        assert position == there and batch.ids.equal(other.ids) and batch.legal.equal(other.legal)
    other = Stream(data, template, DATA, 4).batches(Position())
    assert not all(
        a[0].ids.shape == b[0].ids.shape and a[0].ids.equal(b[0].ids) for a, b in zip(taken, other, strict=False)
    )


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_learned_by_its_weight_and_needs_its_data(template, task):
    weights = {name: 0.1 for name in TASKS} | {task: 0.7}
    config = DataConfig(**weights, max_tokens=200)
    stream, vocabulary = Stream(tiny_examples(), template, config, 0), template.vocabulary

    def kind(example) -> str:
        if SCRIPT in example.kinds:
            scripts = sum(i == vocabulary.script_ids(["<script>"])[0] for i in example.ids)
            return "see" if vocabulary.begin in example.ids else "plan" if scripts == 2 else "read"
        return "perform" if MOTION in example.kinds else "understand"

    made = [e for k in range(200) if (e := stream.example(k)) is not None]
    assert 0.58 < sum(kind(e) == task for e in made) / len(made) < 0.82
    with pytest.raises(ValueError, match=f"data.{task} is 0.7 but there are no ") as refused:
        alone = DataConfig(**{**dict.fromkeys(TASKS, 0.0), task: 0.7})
        Stream(Examples(), template, alone, 0)
    assert "\n" not in str(refused.value)


def test_validation_is_the_same_each_time_and_by_task(template):
    one, two = (validation_batches(tiny_examples(6, 3), template, DATA, 5, 1) for _ in range(2))
    assert tuple(one) == TASKS
    assert all(a.ids.equal(b.ids) for task in one for a, b in zip(one[task], two[task], strict=True))
    assert sum(len(b.ids) for b in one["read"]) == 5
    assert set(validation_batches(Examples(readings=READINGS), template, DATA, 5, 1)) == {"read"}


def test_readings_and_pieces_survive_their_files(tmp_path):
    pieces = tiny_pieces(9)
    assert write_readings(READINGS, tmp_path / "r.parquet") == len(READINGS)
    assert write_pieces(iter(pieces), tmp_path / "deep" / "p.parquet") == 9
    assert read_readings(tmp_path / "r.parquet") == list(READINGS)
    assert read_pieces(tmp_path / "deep" / "p.parquet", LAYOUT) == pieces
    with pytest.raises(ValueError, match="another motion tokenizer"):
        read_pieces(tmp_path / "deep" / "p.parquet", type(LAYOUT)((2, 2), (0, 0), 2))
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_readings(tmp_path / "none.parquet")
    for damaged in (b"no parquet", (tmp_path / "deep" / "p.parquet").read_bytes()):
        (tmp_path / "r.parquet").write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged") as refused:
            read_readings(tmp_path / "r.parquet")
        assert "\n" not in str(refused.value)


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
    clip = type(tiny_clips(1)[0])("c", ("smile",), (), (), random_motion(np.random.default_rng(0)), 5, "nod left")
    encoded = understand_example(template, clip, replace(DATA, describe=1.0), np.random.default_rng(0))
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
