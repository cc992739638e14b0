from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.common.config import read_settings
from facelm.face.clip.normalise import Normalised
from facelm.face.clip.sequence import FaceSequence
from facelm.face.clip.spontaneous import add_idle, filter_idle
from facelm.tokenizer.codec import FaceTokenizer, find_kept
from facelm.tokenizer.config import GROUPINGS, TokenizerConfig, TokenizerRecipe
from facelm.tokenizer.features import FEATURE_NAMES, N_FEATURES, to_features, to_sequence
from facelm.tokenizer.model import MotionVQVAE
from facelm.tokenizer.train import train_tokenizer

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def features(clips):
    return [to_features(c) for c in clips]


@pytest.fixture(scope="module")
def tiny(features, head):
    return train_tokenizer(read_settings(TokenizerRecipe, CONFIGS / "tokenizer_tiny.yaml"), features, head)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("tokenizer_*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_recipe_parses(path):
    assert read_settings(TokenizerRecipe, path).train.steps > 0


def test_features_round_trip(clips):
    assert len(FEATURE_NAMES) == N_FEATURES == len(set(FEATURE_NAMES))
    for clip in clips[:5]:
        again = to_sequence(to_features(clip), clip.head, clip.shape, clip.fps)
        for name in ("expr", "jaw_pose", "neck_pose"):
            assert np.allclose(getattr(again, name), getattr(clip, name), atol=1e-5), name
        assert np.allclose(again.eyes_pose[:, :2], clip.eyes_pose[:, :2], atol=0.02)


def test_global_rotation_and_neck_are_one_head_orientation(clips):
    clip = next(c for c in clips if np.abs(c.neck_pose).max() > 0.1)
    moved = clip.replace(rotation=clip.neck_pose, neck_pose=np.zeros_like(clip.neck_pose))
    assert np.allclose(to_features(clip), to_features(moved), atol=1e-5)


@pytest.mark.parametrize("grouping", GROUPINGS)
@pytest.mark.parametrize("quantizer", ["fsq", "vq", "rvq"])
def test_every_architecture_encodes_and_decodes(grouping, quantizer, features):
    torch.manual_seed(0)
    model = MotionVQVAE(TokenizerConfig(grouping=grouping, quantizer=quantizer, hidden=8, codebook_size=16)).eval()
    x = torch.from_numpy(np.stack([f[:32] for f in features if len(f) >= 32][:2]))
    codes = model.encode(x)
    assert codes.shape == (2, 8, len(model.code_sizes))
    assert (codes >= 0).all() and (codes < torch.tensor(model.code_sizes)).all()
    assert model.decode(codes).shape == x.shape
    y, losses = model(x)
    (y - x).square().mean().backward()
    assert y.shape == x.shape and torch.isfinite(losses["change"])


def test_rest_is_one_code_and_decodes_to_exact_rest(tiny, head):
    clip = FaceSequence.rest(70, head.ref, n_shape=head.n_shape)
    tokens = tiny.encode(clip)
    assert all(i >= tiny.layout.n_codes for i in tokens.ids), "a resting face writes no code"
    again = tiny.decode(tokens)
    assert np.abs(again.expr).max() < 1e-5 and np.abs(again.neck_pose).max() < 1e-5


def test_a_resting_face_with_idle_motion_is_the_same_tokens(tiny, head):
    clip = add_idle(FaceSequence.rest(100, head.ref, n_shape=head.n_shape), seed=3)
    quiet = filter_idle(clip)
    blinks = np.abs(quiet.expr).max(axis=0)
    names = [n for n, v in zip(head.expr_names, blinks, strict=True) if v > 0.05]
    assert all("Blink" in n or "Squint" in n for n in names), "only blinks may survive the filter"
    assert np.abs(quiet.neck_pose).max() < 1e-6 and np.abs(quiet.eyes_pose).max() < 1e-6


def test_batched_encoding_equals_one_by_one(tiny, features):
    together = tiny.encode_features(features[:8], batch=4)
    for x, codes in zip(features[:8], together, strict=True):
        alone = tiny.encode_features([x])[0]
        # a step that sees the padding at the clip's end may differ by one near tie; everything else is equal
        assert (alone == codes).mean() > 0.99


def test_duration_is_exact(tiny, clips):
    for clip in clips[:6]:
        tokens = tiny.encode(Normalised(clip))
        assert tokens.steps == -(-len(clip) // 4)
        assert len(tiny.decode(tokens)) == 4 * tokens.steps


def test_other_frame_rates_are_resampled(tiny, clips):
    a, b = tiny.encode(Normalised(clips[0])), tiny.encode(Normalised(clips[0].resample(50)))
    assert abs(a.steps - b.steps) <= 1


def test_streamed_frames_equal_the_one_shot_decode(tiny, clips):
    for clip in clips[:8]:
        ids = tiny.encode(Normalised(clip)).ids
        whole = tiny.decode(ids)
        stream, parts, late = tiny.stream(), [], 0
        for symbol in ids:
            if (part := stream.push(int(symbol))) is not None:
                parts.append(part)
        late = len(whole) - sum(map(len, parts))
        if (rest := stream.finish()) is not None:
            parts.append(rest)
        joined = parts[0].concat(*parts[1:])
        assert len(joined) == len(whole) and late <= stream.latency * whole.fps + 1e-6
        for name in ("expr", "jaw_pose", "neck_pose", "eyes_pose"):
            assert np.allclose(getattr(joined, name), getattr(whole, name), atol=1e-5), name


def test_a_stream_refuses_what_breaks_the_grammar(tiny):
    stream = tiny.stream()
    with pytest.raises(ValueError, match="grammar"):
        stream.push(tiny.n_symbols)
    with pytest.raises(ValueError, match="time step"):
        stream.finish()
    stream.push(tiny.n_symbols - 1)
    stream.finish()
    with pytest.raises(ValueError, match="finished"):
        stream.push(tiny.n_symbols - 1)


def test_save_and_load_are_equal(tiny, clips, tmp_path):
    tiny.save_pretrained(tmp_path / "tok", note="x")
    again = FaceTokenizer.from_pretrained(tmp_path / "tok")
    once_more = FaceTokenizer.from_pretrained(tmp_path / "tok")
    assert again.hash == once_more.hash and again.layout == tiny.layout
    ids = again.encode(Normalised(clips[1])).ids
    assert (ids == once_more.encode(Normalised(clips[1])).ids).all()
    assert np.allclose(again.decode(ids).expr, tiny.decode(ids).expr, atol=0.02)  # half precision


def test_training_is_reproducible(features, head, tiny):
    again = train_tokenizer(read_settings(TokenizerRecipe, CONFIGS / "tokenizer_tiny.yaml"), features, head)
    assert again.layout == tiny.layout


@pytest.mark.slow
def test_training_learns(features, head):
    """Two hundred steps leave well under the error of a face that never moves."""
    recipe = read_settings(TokenizerRecipe, CONFIGS / "tokenizer_tiny.yaml")
    recipe = TokenizerRecipe(replace(recipe.model, hidden=24), replace(recipe.train, steps=200))
    tokenizer = train_tokenizer(recipe, features, head)
    codes = tokenizer.encode_features(features)
    error = sum(float(np.abs(tokenizer.decode_features(tokenizer.layout.encode(c))[:len(f)] - f).mean())
                for c, f in zip(codes, features, strict=True))
    assert error < 0.7 * sum(float(np.abs(f).mean()) for f in features)


def test_rare_codes_map_to_their_nearest(features):
    torch.manual_seed(1)
    model = MotionVQVAE(TokenizerConfig(hidden=8)).eval()
    kept = find_kept(model, features, share=0.5)
    tokenizer = FaceTokenizer(model, kept, "x")
    codes = tokenizer.encode_features(features)
    for c in codes:
        assert (c < np.array(tokenizer.codebook_size)).all()
    every = find_kept(model, features, share=1.0)
    assert sum(map(len, every)) > sum(map(len, kept))


@pytest.mark.parametrize("spoil", ["missing", "format", "weights", "kept", "json", "extra-key"])
def test_damaged_tokenizers_are_refused_in_one_sentence(tiny, tmp_path, spoil):
    folder = tmp_path / "tok"
    tiny.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    if spoil == "missing":
        (folder / "model.safetensors").unlink()
    elif spoil == "weights":
        (folder / "model.safetensors").write_bytes(b"\x80\x04garbage")
    elif spoil == "json":
        (folder / "config.json").write_text("{")
    else:
        if spoil == "format":
            config["format"] = "other"
        elif spoil == "kept":
            config["kept"][0] = [10**6]
        else:
            config["model"]["surprise"] = 1
        (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        FaceTokenizer.from_pretrained(folder)
    assert "\n" not in str(caught.value)


def test_wrong_recipes_are_refused(tmp_path):
    for text, words in (("model: {grouping: nine}", "grouping is"), ("train: {stepz: 3}", "unknown entry 'stepz'"),
                        ("model: {hidden: wide}", "hidden is"), ("- 1", "mapping"), ("base: none.yaml", "no such file")):
        path = tmp_path / "r.yaml"
        path.write_text(text)
        with pytest.raises((ValueError, FileNotFoundError), match=words):
            read_settings(TokenizerRecipe, path)


def test_another_head_is_refused_with_the_way_out(clips):
    wide = clips[0].replace(expr=np.zeros((len(clips[0]), 100), np.float32))
    with pytest.raises(ValueError, match="to the default head first"):
        to_features(wide)
