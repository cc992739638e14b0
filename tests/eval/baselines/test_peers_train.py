"""Training, resuming, keeping and using the peers, with tiny models."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.common.config import merge, parse, read_settings
from facelm.common.training import CHECKPOINT
from facelm.eval.baselines.motion import load
from facelm.eval.baselines.motion.config import Kind, Recipe
from facelm.eval.baselines.motion.data import Clips
from facelm.eval.baselines.motion.motiongpt import MotionGPT
from facelm.eval.baselines.motion.peer import Peer, trained_state
from facelm.eval.baselines.motion.peers import PEERS, build, count_parameters, train_peer, with_parameters
from facelm.eval.baselines.motion.training import EMBEDDED, Budget
from facelm.face.clip.channels import EXPR_INDEX
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.tokenizer.features import to_features
from llm_tiny import tiny_base

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "peers"
TINY = read_settings(Recipe, CONFIGS / "tiny.yaml")
KINDS = list(PEERS)
TEXTS = ["smile", "nod slowly , left ."]


@pytest.fixture(scope="module")
def data(clips: list[FaceSequence]) -> Clips:
    words = [["smile slowly", "frown"], ["nod left", "turn right"], ["smile"]]
    made = Clips.of(((words[i % 3], clip) for i, clip in enumerate(clips)), TINY.data)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def trained(data: Clips, tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    """A folder of each peer, after two steps of each stage."""
    folder = tmp_path_factory.mktemp("peers")
    for kind in KINDS:
        train_peer(kind, TINY, data, folder / kind, Budget(steps=2), "cpu", base=tiny_base())
    return {kind: folder / kind for kind in KINDS}


def motion(peer: Peer, seed: int, seconds: float | None = 1.2) -> np.ndarray:
    return np.concatenate([to_features(c) for c in peer.perform(TEXTS, [seconds] * 2, seed)])


# -- data and recipes -------------------------------------------------------------------
def test_clips_are_read_padded_and_cut(data: Clips, clips: list[FaceSequence]) -> None:
    most = round(TINY.data.seconds * 25)
    assert data.length.tolist() == [min(len(c), most) for c in clips]
    assert data.sentences == ("smile slowly", "frown", "nod left", "turn right", "smile")
    assert data.captions[:4] == ((0, 1), (2, 3), (4,), (0, 1))
    index = torch.tensor([3, 0])
    rows = data.padded(index, 4)
    assert rows.shape[1] % 4 == 0
    for row, i in zip(rows.numpy(), index.tolist(), strict=True):
        whole = to_features(clips[i])[:most]
        np.testing.assert_array_equal(row[:len(whole)], whole)
        np.testing.assert_array_equal(row[len(whole):], np.repeat(whole[-1:], len(row) - len(whole), 0))
    window = data.windows(torch.full((30,), 3), 8).numpy()
    whole = to_features(clips[3])[:most]
    starts = {next(s for s in range(len(whole) - 7) if np.array_equal(whole[s:s + 8], w)) for w in window}
    assert len(starts) > 5


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_is_read(path: Path) -> None:
    recipe = read_settings(Recipe, path)
    assert parse(Recipe, recipe.to_dict()) == recipe


@pytest.mark.parametrize(("change", "message"), [
    ({"gpt": {"net": {"width": 15}}}, "width is 15"), ({"codec": {"codes": 1}}, "greater than or equal to 2"),
    ({"mdm": {"guidance": -1.0}}, "greater than or equal to 0"), ({"diffusion": {}}, "unknown entry 'diffusion'"),
])
def test_bad_recipes_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(Recipe, change)


def test_budgets_need_an_end() -> None:
    with pytest.raises(ValueError, match="one of them must be positive"):
        Budget()


# -- every peer -------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_performs_as_what_was_trained(kind: Kind, trained: dict[Kind, Path], data: Clips) -> None:
    peer = load(trained[kind], base=tiny_base())
    again = train_peer(kind, TINY, data, trained[kind], Budget(steps=2), "cpu", base=tiny_base())  # loads what is there
    first = motion(peer, 3)
    np.testing.assert_array_equal(first, motion(again, 3))
    np.testing.assert_array_equal(first, motion(peer, 3))
    assert not np.array_equal(first, motion(peer, 4)), "another seed, another performance"
    assert np.isfinite(first).all()
    facts = peer.training_facts
    assert facts["clips"] == 20 and {s["steps"] for s in facts["stages"].values()} == {2}
    assert facts["parameters"] == sum(p.numel() for p in peer.parameters() if p.requires_grad)


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_exact_and_a_text_has_its_own_seed(kind: Kind, trained: dict[Kind, Path]) -> None:
    peer = load(trained[kind], base=tiny_base())
    short, long, free = peer.perform(["smile", "nod", "frown"], [0.52, 5.0, None], 7)
    assert (len(short), len(long)) == (13, 125) and 1 <= len(free) <= peer.longest
    assert short.fps == 25 and short.head == long.head
    features = to_features(long)
    np.testing.assert_array_equal(features[peer.longest:], np.repeat(features[[peer.longest - 1]], 125 - peer.longest, 0))
    alone = peer.perform(["nod"], [5.0], 8)[0]
    np.testing.assert_allclose(to_features(alone), features, atol=2e-4)


@pytest.mark.parametrize(("texts", "seconds", "words"), [
    ([" "], [1.0], "text is empty"), (["smile"], [0.0], "seconds is 0"), (["smile"], [float("nan")], "seconds is nan"),
    (["smile"], [], "1 texts and 0 lengths"), ("smile", [None] * 5, "one length"),
])
def test_bad_requests_are_refused(texts: list[str], seconds: list[float | None], words: str, trained: dict[Kind, Path]) -> None:
    with pytest.raises(ValueError, match=words):
        load(trained["mdm"], base=tiny_base()).perform(texts, seconds, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_that_was_stopped_ends_as_one_that_was_not(kind: Kind, data: Clips, tmp_path: Path) -> None:
    recipe = replace(TINY, save_minutes=1e-9)  # after every step
    whole = train_peer(kind, recipe, data, tmp_path / "whole", Budget(steps=4), "cpu", base=tiny_base())
    calls = 0

    def stop(done: int, of: int, stage: str = "", /) -> None:
        nonlocal calls
        if of == 4 and done == 3 and not stage:  # in the first stage once, in the last one once
            calls += 1
            if calls in (1, len(PEERS[kind].STAGES)):
                raise KeyboardInterrupt

    for _ in range(2 if len(PEERS[kind].STAGES) > 1 else 1):
        with pytest.raises(KeyboardInterrupt):
            train_peer(kind, recipe, data, tmp_path / "parts", Budget(steps=4), "cpu", stop, base=tiny_base())
        assert list((tmp_path / "parts").rglob(CHECKPOINT))
        calls = max(calls, 1)
    parts = train_peer(kind, recipe, data, tmp_path / "parts", Budget(steps=4), "cpu", base=tiny_base())
    for name, value in trained_state(whole).items():
        torch.testing.assert_close(trained_state(parts)[name], value, atol=0, rtol=0, msg=name)
    assert not list(tmp_path.rglob(CHECKPOINT))


@pytest.mark.parametrize("kind", KINDS)
def test_each_stage_learns(kind: Kind, data: Clips, tmp_path: Path) -> None:
    """Of a hundred steps on twenty clips the last ones lose less than the first ones, in every stage."""
    stages = {f.name: replace(getattr(TINY.stages, f.name), lr=1e-2) for f in fields(TINY.stages)}
    recipe = replace(TINY, stages=replace(TINY.stages, **stages))
    train_peer(kind, recipe, data, tmp_path, Budget(steps=100), "cpu", base=tiny_base())
    for stage in PEERS[kind].STAGES:
        first, last = (json.loads(line)["loss"] for line in (tmp_path / stage / "log.jsonl").read_text().splitlines())
        assert last < 0.95 * first, (stage, first, last)


@pytest.mark.parametrize(("damage", "words"), [
    (lambda p: (p / "config.json").unlink(), "config.json is missing"),
    (lambda p: (p / "model.safetensors").unlink(), "model.safetensors is missing"),
    (lambda p: (p / "model.safetensors").write_bytes(b"x" * 100), "damaged"),
    (lambda p: (p / "config.json").write_text("{"), "not JSON"),
    (lambda p: change(p, kind="gan"), "'gan'; allowed: t2mgpt"),
    (lambda p: change(p, version=9), "not of format"),
    (lambda p: change(p, recipe={"codec": {"codes": "many"}}), "codes is 'many'"),
    (lambda p: change(p, text_dim="wide"), "text_dim is 'wide'"),
    (lambda p: change(p, head_sha256="0" * 64), "moves the head"),
    (lambda p: change(p, base="another", base_check="0" * 16), "was trained with another; tiny has other weights"),
    (lambda p: change(p, recipe=replace(TINY, gpt=Recipe().gpt).to_dict()), "does not hold this model's weights"),
])
def test_a_damaged_folder_is_refused_in_one_line(damage, words: str, trained: dict[Kind, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(trained["t2mgpt"], tmp_path / "p")
    damage(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=words) as caught:
        load(folder, base=tiny_base())
    assert "\n" not in str(caught.value) and "p" in str(caught.value)


def change(folder: Path, **entries: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))


def test_a_folder_of_another_training_is_refused(trained: dict[Kind, Path], data: Clips) -> None:
    with pytest.raises(ValueError, match="another recipe or corpus"):
        train_peer("mdm", replace(TINY, seed=1), data, trained["mdm"], Budget(steps=2), "cpu", base=tiny_base())


def test_sentences_are_embedded_once(trained: dict[Kind, Path], data: Clips, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    assert (trained["mdm"] / EMBEDDED).is_file() and not (trained["motiongpt"] / EMBEDDED).exists()
    shutil.copy(trained["mdm"] / EMBEDDED, tmp_path / EMBEDDED)
    monkeypatch.setattr("facelm.eval.baselines.motion.training.embed", None)
    train_peer("mdm", TINY, data, tmp_path, Budget(steps=1), "cpu", base=tiny_base())


def test_motiongpt_describes_and_keeps_the_base_as_it_is(trained: dict[Kind, Path], clips: list[FaceSequence]) -> None:
    peer = load(trained["motiongpt"], base=tiny_base())
    assert isinstance(peer, MotionGPT)
    said = peer.describe(clips[:2])
    assert len(said) == 2 and said == peer.describe(clips[:2])
    assert not any("embed_tokens" in name or "norm" in name.split(".lm.")[-1] for name in trained_state(peer) if ".lm." in name)


def test_parameters_can_be_made_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facelm.eval.baselines.motion.peers.load_base", lambda *_, **__: tiny_base())
    for kind in KINDS:
        count = count_parameters(kind, TINY)
        peer = build(kind, TINY, base=tiny_base())
        assert count == sum(p.numel() for p in peer.parameters() if p.requires_grad)
        wanted = 4 * count
        found = count_parameters(kind, with_parameters(kind, TINY, wanted))
        assert 0.6 * wanted < found < 1.6 * wanted, (kind, wanted, found)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_it_performs_what_the_words_name(kind: Kind, head: HeadModel, tmp_path: Path) -> None:
    """Two sentences, one motion each: after a short training each performs its own."""
    raw = {"codec": {"width": 32, "dim": 16, "codes": 32, "window": 32}, "data": {"seconds": 1.6, "captions": 1},
           "residual_codec": {"width": 32, "dim": 16, "codes": 32, "window": 32, "layers": 3, "dropout": 0.2},
           "gpt": {"net": {"width": 32, "dropout": 0}}, "mdm": {"net": {"width": 32, "dropout": 0}, "steps": 20},
           "masked": {"net": {"width": 32, "dropout": 0}, "residual": {"width": 32, "dropout": 0}},
           "speaker": {"lora": {"rank": 8, "alpha": 8}},
           "stages": {name: {"lr": 5e-3, "batch": 16, "weight_decay": 0} for name in
                      ("codec", "gpt", "diffusion", "masked", "residual", "speaker")}}
    recipe = parse(Recipe, merge(TINY.to_dict(), raw))
    rng = np.random.default_rng(0)
    t = np.linspace(0, 1, 40)

    def clip(what: str) -> FaceSequence:
        bump = (np.exp(-((t - rng.uniform(0.4, 0.6)) / 0.15) ** 2) * rng.uniform(0.7, 1.0)).astype(np.float32)
        rest = FaceSequence.rest(40, head.ref, fps=25)
        if what == "smile":
            expr = rest.expr.copy()
            expr[:, [EXPR_INDEX["mouthSmileLeft"], EXPR_INDEX["mouthSmileRight"]]] = bump[:, None]
            return rest.replace(expr=expr)
        return rest.replace(neck_pose=np.stack([0.3 * bump, 0 * bump, 0 * bump], 1))

    data = Clips.of((((what := ["smile", "nod"][i % 2],), clip(what)) for i in range(48)), recipe.data)
    assert data is not None
    steps = {"mdm": 500, "motiongpt": 250}.get(kind, 200)
    peer = train_peer(kind, recipe, data, tmp_path, Budget(steps=steps), "cpu", base=tiny_base())
    made = peer.perform(["smile", "nod"] * 8, [1.6] * 16, 0)
    smiles = np.array([c.expr[:, EXPR_INDEX["mouthSmileLeft"]].max() for c in made])
    nods = np.array([np.abs(c.neck_pose[:, 0]).max() / 0.3 for c in made])
    right = [s > 0.5 > n for s, n in zip(smiles[::2], nods[::2], strict=True)]
    right += [n > 0.5 > s for s, n in zip(smiles[1::2], nods[1::2], strict=True)]
    assert np.mean(right) >= 0.8, (smiles.round(2), nods.round(2))
