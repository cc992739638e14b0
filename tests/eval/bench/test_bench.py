"""The benchmark: suites as data, scoring, resuming, programs, the page, and checks of corpora."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.common.store import Journal
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.eval.bench.cases import Case, some_of_each
from facelm.eval.bench.parts.clips import Judge
from facelm.eval.bench.parts.depth import contact
from facelm.eval.bench.parts.words import Asked as Words
from facelm.eval.bench.parts.words import confusion, perform_all
from facelm.eval.bench.program import Program
from facelm.eval.bench.report.write import write
from facelm.eval.bench.run import Asked, Bench, Models, results
from facelm.eval.bench.suite import CountPart, Suite, WordsPart, load_suite, shipped
from facelm.eval.bench.systems import RANDOM, REBUILT, RETRIEVAL, TRUTH, Truth
from facelm.eval.datasets.corpora import Corpus
from facelm.eval.features.model import Matcher, MatcherConfig
from facelm.eval.prompts.suite import load_prompts
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.script_text import read_script
from facelm.face.head.model import HeadModel
from tiny_agent import tiny_face_tokenizer

HEAD = HeadModel.default()


def case(text: str, line: str, kind: str = "simple") -> Case:
    script = read_script(line)
    return Case(kind, text, lay_out(script), (script,))


@pytest.fixture(scope="module")
def judge() -> Judge:
    torch.manual_seed(0)
    return Judge(HEAD, Matcher(MatcherConfig(width=16, out=8, rows=64, piece=8, heads=2)).eval())


class Counted:
    """The animator, counting its calls; refuses one text."""

    name = "counted"

    def __init__(self, cases: Sequence[Case], refused: str = "") -> None:
        self.truth, self.refused, self.calls = Truth({c.text: c.schedule for c in cases}, HEAD), refused, 0

    def perform(self, texts: Sequence[str], seconds: Sequence[float | None], seed: int) -> list[FaceSequence]:
        self.calls += 1
        if self.refused in texts:
            raise ValueError("no English")
        return self.truth.perform(texts, seconds, seed)


# -- suites -------------------------------------------------------------------------------
def test_shipped_suites_are_read_and_wrong_ones_are_refused_in_one_line(tmp_path: Path) -> None:
    assert shipped() == ["full", "peers", "quick", "references"]
    for name in shipped():
        assert ({"words"} if name == "peers" else {"words", "tokenizer", "kinematics"}) <= set(load_suite(name).parts)
    own = tmp_path / "own.yaml"
    for text, told in (("title: x\nsystems: [mine]", "no system 'mine'; allowed: ground truth"),
                       ("title: x\nwords: [{each: 0}]", "each"),
                       ("title: x\ntitel: y", "unknown entry 'titel'"),
                       ("title: x\nwords: [{}, {}]", "two parts of words are named")):
        own.write_text(text)
        with pytest.raises(ValueError, match=told):
            load_suite(own)
    with pytest.raises(ValueError, match="no suite 'fast'; allowed: full, peers, quick, references"):
        load_suite("fast")
    own.write_text("title: Mine\nwords: [{prompts: templates, count: 2}]")
    assert load_suite(own).words[0].title == "template prompts"


# -- scoring ------------------------------------------------------------------------------
def test_the_right_clip_is_wholly_right_and_another_is_not(judge: Judge) -> None:
    asked = case("She nods twice, then smiles.", "nod x2; smile")
    right = judge.score(asked, perform(asked.schedule, HEAD), 0.1)
    assert right["ok"] and all(a == b for a, b in right["facts"].values()) and right["counts"][1:] == [0, 0]
    wrong = judge.score(asked, perform(lay_out(read_script("nod x3; brow_raise")), HEAD), 0.1)
    assert not wrong["ok"] and wrong["facts"]["present"] == [1, 2] and wrong["facts"]["counts"] == [0, 1]
    assert wrong["facts"]["nothing foreign"] == [0, 1] and wrong["counts"] == [1, 1, 1]
    only = Case("caption", "x", asked.schedule)  # a schedule without a script: its actions and their order
    assert judge.score(only, perform(asked.schedule, HEAD), 0.1)["ok"]
    turned = judge.score(only, perform(lay_out(read_script("smile; nod x2")), HEAD), 0.1)
    assert not turned["ok"] and turned["facts"]["order"] == [0, 1] and turned["facts"]["present"] == [2, 2]


def test_confusions_by_hand() -> None:
    rows = [{"asked": ["smile", "nod"], "found": ["smile", "shake"], "allowed": []},
            {"asked": ["nod"], "found": ["nod"], "allowed": []}, {"asked": ["nod"], "found": ["squint"], "allowed": ["squint"]}]
    assert confusion(rows) == {"smile": {"smile": 1}, "nod": {"shake": 1, "nod": 1, "nothing": 1}}


def test_what_a_quick_suite_asks_is_drawn_by_its_seed() -> None:
    prompts = load_prompts()
    drawn = [some_of_each(prompts, 1, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2] and [p.kind for p in drawn[0]] == [p.kind for p in drawn[2]]
    assert len({p.kind for p in drawn[0]}) == len(drawn[0]) == len({p.kind for p in prompts})
    assert sorted(p.text for p in some_of_each(prompts, None, 0)) == sorted(p.text for p in prompts)


def test_depths_are_of_what_goes_into_each_other() -> None:
    rest = FaceSequence.rest(3, HEAD.ref)
    assert contact(HEAD).of(rest) == (0.0, 0.0)
    jaw = rest.jaw_pose.copy()
    jaw[:, 0] = -0.05  # the mouth closed beyond closed
    lips, lids = contact(HEAD).of(rest.replace(jaw_pose=jaw))
    assert 1.0 < lips < 5.0 and lids == 0.0
    jaw[:, 0] = 0.2
    assert contact(HEAD).of(rest.replace(jaw_pose=jaw))[0] == 0.0


# -- a run --------------------------------------------------------------------------------
def test_a_stopped_run_goes_on_and_refusals_are_rows(judge: Judge, tmp_path: Path) -> None:
    cases = [case("He smiles.", "smile"), case("Il sourit.", "smile", "language"), case("He nods.", "nod")]
    system = Counted(cases, "Il sourit.")
    asked = Words("x", cases, 0, 1, Journal(tmp_path / "rows.jsonl"))
    rows = perform_all(system, asked, judge, "k")
    assert [r["ok"] for r in rows] == [True, False, True, True, True] and rows[1]["refused"] == "no English"
    assert rows[1]["facts"] == {"present": [0, 1]} and rows[1]["counts"] == [0, 1, 0]
    calls = system.calls
    assert perform_all(system, asked, judge, "k") == rows and system.calls == calls  # all were kept
    kept = (tmp_path / "rows.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "rows.jsonl").write_text("".join(kept[:-1]) + kept[-1][:20])  # killed while it wrote
    again = perform_all(system, asked, judge, "k")
    assert system.calls == calls + 1 and [r["ok"] for r in again] == [r["ok"] for r in rows]
    perform_all(system, asked, judge, "another")
    assert system.calls > calls + 1


@pytest.mark.slow
def test_the_reports_of_a_small_suite(judge: Judge, tmp_path: Path) -> None:
    tokenizer = tiny_face_tokenizer([perform(lay_out(read_script("smile; nod x2; wink left")), HEAD)])
    suite = Suite("Small", known=8, systems=(TRUTH, REBUILT, RETRIEVAL, RANDOM), words=(WordsPart("templates", count=3),),
                  descriptions=CountPart(3), tokenizer=CountPart(2), kinematics=CountPart(3))
    asked = Asked(suite, tmp_path, "facelm bench small.yaml")
    models = Models({}, {"ours": tokenizer})
    sheets = Bench(asked, models, HEAD, judge.matcher).run()
    assert [s.name for s in sheets][0] == "words: template prompts" and {"descriptions", "tokenizer", "kinematics"} <= {
        s.name for s in sheets}
    words = {r.name: r for r in sheets[0].rows}
    assert words[TRUTH].figures["wholly right"].value == 1.0 and words[TRUTH].command == (
        'facelm bench small.yaml --only words --systems "ground truth"')
    files = write(results(asked, models, sheets, judge.matcher, "0"), tmp_path)
    first = [f.read_bytes() for f in files]
    sheets = Bench(asked, models, HEAD, judge.matcher).run()
    assert [f.read_bytes() for f in write(results(asked, models, sheets, judge.matcher, "0"), tmp_path)] == first
    page = first[2].decode()
    assert page.count('class="film"') >= 4 and "<svg" in page
    elsewhere = re.findall(r'(?:src|href)="(?!#|data:)[^"]+"|url\((?!data:|#)', page)
    assert not elsewhere, "it must open offline"
    with pytest.raises(ValueError, match="--only is 'talk'; allowed: words, descriptions"):
        Bench(Asked(suite, tmp_path, "", ("talk",)), models, HEAD, judge.matcher)
    with pytest.raises(ValueError, match="--systems is 'mine'; allowed: ground truth"):
        Bench(Asked(suite, tmp_path, "", (), ("mine",)), models, HEAD, judge.matcher)


def test_a_suite_runs_the_systems_that_it_names_and_what_is_given_beside(judge: Judge, tmp_path: Path) -> None:
    def never() -> Counted:
        raise AssertionError("it is not asked for")

    models = Models({"agent": never, "mine": never}, {})
    suite = Suite("Small", systems=(TRUTH, RANDOM), words=(WordsPart("templates", count=1),))
    assert Bench(Asked(suite, tmp_path, ""), models, HEAD, judge.matcher).names == [TRUTH, RANDOM, "mine"]
    with pytest.raises(ValueError, match="--systems is 'agent'; allowed: ground truth, random, mine"):
        Bench(Asked(suite, tmp_path, "", (), ("agent",)), models, HEAD, judge.matcher)


def test_held_out_texts_are_on_no_page(judge: Judge, tmp_path: Path) -> None:
    texts = ["A text that nobody sees."]
    asked = Words("held", [Case("simple", texts[0], lay_out(read_script("smile")), (read_script("smile"),), secret=True)], 0, 0,
                  Journal(tmp_path / "rows.jsonl"))
    perform_all(Counted(asked.cases), asked, judge, "k")
    assert texts[0] not in (tmp_path / "rows.jsonl").read_text()


# -- programs -----------------------------------------------------------------------------
PROGRAM = """
import json, pathlib, sys
import numpy as np
folder = pathlib.Path(sys.argv[-1])
for line in sys.stdin:
    asked = json.loads(line)
    if "fail" in asked["text"]:
        sys.exit("cannot do " + asked["text"])
    if "none" in asked["text"]:
        continue
    names = ["jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight", "mouthPucker",
             "cheekPuff", "noseSneerLeft", "noseSneerRight", "mouthFunnel", "tongueOut"]
    frames = int(25 * (asked["seconds"] or 2))
    rows = [[0.0] * len(names) for _ in range(frames)]
    for row in rows[10:30]:
        row[1] = row[2] = 0.8
    (folder / (asked["id"] + ".csv")).write_text(
        ",".join(["time", *names]) + "\\n" + "".join(",".join(map(str, [k / 25, *r])) + "\\n" for k, r in enumerate(rows)))
"""


def test_a_program_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PROGRAM)
    program = Program(f"{sys.executable} {tmp_path / 'mine.py'}", HEAD)
    assert program.name == "mine"
    clips = program.perform(["a", "b"], [None, 3.0], 0)
    assert [len(c) for c in clips] == [50, 75] and clips[0].head == HEAD.ref
    assert float(clips[0].expr.max()) == pytest.approx(0.8, abs=0.02)
    with pytest.raises(ValueError, match="mine ended with code 1: cannot do fail"):
        program.perform(["fail"], [None], 0)
    with pytest.raises(ValueError, match=r"mine wrote no clip 1 \(allowed: 1.npz"):
        program.perform(["a", "none"], [None, None], 0)
    with pytest.raises(FileNotFoundError, match="no program nowhere-to-be-found"):
        Program("nowhere-to-be-found x", HEAD)
    with pytest.raises(ValueError, match="No closing quotation"):
        Program("'x", HEAD)
    slow = Program(f'{sys.executable} -c "import time; time.sleep(9)"', HEAD, "slow", 0.5)
    with pytest.raises(ValueError, match="slow took longer than 0.5 s"):
        slow.perform(["a"], [None], 0)


# -- corpora ------------------------------------------------------------------------------
def test_faults_of_a_corpus_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facelm.eval.datasets import validate

    smile, nod = (perform(lay_out(read_script(line)), HEAD) for line in ("smile", "nod"))
    other = smile.replace(fps=30.0)
    empty = smile.replace(valid=np.zeros(len(smile), bool))
    rows: dict[str, list[tuple[str, object, list[str], list[str]]]] = {
            "train": [("a", smile, ["She smiles."], ["Smiles."]), ("b", nod, [""], [])],
            "val": [("c", other, ["He nods."], ["Nods."])],
            "test": [("d", smile, ["she smiles. "], ["Smiles."]), ("e", ValueError("e.npz: expr holds NaN"), ["x"], ["y"]),
                     ("f", empty, ["z"], ["z"])]}

    def iterate(split: str) -> Iterator[dict[str, object]]:
        return iter([{"clip_id": n, "motion": m, "captions": c, "describe": d} for n, m, c, d in rows[split]])

    def load(row: Mapping[str, object]) -> FaceSequence:
        motion = row["motion"]
        if isinstance(motion, Exception):
            raise motion
        assert isinstance(motion, FaceSequence)
        return motion

    opened = Corpus(("train", "val", "test"), iterate, load, ("captions", "describe"), 6)
    monkeypatch.setattr(validate, "open_corpus", lambda folder: opened)
    found = validate.validate(tmp_path)
    assert not found.ok and found.clips == {"train": 2, "val": 1, "test": 3}
    assert found.counts["damaged"] == 1 and "e.npz: expr holds NaN" in found.found["damaged"][0]
    assert found.counts["not valid"] == 1 and found.counts["no text"] == 2 and found.counts["several frame rates"] == 1
    assert "test d has the clip of train a" in found.found["leak"] and "test d has the text of train a" in found.found["leak"]
    assert json.dumps(found.to_dict()) and "faults" in found.text()
