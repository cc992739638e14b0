"""Rewriting captions: what says the same is taken, everything else is refused, and nothing is asked twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chat_server import ChatServer, chat
from facelm.data_gen.paraphrase.backends import BackendError, ChatEndpoint, LocalModel
from facelm.data_gen.paraphrase.check import CheckConfig, clean, problems, residue
from facelm.data_gen.paraphrase.rewrite import ReplyCache, RewriteConfig, Rewriter, read_rows, rewrite_file
from facelm.data_gen.performer.sampler import sample_script
from facelm.data_gen.text.captions import caption
from facelm.face.facs.schedule import Event, Schedule
from inputs import command

SAID = "She smiles broadly, then nods twice while looking left."
GOOD = "She gives a wide smile and then nods twice while glancing to the left."
WRONG = {
    "another side": "She smiles broadly, then nods twice while looking right.",
    "an invented action": "She smiles broadly and sticks her tongue out, then nods twice while looking left.",
    "a lost action": "She smiles broadly, then nods twice.",
    "another order": "She nods twice while looking left, then smiles broadly.",
    "one after the other": "She smiles broadly, then nods twice, then looks left.",
    "another count": "She smiles broadly, then nods three times while looking left.",
    "another strength": "She smiles slightly, then nods twice while looking left.",
    "another person": "He smiles broadly, then nods twice while looking left.",
    "a denial": "She smiles broadly without blinking, then nods twice while looking left.",
    "an unread motion": "She smiles broadly, her eyes open, then nods twice while looking left.",
    "a feeling": "She smiles broadly and nervously, then nods twice while looking left.",
    "tears": "She smiles broadly through tears, then nods twice while looking left.",
    "a time": "At 0.5 s she smiles broadly, then nods twice while looking left.",
    "codes": "AU12E, then AD85 x2 with AU61.",
    "nothing": "",
    "two lines": "She smiles broadly,\nthen nods twice while looking left.",
    "a flood": SAID + " Then she stays neutral" * 40,
}


# -- reading back -----------------------------------------------------------------------------
def test_the_same_in_other_words_is_taken() -> None:
    for text in (GOOD, "With a broad smile first, she then nods two times as she looks to the left.",
                 "She begins with a broad smile, followed by two nods while glancing to the left."):
        assert problems(SAID, text) == [], text


@pytest.mark.parametrize("kind", WRONG)
def test_what_says_something_else_is_refused(kind: str) -> None:
    assert problems(SAID, WRONG[kind]), WRONG[kind]


def test_strictness_is_a_choice() -> None:
    assert not problems(SAID, WRONG["a lost action"], config=CheckConfig(allow_lost=True))
    assert not problems(SAID, WRONG["tears"], config=CheckConfig(known_words=False))
    assert problems(SAID, WRONG["an invented action"], config=CheckConfig(allow_lost=True, known_words=False))
    assert residue("She smiles broadly through tears.") == ["she", "through", "tears", "."]


def test_the_script_vouches_for_what_the_caption_left_unsaid() -> None:
    script = Schedule(3.0, (Event("smile", 0.3, 0.4, 0.6, 0.4, 1.0),))
    assert problems("She smiles.", "She smiles broadly.") == ["makes smile strong"]
    assert not problems("She smiles.", "She smiles broadly.", script=script)
    assert problems("She smiles.", "She smiles slightly.", script=script)


def test_phrases_of_the_test_split_stay_there() -> None:
    from facelm.data_gen.text.lexicon import PHRASES

    held = next(p for p in PHRASES["smile"] if p.held_out and p.kind == "verb")
    text = f"I {held.head} {held.rest}".replace("I ", "They ").replace("{p}", "their")
    assert any("test split" in p for p in problems("They smile.", text))
    assert not any("test split" in p for p in problems("They smile.", text, split="test"))


def test_our_own_paraphrases_pass_and_other_scripts_do_not() -> None:
    passed = total = wrongly = others = 0
    for i in range(80):
        script, rng = sample_script(np.random.default_rng([5, i])), np.random.default_rng(i)
        a, b = caption(script, rng, "plain"), caption(script, rng, "plain")
        total, passed = total + 1, passed + (not problems(a, b, script=script))
        for other in changed(script, rng):
            others += 1
            wrongly += not problems(a, caption(other, rng, "plain"), script=script)
    assert passed / total > 0.8
    assert wrongly == 0 and others > 150


def changed(script: Schedule, rng: np.random.Generator) -> Iterator[Schedule]:
    """Scripts that are not this one: one event less, one more, another side, another count, exchanged order."""
    events = list(script.events)
    if len(events) > 1:
        yield replace(script, events=tuple(events[1:]))
    names = {e.name for e in events}
    new = next(n for n in ("cheek_puff", "jaw_left", "tongue_out", "wink_left", "nod") if n not in names)
    cycles = 1 if new in ("nod", "wink_left") else 0
    yield replace(script, events=(*events, Event(new, max(e.start for e in events), 0.3, 0.3, 0.3, 0.7, cycles)))
    for i, e in enumerate(events):
        side = {"left": "right", "right": "left"}.get(e.name.rsplit("_", 1)[-1])
        if side:
            mirrored = replace(e, name=f"{e.name.rsplit('_', 1)[0]}_{side}")
            yield replace(script, events=(*events[:i], mirrored, *events[i + 1:]))
        if e.cycles > 1 and e.name in ("nod", "shake"):
            yield replace(script, events=(*events[:i], replace(e, cycles=e.cycles + 2), *events[i + 1:]))
    if len(events) == 2 and events[1].start - events[0].start > 1.5:
        a, b = events
        yield replace(script, events=(replace(b, start=a.start), replace(a, start=b.start)))


@pytest.mark.parametrize(("reply", "sentence"), [
    ('"She smiles."', "She smiles."), ("Caption: She smiles.", "She smiles."), ("```\nShe smiles.\n```", "She smiles."),
    ("Here is the rewritten sentence: She smiles.", "She smiles."), ("  She smiles. ", "She smiles.")])
def test_wrapping_is_taken_off(reply: str, sentence: str) -> None:
    assert clean(reply) == sentence


# -- an endpoint ------------------------------------------------------------------------------
@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[dict], tuple[int, bytes]]], ChatServer]]:
    servers: list[ChatServer] = []

    def start(answer: Callable[[dict], tuple[int, bytes]]) -> ChatServer:
        servers.append(ChatServer(answer))
        return servers[-1]

    yield start
    for s in servers:
        s.close()


def endpoint(server: ChatServer, **more: object) -> ChatEndpoint:
    pytest.importorskip("openai")
    return ChatEndpoint(server.url, "tiny", **{"timeout": 5.0, **more})  # type: ignore[arg-type]


def in_turn(*replies: tuple[int, bytes]) -> Callable[[dict], tuple[int, bytes]]:
    rest = list(replies)
    return lambda body: rest.pop(0) if len(rest) > 1 else rest[0]


def test_a_good_reply_replaces_the_caption(serve, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FACELM_TEST_KEY", "secret")
    server = serve(lambda body: chat(f'"{GOOD}"'))
    rewriter = Rewriter(endpoint(server, key_env="FACELM_TEST_KEY"))
    done = rewriter.rewrite(SAID)
    assert done.accepted and done.text == GOOD and rewriter.report.accepted == 1
    assert server.headers[0]["authorization"] == "Bearer secret" and server.headers[0]["path"] == "/v1/chat/completions"
    assert server.requests[0]["model"] == "tiny" and server.requests[0]["messages"][-1]["content"] == SAID
    assert "secret" not in repr(rewriter.backend)
    monkeypatch.setenv("OPENAI_API_KEY", "another secret")
    monkeypatch.setenv("OPENAI_ORG_ID", "mine")
    assert endpoint(server).complete([{"role": "user", "content": "x"}], 0)
    assert "secret" not in str(server.headers[1]) and not {"authorization", "openai-organization"} & set(server.headers[1])


def test_an_inventing_reply_is_told_what_is_wrong_and_then_the_original_stays(serve) -> None:  # type: ignore[no-untyped-def]
    server = serve(in_turn(chat(WRONG["an invented action"]), chat(WRONG["another side"]), chat("")))
    rewriter = Rewriter(endpoint(server))
    done = rewriter.rewrite(SAID)
    assert not done.accepted and done.text == SAID and len(done.refused) == 3
    assert "invents tongue_out" in done.refused[0] and "gaze_right" in done.refused[1] and "empty" in done.refused[2]
    assert "invents tongue_out" in server.requests[1]["messages"][-1]["content"]
    assert rewriter.report.kept == 1 and rewriter.report.reasons["invents"] == 2
    recovered = Rewriter(endpoint(serve(in_turn(chat(WRONG["another count"]), chat(GOOD))))).rewrite(SAID)
    assert recovered.accepted and len(recovered.refused) == 1


@pytest.mark.parametrize("bad", [(200, b"<html>"), (200, b'{"choices": []}'), chat(None), (503, b"busy"), (200, b"[" * 100_000)])
def test_malformed_and_busy_replies_are_asked_for_again(serve, bad) -> None:  # type: ignore[no-untyped-def]
    server = serve(in_turn(bad, chat(GOOD)))
    assert Rewriter(endpoint(server)).rewrite(SAID).accepted and len(server.requests) == 2
    dead = serve(lambda body: bad)
    with pytest.raises(BackendError, match="no usable reply"):
        endpoint(dead, retries=1).complete([{"role": "user", "content": "x"}], 0)
    assert len(dead.requests) == 2


def test_a_slow_reply_times_out(serve) -> None:  # type: ignore[no-untyped-def]
    def slow(body: dict) -> tuple[int, bytes]:
        time.sleep(0.6)
        return chat(GOOD)

    begin = time.monotonic()
    with pytest.raises(BackendError, match="timed out"):
        endpoint(serve(slow), timeout=0.1, retries=1).complete([{"role": "user", "content": "x"}], 0)
    assert time.monotonic() - begin < 30.0  # the default timeout is 60 s


def test_refusals_and_redirects_are_not_tried_again(serve) -> None:  # type: ignore[no-untyped-def]
    for status in (401, 302):
        server = serve(lambda body, status=status: (status, b"no"))
        with pytest.raises(BackendError, match=str(status)):
            endpoint(server).complete([{"role": "user", "content": "x"}], 0)
        assert len(server.requests) == 1


def test_a_dead_endpoint_stops_the_run_instead_of_copying_the_input(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"caption": f"She smiles {n}."}) + "\n" for n in ("once", "", "broadly") * 3))
    with pytest.raises(BackendError):
        rewrite_file(source, tmp_path / "out.jsonl", endpoint(serve(lambda body: (500, b"")), retries=0))
    assert not (tmp_path / "out.jsonl").exists()


# -- files ------------------------------------------------------------------------------------
def lines(path: Path) -> list[dict]:
    return [json.loads(x) for x in path.read_text().splitlines()]


def test_a_second_run_asks_for_nothing_and_writes_the_same(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"clip_id": "a", "captions": [SAID, "AU12."], "registers": ["plain", "clinical"], "split": "train"},
            {"clip_id": "b", "captions": ["He winks his left eye."], "registers": ["plain"]}]
    source.write_text("".join(json.dumps(r) + "\n" for r in rows) + "\n")
    server = serve(lambda body: chat(GOOD if body["messages"][1]["content"] == SAID else "He winks his right eye."))
    report = rewrite_file(source, out, endpoint(server), config=RewriteConfig(attempts=2))
    assert report.to_dict() == {"rows": 2, "captions": 2, "accepted": 1, "kept": 1, "accepted_share": 0.5, "calls": 3,
                                "cached": 0, "failures": 0, "reasons": {"invents": 2, "loses": 2, "says": 2}}
    first, second = lines(out)
    assert first["captions"] == [GOOD, "AU12."] and first["original_captions"] == [SAID, "AU12."]
    assert first["rewritten"] == [True, False] and second["captions"] == ["He winks his left eye."] and first["clip_id"] == "a"
    before, cache = out.read_bytes(), tmp_path / "out.cache.jsonl"
    with open(cache, "a") as handle:
        handle.write('{"key": "half a li')  # a run that was killed here
    again = rewrite_file(source, out, endpoint(server), config=RewriteConfig(attempts=2, workers=3))
    assert again.calls == 0 and again.cached == 3 and out.read_bytes() == before
    ReplyCache(cache).put("k", "v")
    assert ReplyCache(cache).get("k") == "v"


def test_a_corpus_folder_is_read(serve, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("pyarrow")
    from facelm.data_gen.corpus.synth import synth

    synth(6, tmp_path / "corpus", seed=3, progress=False)
    echo = serve(lambda body: chat(body["messages"][1]["content"].replace(", then ", " and then ")))
    report = rewrite_file(tmp_path / "corpus", tmp_path / "out.jsonl", endpoint(echo), limit=2)
    assert report.rows == 2 and {"clip_id", "script", "registers", "captions"} <= set(lines(tmp_path / "out.jsonl")[0])


@pytest.mark.parametrize(("text", "message"), [("nonsense\n", "line 1: not JSON"), ("3\n", "an object with captions"),
                                               ('{"captions": []}\n', "no captions"), ('{"caption": 4}\n', "no captions"),
                                               ('{"caption": "She nods.", "script": "{}"}\n', "not a performance script"),
                                               ('{"caption": "x y", "registers": ["plain", "plain"]}\n', "1 captions and 2")])
def test_wrong_rows_are_refused(serve, tmp_path: Path, text: str, message: str) -> None:  # type: ignore[no-untyped-def]
    source = tmp_path / "in.jsonl"
    source.write_text(text)
    with pytest.raises(ValueError, match=message):
        rewrite_file(source, tmp_path / "out.jsonl", endpoint(serve(lambda body: chat(GOOD))))


def test_wrong_settings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("file:///etc/passwd", "localhost:8000", "http://", "http://a/v1?x=1"):
        with pytest.raises(ValueError, match="url is"):
            ChatEndpoint(url, "m")
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(ValueError, match="NO_SUCH_KEY is not set"):
        ChatEndpoint("http://a/v1", "m", "NO_SUCH_KEY")
    with pytest.raises(ValueError, match="attempts"):
        RewriteConfig(attempts=0)
    with pytest.raises(ValueError, match="register is 'poem'"):
        RewriteConfig(registers=("poem",))
    with pytest.raises(FileNotFoundError, match="no such corpus folder"):
        list(read_rows(tmp_path / "none.jsonl"))
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
        LocalModel(str(tmp_path))


# -- a local model ----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def gibberish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random one-layer model whose words are those of the captions."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["<unk>", "</s>", *sorted({*SAID.lower().replace(",", " ,").replace(".", " .").split(), "right", "frowns", "winks"})]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path_factory.mktemp("model")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
                         num_key_value_heads=2, max_position_embeddings=512, eos_token_id=1, bos_token_id=1)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_the_gibberish_of_a_random_model_is_refused(gibberish: Path) -> None:
    model = LocalModel(str(gibberish), max_tokens=14)
    assert model.complete([{"role": "user", "content": SAID}], 3) == model.complete([{"role": "user", "content": SAID}], 3)
    rewriter = Rewriter(model, RewriteConfig(attempts=4))
    done = rewriter.rewrite(SAID)
    assert done.text == SAID and not done.accepted and len(done.refused) == 4 and rewriter.report.calls == 4
    with pytest.raises(BackendError, match="reads"):
        model.complete([{"role": "user", "content": "she smiles " * 600}], 0)


def test_a_damaged_model_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="no usable language model"):
        LocalModel(str(tmp_path)).complete([{"role": "user", "content": "x"}], 0)


# -- the command ------------------------------------------------------------------------------
def test_the_command(serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps({"caption": SAID}) + "\n")
    server = serve(lambda body: chat(GOOD))
    assert command("data", "rewrite", source, "-o", out, "--url", server.url, "--model", "tiny", "--json") == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == 1 and lines(out)[0]["captions"] == [GOOD]
    assert command("data", "rewrite", source, "-o", out, "--url", server.url, "--model", "tiny") == 0
    assert "1 of 1 captions rewritten" in capsys.readouterr().out and len(server.requests) == 1
    for argv, message in ((("--url", server.url), "needs --model"), ((), "either --url"),
                          (("--local", "x", "--workers", "2"), "one caption at a time")):
        with pytest.raises(ValueError, match=message):
            command("data", "rewrite", source, "-o", out, *argv)
