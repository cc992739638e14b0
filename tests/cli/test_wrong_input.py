"""Wrong input to every command: one line on stderr that names the value and the fix, and nothing else.

Commands run in process. Wherever a wrong input must be found before the language model is loaded, loading it is an
error of the test.
"""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from cli_fixtures import Refuse, files, in_a_folder_of_its_own, no_model, refuse  # noqa: F401
from facelm.cli.main import COMMANDS, main
from scripted_agent import still

TURN = "Turn this face from anger to happiness"

WRONG: list[tuple[list[str], str]] = [
    (["generate", "", "-o", "a.npz"], "prompt is empty"),
    (["generate", " ", "-o", "a.npz"], "prompt is empty"),
    (["generate", "x" * 2001, "-o", "a.npz"], "2001 characters"),
    (["generate", "-o", "a.npz"], "either a text"),
    (["generate", "smile", "--file", "p.txt", "-o", "a"], "either a text"),
    (["generate", "smile", "-o", "a.mp4"], "must end in .npz"),
    (["generate", "smile", "-o", "dir.npz"], "is a folder"),
    (["generate", "smile", "-o", "good.txt/a.npz"], "is a file"),
    (["generate", "smile", "-o", "a.npz", "--render", "a.avi"], "must end in .mp4"),
    (["generate", "smile", "-o", "a.npz", "--render", "good.txt/a.gif"], "is a file"),
    (["generate", "smile", "-o", "a.npz", "--glb", "a.gltf"], "must end in .glb"),
    *((["generate", "smile", "-o", "a.npz", f"--seconds={s}"], "allowed: 0.2 to 600") for s in ("0", "-1", "999", "nan", "inf")),
    (["generate", "smile", "-o", "a.npz", "--seconds", "two"], "two"),
    (["generate", "smile", "-o", "a.npz", "--count", "0"], "--count is 0"),
    (["generate", "smile", "-o", "a.npz", "--candidates", "0"], "candidates is 0; allowed: 1 to 64"),
    (["generate", "smile", "-o", "a.npz", "--seed=-1"], "seed is -1"),
    (["generate", "smile", "-o", "a.npz", "--temperature=-1"], "temperature is -1"),
    (["generate", "smile", "-o", "a.npz", "--temperature=nan"], "temperature is nan"),
    (["generate", "smile", "-o", "a.npz", "--head", "none.npz"], "none.npz"),
    (["generate", "--file", "good.txt", "-o", "good.txt/x"], "is a file"),
    (["perform", "smile", "-o", "a.txt"], "must end in .npz"),
    (["edit", "smile", "stronger", "-o", "a.txt"], "must end in .npz"),
    (["edit", "none.txt", "stronger", "-o", "a.npz"], "no such script: none.txt"),
    (["edit", "text.npz", "stronger", "-o", "a.npz"], "text.npz"),
    (["perform", "moonwalk", "-o", "a.npz"], "nothing that a face is known to do"),
    (["perform", "none.txt", "-o", "a.npz"], "no such script: none.txt"),
    (["perform", "none.json", "-o", "a.npz"], "no such script: none.json"),
    (["perform", "{", "-o", "a.npz"], "not a script in JSON"),
    (["perform", '{"cues": [{"name": "turn"}]}', "-o", "a.npz"], "needs a side"),
    (["perform", "good.npz", "-o", "a.npz"], "not UTF-8"),
    (["perform", "smile", "-o", "a.npz", "--candidates", "0"], "candidates is 0; allowed: 1 to 64"),
    (["read", " "], "prompt is empty"),
    (["read", "x" * 2001], "2001 characters"),
    (["check", "none.npz", "smile"], "none.npz"),
    (["check", "good.npz", "smile sideways"], "is not understood"),
    (["check", "good.npz", "nod x2.5"], "is no count"),
    (["demo", ""], "prompt is empty"),
    (["bench", "fast"], "no suite 'fast'; allowed: full, peers, quick, references"), (["bench", "none.yaml"], "none.yaml"),
    (["bench", "--quick", "--full"], "quick or full? Give one"), (["bench", "-o", "good.txt"], "is a file"),
    (["bench", "--peer", "nowhere"], "no such file or folder: nowhere"), (["bench", "--data", "nowhere"], "nowhere"),
    (["bench", "quick", "--data", "x"], "--data checks a corpus"),
    (["demo", "--seconds=0"], "allowed: 0.2 to 600"),
    (["demo", "-o", "good.txt"], "is a file"),
    (["chat", "-o", "good.txt"], "is a file"),
    (["chat", "--seconds=0.1"], "allowed: 0.2 to 600"),
    (["describe", "CLIP", "--ask", " "], "question is empty"),
    (["measure", "none.npz"], "no such clip"),
    (["render", "CLIP", "-o", "a.avi"], "must end in .mp4"),
    (["render", "CLIP", "-o", "dir.png"], "is a folder"),
    (["render", "CLIP", "-o", "a.png", "--size", "20"], "64 to 2048"),
    (["fit", "CLIP", "-o", "a.npz", "--fov", "0"], "--fov is 0"),
    (["fit", "CLIP", "-o", "a.npz", "--overlay", "x.txt"], "--overlay is x.txt"),
    (["fit", "CLIP", "-o", "a.npz", "--head", "missing.npz"], "missing.npz"),
    (["fit", "CLIP", "CLIP", "-o", "out"], "several inputs are named clip"),
    (["fit", "CLIP", "CLIP", "-o", "a.npz"], "give a folder"),
    (["fit", "CLIP", "-o", "a.npz", "--recipe", "none.yaml"], "none.yaml"),
    (["avatar", "build", "none.jpg", "-o", "a.avatar"], "none.jpg: no such file"),
    (["avatar", "build", "good.txt", "-o", "a.avatar"], "good.txt"),
    (["avatar", "build", "good.txt", "-o", "good.txt"], "is a file"),
    (["avatar", "build", "good.txt", "-o", "a.avatar", "--size", "100"], "--size is 100; allowed: 256"),
    (["avatar", "build", "good.txt", "-o", "a.avatar", "--preview", "a.jpg"], "must end in .png"),
    (["avatar", "build", "good.txt", "-o", "a.avatar", "--folds", "3"], "--folds is 3; allowed: 0 to 2"),
    (["avatar", "build", "good.txt", "-o", "a.avatar", "--consent", " "], "--consent is empty"),
    (["avatar", "show", "dir.npz"], "avatar.json"), (["avatar", "show", "none.avatar"], "avatar.json"),
    (["render", "good.npz", "-o", "a.glb", "--mark"], "--mark writes into pictures and films"),
    (["avatar", "live", "none.avatar"], "none.avatar"), (["avatar", "live", "good.txt"], "good.txt"),
    (["head", "paint", "-o", "a.avatar", "--size", "1000"], "--size is 1000"), (["head", "paint", "-o", "good.txt"], "is a file"),
    (["head", "paint", "none.npz", "-o", "a.avatar"], "none.npz"),
    (["render", "CLIP", "-o", "a.png", "--head", "dir.npz"], "head.npz"),
    (["convert", "none.csv", "-o", "a.npz"], "none.csv"),
    (["convert", "CLIP", "-o", "a.csv"], "must end in .npz"),
    (["convert", "good.npz", "-o", "good.npz"], "over its own input"),
    (["export", "good.npz"], "--out is missing"), (["export"], "CLIP is missing"),
    (["export", "good.npz", "-o", "a.xyz"], "must end in .npz"), (["export", "none.npz", "-o", "a.csv"], "none.npz"),
    (["export", "good.npz", "-o", "good.npz"], "over its own input"),
    (["export", "good.npz", "-o", "a.csv", "--format", "word"], "--format is 'word'"),
    (["export", "good.npz", "-o", "a.csv", "--target", "flame"], "--target may be arkit52"),
    (["export", "good.npz", "-o", "a.npz", "--target", "flame"], "give --to FLAME.npz"),
    (["export", "good.npz", "-o", "a.csv", "--fps", "0"], "--fps is 0; allowed: 1 to 1000"),
    (["export", "good.npz", "-o", "a.csv", "--fps=23.5"], "no time code counts 23.5 fps"),
    (["export", "good.npz", "-o", "good.txt/a.glb"], "is a file"),
    (["export", "good.npz", "-o", "a.glb", "--to", "none"], "none"),
    (["stream", "good.npz"], "either --livelink"), (["stream", "none.npz", "--vmc", "39539"], "none.npz"),
    (["stream", "good.npz", "--livelink", "here:there"], "allowed: HOST:PORT"),
    (["stream", "good.npz", "--vmc", "70000"], "allowed: HOST:PORT"),
    (["stream", "good.npz", "--vmc", "39539", "--target", "flame"], "allowed: arkit52, vrm"),
    (["convert", "good.txt"], "needs a file and -o"),
    (["convert", "good.txt", "-o", "a.npz"], "unknown parameters"),
    (["convert", "good.txt", "-o", "a.npz", "--fps", "0"], "fps is 0"),
    (["convert", "good.txt", "-o", "a.npz", "--order", "abc"], "allowed: arkit"),
    (["convert", "good.txt", "-o", "a.npz", "--names", "x"], "--names is 'x'"),
    (["convert", "/dev/null", "-o", "a.npz"], "/dev/null is a device"),
    (["slice", "/dev/null", "-o", "a.npz", "--to", "1"], "/dev/null is a device"),
    (["concat", "good.npz", "-o", "a.npz"], "two or more clips"),
    (["concat", "good.npz", "none.npz", "-o", "a.npz"], "none.npz"),
    (["concat", "good.npz", "text.npz", "-o", "a.npz"], "text.npz"),
    (["concat", "good.npz", "good.npz", "-o", "good.npz"], "over its own input"),
    (["concat", "good.npz", "good.npz", "-o", "a.npz", "--fps", "0"], "fps is 0"),
    (["slice", "good.npz", "-o", "a.npz"], "needs --from or --to"),
    (["slice", "good.npz", "-o", "a.npz", "--from", "99"], "allowed: 0 to"),
    (["slice", "good.npz", "-o", "a.npz", "--from=nan"], "allowed: 0 to"),
    (["slice", "good.npz", "-o", "a.npz", "--frames", "5:2"], "--frames is 5:2"),
    (["slice", "good.npz", "-o", "a.npz", "--frames", "x"], "--frames is x"),
    (["slice", "good.npz", "-o", "a.npz", "--frames", "0:2", "--to", "1"], "goes without"),
    (["resample", "good.npz", "-o", "a.npz", "--fps", "0"], "fps is 0"),
    (["resample", "good.npz", "-o", "a.npz", "--fps=nan"], "fps is nan"),
    (["resample", "none.npz", "-o", "a.npz", "--fps", "30"], "none.npz"),
    (["mirror", "good.npz", "-o", "good.npz"], "over its own input"),
    (["mirror", "good.npz", "-o", "a.txt/b.npz", "--head", "none.npz"], "none.npz"),
    (["photo", "edit", "none.jpg", "smiling", "-o", "a.png"], "none.jpg: no such file"),
    (["eval", "photo", "--photos", "none"], "none: no such photo or folder of photos"),
    (["eval", "photo", "--photos", "full"], "full: no photos in this folder"),
    (["eval", "photo", "--photos", "good.txt", "--judges", "none"], "fetch them with python scripts/fetch_judges.py"),
    (["eval", "photo", "--photos", "good.txt", "--templates", "5"], "do not go with `facelm eval photo`"),
    (["eval", "photo", "--table", "004", "--diffusion", "none"], "none is no Stable Diffusion folder: it lacks unet/"),
    (["eval", "photo", "--table", "004", "--lora", "x"], "--lora needs --diffusion"),
    (["eval", "photo", "--table", "004", "--kdef", "none"], "none: no such folder; needed: KDEF's pictures"),
    (["eval", "photo", "--table", "004", "--kdef", "full"], "no picture is named as KDEF's are"),
    (["eval", "photo", "--table", "004", "--kdef", "full", "--photos", "full"], "are two kinds of pictures"),
    (["eval", "photo", "--table", "004", "--quick"], "--quick belongs to --table 002-I and 002-IV"),
    (["eval", "photo", "--table", "002-I", "--judges", "x"], "do not go with --table 002-I"),
    (["eval", "photo", "--kdef", "full"], "belong to --table; name one of 002-I, 002-IV, 004"),
    (["eval", "photo", "--table", "002-V"], "002-V"),
    (["eval", "language", "--table", "004"], "belong to `facelm eval photo`"),
    (["eval", "prompts", "--judges", "x"], "--photos and --judges belong to `facelm eval photo`"),
    (["eval", "photo", "--films", "x"], "do not go with `facelm eval photo`"),
    (["eval", "avatar"], "eval avatar needs --films"), (["eval", "avatar", "--films", "none"], "none: no such film"),
    (["eval", "avatar", "--films", "full"], "full: no films in this folder"),
    (["eval", "avatar", "--photos", "good.txt"], "do not go with `facelm eval avatar`"),
    (["eval", "photo", "-o", "a.txt"], "must end in .json"),
    (["photo", "edit", "good.txt", "smiling", "-o", "a.png"], "good.txt: not a readable photo"),
    (["photo", "edit", "none.jpg", "smiling", "-o", "a.gif"], "must end in .png or .jpg"),
    (["photo", "edit", "none.jpg", "smiling", "-o", "a.png", "--video", "a.avi"], "must end in .mp4"),
    (["photo", "edit", "none.jpg", "smiling", "-o", "a.png", "--amount", "3"], "--amount is 3; allowed: 0.1 to 2"),
    (["retarget", "good.npz", "--to", "default", "-o", "good.npz"], "over its own input"),
    (["retarget", "good.npz", "--to", "default", "-o", "a.npz"], "the same head"),
    (["retarget", "good.npz", "--to", "none.npz", "-o", "a.npz"], "none.npz"),
    (["head", "import", "none.pkl", "-o", "h.npz"], "none.pkl"),
    (["head", "show", "good.txt"], "good.txt"),
    (["head", "show", "--png", "a.jpg"], "must end in .png"),
    (["head", "list", "none"], "no such folder"),
    (["info", "--weights", "none"], "facelm train"),
    (["data", "synth", "-o", "good.txt"], "is a file"),
    (["data", "synth", "-o", "full"], "is not empty"),
    (["data", "synth", "-o", "c", "--seed=-1"], "seed is -1"),
    (["data", "synth", "-o", "c", "--workers", "1000"], "workers is 1000"),
    (["data", "synth", "-o", "c", "--count", "0"], "--count is 0"),
    (["data", "prompts", "--count", "3", "-o", "p.txt"], "must end in"),
    (["data", "prompts", "--count", "0", "-o", "p.csv"], "--count is 0"),
    (["data", "prompts", "none.yaml", "--count", "3", "-o", "p.csv"], "none.yaml"),
    (["data", "videos", "-o", "v"], "nothing to film"),
    (["data", "videos", "-o", "v", "--limit", "0", "--videos", "x"], "--limit is 0"),
    (["data", "build", "none.yaml", "-o", "c"], "none.yaml"),
    (["data", "build", "none.yaml", "-o", "c", "--videos", "v", "--backend", "performer"], "belongs to --backend videos"),
    (["data", "rewrite", "good.txt", "-o", "r.jsonl"], "either --url"),
    (["data", "rewrite", "good.txt", "-o", "r.jsonl", "--url", "x"], "--url needs --model"),
    (["tokenizer", "train", "TOK", "-o", "good.txt"], "is a file"),
    (["tokenizer", "eval", "none"], "none"),
    (["tokenizer", "eval", "--count", "0"], "--count is 0"),
    (["peer", "train", "mdm", "--corpus", "none", "-o", "p"], "no such corpus folder: none"),
    (["train", "peer", "mdm", "--corpus", "CORPUS", "-o", "p", "--minutes", "0"], "--minutes is 0"),
    (["peer", "train", "mdm", "--corpus", "CORPUS", "-o", "p", "--steps", "0"], "--steps is 0"),
    (["peer", "train", "gan", "--corpus", "CORPUS", "-o", "p"], "gan"),
    (["peer", "train", "mdm", "none.yaml", "--corpus", "CORPUS", "-o", "p"], "none.yaml"),
    (["peer", "train", "mdm", "--corpus", "CORPUS", "-o", "good.txt"], "is a file"),
    (["peer", "train", "mdm", "--corpus", "CORPUS", "-o", "p", "--device", "tpu"], "tpu"),
    (["train", "LM", "--corpus", "CORPUS", "-o", "good.txt"], "is a file"),
    (["eval", "-o", "r.txt"], "must end in .json"),
    (["eval", "--temperature=nan"], "temperature is nan"),
    (["eval", "--items", "0"], "--count is 0"),
    (["eval", "--data", "ckplus"], "belong to `facelm eval transitions`"),
    (["eval", "transitions"], "needs --data"),
    (["eval", "transitions", "--data", "ckplus", "--only", "l2m"], "--only belongs"),
    *((["transition", *argv, "-o", "a.npz"], words) for argv, words in (
        ([""], "instruction is empty"),
        (["Open the door"], "names no expression"),
        (["Turn this face from xyzzy to anger"], "xyzzy"),
        ([TURN, "--seconds=0.1"], "allowed: 0.2 to 600"),
        ([TURN, "--seconds=nan"], "allowed: 0.2 to 600"),
        ([TURN, "--seconds=0.3"], "allowed: 0.4 to 600"),
        ([TURN, "--via", "anger"], "allowed: neutral"),
        ([TURN, "--curve", "cubic"], "allowed: learned, linear, minjerk"),
        ([TURN, "--seed=-1"], "seed is -1"),
        ([TURN, "--temperature=nan"], "temperature is nan"),
        ([TURN, "--at", "1"], "no --source"),
        ([TURN, "--source", "SOURCE", "--at", "9"], "--at is 9 s; allowed: 0 to 1.2 s"),
        ([TURN, "--source", "SOURCE", "--at=nan"], "--at is nan s"),
        ([TURN, "--source", "none.npz"], "no such clip"),
        ([TURN, "--source", "none.png"], "no such clip, video, picture"),
        ([TURN, "--source", "text.npz"], "not an .npz file"),
        ([TURN, "--head", "none.npz"], "none.npz"),
        ([TURN, "--method", "gpt"], "allowed: lm, or i2fet:DIR"),
        ([TURN, "--model", "i2fet:none"], "no trained baseline in none"),
        ([TURN, "--model", "i2fet:none", "--curve", "learned"], "allowed: linear, minjerk"),
        ([TURN, "--model", "i2fet:none", "--idle"], "--idle is for the language model"),
        ([TURN, "--render", "a.avi"], "must end in .mp4"),
        ([TURN, "--glb", "good.txt/a.glb"], "is a file"))),
    (["compare", "none.npz", "a.npz"], "none.npz"), (["compare", "a.npz", "b.npz", "--picture", "x.mp4"], "must end in .png"),
    (["chat", "--session", "../x"], "--session is"), (["chat", "--planner", "localhost", "m"], "the base of a chat endpoint"),
    (["serve", "--port", "99999"], "port is 99999"), (["serve", "--folder", "good.txt"], "is a file"),
    (["serve", "--upload-mb", "0"], "upload_mb is 0"), (["serve", "--lanes", "0"], "lanes is 0"),
    (["serve", "--backend", "gpu"], "torch"), (["mcp", "--session", "good.txt"], "is a file"),
    (["mcp", "--http", "--port", "99999"], "99999"), (["mcp", "--host", "0.0.0.0"], "--http"),
    (["mcp", "--token", "secret"], "--http"),
    (["transition", TURN, "-o", "a.mp4"], "must end in .npz"),
]
"""Command lines and words of their refusal."""
UNREADABLE: list[tuple[list[str], str]] = [
    (["dance"], 'unknown command "dance"'), (["data", "dance"], 'unknown command "dance"'),
    (["render", "a.npz"], "--out is missing"), (["generate", "smile", "-o"], "--out is missing"),
    (["generate", "smile", "-o", "a.npz", "--secnds", "2"], "--secnds. Did you mean --seconds?"),
    (["generate", "-", "-o", "a.npz"], "unknown option: -"),
    (["measure"], "CLIPS is missing"), (["info", "more"], "more"), (["measure", "a.npz", "--json=x"], "--json"),
]
"""Command lines that cannot be read."""


def test_every_command_is_in_the_table() -> None:
    named = {" ".join(argv[:n]) for argv, _ in WRONG for n in (1, 2)}
    assert set(COMMANDS) - named == {"actions"}, "which takes nothing"


@pytest.mark.parametrize(("argv", "words"), WRONG, ids=lambda x: " ".join(x)[:60] if isinstance(x, list) else "")
def test_wrong_requests_are_one_line_and_cost_nothing(argv: list[str], words: str, files: Path, refuse: Refuse, no_model: None,
                                                      tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELM_WEIGHTS", str(files / "w"))
    (tmp_path / "good.txt").write_text("smile\n")
    (tmp_path / "text.npz").write_text("no clip")
    (tmp_path / "good.npz").write_bytes((files / "clip.npz").read_bytes())
    for name in ("dir.npz", "dir.png", "full/of"):
        (tmp_path / name).mkdir(parents=True)
    real = {"CLIP": files / "clip.npz", "LM": files / "lm.yaml", "TOK": files / "tok.yaml", "CORPUS": files / "corpus"}
    if "SOURCE" in argv:
        real["SOURCE"] = still(30, mouthSmileLeft=0.4, cheekPuff=0.3).save(tmp_path / "source.npz")
    assert words in refuse(*(real.get(a, a) for a in argv))


@pytest.mark.parametrize(("argv", "words"), UNREADABLE, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_a_line_that_cannot_be_read_has_its_own_code(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("facelm") and err.count("\n") == 1 and words in err and "--help" in err


@pytest.mark.parametrize(("file", "text", "words"), [
    ("p.csv", "id,text\n1,\"" + "a" * 200_000 + "\"\n", "field larger than field limit"),
    ("p.csv", "id,text\n1,smile,3\n", "not as many cells"),
    ("p.jsonl", "[" * 100_000, "line 1: not JSON that can be read: it is nested too deeply"),
    ("p.jsonl", '{"id": ' + "9" * 5000 + "}", "line 1: not JSON"),
    ("p.csv", b"id,text\n1,souri\xe9\n", "not UTF-8 text"),
])
def test_a_bad_prompt_table_is_one_line(file: str, text: str | bytes, words: str, refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    said = refuse("data", "videos", "--prompts", file, "--backend", "performer", "-o", "v")
    assert words in said and file in said


@pytest.mark.parametrize("text", ['{"cues": [{"name": "smile", "start": Infinity}]}',
                                  '{"cues": [{"name": "smile"}], "seconds": 1e999}',
                                  '{"cues": [{"name": "smile", "strength": NaN}]}', '{"cues": ' + "[" * 100_000,
                                  "smile at inf s", "smile for 1e999 s", "smile x99999999999999999999"])
def test_a_script_with_numbers_that_are_none_is_one_line(text: str, refuse: Refuse, no_model: None, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(text) if text.startswith("{") else (tmp_path / "s.txt").write_text(text)
    name = "s.json" if text.startswith("{") else "s.txt"
    for given in (text, name):
        if given is name or len(text) < 200:
            said = refuse("perform", given, "-o", "a.npz")
            assert given is text or name in said, said


@pytest.mark.parametrize(("name", "data", "words"), [
    ("missing", None, "no such prompt file"),
    ("empty", b"", "no prompts"),
    ("blank", b"\n  \n", "no prompts"),
    ("random", bytes(range(256)) * 4, "not UTF-8"),
    ("nul", b"smile\0\n", "NUL"),
    ("long", b"smile\n" + b"x" * 3000, "3000 characters"),
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
