"""The learned scores against closed forms, and the retrieval model's files, padding and training."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.eval.features.model import Matcher, MatcherConfig, pieces
from facelm.eval.features.scores import (
    frechet,
    frechet_of,
    kernel_distance,
    match_ranks,
    matched_distances,
    pair_distances,
    spread,
)
from facelm.eval.features.train import Match, held_out, info_nce, pair, train_matcher
from facelm.face.facs.script_text import read_script

TINY = MatcherConfig(width=16, out=8, rows=64, piece=8, words=16, frames=200, heads=2)


# -- scores -------------------------------------------------------------------------------
def test_frechet_distance_of_known_gaussians() -> None:
    # axis-aligned: sum of squared differences of means and of standard deviations
    mean, sd = np.array([1.0, -2.0, 0.5]), np.array([1.0, 2.0, 0.3])
    other, sds = np.array([0.0, -2.0, 2.5]), np.array([2.0, 0.5, 0.3])
    want = (1.0 + 0.0 + 4.0) + (1.0 + 2.25 + 0.0)
    assert frechet_of(mean, np.diag(sd ** 2), other, np.diag(sds ** 2)) == pytest.approx(want)
    # a rotation of both changes nothing
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert frechet_of(turn @ mean, turn @ np.diag(sd ** 2) @ turn.T, turn @ other,
                      turn @ np.diag(sds ** 2) @ turn.T) == pytest.approx(want)


def test_frechet_distance_of_samples_comes_near_its_closed_form() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(40000, 2)), rng.normal([3.0, 0.0], [1.0, 2.0], size=(40000, 2))
    assert frechet(a, b) == pytest.approx(9.0 + 1.0, rel=0.03)
    assert frechet(a, a) == pytest.approx(0.0, abs=1e-9)


def test_kernel_distance_by_hand() -> None:
    a, b = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    # kernel (xy + 1)^3: within a (0,1): 1; within b (2,3): 343; between: 1, 1, 27, 64
    assert kernel_distance(a, b) == pytest.approx(1 + 343 - 2 * (1 + 1 + 27 + 64) / 4)
    rng = np.random.default_rng(0)
    assert abs(kernel_distance(rng.normal(size=(2000, 4)), rng.normal(size=(2000, 4)))) < 0.02


def test_ranks_of_perfect_random_and_equal_features() -> None:
    texts = np.eye(64)
    assert match_ranks(texts, texts).max() == 0
    rng = np.random.default_rng(0)
    ranks = match_ranks(rng.normal(size=(1500, 8)), rng.normal(size=(1500, 8)))
    assert (ranks < 3).mean() == pytest.approx(3 / 32, abs=0.025)
    same = match_ranks(np.ones((40, 3)), np.ones((40, 3)))
    assert same.min() == same.max() == 16  # what cannot be told apart is no hit


def test_texts_of_one_meaning_are_no_wrong_answers() -> None:
    texts = np.vstack([np.zeros((30, 2)), 10.0 + np.arange(80.0).reshape(40, 2)])
    meanings = ["rest"] * 30 + [str(i) for i in range(40)]
    assert match_ranks(texts, texts, meanings).max() == 0
    with pytest.raises(ValueError, match="needs 32 different texts; here are 5"):
        match_ranks(texts[:34], texts[:34], meanings[:34])


def test_distances_by_hand() -> None:
    texts, motions = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[3.0, 4.0], [1.0, 2.0]])
    assert matched_distances(texts, motions).tolist() == [5.0, 2.0]
    assert pair_distances(np.array([[0.0], [7.0]])) == pytest.approx(np.full(300, 7.0))
    # three motions at 0, 1 and 3: distances 1, 3, 2
    assert spread(np.array([[[0.0], [1.0], [3.0]]])).tolist() == pytest.approx([2.0])


# -- the model ------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def matcher() -> Matcher:
    torch.manual_seed(3)
    return Matcher(TINY, {"seed": 3}).eval()


def test_a_feature_does_not_depend_on_what_else_is_in_the_batch(matcher: Matcher) -> None:
    clips = [perform(lay_out(read_script(line))) for line in ("smile", "nod x4; smile; wink left", "6 s; anger")]
    texts = ["Smile.", "She nods four times, smiles and winks with the left eye.", "a"]
    alone = np.vstack([matcher.of_clips([c]) for c in clips])
    np.testing.assert_allclose(matcher.of_clips(clips), alone, atol=2e-6)
    np.testing.assert_allclose(matcher.of_texts(texts), np.vstack([matcher.of_texts([t]) for t in texts]), atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1.0, atol=1e-6)


def test_a_mistyped_word_shares_rows_with_what_was_meant() -> None:
    meant, typed, other = (set(pieces(w, 1 << 20)) for w in ("smiling", "smilling", "winks"))
    assert len(meant & typed) >= 8 and not meant & other


def test_files(matcher: Matcher, tmp_path: Path) -> None:
    matcher.save_pretrained(tmp_path)
    again = Matcher.from_pretrained(tmp_path)
    assert again.about == {"seed": 3} and again.config == TINY
    np.testing.assert_allclose(again.of_texts(["She smiles."]), matcher.of_texts(["She smiles."]), atol=5e-3)  # kept as 16 bits
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-40])
    with pytest.raises(ValueError, match="model.safetensors cannot be read, it is damaged"):
        Matcher.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(whole)
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"width": 16', '"width": 32'))
    with pytest.raises(ValueError, match="does not fit the config.json"):
        Matcher.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="is not that of a text-motion retrieval model"):
        Matcher.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="config.json"):
        Matcher.from_pretrained(tmp_path / "none")


# -- training -------------------------------------------------------------------------------
def test_info_nce_by_hand_and_equal_meanings() -> None:
    texts = torch.eye(2)
    loss = float(info_nce(texts, texts, torch.tensor(1.0), ["a", "b"]))
    assert loss == pytest.approx(math.log(1 + math.exp(-1)))
    assert float(info_nce(texts, texts.flip(0), torch.tensor(1.0), ["a", "a"])) == 0.0  # the other is no wrong answer


def test_pairs_keep_splits_apart_and_come_again() -> None:
    made = [p for k in range(12) if (p := pair(k, 0, "train")) is not None]
    again = [p for k in range(12) if (p := pair(k, 0, "train")) is not None]
    assert len(made) >= 6 and [m.text for m in made] == [m.text for m in again]
    assert np.array_equal(made[0].motion, again[0].motion)
    other = [p.text for k in range(12) if (p := pair(k, 0, "val")) is not None]
    assert not {m.text for m in made} & set(other)


def test_training_is_repeatable_and_learns(tmp_path: Path) -> None:
    first = train_matcher(tmp_path / "a", 48, 0, 3, config=TINY, batch=16, val=33)
    second = train_matcher(tmp_path / "b", 48, 0, 3, config=TINY, batch=16, val=33)
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))
    assert first.about["steps"] == 3 and set(first.about["held_out"]) == {f"R-precision@{k}" for k in (1, 2, 3)}
    assert not list((tmp_path / "a").glob("checkpoint*"))


def test_the_shipped_model_is_small_and_finds_texts_far_better_than_chance() -> None:
    shipped = Matcher.from_pretrained()
    folder = Path(__file__).parents[3] / "weights" / "retrieval"
    assert sum(f.stat().st_size for f in folder.iterdir()) < 5_000_000
    val: list[Match] = []
    k = 0
    while len(val) < 48:
        made = pair(k, 77, "val")
        k += 1
        val += [made] if made else []
    found = held_out(shipped, val)
    assert found["R-precision@3"] > 3 * 3 / 32  # chance is 3 in 32
