"""The command line: good input gives clean output, wrong input one line on stderr and nothing else.

Commands run in process. Wherever a wrong input must be found before the language model is
loaded, loading it is an error of the test.
"""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from cli_fixtures import Refuse, files, in_a_folder_of_its_own, no_model, refuse, tree  # noqa: F401
from facelm.cli import clip_commands
from facelm.cli.main import main
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.measure import measure
from tiny_agent import tiny_face_tokenizer


# -- what is asked ----------------------------------------------------------------------
@pytest.mark.parametrize(("argv", "words"), [
    (["generate", "", "-o", "a.npz"], "prompt is empty"),
    (["generate", " ", "-o", "a.npz"], "prompt is empty"),
    (["generate", "x" * 1001, "-o", "a.npz"], "1001 characters"),
    (["generate", "-o", "a.npz"], "either a text"),
    (["generate", "smile", "--file", "p.txt", "-o", "a"], "either a text"),
    (["generate", "smile", "-o", "a.mp4"], "must end in .npz"),
    (["generate", "smile", "-o", "none/a.npz"], "folder none does not exist"),
    (["generate", "smile", "-o", "dir.npz"], "is a folder"),
    (["generate", "smile", "-o", "a.npz", "--render", "a.avi"], "must end in .mp4"),
    (["generate", "smile", "-o", "a.npz", "--render", "none/a.gif"], "folder none does not exist"),
    (["generate", "smile", "-o", "a.npz", "--glb", "a.gltf"], "must end in .glb"),
    *((["generate", "smile", "-o", "a.npz", f"--seconds={s}"], "allowed: 0.2 to 20") for s in ("0", "-1", "99", "nan", "inf")),
    (["generate", "smile", "-o", "a.npz", "--seed=-1"], "seed is -1"),
    (["generate", "smile", "-o", "a.npz", "--temperature=-1"], "temperature is -1"),
    (["generate", "smile", "-o", "a.npz", "--temperature=nan"], "temperature is nan"),
    (["generate", "--file", "good.txt", "-o", "good.txt/x"], "is a file"),
    (["demo", ""], "prompt is empty"),
    (["demo", "--seconds=0"], "allowed: 0.2 to 20"),
    (["demo", "-o", "good.txt"], "is a file"),
    (["chat", "-o", "good.txt"], "is a file"),
    (["chat", "--seconds=0.1"], "allowed: 0.2 to 20"),
    (["describe", "CLIP", "--ask", " "], "question is empty"),
    (["render", "CLIP", "-o", "a.avi"], "must end in .mp4"),
    (["render", "CLIP", "-o", "none/a.png"], "folder none does not exist"),
    (["render", "CLIP", "-o", "dir.png"], "is a folder"),
    (["render", "CLIP", "-o", "a.png", "--size", "20"], "64 to 2048"),
    (["eval", "-o", "none/r.json"], "folder none does not exist"),
    (["eval", "-o", "r.txt"], "must end in .json"),
    (["eval", "--temperature=nan"], "temperature is nan"),
    (["data", "synth", "-o", "good.txt"], "is a file"),
    (["data", "synth", "-o", "full"], "is not empty"),
    (["data", "synth", "-o", "c", "--seed=-1"], "seed is -1"),
    (["data", "synth", "-o", "c", "--workers", "1000"], "workers is 1000"),
    (["train", "LM", "--corpus", "CORPUS", "-o", "good.txt"], "is a file"),
    (["tokenizer", "train", "TOK", "-o", "good.txt"], "is a file"),
])
def test_wrong_requests_are_one_line_and_cost_nothing(argv: list[str], words: str, files: Path, refuse: Refuse, no_model: None,
                                                      tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELM_WEIGHTS", str(files / "w"))
    (tmp_path / "good.txt").write_text("smile\n")
    for name in ("dir.npz", "dir.png", "full/of"):
        (tmp_path / name).mkdir(parents=True)
    real = {"CLIP": files / "clip.npz", "LM": files / "lm.yaml", "TOK": files / "tok.yaml", "CORPUS": files / "corpus"}
    assert words in refuse(*(real.get(a, a) for a in argv))


@pytest.mark.parametrize(("name", "data", "words"), [
    ("missing", None, "no such prompt file"),
    ("empty", b"", "no prompts"),
    ("blank", b"\n  \n", "no prompts"),
    ("random", bytes(range(256)) * 4, "not UTF-8"),
    ("nul", b"smile\0\n", "NUL"),
    ("long", b"smile\n" + b"x" * 2000, "2000 characters"),
    ("huge", 11_000_000, "at most 10 MB"),
    ("pickle", pickle.dumps({"a": [1.5, "x" * 300]}), "not UTF-8|NUL"),
])
def test_a_bad_prompt_file_is_one_line(name: str, data: bytes | int | None, words: str, refuse: Refuse, no_model: None,
                                       tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    if isinstance(data, int):
        with path.open("wb") as handle:
            handle.truncate(data)
    elif data is not None:
        path.write_bytes(data)
    said = refuse("generate", "--file", path, "-o", "out")
    assert any(w in said for w in words.split("|")), said
    assert "is a folder" in refuse("generate", "--file", tmp_path, "-o", "out")


@pytest.mark.parametrize("argv", [["generate", "smile", "-o", "a.npz", "--count", "0"], ["dance"], [], ["render", "a.npz"],
                                  ["generate", "smile", "-o", "a.npz", "--seconds", "two"]])
def test_wrong_usage_ends_in_usage_and_one_line(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and out == "" and err.startswith("usage: facelm")
    assert "error: " in err.splitlines()[-1] and "Traceback" not in err


# -- good input -------------------------------------------------------------------------
@pytest.fixture()
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Run a command that must succeed, with nothing on stderr; returns its stdout."""

    def call(*argv: object) -> str:
        assert main([str(a) for a in argv]) == 0, capsys.readouterr().err
        out, err = capsys.readouterr()
        assert err == "", argv
        return str(out)

    yield call


def test_measure(run: Callable[..., str], files: Path, clips: list[FaceSequence], tmp_path: Path) -> None:
    clips[1].save(tmp_path / "b.npz")
    lines = run("measure", files / "clip.npz", "b.npz", "--json").splitlines()
    facts = [json.loads(line) for line in lines]
    assert [f["clip"] for f in facts] == [str(files / "clip.npz"), "b.npz"]
    assert [a["name"] for a in facts[0]["actions"]] == [a.name for a in measure(clips[0]).actions]
    assert set(facts[0]) == {"clip", "fps", "seconds", "actions", "emotion"}
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


def test_generate_and_describe_with_weights_and_base(run: Callable[..., str], files: Path, tmp_path: Path) -> None:
    model = ("--weights", files / "w", "--base", files / "base")
    assert "0.40 s, 10 frames: smile" in run("generate", "smile", "-o", "a.npz", "--seconds", 0.4, "--glb", "a.glb", *model)
    assert len(FaceSequence.load(tmp_path / "a.npz")) == 10 and (tmp_path / "a.glb").is_file()
    run("generate", "smile", "-o", "b.NPZ", "--seconds", 0.4, "--count", 2, *model)
    (tmp_path / "p.txt").write_bytes(b"\xef\xbb\xbfnod\r\n\r\nturn left\n")
    out = run("generate", "--file", "p.txt", "-o", "many/of", "--seconds", 0.4, *model)
    assert [line.rpartition(": ")[2] for line in out.splitlines()] == ["nod", "turn left"]
    made = {p for p in tree(tmp_path) if p.lower().endswith(".npz")}
    assert made == {"a.npz", "b-0.npz", "b-1.npz", "many/of/0000.npz", "many/of/0001.npz"}
    first, second = (FaceSequence.load(tmp_path / f"b-{i}.npz").expr for i in (0, 1))
    assert np.array_equal(first, FaceSequence.load(tmp_path / "a.npz").expr) and not np.array_equal(first, second)

    lines = run("describe", "a.npz", "b-0.npz", "--json", *model).splitlines()
    assert [json.loads(line)["clip"] for line in lines] == ["a.npz", "b-0.npz"]
    assert set(json.loads(lines[0])) == {"clip", "description"}
    answer = json.loads(run("describe", "a.npz", "--ask", "when ?", "--json", *model))
    assert set(answer) == {"clip", "question", "answer"}


def test_chat_reads_lines_until_the_end(run: Callable[..., str], files: Path, tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Does it blink?\nsmile\n/measure\n/quit\n"))
    out = run("chat", "-o", "talk", "--seconds", 0.4, "--weights", files / "w", "--base", files / "base")
    assert "cannot do that: there is no clip yet" in out and (tmp_path / "talk/turn-000.npz").is_file()


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

    monkeypatch.setattr(clip_commands, "load", stop)
    assert main(["measure", str(files / "clip.npz")]) == 130
    assert capsys.readouterr() == ("", "facelm: stopped\n")


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


def test_generating_prints_nothing_but_its_lines(files: Path, tmp_path: Path) -> None:
    """No warnings of the libraries on stderr, which only a process of its own can show."""
    done = program("generate", "smile", "-o", tmp_path / "a.npz", "--seconds", "0.4", "--weights", files / "w", "--base",
                   files / "base", "--render", tmp_path / "a.mp4")
    out, err = done.communicate(timeout=300)
    assert (done.returncode, err) == (0, "")
    assert out.splitlines() == [f"{tmp_path / 'a.npz'}: 0.40 s, 10 frames: smile", str(tmp_path / "a.mp4")]


def test_tokenizers_differ(clips: list[FaceSequence]) -> None:
    """The fixtures above are what they claim: two seeds give two tokenizers."""
    assert tiny_face_tokenizer(clips[:2], 0).hash != tiny_face_tokenizer(clips[:2], 1).hash
