"""The evaluation of prompts: what counts as read exactly, read right and wholly right, and its report."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from facelm.agent import tools
from facelm.cli.main import main
from facelm.common.store import Journal
from facelm.eval.prompts import score
from facelm.eval.prompts.facts import Rendered, misread, normal, seen
from facelm.eval.prompts.score import WAYS, Share, evaluate_prompts, failures, report
from facelm.eval.prompts.suite import Prompt, load_prompts, prompts_digest, template_prompts
from facelm.face.facs.script_text import read_script
from facelm.face.head.model import HeadModel
from tiny_agent import AnimatedAgent


def wrong(head: HeadModel, expected: str, read: str) -> list[str]:
    return misread(Rendered(read_script(expected), head), Rendered(read_script(read), head))


# -- exactly ------------------------------------------------------------------------------
@pytest.mark.parametrize(("one", "other"), [
    ("nod", "nod x1"), ("smile strong", "smile 100%"), ("pause 2 s smile", "smile at 2 s"), ("smile", "smile at 0 s"),
    ("smile at 1 s until 3 s", "smile at 1 s for 2 s"), ("smile until 2 s", "smile for 2 s"), ("6 s; smile until 6 s",
    "6 s; smile held"),
    ("nod; with smile", "smile; with nod"), ("wink left; nod x2; with smile; blink", "wink left; smile; with nod x2; blink"),
    ("nod; never blink; never smile", "nod; never smile; never blink"), ("nod; unknown The Moonwalk",
    "nod; unknown the moonwalk."),
])
def test_scripts_that_say_the_same_are_equal(one: str, other: str) -> None:
    assert normal(read_script(one)) == normal(read_script(other))


@pytest.mark.parametrize(("one", "other"), [
    ("nod", "nod x2"), ("smile", "smile medium"), ("nod; smile", "smile; nod"), ("nod; smile", "nod; with smile"),
    ("smile held; with nod; wink left", "nod; with smile held; wink left"), ("nod", "nod; never blink"), ("nod; still", "nod"),
    ("smile; pause 1 s nod", "smile; nod"), ("smile; nod at 1 s", "smile; pause 1 s nod"), ("wink left", "wink right"),
    ("anger; happiness", "anger; into happiness"), ("nod; unknown fly", "nod"), ("4 s; nod", "nod"), ("smile; nod for 2 s",
    "smile; nod until 2 s"),
])
def test_scripts_that_say_something_else_are_not(one: str, other: str) -> None:
    assert normal(read_script(one)) != normal(read_script(other))


# -- right --------------------------------------------------------------------------------
@pytest.mark.parametrize(("expected", "read"), [
    ("smile onset 0.4 s", "smile onset 0.5 s"), ("smile for 2 s", "smile for 2.1 s"), ("unknown do the moonwalk",
    "unknown moonwalk"),
    ("never eyes; smile", "never lids; never gaze; smile"), ("talking x7", "talking x8"), ("smile 80%; nod", "smile 78%; nod"),
])
def test_what_no_measurement_tells_apart_is_right(head: HeadModel, expected: str, read: str) -> None:
    assert normal(read_script(expected)) != normal(read_script(read))
    assert wrong(head, expected, read) == []


@pytest.mark.parametrize(("expected", "read", "said"), [
    ("nod x2", "nod", "counts"), ("nod", "nod x2", "counts"), ("nod x2", "nod x3", "3 times"), ("smile", "smile; nod", "nod"),
    ("smile; nod", "smile", "nod"), ("smile", "smile slight", "strength"), ("wink left", "wink right", "wink right"),
    ("turn left", "gaze left", "gaze left"), ("nod; smile", "smile; nod", "after"), ("smile; nod", "smile; with nod", "together"),
    ("smile; with nod", "smile; nod", "together"), ("smile for 2 s", "smile", "times"), ("smile for 2 s", "smile for 4 s",
    "last"),
    ("smile at 1 s; nod", "smile at 3 s; nod", "start at"), ("anger; into happiness", "anger; happiness", "turns into"),
    ("nod", "nod; never blink", "never"), ("nod; never blink", "nod", "never"), ("nod; still", "nod", "still"),
    ("nod slow", "nod", "speed"),
    ("6 s; nod", "nod", "length"), ("6 s; nod", "4 s; nod", "length"), ("brow_raise", "brow_raise left", "both sides"),
    ("unknown fly", "unknown run", "unknown"), ("smile offset 2 s; nod", "smile offset 1 s; nod", "offset"),
    ("nod", "0.3 s; nod x20", "length"), ("nod x19", "nod x20 for 0.2 s", "times"), ("grimace", "wince", "wince"),
])
def test_a_wrong_fact_is_named(head: HeadModel, expected: str, read: str, said: str) -> None:
    found = wrong(head, expected, read)
    assert found and said in " ".join(found)


def test_what_cannot_be_performed_is_read_wrong(head: HeadModel) -> None:
    found = wrong(head, "2 s; nod x2", "2 s; nod x50")
    assert len(found) == 1 and found[0].startswith("cannot be performed")


def test_clips_are_read_back_as_scripts(head: HeadModel) -> None:
    assert seen(Rendered(read_script("smile; nod x2; turn left"), head)).same is True
    back = seen(Rendered(read_script("yawn"), head))
    assert back.same is None and back.right


# -- the suite ----------------------------------------------------------------------------
def test_the_heldout_prompts_load() -> None:
    """Every row is a prompt with valid scripts; nothing of them is shown here."""
    kinds = Counter(p.kind for p in load_prompts())
    assert len(kinds) == 19 and set(kinds.values()) == {16}
    assert all(p.text.strip() and p.scripts for p in load_prompts())


def test_template_prompts_are_fresh_and_the_same_each_time() -> None:
    some = template_prompts(20)
    assert prompts_digest(some) == prompts_digest(template_prompts(20)) != prompts_digest(template_prompts(20, seed=1))
    assert len({p.text for p in some}) == 20 and all(p.kind.startswith("template, ") for p in some)


@pytest.mark.parametrize(("text", "words"), [
    ("a: [", "not valid YAML"), ("- x", "kinds"), ("", "kinds"),
    ("count:\n- [nod]", "count, row 1: needed"), ("count: 3", "row 1"),
    ("count:\n- [nod, nod]\n- [x, y, z]", "row 2"), ("count:\n- [nod, moonwalk]", "row 1: line 1: 'moonwalk'"),
])
def test_wrong_prompt_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ValueError, match=words) as refused:
        load_prompts(tmp_path / "p.yaml")
    assert "p.yaml" in str(refused.value) and "\n" not in str(refused.value)


# -- scores -------------------------------------------------------------------------------
def prompt(text: str, *lines: str, kind: str = "simple") -> Prompt:
    return Prompt(kind, text, tuple(map(read_script, lines)))


PROMPTS = [prompt("a", "smile"), prompt("b", "nod x2", kind="count"), prompt("c", "wink left; smile"), prompt("d", "sadness"),
           prompt("e", "gaze left", "turn left", kind="count")]
LINES: dict[str, str | Exception] = {"a": "smile", "b": "nod x3", "c": "wink left; smile", "d": ValueError("no English"),
                 "e": "turn left"}


def test_rows_say_what_is_right_and_in_which_way() -> None:
    agent = AnimatedAgent(LINES, instead={"smile": "nod"})
    rows = evaluate_prompts(agent, PROMPTS, seed=5)
    assert [r.exact for r in rows] == [True, False, True, False, True]
    assert [r.right for r in rows] == [True, False, True, False, True]
    assert rows[3].refused and rows[3].wrong == ("no English",) and not rows[3].made
    oks = [[r.made[w].ok for w in WAYS] for r in rows if r.made]
    assert oks == [[False, True, True], [False] * 3, [True] * 3, [True] * 3]
    assert "twice" in rows[1].made["with check"].missed[0] and rows[1].made["with check"].claimed
    done = [c for what, c in agent.calls if what == "perform"]
    assert [(c["seed"], c["count"]) for c in done] == [(5, 3), (9, 1)] * 3, "the seed of a prompt is that of its place"
    assert done[0]["candidates"] == 1 and done[0]["repair"] is False and "repair" not in done[-1]


def test_the_report_counts_by_kind_and_shares_of_cues() -> None:
    rows = evaluate_prompts(AnimatedAgent(LINES, instead={"smile": "nod"}), PROMPTS)
    found = report("five", rows)
    assert list(found.kinds) == ["simple", "count", "all"]
    shares = {name: s.share for name, s in found.kinds["all"].items()}
    assert shares["read exactly"] == shares["read right"] == 3 / 5
    assert (shares["model alone"], shares["with check"], shares["with repair"]) == (2 / 5, 3 / 5, 3 / 5)
    assert shares["done of read right"] == 1 and shares["of these by the model"] == pytest.approx(2 / 3)
    assert found.kinds["count"]["read right"].share == 0.5 and found.kinds["count"]["read right"].of == 2
    assert found.cues["with repair"] == {"model": 4 / 5, "repaired": 0, "animator": 1 / 5}
    low, high = found.kinds["all"]["read right"].low, found.kinds["all"]["read right"].high
    assert low is not None and high is not None and low < 0.6 < high
    assert json.loads(json.dumps(found.to_dict()))["kinds"]["all"]["read right"]["share"] == 0.6
    text = found.table()
    assert "five (5 prompts" in text and "seconds a prompt: reading" in text and "0.200 by the animator" in text
    assert [f["text"] for f in failures(PROMPTS, rows)] == ["a", "b", "d"]


def test_a_share_of_nothing_is_none() -> None:
    assert Share.among([]).text() == "-" and Share.among([True, True]).text(True) == "1.000 (1.00-1.00)"


def test_a_stopped_run_goes_on_and_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "BATCH", 2)
    whole = evaluate_prompts(AnimatedAgent(LINES), PROMPTS, ways=["with repair"])
    journal = Journal(tmp_path / "rows.jsonl")

    def stop(done: int, of: int, stage: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_prompts(AnimatedAgent(LINES), PROMPTS, ways=["with repair"], journal=journal, key="k", progress=stop)
    agent = AnimatedAgent(LINES)
    rows = evaluate_prompts(agent, PROMPTS, ways=["with repair"], journal=journal, key="k")
    assert agent.calls[0] == ("read", ["c", "d"])
    def figures(rows: list[score.Scored]) -> list[object]:
        return [(r.line, r.exact, r.wrong, {w: (m.ok, m.by, m.missed) for w, m in r.made.items()}) for r in rows]

    assert figures(rows) == figures(whole)
    assert evaluate_prompts(AnimatedAgent({}), PROMPTS, journal=journal, key="k") == rows, "all is there"
    with pytest.raises(KeyError):
        evaluate_prompts(AnimatedAgent({}), PROMPTS, journal=journal, key="other")


# -- the command --------------------------------------------------------------------------
def test_the_command_reports_and_shows_failures_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text('count:\n- [Two secret nods, "nod x2"]\n- [A hidden grin, smile, [happiness]]\n- [Third, blink]\n')
    agent = AnimatedAgent({"Two secret nods": "nod x3", "A hidden grin": "happiness"})
    monkeypatch.setattr(tools, "load_agent", lambda model: agent)
    argv = ["eval", "prompts", "--prompts", str(file), "--templates", "0", "--count", "2", "--ways", "repair"]
    assert main([*argv, "-o", str(tmp_path / "r.json")]) == 0
    shown = capsys.readouterr().out + (tmp_path / "r.json").read_text()
    assert "secret" not in shown and "hidden" not in shown and "nod x3" not in shown
    assert json.loads((tmp_path / "r.json").read_text())[0]["kinds"]["count"]["read exactly"]["share"] == 0.5
    assert main([*argv, "--failures", str(tmp_path / "f.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["prompts"][0]["prompts"] == 2
    missed = json.loads((tmp_path / "f.json").read_text())[str(file)]
    assert [m["text"] for m in missed] == ["Two secret nods"] and missed[0]["read"] == "nod x3"


@pytest.mark.parametrize(("argv", "words"), [
    (["prompts", "--ways", "all"], "--ways is 'all'; allowed: alone, check, repair"),
    (["prompts", "--ways", ""], "--ways is ''"), (["prompts", "--templates=-1"], "--templates is -1"),
    (["prompts", "--only", "l2m"], "options of the other evaluations"), (["--rows", "r.jsonl"],
    "belong to `facelm eval prompts`"),
    (["prompts", "--prompts", "none.yaml"], "none.yaml"), (["prompts", "--rows", "r.txt"], "must end in .jsonl"),
])
def test_wrong_options_are_refused(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", *argv]) == 1
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1
