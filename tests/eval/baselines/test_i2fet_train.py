"""Training, keeping and using I2FET and NED; the text encoders; the recipes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.common.config import parse, read_settings
from facelm.common.progress import silent
from facelm.common.training import CHECKPOINT
from facelm.eval.baselines.i2fet.config import Recipe
from facelm.eval.baselines.i2fet.loop import Baseline
from facelm.eval.baselines.i2fet.ned import TrainedNED, train_ned
from facelm.eval.baselines.i2fet.text import BaseLMText, ClipText, pooled
from facelm.eval.baselines.i2fet.train import TrainedI2FET, train_i2fet
from facelm.face.head.model import HeadModel
from i2fet_tiny import CONFIGS, Clouds, WordText, clouds, tiny
from llm_tiny import tiny_base

QUIET = dict(progress=silent)


@pytest.fixture(scope="module")
def data(head: HeadModel) -> Clouds:
    return clouds(head)


@pytest.fixture(scope="module")
def short(head: HeadModel, data: Clouds) -> TrainedI2FET:
    return train_i2fet(tiny(), *data.train_arguments(head), encoder=WordText(), **QUIET)


# -- recipes ----------------------------------------------------------------------------
@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_is_read(path: Path) -> None:
    recipe = read_settings(Recipe, path)
    assert parse(Recipe, recipe.to_dict()) == recipe


def test_the_papers_recipe_states_the_papers_numbers() -> None:
    recipe = read_settings(Recipe, CONFIGS / "paper.yaml")
    assert (recipe.fit.epochs, recipe.fit.batch, recipe.fit.lr, recipe.fit.schedule) == (200, 128, 8e-4, "constant")
    assert (recipe.ifed.N, recipe.ifed.M, recipe.ifed.caft_layers, recipe.vae.latent) == (2, 1, 1, 16)
    assert recipe.loss.terms == ("e", "p", "v") and recipe.ifed.text_width == 0


@pytest.mark.parametrize(("section", "entries", "message"), [
    ("ifed", {"layers": 3}, "unknown entry 'layers'"),
    ("ifed", {"copies": "sum"}, "allowed: 'attention' or 'mean'"),
    ("loss", {"terms": ["e", "x"]}, "allowed: some of e, p, v"), ("loss", {"terms": []}, "allowed"),
    ("fit", {"epochs": 0}, "than or equal to 1"),
    ("fit", {"lr": -1.0}, "lr is -1.0; allowed: greater than 0"),
    ("text", {"encoder": "bert"}, "'base' or 'clip'"),
    ("motionclip", {"width": 18, "heads": 4}, "multiple"),
    ("nothing", {}, "unknown entry 'nothing'; known: text, "), ("fit", {"batch": "many"}, "valid integer"),
])
def test_bad_recipes_are_refused(section: str, entries: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe().change(**{section: entries})


# -- training ---------------------------------------------------------------------------
@pytest.mark.slow
def test_it_learns_what_the_instruction_names(head: HeadModel) -> None:
    """After a short training, generated faces lie nearest to the emotions' centres that the sentence names."""
    data = clouds(head, count=840)
    recipe = tiny(ifed={"text_width": 32}, vae={"hidden": 64}, loss={"terms": ["e", "p"]}, fit={"epochs": 12, "lr": 4e-3})
    trained = train_i2fet(recipe, *data.train_arguments(head), encoder=WordText(), **QUIET)
    test = np.flatnonzero(data.split == "test")
    said = [data.instructions[i] for i in test]
    expr, pose = trained.generate(said, seed=3)
    hits = data.classify(expr, pose) == data.labels[test]
    assert hits.mean() > 0.9, f"only {hits.mean():.2f} of the expressions are those of the instruction"
    assert trained.history.val[-1] < 0.75 * trained.history.val[0]
    again = trained.generate(said, seed=3)[0]
    np.testing.assert_array_equal(expr, again)
    assert not np.array_equal(expr, trained.generate(said, seed=4)[0]), "z is drawn"
    a, b = trained.generate(["Turn this face from anger to happiness.", "Turn this face from happiness to anger."])[0]
    assert np.abs(a - b).max() > 0.3, "two instructions, two results"


def test_the_history_is_whole_and_the_best_state_is_kept(head: HeadModel, data: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    true = Baseline.validate

    def worse(task):  # the first epoch is made the best
        seen.append({k: v.clone() for k, v in task.model.state_dict().items()})
        return {k: v + 100 * len(seen) for k, v in true(task).items()}

    monkeypatch.setattr(Baseline, "validate", worse)
    told = []
    made = train_i2fet(tiny(fit={"epochs": 3}), *data.train_arguments(head), progress=lambda *a: told.append(a))
    assert made.history.best == 0 and len(made.history.train) == len(made.history.val) == len(made.history.terms) == 3
    for name, value in made.model.state_dict().items():
        torch.testing.assert_close(value, seen[0][name], atol=0, rtol=0)
    assert told == [(1, 3), (2, 3), (3, 3)] and {"expr", "vertex"} <= set(made.history.terms[0])


@pytest.mark.parametrize("changes", [{"ifed": {"on": False}}, {"loss": {"terms": ["e"]}},
                                     {"ifed": {"caft_layers": 2, "N": 1, "M": 2}},
                                     {"ifed": {"copies": "mean"}, "loss": {"reduction": "mean"}, "vae": {"normalise": False}}])
def test_the_ablations_run(head: HeadModel, data: Clouds, changes: dict) -> None:
    recipe = tiny(**{**changes, "fit": {"epochs": 1}})
    made = train_i2fet(recipe, *data.train_arguments(head), encoder=WordText(), **QUIET)
    expr, pose = made.generate(data.instructions[:3])
    assert expr.shape == (3, 2, head.n_expr) and pose.shape == (3, 2, 6) and np.isfinite(expr).all()
    assert made.latents(data.instructions[:3], data.expr[:3], data.pose[:3]).shape == (3, 2, head.n_expr + 6)


@pytest.mark.slow
def test_an_interrupted_training_ends_like_one_that_was_not(head: HeadModel, data: Clouds, tmp_path: Path) -> None:
    recipe = tiny(fit={"epochs": 4, "save_epochs": 1, "schedule": "cosine"})
    whole = train_i2fet(recipe, *data.train_arguments(head), **QUIET)

    def stop(epoch: int, epochs: int, stage: str = "") -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_i2fet(recipe, *data.train_arguments(head), out=tmp_path, progress=stop)
    assert (tmp_path / CHECKPOINT).is_file()
    resumed = train_i2fet(recipe, *data.train_arguments(head), out=tmp_path, **QUIET)
    assert resumed.history.val == whole.history.val and resumed.history.best == whole.history.best
    for (name, a), b in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_a_checkpoint_of_another_run_is_refused(head: HeadModel, data: Clouds, tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_i2fet(tiny(fit={"save_epochs": 1}), *data.train_arguments(head), out=tmp_path, progress=stop)
    with pytest.raises(ValueError, match="another configuration"):
        train_i2fet(tiny(fit={"save_epochs": 1, "seed": 5}), *data.train_arguments(head), out=tmp_path, **QUIET)
    (tmp_path / CHECKPOINT).write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="damaged"):
        train_i2fet(tiny(fit={"save_epochs": 1}), *data.train_arguments(head), out=tmp_path, **QUIET)


def test_saved_and_loaded_is_identical(head: HeadModel, data: Clouds, short: TrainedI2FET, tmp_path: Path) -> None:
    short.save(tmp_path)
    loaded = TrainedI2FET.load(tmp_path, head).with_encoder(WordText())
    said = ["Turn this face from anger to fear."]
    for a, b in zip(short.generate(said, 1), loaded.generate(said, 1), strict=True):
        np.testing.assert_array_equal(a, b)
    assert loaded.history == short.history and loaded.recipe == short.recipe and loaded.encoder_name == "words"
    with pytest.raises(ValueError, match="head"):
        TrainedI2FET.load(tmp_path, replace(head, v_template=head.v_template * 1.01)).with_encoder(WordText())
    (tmp_path / "model.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(ValueError, match="weights"):
        TrainedI2FET.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="config.json"):
        TrainedI2FET.load(tmp_path / "nowhere")


def test_a_finished_folder_is_loaded_and_not_trained_again(head: HeadModel, data: Clouds, tmp_path: Path) -> None:
    recipe = tiny(fit={"epochs": 1})
    first = train_i2fet(recipe, *data.train_arguments(head), out=tmp_path, **QUIET)

    def never(*_: object) -> None:
        raise AssertionError("trained again")

    second = train_i2fet(recipe, *data.train_arguments(head), out=tmp_path, progress=never)
    assert second.history == first.history
    with pytest.raises(ValueError, match="another configuration"):
        train_i2fet(recipe.change(ifed={"N": 1}), *data.train_arguments(head), out=tmp_path, **QUIET)


@pytest.mark.parametrize(("name", "change", "message"), [
    ("expr", lambda e: e[..., :40], "expr has shape"), ("pose", lambda p: p[:, :1], "pose has shape"),
    ("shape", lambda s: s[:, :7], "shape has shape"),
    ("text", lambda t: t + 10_000, "whole numbers"), ("text", lambda t: t * 0.5, "whole numbers"),
    ("expr", lambda e: np.where(np.arange(len(e))[:, None, None] == 4, np.nan, e), "first in row 4"),
    ("split", lambda s: np.full(len(s), "test"), "no 'train'"), ("split", lambda s: np.full(len(s), "dev"), "train, val, test"),
    ("mask", lambda m: torch.zeros_like(m), "a token in every sentence"), ("features", lambda f: f * float("nan"), "finite"),
])
def test_wrong_data_is_refused(head: HeadModel, data: Clouds, name: str, change, message: str) -> None:
    samples, _ = data.train_arguments(head)
    with pytest.raises(ValueError, match=message):
        train_i2fet(tiny(), replace(samples, **{name: change(getattr(samples, name))}), head, **QUIET)


def test_a_text_encoder_of_another_width_is_refused(short: TrainedI2FET) -> None:
    other = WordText()
    other.dim = 30
    with pytest.raises(ValueError, match="30 columns"):
        replace(short, encoder=other).generate(["Turn it."])
    with pytest.raises(ValueError, match="allowed: condition, posterior"):
        short.latents(["Turn it."], np.zeros((1, 2, 41)), np.zeros((1, 2, 6)), kind="z")


# -- NED --------------------------------------------------------------------------------
def test_ned_finds_the_persons_neutral_face(head: HeadModel, tmp_path: Path) -> None:
    """Neutral faces differ by person, and the person shows in every expression of theirs."""
    data, rng = clouds(head, count=300, noise=0.02), np.random.default_rng(0)
    person = rng.normal(size=(300, 3))  # people differ in three ways, so that 240 of them teach it
    own = (0.1 * person @ rng.normal(size=(3, head.n_expr))).astype(np.float32)
    own_pose = (0.03 * person @ rng.normal(size=(3, 6))).astype(np.float32)
    expr, pose = data.expr[:, 0] + own, data.pose[:, 0] + own_pose
    recipe = tiny(ned={"hidden": 64, "latent": 32, "fit": {"epochs": 40, "lr": 3e-3}})
    made = train_ned(recipe, expr, pose, own, own_pose, head, data.split, out=tmp_path, **QUIET)
    test = data.split == "test"
    found, found_pose = made.neutral(expr[test], pose[test])
    still = np.square(own[test] - own[data.split == "train"].mean(0)).mean()
    assert np.square(found - own[test]).mean() < 0.6 * still, "better than everyone's mean"
    assert found_pose.shape == (int(test.sum()), 6)
    loaded = TrainedNED.load(tmp_path, head)
    np.testing.assert_array_equal(loaded.neutral(expr[test], pose[test])[0], found)
    linear = [sum(isinstance(m, torch.nn.Linear) for m in part) for part in
              (made.model.encode, made.model.decode_expr, made.model.decode_pose)]
    assert linear == [4, 4, 4]
    with pytest.raises(ValueError, match="expr has shape"):
        made.neutral(expr[:, :9], pose)


# -- text encoders ----------------------------------------------------------------------
def test_base_lm_text_pads_caches_and_sees_the_order() -> None:
    encoder = BaseLMText(tiny_base(), tokens=12)
    said = ["turn left", "turn right slowly when nod", "turn left"]
    features, mask = encoder.encode(said)
    assert features.shape == (3, 12, 32) and mask.sum(1).tolist() == [2, 5, 2] and features.dtype == torch.float32
    assert torch.equal(features[0], features[2]) and not features[~mask].any()
    alone = BaseLMText(tiny_base(), tokens=12).encode(said[:1])[0]
    torch.testing.assert_close(alone[0], features[0], atol=1e-5, rtol=1e-4)  # not changed by its neighbours' length
    encoder._model = None  # every sentence is known: the model is not asked again
    assert torch.equal(encoder.encode(said)[0], features)
    back = BaseLMText(tiny_base(), tokens=12).encode(["left turn"])[0]
    assert not torch.allclose(back[0, 1], features[0, 1])


def test_base_lm_text_offers_its_layers() -> None:
    base = tiny_base()
    last, first = BaseLMText(base).encode(["turn left"])[0], BaseLMText(base, layer=0).encode(["turn left"])[0]
    same = BaseLMText(base, layer=2).encode(["turn left"])[0]
    assert torch.equal(last, same) and not torch.allclose(last, first)
    word = base.tokenizer("turn")["input_ids"][0]
    torch.testing.assert_close(first[0, 0], base.model.get_input_embeddings().weight[word].detach())
    with pytest.raises(ValueError, match="hidden states -3 to 2"):
        BaseLMText(base, layer=3)


@pytest.mark.parametrize("bad", [[], [""], ["  "], [3], ["x" * 3000], "turn left"])
def test_what_is_no_sentence_is_refused(bad) -> None:
    with pytest.raises(ValueError, match="sentence|instruction"):
        BaseLMText(tiny_base()).encode(bad)


def test_a_long_sentence_is_cut_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="has 6 tokens"):
        features, mask = BaseLMText(tiny_base(), tokens=4).encode(["turn left turn left turn left"])
    assert mask.sum() == 4


def tiny_clip(folder: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

    words = ["<pad>", "<start>", "<end>", "<unk>", "turn", "this", "face", "from", "to", "anger", "fear"]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<start> $A <end>",
                                                             special_tokens=[("<start>", 1), ("<end>", 2)])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", bos_token="<start>",
                            eos_token="<end>").save_pretrained(folder)
    torch.manual_seed(0)
    config = CLIPTextConfig(vocab_size=len(words), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                            num_attention_heads=2, max_position_embeddings=14, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    CLIPTextModel(config).save_pretrained(folder)
    return folder


def test_clip_text_reads_a_folder(tmp_path: Path) -> None:
    encoder = ClipText(tiny_clip(tmp_path), tokens=14)
    features, mask = encoder.encode(["turn this face from anger to fear", "fear"])
    assert features.shape == (2, 14, 16) and mask.sum(1).tolist() == [9, 3] and tmp_path.name in encoder.name
    alone = ClipText(tmp_path, tokens=14).encode(["fear"])[0]
    torch.testing.assert_close(alone[0], features[1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(pooled(features, mask, "last")[1], features[1, 2])  # the end-of-text token
    torch.testing.assert_close(pooled(features, mask)[1], features[1, :3].mean(0))
    with pytest.raises(ValueError, match="14 positions"):
        ClipText(tmp_path, tokens=77)
    with pytest.raises(FileNotFoundError, match="text.encoder base"):
        ClipText(tmp_path / "nowhere")
