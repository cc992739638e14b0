"""Good input to the commands: clean output, the files that were asked for, and nothing half-written.

Commands run in process.
"""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cli_fixtures import files, in_a_folder_of_its_own, refuse, tree  # noqa: F401
from facelm.agent import measuring, script_tools, tools
from facelm.agent.pipeline import FaceLM
from facelm.cli.main import COMMANDS, main
from facelm.cli.spellings import OLD
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import measure
from facelm.face.head.model import HeadModel
from scripted_agent import ScriptedLM, needs_tokenizer, scripted_agent, still, what_windows_mean  # noqa: F401
from tiny_agent import tiny_face_tokenizer

TURN = "Turn this face from anger to happiness"


@pytest.fixture()
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Run a command that must succeed, with nothing on stderr; returns its stdout."""

    def call(*argv: object) -> str:
        assert main([str(a) for a in argv]) == 0, capsys.readouterr().err
        out, err = capsys.readouterr()
        assert err == "", argv
        return str(out)

    yield call


def use(monkeypatch: pytest.MonkeyPatch, agent: FaceLM) -> None:
    for module in (tools, script_tools):
        monkeypatch.setattr(module, "load_agent", lambda model: agent)


@pytest.fixture()
def performing(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, scripted_agent())


def test_measure(run: Callable[..., str], files: Path, clips: list[FaceSequence], tmp_path: Path) -> None:
    clips[1].save(tmp_path / "b.npz")
    lines = run("measure", files / "clip.npz", "b.npz", "--json").splitlines()
    facts = [json.loads(line) for line in lines]
    assert [f["clip"] for f in facts] == [str(files / "clip.npz"), "b.npz"]
    assert [a["name"] for a in facts[0]["actions"]] == [a.name for a in measure(clips[0]).actions]
    assert set(facts[0]) == {"clip", "fps", "seconds", "actions", "minor", "unsure", "notes", "emotion", "rates"}
    assert set(facts[0]["actions"][0]) >= {"name", "onset", "apex", "offset", "intensity", "value", "unit"}
    text = run("measure", "b.npz")
    assert "b.npz" in text and all(a.name in text for a in measure(clips[1]).actions)


def test_render_writes_what_the_suffix_says(run: Callable[..., str], clips: list[FaceSequence], tmp_path: Path) -> None:
    clips[0].slice(0, 6).save(tmp_path / "c.npz")
    starts = {"x.png": b"\x89PNG", "x.gif": b"GIF8", "x.glb": b"glTF"}
    for name, start in starts.items():
        assert run("render", "c.npz", "-o", name, "--size", 64).strip() == name
        assert (tmp_path / name).read_bytes().startswith(start)
    assert sorted(tree(tmp_path)) == ["c.npz", *sorted(starts)]


@needs_tokenizer
def test_generate_and_describe(run: Callable[..., str], performing: None, tmp_path: Path) -> None:
    assert "a.npz: 2.40 s, 60 frames: a smile (all 3 checks hold)" in run("generate", "a smile", "-o", "a.npz", "--seconds", 2.4,
                                                                        "--glb", "a.glb")
    assert len(FaceSequence.load(tmp_path / "a.npz")) == 60 and (tmp_path / "a.glb").is_file()
    run("generate", "a smile", "-o", "b.NPZ", "--seconds", 2.4, "--count", 2)
    (tmp_path / "p.txt").write_bytes(b"\xef\xbb\xbfnod\r\n\r\nturn right\n")
    out = run("generate", "--file", "p.txt", "-o", "many/of")
    assert [line.rpartition(": ")[2].partition(" (")[0] for line in out.splitlines()] == ["nod", "turn right"]
    assert all(line.endswith(" checks hold)") for line in out.splitlines())
    made = {p for p in tree(tmp_path) if p.lower().endswith(".npz")}
    assert made == {"a.npz", "b-0.npz", "b-1.npz", "many/of/0000.npz", "many/of/0001.npz"}
    first, second = (FaceSequence.load(tmp_path / f"b-{i}.npz").expr for i in (0, 1))
    assert np.array_equal(first, FaceSequence.load(tmp_path / "a.npz").expr) and not np.array_equal(first, second)

    lines = run("describe", "a.npz", "b-0.npz", "--json").splitlines()
    assert [json.loads(line)["clip"] for line in lines] == ["a.npz", "b-0.npz"]
    assert set(json.loads(lines[0])) == {"clip", "description"}
    answer = json.loads(run("describe", "a.npz", "--ask", "Does it nod?", "--json"))
    assert {k: answer[k] for k in ("clip", "question", "answer", "value")} == {
        "clip": "a.npz", "question": "Does it nod?", "answer": "No.", "value": False} and answer["query"]["asked"] == "whether"


@needs_tokenizer
def test_what_was_read_and_what_is_missing_is_said(run: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, scripted_agent())
    lines = run("generate", "a nod", "-o", "a.npz", "--script", "--no-idle").splitlines()
    assert lines[1] == "script:      nod x2" and "  ok  nod x2 [model]" in lines
    out = run("generate", "moonwalk", "-o", "c.npz", "--no-idle")
    assert "I don't know how a face does 'moonwalk'" in out
    assert main(["generate", "moonwalk", "-o", "b.npz", "--no-idle", "--strict", "--json"]) == 1
    out, err = capsys.readouterr()
    assert err == "facelm: b.npz: unknown: moonwalk\n" and json.loads(out)["script"]["unknown"] == ["moonwalk"]
    assert (tmp_path / "b.npz").is_file()


# -- scripts ------------------------------------------------------------------------------
@needs_tokenizer
def test_scripts_are_read_performed_and_checked(run: Callable[..., str], performing: None, tmp_path: Path,
                                                capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("read", "nod slowly turn left") == "nod slow\nturn left\n"
    facts = json.loads(run("read", "a nod", "--json"))
    assert facts == {"prompt": "a nod", "line": "nod x2", "script": {"cues": [{"name": "nod", "count": 2}]}, "ok": True}
    (tmp_path / "s.txt").write_text("mouth_open   # wide\nnod x2\n")
    lines = run("perform", "s.txt", "-o", "a.npz", "--no-idle").splitlines()
    assert lines[0].startswith("a.npz: ") and ": mouth_open; nod x2 (all " in lines[0] and "  ok  mouth_open [model]" in lines
    (tmp_path / "s.json").write_text(json.dumps(facts["script"]))
    monkeypatch.setattr(sys, "stdin", io.StringIO("nod x2"))
    made = [json.loads(run("perform", text, "-o", f"{i}.npz", "--no-idle", "--json"))
            for i, text in enumerate(("s.json", "-", "nod x2"))]
    assert all(m["script"] == facts["script"] and m["checks"] == made[0]["checks"] for m in made)
    assert len({FaceSequence.load(f"{i}.npz").expr.tobytes() for i in range(3)}) == 1
    assert run("perform", "nod x2", "-o", "c.npz", "--seconds", 3, "--strict", "--no-idle").startswith("c.npz: 3.00 s, 75 frames")

    said = run("check", "a.npz", "s.txt", "--strict").splitlines()
    assert said and all(line.startswith("ok ") for line in said)
    assert any(line.startswith("NOT ") for line in run("check", "a.npz", "nod x3").splitlines())
    assert main(["check", "a.npz", "nod x3", "--strict", "--json"]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("facelm: a.npz: ") and err.count("\n") == 1 and json.loads(out)["script"]["cues"][0]["count"] == 3


@needs_tokenizer
def test_a_performance_that_fails_its_checks_says_so(capsys: pytest.CaptureFixture[str],
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    agent = scripted_agent()
    monkeypatch.setattr(agent, "perform_many", partial(agent.perform_many, repair=False))
    assert isinstance(agent.lm, ScriptedLM)
    agent.lm.right = lambda window, pair: False
    use(monkeypatch, agent)
    argv = ["perform", "nod x2", "-o", "a.npz", "--no-idle", "--candidates", "1"]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert err == "" and " checks fail)" in out.splitlines()[0] and "  NOT nod x2 [model]" in out
    assert main([*argv, "--strict"]) == 1
    assert "facelm: a.npz: nod" in capsys.readouterr().err


def test_all_that_can_be_named_is_listed(run: Callable[..., str]) -> None:
    facts = json.loads(run("actions", "--json"))
    assert {"actions", "emotions", "behaviours", "feelings", "sided", "never"} == set(facts) and len(facts["emotions"]) == 8
    assert {"smile", "turn"} <= set(facts["sided"]) and "laugh" in facts["behaviours"]
    assert all(name in run("actions") for name in ("tongue_out", "yawn", "bittersweet"))


@needs_tokenizer
def test_chat_reads_lines_until_the_end(run: Callable[..., str], performing: None, tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Does it blink?\nsmile\n/measure\n/quit\n"))
    out = run("chat", "-o", "talk", "--session", "monday", "--seconds", 2)
    assert "there is no clip yet" in out and (tmp_path / "talk/monday/clip-1.npz").is_file()
    monkeypatch.setattr(sys, "stdin", io.StringIO("Which clips are there?\n/quit\n"))
    assert json.loads(run("chat", "-o", "talk", "--session", "monday", "--json"))["value"] == [1]
    monkeypatch.setattr(sys, "stdin", io.StringIO("Does it blink?\n/quit\n"))
    assert json.loads(run("chat", "-o", "talk", "--json"))["refused"]


def test_info(run: Callable[..., str], files: Path) -> None:
    facts = json.loads(run("info", "--json", "--weights", files / "w", "--base", files / "base"))
    assert str(files / "w") in facts["weights"] and facts["base model"] == str(files / "base")
    assert "facelm-default" in facts["head"]
    assert "facelm-default" in run("info")


def test_data_synth_reports_in_one_line(run: Callable[..., str], tmp_path: Path) -> None:
    out = run("data", "synth", "--clips", 3, "-o", "c")
    assert out.startswith("c: 3 clips (train ") and out.count("\n") == 1 and "3 of them new" in out
    assert "0 of them new" in run("data", "synth", "--clips", 3, "-o", "c")


def test_tokenizer_eval(run: Callable[..., str], files: Path) -> None:
    facts = json.loads(run("tokenizer", "eval", files / "w/tokenizer", "--items", 2, "--json"))
    assert facts["clips"] == 2 and set(facts["mm"]) >= {"lips", "lids"}
    assert "reconstruction of 1 clips" in run("tokenizer", "eval", files / "w/tokenizer", "--items", 1)


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], files: Path) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "load_faces", stop)
    assert main(["measure", str(files / "clip.npz")]) == 130
    assert capsys.readouterr() == ("", "facelm: stopped\n")


@needs_tokenizer
def test_candidates_are_passed_on(run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    agent = scripted_agent(right=lambda window, pair: False)
    use(monkeypatch, agent)
    assert isinstance(agent.lm, ScriptedLM)
    for k in (1, 6):
        agent.lm.draws.clear()
        run("generate", "smile", "-o", f"{k}.npz", "--no-idle", "--candidates", k)
        assert sum(pair[1] % 1000 < 200 for _, pair, _ in agent.lm.draws) == k


def test_missing_folders_are_made_and_what_is_replaced_is_said(clips: list[FaceSequence], tmp_path: Path,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    clips[0].slice(0, 6).save(tmp_path / "c.npz")
    for said in ("", "facelm: made/of/c.glb is replaced\n"):
        assert main(["render", "c.npz", "-o", "made/of/c.glb"]) == 0
        assert capsys.readouterr() == ("made/of/c.glb\n", said)


@needs_tokenizer
def test_the_prompts_may_come_from_stdin(run: Callable[..., str], performing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a nod\n\na smile\n"))
    out = run("generate", "--file", "-", "-o", "d", "--seconds", 2, "--json")
    facts = [json.loads(line) for line in out.splitlines()]
    assert [f["prompt"] for f in facts] == ["a nod", "a smile"] and facts[1]["clip"] == "d/0001.npz" and facts[0]["frames"] == 50
    assert [f["line"] for f in facts] == ["2 s; nod x2", "2 s; mouth_open"] and all(f["checks"] for f in facts)


def test_debug_shows_the_traceback_and_verbose_the_log(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "none.npz", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert main(["describe", str(files / "clip.npz"), "-v", "--weights", str(files / "w"), "--base", str(files / "base")]) == 0
    assert f"facelm: loading the weights in {files / 'w'}" in capsys.readouterr().err
    assert not logging.getLogger("facelm").handlers


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_option_of_every_command_is_explained(command: str, capsys: pytest.CaptureFixture[str],
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    assert main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    options = [line.strip("│ *\n") for line in shown.splitlines() if line.strip("│ *").startswith("--")]
    assert all(len(o.split()) > 2 and any(len(w) > 3 and w.islower() for w in o.split()) for o in options), options
    assert "--json" in shown and not [old for old in OLD.get(command, {}) if f"{old} " in shown]


def test_a_completion_is_made() -> None:
    from facelm.cli.main import app

    script = app().generate_completion(shell="bash")
    assert "generate" in script and "--candidates" in script


# -- transitions ----------------------------------------------------------------------------
@pytest.fixture()
def source(tmp_path: Path) -> Path:
    return still(30, mouthSmileLeft=0.4, cheekPuff=0.3).save(tmp_path / "source.npz")


@needs_tokenizer
def test_one_line_says_what_was_done(performing: None, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transition", TURN, "--source", str(source), "--seconds", "3", "-o", "a.npz"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and err == ""
    assert out.startswith("a.npz: 3.00 s, 75 frames: anger at ") and ", happiness at " in out
    assert out.endswith(f"learned curve, from {source} at 1.20 s\n")
    clip, given = FaceSequence.load("a.npz"), FaceSequence.load(source)
    assert np.array_equal(clip.expr[0], given.expr[-1]) and np.array_equal(clip.shape, given.shape)
    assert (clip.neck_pose == given.neck_pose[-1]).all()


@needs_tokenizer
def test_json_files_and_warnings(performing: None, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["transition", "Turn this face from sleepy to angry", "--source", str(source), "--at", "0.4", "--via", "neutral",
                 "--curve", "minjerk", "--idle", "--json", "--seconds", "2", "-o", "a.npz", "--render", "a.png",
                 "--glb", "a.glb"])
    out, err = capsys.readouterr()
    assert code == 0 and "sleepy" in err and err.startswith("facelm: warning: ")
    record = json.loads(out)
    assert record["clip"] == "a.npz" and record["frames"] == 50 and record["curve"] == "minjerk"
    assert [e["name"] for e in record["expressions"]][-1] == "anger" and len(record["warnings"]) == 1
    assert record["source"].endswith("at 0.40 s") and {"a.npz", "a.png", "a.glb"} <= set(tree(Path()))
    assert not [n for n in tree(Path()) if n.endswith(".part")]


@needs_tokenizer
def test_a_source_on_another_head_comes_back_on_it(performing: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = HeadModel.default()
    bigger = HeadModel(**{**{f: getattr(head, f) for f in head.__dataclass_fields__}, "v_template": head.v_template * 1.1,
                          "name": "bigger"})
    bigger.save(tmp_path / "bigger.npz")
    clip = still(5, mouthSmileLeft=0.4).replace(head=bigger.ref)
    clip.save(tmp_path / "s.npz")
    assert main(["transition", TURN, "--source", "s.npz", "--head", "bigger.npz", "--seconds", "2", "-o", "a.npz"]) == 0
    out = FaceSequence.load("a.npz", bigger.ref)
    assert np.array_equal(out.expr[0], clip.expr[-1]) and np.array_equal(out.shape, clip.shape)
    assert (out.translation == clip.translation[-1]).all() and np.allclose(out.neck_pose, clip.neck_pose[-1], atol=1e-5)
    assert out.expr[-1].max() > 0.3


# -- nothing is lost ---------------------------------------------------------------------
def test_no_output_goes_over_its_input(refuse: Callable[..., str], tmp_path: Path) -> None:
    for name in ("face.png", "face.mp4"):
        (tmp_path / name).write_bytes(b"only one copy")
    assert "over its own input" in refuse("render", "face.png", "-o", "face.png")
    assert "over its own input" in refuse("fit", "face.mp4", "-o", "fit.npz", "--overlay", "face.mp4")
    assert "over its own input" in refuse("transition", "from anger to joy", "--source", "face.png", "-o", "t.npz",
                                          "--render", "face.png")


# -- as a program -----------------------------------------------------------------------
def program(*argv: object, **options) -> subprocess.Popen:  # noqa: ANN003
    return subprocess.Popen([sys.executable, "-m", "facelm.cli", *map(str, argv)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, **options)


def test_the_program_refuses_in_one_line_and_leaves_when_its_reader_does(files: Path, tmp_path: Path) -> None:
    wrong = program("measure", tmp_path)
    closed = program("measure", *[files / "clip.npz"] * 3, "--json")
    assert closed.stdout is not None and closed.stderr is not None
    closed.stdout.close()
    out, err = wrong.communicate(timeout=120)
    assert (wrong.returncode, out) == (1, "")
    assert err.startswith(f"facelm measure: {tmp_path}: no pictures in this folder; ") and err.count("\n") == 1
    assert closed.stderr.read() == "" and closed.wait(timeout=120) == 1
    named = tmp_path / "\u00e9.npz"
    named.write_bytes((files / "clip.npz").read_bytes())
    shell = f'PYTHONIOENCODING=ascii "{sys.executable}" -m facelm.cli measure "{named}"'
    plain = subprocess.run(shell, shell=True, capture_output=True, timeout=120, check=True)
    assert b"\\xe9.npz" in plain.stdout and plain.stderr == b""
    silent = subprocess.run(f"{shell} >&-", shell=True, capture_output=True, timeout=120, check=False)
    assert b"Traceback" not in silent.stderr


def test_generating_prints_nothing_but_its_lines(files: Path, tmp_path: Path) -> None:
    """No warnings of the libraries on stderr, which only a process of its own can show."""
    done = program("generate", "smile", "-o", tmp_path / "a.npz", "--seconds", "4", "--weights", files / "w", "--base",
                   files / "base", "--glb", tmp_path / "a.glb")
    out, err = done.communicate(timeout=300)
    assert (done.returncode, err) == (0, "")
    first, *others, last = out.splitlines()
    assert first.startswith(f"{tmp_path / 'a.npz'}: 4.00 s, 100 frames: smile (") and last == str(tmp_path / "a.glb")
    assert all(line.startswith("  ") for line in others)


def test_tokenizers_differ(clips: list[FaceSequence]) -> None:
    """The fixtures above are what they claim: two seeds give two tokenizers."""
    assert tiny_face_tokenizer(clips[:2], 0).hash != tiny_face_tokenizer(clips[:2], 1).hash
