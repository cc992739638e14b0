"""The prompt suite: deterministic, free of contradictions, balanced, worded in English, performable."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from facelm.common.config import read_settings
from facelm.data_gen.performer.sampler import compatible
from facelm.data_gen.prompts.dedup import Deduplicator, tokens
from facelm.data_gen.prompts.factors import DRAWN, FACIAL, GAZE, HEAD, KNOWN, TABLE, admissible, parents, values_of
from facelm.data_gen.prompts.report import balance, write_report
from facelm.data_gen.prompts.suite import (
    Attributes,
    Design,
    Prompt,
    PromptConfig,
    Tally,
    read_prompts,
    sample_prompts,
    script_for,
    write_prompts,
)
from facelm.data_gen.text.lexicon import EMOTION_ADJECTIVES, FAMILIES, NONE, WORDS, WORDS_OF
from facelm.face.facs.vocabulary import EMOTION_ACTIONS, EMOTIONS
from inputs import command

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "prompts"


@pytest.fixture(scope="module")
def suite() -> list[Prompt]:
    return sample_prompts(1500, seed=3)


# -- words --------------------------------------------------------------------------------------
def test_there_are_enough_words_for_every_emotion_and_none_is_held_out() -> None:
    assert len(WORDS) >= 180
    assert all(len(WORDS_OF[e]) >= 12 for e in EMOTIONS)
    held = {w[1:].split("@")[0] for words in EMOTION_ADJECTIVES.values() for w in words if w.startswith("*")}
    assert not held & set(WORDS)
    assert len({f.name for f in FAMILIES}) == len(FAMILIES) >= 30
    assert all(f.emotion in EMOTIONS or f.shows for f in FAMILIES)


# -- drawing ------------------------------------------------------------------------------------
def test_a_prompt_depends_on_seed_and_number_only(suite: list[Prompt]) -> None:
    assert sample_prompts(40, seed=3) == suite[:40]
    assert sample_prompts(40, seed=4) != suite[:40]
    alone = Design(PromptConfig(), 3)
    for prompt in (suite[700], suite[31]):
        assert alone.candidate(int(prompt.id.split("-")[1])) == prompt


def consistent(a: Attributes) -> bool:
    values = values_of(a)
    return all(admissible(f, values[f], values) for f in DRAWN)


def test_no_prompt_contradicts_itself(suite: list[Prompt]) -> None:
    for prompt in suite:
        a = prompt.attributes
        assert consistent(a)
        assert a.beard == NONE or (a.gender == "man" and a.age not in ("child", "teenager"))
        assert len(a.actions) < 2 or compatible(*a.actions)
        assert a.emotion != "neutral" or set(a.actions) <= {"blink"}
    assert not consistent(Attributes(age="child", gender="man", beard="full beard"))
    assert not consistent(Attributes(actions=("smile", "lip_press")))


def test_every_value_of_every_factor_is_reached(suite: list[Prompt]) -> None:
    seen = {f: {values_of(p.attributes)[f] for p in suite} for f in DRAWN}
    for factor in (f for f in DRAWN if f not in ("word", "action2")):
        assert seen[factor] == set(KNOWN[factor]), factor
    assert len(seen["word"]) > 250


def test_balanced_blocks_are_even(suite: list[Prompt]) -> None:
    for factor in ("age", "skin", "framing"):
        counts = Counter(values_of(p.attributes)[factor] for p in suite[:1200])
        assert max(counts.values()) - min(counts.values()) <= 2, (factor, counts)


@pytest.mark.parametrize("mode", ["balanced", "sampled"])
def test_the_balance_report_finds_no_imbalance_in_a_suite_and_one_in_a_skewed_suite(mode: str) -> None:
    config = PromptConfig(mode=mode)
    made = sample_prompts(1500, config, 5)
    report = balance(made, config, seed=5)
    assert report.unbalanced == ()
    assert {f.factor for f in report.factors} == set(DRAWN)
    pairs = {(p.a, p.b): p for p in report.pairs}
    assert pairs["gender", "beard"].designed and pairs["gender", "beard"].cramers_v > 0.3
    assert not pairs["age", "head"].designed and pairs["age", "head"].cramers_v < 0.15
    skewed = [p for p in made if p.attributes.head != ("nod",) or p.attributes.age == "older"]
    assert {"head", "age x head"} & set(balance(skewed, config, seed=5).unbalanced)


def test_designed_dependence_follows_the_rules() -> None:
    assert parents("beard") == {"age", "gender"}
    assert parents("head") == frozenset()
    assert "action" in parents("gaze")
    assert not admissible("gaze", "gaze_right", {"head": "turn_left"})


def test_report_files(tmp_path: Path) -> None:
    tally = Tally()
    made = sample_prompts(60, read_settings(PromptConfig, CONFIGS / "tiny.yaml"), tally=tally)
    paths = write_report(balance(made, read_settings(PromptConfig, CONFIGS / "tiny.yaml"), tally=tally), tmp_path / "r")
    assert {p.name for p in paths} >= {"balance.md", "balance.json"} and all(p.stat().st_size > 200 for p in paths)
    assert json.loads((tmp_path / "r" / "balance.json").read_text())["prompts"] == 60
    with pytest.raises(ValueError, match="configuration"):
        balance(sample_prompts(60), read_settings(PromptConfig, CONFIGS / "tiny.yaml"))


def test_factorial_designs_cover_their_plan() -> None:
    config = read_settings(PromptConfig, CONFIGS / "emotions.yaml")
    design = Design(config, 1)
    cells = {(c["word"], c["intensity"]) for c in design.plan}
    assert len(cells) == len(design.plan) == sum(len(w.levels) if w.graded else 1 for w in WORDS.values())
    values = [design.values(i) for i in range(len(cells))]
    assert {(v["word"], v["intensity"]) for v in values} == cells
    assert all(v["emotion"] == WORDS[v["word"]].emotion for v in values)
    small = PromptConfig(mode="factorial", cross=("emotion", "head", "speaking"), emotion=("happiness", "none"))
    made = [p.attributes for p in sample_prompts(len(KNOWN["head"]) * 8, small)]
    got = Counter((a.emotion, a.head, a.speaking) for a in made)
    assert len(got) == len(KNOWN["head"]) * 4 and set(got.values()) == {2}


@pytest.mark.parametrize(("change", "said"), [
    ({"mode": "grid"}, "'balanced', 'sampled' or 'factorial'"), ({"mode": "factorial"}, "needs factors"),
    ({"age": ("baby",)}, "teenager"),
    ({"head": ()}, "no value"), ({"cross": ("mood",), "mode": "factorial"}, "allowed"), ({"near": 0.1}, "0.5"),
    ({"emotion": ("fear",), "word": ("happy",)}, "none of its words"),
])
def test_bad_configurations_are_refused(change: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PromptConfig(**change)


def test_an_exhausted_design_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facelm.data_gen.prompts.suite.PATIENCE", 300)
    one = {f: (KNOWN[f][0],) for f in ("age", "skin", "beard", "glasses", "speaking", "head", "gaze", "framing", "light")}
    config = PromptConfig(**one, intensity=("medium",), gender=("man",), hair=("short black",), emotion=("neutral",),
                          word=("calm",), action=(NONE,), action2=(NONE,), background=("office",), camera_note=False, near=0.6)
    with pytest.raises(ValueError, match="different prompts were found"):
        sample_prompts(100_000, config)


# -- duplicates ---------------------------------------------------------------------------------
def test_exact_and_near_duplicates_are_seen() -> None:
    base = " ".join(f"word{i}" for i in range(40))
    seen = Deduplicator(0.9)
    assert seen.add(base) == "new"
    assert seen.add(" ".join(reversed(base.upper().split())) + ".") == "exact"
    assert seen.add(base.replace("word3 ", "other ")) == "near"
    assert seen.add(" ".join(f"word{i}" for i in range(20, 60))) == "new"
    assert Deduplicator(2.0).add(base) == "new" and len(seen) == 2
    rng = np.random.default_rng(0)
    found = 0
    for k in range(200):  # chance of a miss at an overlap of 0.9 is 1.4 %
        words = [f"{k}x{w}" for w in rng.integers(0, 10**6, 38)]
        seen.add(" ".join([*words, "a1", "b1"]))
        found += seen.add(" ".join([*words, "a1", "c1"])) == "near"
    assert found >= 190


def test_a_suite_has_no_duplicates(suite: list[Prompt]) -> None:
    assert len({tokens(p.text) for p in suite}) == len(suite) == len({p.id for p in suite})


# -- text ---------------------------------------------------------------------------------------
def test_prompts_are_clean_english(suite: list[Prompt]) -> None:
    for text in (p.text for p in suite):
        assert not re.search(r"[{}|@*]|  |\.\.|,,| [.,]|\bNone\b|\bnone\b", text), text
        assert not re.search(r"\b[Aa] [aeiou](?!ne)|\b[Aa]n [^aeiou]", text), text
        assert re.fullmatch(r"(?:[A-Z][^.]*\. ?)+", text), text
        assert 12 <= len(text.split()) <= 95, text


def test_pronouns_and_verbs_agree(suite: list[Prompt]) -> None:
    others = {g: {w for k, said in TABLE.pronouns.items() if k != g for w in said[:2]} for g in TABLE.pronouns}
    for p in suite:
        words = set(re.findall(r"[a-z]+", p.text.lower()))
        assert not others[p.attributes.gender] & words, p.text
        assert not re.search(r"\b(?:They|they) (?:looks|appears|has|wears|shows|nods|blinks|smiles)\b", p.text), p.text
        assert not re.search(r"\b(?:She|He) (?:look|appear|have|wear|show|nod|blink|smile)\b", p.text), p.text


def test_the_text_says_what_the_attributes_say(suite: list[Prompt]) -> None:
    for p in suite:
        a, text = p.attributes, p.text.lower()
        assert a.emotion_word is None or a.emotion_word in text
        assert f"{a.skin} skin" in text or f"{a.skin}-skinned" in text
        assert a.hair.split()[-1] in text and (a.glasses == NONE) == ("glasses" not in text)
        said = re.sub(r"without (?:speaking|saying)", "", text)
        assert a.speaking == bool(re.search(r"\b(?:speak\w*|talk\w*|saying a few)\b", said)), text


# -- files --------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_files_give_back_what_was_written(tmp_path: Path, suite: list[Prompt], suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = write_prompts(suite[:50], tmp_path / f"p{suffix}")
    assert read_prompts(path) == suite[:50]
    assert write_prompts(suite[:50], tmp_path / f"q{suffix}").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("name", "content", "said"), [
    ("a.txt", "x", "must end in"), ("a.jsonl", "{", "not JSON"), ("a.jsonl", '{"id": "1"}', "text"),
    ("a.jsonl", '{"id": "1", "text": "t", "emotion": "glee"}', "glee"),
    ("a.jsonl", '{"id": "1", "text": "t", "x": 1}', "unknown entry 'x'"),
    ("a.jsonl", '{"id":"1","text":"t"}\n{"id":"1","text":"u"}', "twice"), ("a.csv", "id,text\n", "no prompts"),
    ("a.csv", "id,text\n1\n", "cells"), ("a.parquet", "PAR1", "Parquet"),
])
def test_bad_prompt_files_are_refused_in_a_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=said) as err:
        read_prompts(tmp_path / name)
    assert "\n" not in str(err.value)
    with pytest.raises((FileNotFoundError, ValueError)):
        read_prompts(tmp_path / ("no" + name))


def test_attributes_json(suite: list[Prompt]) -> None:
    for p in suite[:50]:
        assert Attributes.from_dict(json.loads(json.dumps(p.attributes.as_dict()))) == p.attributes
    with pytest.raises(ValueError, match="strong"):
        Attributes(intensity="huge")
    with pytest.raises(ValueError, match="attributes.speaking is .yes."):
        Attributes.from_dict({"speaking": "yes"})


# -- scripts ------------------------------------------------------------------------------------
def test_every_prompt_can_be_performed(suite: list[Prompt]) -> None:
    for k, p in enumerate(suite[:600]):
        a, script = p.attributes, script_for(p.attributes, k)
        assert script == script_for(a, k) and 2.4 <= script.seconds <= 4.0 and script.subject == a.gender
        names = {e.name for e in script.events}
        shown = set(EMOTION_ACTIONS[a.emotion]) if a.emotion else set()
        assert set(a.actions) - shown <= names and {*a.head, *a.gaze} <= names
        assert (a.emotion or "neutral") in {"neutral", *names} and a.speaking == ("talking" in names)
        assert names <= {*FACIAL, *HEAD, *GAZE, "talking", *EMOTIONS}
        for i, e in enumerate(script.events):
            assert e.start + e.rise + e.hold + e.fall <= script.seconds + 1e-6
            for other in script.events[i + 1:]:
                if not compatible(e.name, other.name):
                    assert other.start >= e.end(script.seconds) - 1e-6, (a, script)


@pytest.mark.slow
def test_the_performed_prompts_show_what_was_asked(suite: list[Prompt]) -> None:
    from facelm.data_gen.performer.animator import perform
    from facelm.face.facs.measure import measure

    found = asked = 0
    for k, p in enumerate(suite[:120]):
        a = p.attributes
        shown = {m.name for m in measure(perform(script_for(a, k))).actions}
        wanted = {*a.actions, *a.head, *a.gaze, *(("talking",) if a.speaking else ())}
        asked, found = asked + len(wanted), found + len(wanted & shown)
    assert found / asked > 0.95


# -- the command --------------------------------------------------------------------------------
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "p.jsonl"
    args = ["data", "prompts", "--count", "30", "-o", str(out), "--config", str(CONFIGS / "tiny.yaml"),
            "--report", str(tmp_path / "r"), "--json"]
    assert command(*args) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["prompts"] == 30 and len(read_prompts(out)) == 30 and (tmp_path / "r" / "balance.md").is_file()
    with pytest.raises(ValueError, match="must end in"):
        command("data", "prompts", "--count", "3", "-o", str(tmp_path / "p.txt"))
