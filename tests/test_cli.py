"""The command line: good input gives clean output, wrong input one line on stderr and nothing else.

Commands run in process. Wherever a wrong input must be found before the language model is
loaded, loading it is an error of the test.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from facelm.cli import commands
from facelm.cli.main import main
from facelm.data_gen.corpus import synth
from facelm.face.actions import measure
from facelm.face.head import HeadModel
from facelm.face.sequence import FaceSequence, HeadRef
from llm_tiny import tiny_base
from test_sequence import Bomb, broken_files
from tiny_agent import tiny_face_tokenizer, write_base, write_weights

Refuse = Callable[..., str]
ROOT = Path(__file__).resolve().parents[1]


def tree(folder: Path) -> dict[str, int]:
    """Everything in a folder, with sizes."""
    return {str(p.relative_to(folder)): p.stat().st_size if p.is_file() else -1 for p in folder.rglob("*")}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACELM_CACHE", str(tmp_path.parent / "cache"))
    for name in ("FACELM_WEIGHTS", "FACELM_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture()
def refuse(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refuse:
    """Run a command that must fail: one line, exit code 1, nothing printed, nothing written."""

    def run(*argv: object) -> str:
        before = tree(tmp_path)
        code = main([str(a) for a in argv])
        out, err = capsys.readouterr()
        assert code == 1, (argv, out)
        assert err.startswith(f"facelm {argv[0]}: ") and err.endswith("\n") and err.count("\n") == 1, (argv, err)
        assert 20 < len(err) < 1200 and "Traceback" not in err and out == "", (argv, err, out)
        assert tree(tmp_path) == before, argv
        return err

    return run


@pytest.fixture()
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(args: object) -> None:
        raise AssertionError("the language model was loaded before the input was checked")

    monkeypatch.setattr(commands, "load_agent", load)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, clips: list[FaceSequence]) -> Path:
    """Good inputs: clip.npz, w/ (weights), base/, corpus/, recipes."""
    folder = tmp_path_factory.mktemp("files")
    clips[0].save(folder / "clip.npz")
    write_weights(folder / "w", clips)
    write_base(folder / "base")
    synth(40, folder / "corpus", progress=False)
    (folder / "tok.yaml").write_text("model: {hidden: 8}\ntrain: {steps: 1, clips: 4}\n")
    (folder / "lm.yaml").write_text("run: {max_steps: 1, max_minutes: 0}\n")
    return folder


def bomb(folder: Path) -> Bomb:
    out = Bomb()
    out.path = str(folder / "exploded")
    return out


# -- clips ------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def bad_clips(tmp_path_factory: pytest.TempPathFactory, random_clip_module: FaceSequence) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bad")
    clip = random_clip_module
    out = {name: Path(path) for name, (path, _) in broken_files(clip, folder).items()}
    out["missing"], out["folder"] = folder / "none.npz", folder
    for name, data in (("random", np.random.default_rng(0).bytes(5000)), ("pickle", pickle.dumps(bomb(folder))),
                       ("zip-of-noise", (folder / "good.npz").read_bytes()[-400:])):
        out[name] = folder / f"{name}.npz"
        out[name].write_bytes(data)
    holder = np.empty(1, object)
    holder[0] = bomb(folder)
    with np.load(folder / "good.npz") as data:
        arrays = {k: data[k] for k in data.files}
    out["bomb"], out["bomb-meta"] = folder / "bomb.npz", folder / "bomb-meta.npz"
    np.savez(out["bomb"], **{**arrays, "expr": holder})
    np.savez(out["bomb-meta"], **{**arrays, "format": holder})
    out["other-head"] = clip.replace(head=HeadRef("flame", "2023", "0" * 64)).save(folder / "flame.npz")
    return out


@pytest.fixture(scope="module")
def random_clip_module(head: HeadModel) -> FaceSequence:
    rng = np.random.default_rng(1)
    rest = FaceSequence.rest(30, head.ref)
    return rest.replace(expr=rng.uniform(0, 1, rest.expr.shape).astype(np.float32))


@pytest.mark.parametrize("command", [
    ("measure", "CLIP"), ("measure", "GOOD", "CLIP", "--json"), ("describe", "CLIP"), ("describe", "GOOD", "CLIP", "--ask", "When?"),
    ("render", "CLIP", "-o", "x.mp4"), ("render", "CLIP", "-o", "x.glb"), ("chat", "CLIP"),
], ids=" ".join)
def test_every_bad_clip_is_one_line(command: tuple[str, ...], bad_clips: dict[str, Path], files: Path, refuse: Refuse,
                                    no_model: None) -> None:
    assert len(bad_clips) > 15
    for path in bad_clips.values():
        words = {"CLIP": path, "GOOD": files / "clip.npz"}
        assert str(path) in refuse(*(words.get(w, w) for w in command))
    assert not any((p.parent / "exploded").exists() for p in bad_clips.values())


def test_a_clip_that_is_too_long_is_refused_before_the_model_loads(refuse: Refuse, no_model: None, tmp_path: Path) -> None:
    FaceSequence.rest(1001, HeadModel.default().ref).save(tmp_path / "long.npz")
    for command in ("describe", "chat"):
        assert "up to 40 s" in refuse(command, "long.npz")


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


# -- recipes ----------------------------------------------------------------------------
RECIPES: dict[str, str | bytes] = {
    "empty": "", "only a comment": "# nothing\n", "random": bytes(range(128, 256)) * 3, "a list": "- 1\n- 2\n", "a word": "hello",
    "unknown key": "modle: {}\n", "unknown entry": "train: {stepps: 3}\nrun: {stepps: 3}\n",
    "wrong type": "train: {steps: many}\nrun: {max_steps: many}\n", "section is a number": "train: 3\nrun: 3\n",
    "broken": "train: {steps: 3\n", "nan": "train: {lr: .nan}\noptim: {lr: .nan}\n",
    "infinite": "train: {lr: .inf}\noptim: {lr: .inf}\n", "nested": "[" * 5000,
    "object": "train: !!python/object/apply:os.mkdir [exploded]\n", "circle": "base: bad.yaml\n",
    "no base": "base: none.yaml\n", "date": "train: 2001-99-99\n",
    "tuple of lists": "model: {levels: [[5], [5]]}\noptim: {betas: [[0.9], [0.9]]}\n",
    "huge": "model: {hidden: 1000000000}\nlora: {rank: 1000000000}\n",
    "huge codebook": "model: {levels: [99999, 99999]}\nlora: {rank: -1}\n",
    # every level repeats the one before nine times: printing it would take gigabytes
    "laughs": "a: &a0 [x]\n" + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(9))
              + "train: {steps: *a9}\nrun: {max_steps: *a9}\n",
    "laughing value": "train: {steps: &a [[[x, x], [x, x]], [[x, x], [x, x]]]}\nrun: {max_steps: *a}\n",
}


@pytest.mark.parametrize("name", [*RECIPES, "missing", "folder"])
def test_a_bad_recipe_is_one_line(name: str, files: Path, refuse: Refuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELM_WEIGHTS", str(files / "w"))
    path = tmp_path / "bad.yaml"
    if name == "folder":
        path.mkdir()
    elif name != "missing":
        text = RECIPES[name]
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    words = "none.yaml" if name == "no base" else "bad.yaml"
    if name not in ("huge", "huge codebook", "nan", "infinite"):
        assert words in refuse("tokenizer", "train", path, "-o", "out")
        assert words in refuse("train", path, "--corpus", files / "corpus", "-o", "out")
    else:
        refuse("tokenizer", "train", path, "-o", "out")
        refuse("train", path, "--corpus", files / "corpus", "-o", "out")
    assert not (tmp_path / "exploded").exists()


# -- corpora ----------------------------------------------------------------------------
def damage_corpus(folder: Path, how: str) -> None:
    """``folder`` is a copy of a good corpus."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards = sorted((folder / "data").glob("*.parquet"))
    manifest = folder / "corpus.json"
    texts = {"manifest missing": None, "manifest empty": "", "manifest random": "\x80\x81", "manifest list": "[]",
             "manifest other": '{"format": "facelm-corpus", "version": 99}', "manifest nested": "[" * 100_000}
    if how in texts:
        manifest.unlink() if texts[how] is None else manifest.write_text(texts[how], encoding="latin-1")  # type: ignore[arg-type]
        return
    if how == "shard missing":
        for s in shards:
            s.rename(s.with_name(s.name.replace("-of-00001", "-of-00002")))
        return
    for shard in shards:
        table, raw = pq.read_table(shard), shard.read_bytes()
        if how == "shard random":
            shard.write_bytes(np.random.default_rng(0).bytes(4000))
        elif how == "shard empty":
            shard.write_bytes(b"")
        elif how == "shard cut":
            shard.write_bytes(raw[: len(raw) // 2])
        elif how == "bytes lost":
            shard.write_bytes(raw[:200] + bytes(2000) + raw[2200:])
        elif how == "pickle":
            shard.write_bytes(pickle.dumps(bomb(folder)))
        elif how == "other columns":
            pq.write_table(pa.table({"a": [1, 2]}), shard)
        else:
            column = {"nan": ("expr", [[float("nan")] * 41 * n for n in table["n_frames"].to_pylist()]),
                      "huge": ("n_frames", [2**31 - 1] * len(table)), "no frames": ("n_frames", [0] * len(table)),
                      "nulls": ("expr", [None] * len(table)), "head": ("head", ["not json"] * len(table))}[how]
            at = table.schema.get_field_index(column[0])
            values = pa.array(column[1], table.schema.field(at).type)
            pq.write_table(table.set_column(at, table.schema.field(at), values), shard)


@pytest.mark.parametrize("how", [
    "missing", "file", "empty folder", "manifest missing", "manifest empty", "manifest random", "manifest list", "manifest other",
    "manifest nested", "shard missing", "shard random", "shard empty", "shard cut", "bytes lost", "pickle", "other columns",
    "nan", "huge", "no frames", "nulls", "head",
])
def test_a_bad_corpus_is_one_line(how: str, files: Path, refuse: Refuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELM_WEIGHTS", str(files / "w"))
    corpus = tmp_path / "corpus"
    if how == "file":
        corpus.write_text("x")
    elif how == "empty folder":
        corpus.mkdir()
    elif how != "missing":
        shutil.copytree(files / "corpus", corpus)
        damage_corpus(corpus, how)
    refuse("tokenizer", "train", files / "tok.yaml", "--corpus", corpus, "-o", "out")
    refuse("tokenizer", "eval", files / "w/tokenizer", "--corpus", corpus)
    refuse("train", files / "lm.yaml", "--corpus", corpus, "-o", "out", "--base", files / "base")
    if how in ("missing", "file", "empty folder") or how.startswith("manifest"):
        monkeypatch.setattr(commands, "load_agent", lambda args: pytest.fail("the model was loaded first"))
    refuse("eval", "--corpus", corpus, "--base", files / "base", "--items", 2)
    assert not (corpus / "exploded").exists()


# -- tokenizers and weights -------------------------------------------------------------
def edited(path: Path, change: Callable[[dict], object]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def hostile_header(path: Path) -> None:
    path.write_bytes((2**62).to_bytes(8, "little") + b"{" * 100)


def claims_too_much(path: Path) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [10**9, 10**6], "data_offsets": [0, 4 * 10**15]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def not_a_number(path: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(path)
    save_file({k: v * float("nan") if v.is_floating_point() else v for k, v in state.items()}, path)


def other_shapes(path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_file({k: v[:1].contiguous() if v.ndim else v for k, v in load_file(path).items()}, path)


TENSORS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink, "empty": lambda p: p.write_bytes(b""), "random": lambda p: p.write_bytes(bytes(range(256)) * 20),
    "cut": lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]), "hostile header": hostile_header,
    "claims too much": claims_too_much, "pickle": lambda p: p.write_bytes(pickle.dumps(bomb(p.parent))),
    "nan": not_a_number, "other shapes": other_shapes, "folder": lambda p: (p.unlink(), p.mkdir()),
}
JSON: dict[str, Callable[[Path], object]] = {
    "json missing": Path.unlink, "json empty": lambda p: p.write_bytes(b""),
    "json random": lambda p: p.write_bytes(bytes(range(128, 256))), "json list": lambda p: p.write_text("[]"),
    "json nested": lambda p: p.write_text("[" * 100_000), "json pickle": lambda p: p.write_bytes(pickle.dumps(bomb(p.parent))),
}
CONFIG: dict[str, Callable[[dict], object]] = {
    "other format": lambda d: d.update(version=99), "no model": lambda d: d.pop("model"),
    "unknown entry": lambda d: d["model"].update(extra=1), "huge": lambda d: d["model"].update(hidden=10**9),
    "huge codes": lambda d: d["model"].update(levels=[10**6, 10**6]), "huge steps": lambda d: d["model"].update(frames_per_step=10**9),
    "negative": lambda d: d["model"].update(hidden=-1), "text": lambda d: d["model"].update(hidden="wide"),
    "kept outside": lambda d: d["kept"][0].append(10**6), "kept overflows": lambda d: d["kept"][0].append(10**40),
    "kept is text": lambda d: d.update(kept="abc"), "kept is empty": lambda d: d.update(kept=[]), "nan": lambda d: d["model"].update(fps=float("nan")),
}
CARD: dict[str, Callable[[dict], object]] = {
    "other format": lambda d: d.update(format=99), "no vocabulary": lambda d: d.pop("vocabulary"),
    "vocabulary is text": lambda d: d.update(vocabulary="x"), "huge vocabulary": lambda d: d["vocabulary"].update(stream_sizes=[10**12] * 6),
    "sizes are text": lambda d: d["vocabulary"].update(stream_sizes=["a"] * 6), "huge rank": lambda d: d["lora"].update(rank=10**9),
    "other rank": lambda d: d["lora"].update(rank=3), "unknown lora": lambda d: d["lora"].update(extra=1),
    "layers are text": lambda d: d.update(layers="all"), "other layers": lambda d: d.update(layers=[0, 7]),
    "many layers": lambda d: d.update(layers=list(range(50))), "other base": lambda d: d.update(base_check="0"),
}


@pytest.fixture()
def weights(files: Path, tmp_path: Path) -> Path:
    shutil.copytree(files / "w", tmp_path / "w")
    return tmp_path / "w"


@pytest.mark.parametrize("how", [*TENSORS, *JSON, *CONFIG])
def test_a_bad_tokenizer_is_one_line(how: str, files: Path, weights: Path, refuse: Refuse) -> None:
    folder = weights / "tokenizer"
    if how in TENSORS and how != "nan":
        TENSORS[how](folder / "model.safetensors")
    elif how in JSON:
        JSON[how](folder / "config.json")
    else:
        edited(folder / "config.json", CONFIG[how])
    assert str(folder) in refuse("tokenizer", "eval", folder)
    refuse("train", files / "lm.yaml", "--corpus", files / "corpus", "--tokenizer", folder, "-o", "out")
    for argv in (["generate", "smile", "-o", "a.npz"], ["describe", files / "clip.npz"], ["info"], ["eval"], ["demo", "-o", "d"]):
        refuse(*argv, "--weights", weights)
    assert not (folder / "exploded").exists()


def test_tokenizer_weights_that_are_not_finite_are_refused(weights: Path, refuse: Refuse) -> None:
    not_a_number(weights / "tokenizer/model.safetensors")
    assert "not finite" in refuse("tokenizer", "eval", weights / "tokenizer")


@pytest.mark.parametrize("how", [*TENSORS, *JSON, *CARD])
def test_bad_language_model_weights_are_one_line(how: str, files: Path, weights: Path, refuse: Refuse) -> None:
    folder = weights / "llm"
    if how in TENSORS:
        TENSORS[how](folder / "adapter_model.safetensors")
    elif how in JSON:
        JSON[how](folder / "motion_lm.json")
    else:
        edited(folder / "motion_lm.json", CARD[how])
    refuse("generate", "smile", "-o", "a.npz", "--weights", weights, "--base", files / "base")
    if how in JSON:
        refuse("info", "--weights", weights)
    assert not (folder / "exploded").exists()


def test_missing_weights_say_what_to_do(refuse: Refuse, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for argv in (["generate", "smile", "-o", "a.npz"], ["describe", files / "clip.npz"], ["demo"], ["chat"], ["eval"], ["info"]):
        assert "facelm train" in refuse(*argv, "--weights", tmp_path / "none")
    monkeypatch.setenv("FACELM_WEIGHTS", str(tmp_path))
    assert "facelm train" in refuse("generate", "smile", "-o", "a.npz")


# -- the base model ---------------------------------------------------------------------
def test_a_bad_base_is_one_line(files: Path, refuse: Refuse, tmp_path: Path) -> None:
    import torch

    bad: list[Path] = [tmp_path / "none", tmp_path / "empty"]
    (tmp_path / "empty").mkdir()
    for name, change in {
        "config random": lambda d: (d / "config.json").write_bytes(bytes(range(128, 256))),
        "config nested": lambda d: (d / "config.json").write_text("[" * 100_000),
        "config unknown": lambda d: (d / "config.json").write_text('{"model_type": "nonsense"}'),
        "no tensors": lambda d: (d / "model.safetensors").unlink(),
        "tensors cut": lambda d: TENSORS["cut"](d / "model.safetensors"),
        "tensors random": lambda d: TENSORS["random"](d / "model.safetensors"),
        "tokenizer random": lambda d: (d / "tokenizer.json").write_bytes(bytes(range(128, 256))),
        "pickle": lambda d: ((d / "model.safetensors").unlink(),
                             (d / "pytorch_model.bin").write_bytes(pickle.dumps(bomb(d)))),
        "torch pickle": lambda d: ((d / "model.safetensors").unlink(), torch.save(bomb(d), d / "pytorch_model.bin")),
        "code": lambda d: ((d / "evil.py").write_text(f"import os\nos.mkdir({str(d / 'exploded')!r})\n"),
                           edited(d / "config.json", lambda c: c.update(
                               model_type="evil", auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}))),
    }.items():
        folder = tmp_path / name
        shutil.copytree(files / "base", folder)
        change(folder)
        bad.append(folder)
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + bytes(range(256)))
    (tmp_path / "empty.gguf").touch()
    bad += [tmp_path / "x.gguf", tmp_path / "empty.gguf"]
    for base in bad:
        refuse("generate", "smile", "-o", "a.npz", "--weights", files / "w", "--base", base)
        assert not (base / "exploded").exists()
    assert "no directory" in refuse("info", "--base", bad[0])
    assert "config.json" in refuse("train", files / "lm.yaml", "--corpus", files / "corpus", "--tokenizer", files / "w/tokenizer",
                                   "-o", "out", "--base", bad[1])


def test_another_base_than_the_adapter_was_trained_on_is_refused(
        files: Path, refuse: Refuse, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = tiny_base(seed=9)
    base.model.save_pretrained(tmp_path / "other")
    base.tokenizer.save_pretrained(tmp_path / "other")
    capsys.readouterr()  # transformers' progress bar
    assert "other weights" in refuse("generate", "smile", "-o", "a.npz", "--weights", files / "w", "--base", tmp_path / "other")


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
    run("describe", "a.npz", *model)


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

    monkeypatch.setattr(commands, "load_clip", stop)
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
    assert (wrong.returncode, out, err) == (1, "", f"facelm measure: {tmp_path} is a folder, not a clip (.npz)\n")
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
