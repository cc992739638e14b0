"""Damaged, hostile and impossible files: every command that reads one ends in one line on stderr.

Wherever such a file must be found before the language model is loaded, loading it is an error of
the test; nothing in a file is ever executed.
"""

# ruff: noqa: F811 (fixtures are imported by name)
from __future__ import annotations

import json
import pickle
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_fixtures import Refuse, bomb, files, in_a_folder_of_its_own, no_model, refuse  # noqa: F401
from facelm.agent import tools
from facelm.eval.dialogue.suite import load_dialogues
from facelm.eval.prompts.suite import load_prompts
from facelm.face.clip.sequence import FaceSequence, HeadRef
from facelm.face.head.model import HeadModel
from inputs import broken_files
from llm_tiny import tiny_base


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
    ("measure", "CLIP", "--json"), ("describe", "GOOD", "CLIP"), ("describe", "CLIP", "--ask", "When?"),
    ("render", "CLIP", "-o", "x.mp4"), ("chat", "CLIP"),
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
    # 26 lines of merges of merges: 34 million pairs, of which 26 stay
    "merges": "a0: &a0 {k: v}\n" + "".join(f"a{i}: &a{i}\n  <<: [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 26))
              + "train: {steps: *a25}\nrun: {max_steps: *a25}\n",
    "an alias in itself": "train: &a [*a]\nrun: *a\n", "list in list": "- " * 50_000 + "x", "names are dates": "2001-01-01: 3\n",
    "names are lists": "? [a, b]\n: 3\n", "too long": "# " + "x" * (5 << 20),
    "laughing value": "train: {steps: &a [[[x, x], [x, x]], [[x, x], [x, x]]]}\nrun: {max_steps: *a}\n",
}


@pytest.mark.parametrize("name", [*RECIPES, "missing", "folder"])
def test_a_bad_recipe_is_one_line(name: str, files: Path, refuse: Refuse, tmp_path: Path,
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELM_WEIGHTS", str(files / "w"))
    path = tmp_path / "bad.yaml"
    if name == "folder":
        path.mkdir()
    elif name != "missing":
        text = RECIPES[name]
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    words = "none.yaml" if name == "no base" else "bad.yaml"
    started = time.monotonic()
    if name not in ("huge", "huge codebook", "nan", "infinite"):
        assert words in refuse("tokenizer", "train", path, "-o", "out")
        assert words in refuse("train", path, "--corpus", files / "corpus", "-o", "out")
    else:
        refuse("tokenizer", "train", path, "-o", "out")
        refuse("train", path, "--corpus", files / "corpus", "-o", "out")
    if name not in ("missing", "folder"):
        for argv in (("data", "build", path, "-o", "c"), ("data", "prompts", path, "--count", 3, "-o", "p.csv"),
                     ("fit", files / "clip.npz", "-o", "a.npz", "--recipe", path), ("eval", "prompts", "--file", path)):
            said = refuse(*argv) if argv[0] != "eval" else refuse_suite(path)
            assert "bad.yaml" in said or words in said or name in ("huge", "huge codebook", "nan", "infinite"), (argv, said)
    assert time.monotonic() - started < 30, "bounded time"
    assert not (tmp_path / "exploded").exists()


def refuse_suite(path: Path) -> str:
    """What the readers of suites of one's own say of a file."""
    said = []
    for load in (load_prompts, load_dialogues):
        with pytest.raises(ValueError) as caught:
            load(path)
        said.append(str(caught.value))
        assert "\n" not in said[-1] and str(path) in said[-1], said
    return said[0]


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
        monkeypatch.setattr(tools, "load_agent", lambda model: pytest.fail("the model was loaded first"))
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
    "huge codes": lambda d: d["model"].update(levels=[10**6, 10**6]),
    "huge steps": lambda d: d["model"].update(frames_per_step=10**9),
    "negative": lambda d: d["model"].update(hidden=-1), "text": lambda d: d["model"].update(hidden="wide"),
    "kept outside": lambda d: d["kept"][0].append(10**6), "kept overflows": lambda d: d["kept"][0].append(10**40),
    "kept is text": lambda d: d.update(kept="abc"), "kept is empty": lambda d: d.update(kept=[]),
    "nan": lambda d: d["model"].update(fps=float("nan")),
}
CARD: dict[str, Callable[[dict], object]] = {
    "other format": lambda d: d.update(format=99), "no vocabulary": lambda d: d.pop("vocabulary"),
    "vocabulary is text": lambda d: d.update(vocabulary="x"),
    "huge vocabulary": lambda d: d["vocabulary"].update(stream_sizes=[10**12] * 6),
    "sizes are text": lambda d: d["vocabulary"].update(stream_sizes=["a"] * 6),
    "huge rank": lambda d: d["lora"].update(rank=10**9),
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
    every = [["describe", files / "clip.npz"], ["info"], ["eval"], ["demo", "-o", "d"]] if how == "json random" else []
    for argv in (["generate", "smile", "-o", "a.npz"], *every):
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
