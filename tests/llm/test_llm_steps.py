"""A step's length comes from the tokenizer: its durations are right whatever number of frames a code covers."""

import json

import numpy as np
import pytest
import torch
from facelm.agent.pipeline import weights_dir
from facelm.face.clip.normalise import Normalised
from facelm.llm.examples import perform_example, read_clips
from facelm.llm.generate import MotionLM
from facelm.llm.model import CARD, read_card
from facelm.llm.vocabulary import MotionVocabulary
from facelm.tokenizer.codec import FaceTokenizer, find_kept
from facelm.tokenizer.config import TokenizerConfig
from facelm.tokenizer.features import to_features
from facelm.tokenizer.model import MotionVQVAE
from llm_tiny import DATA, LAYOUT
from tiny_agent import tiny_motion_model


def tokenizer_of(frames: int, clips) -> FaceTokenizer:
    torch.manual_seed(0)
    model = MotionVQVAE(TokenizerConfig(hidden=8, frames_per_step=frames)).eval()
    return FaceTokenizer(model, find_kept(model, [to_features(c) for c in clips[:4]]), "x")


@pytest.mark.parametrize("frames", [2, 5, 8])
def test_a_step_of_other_length_gives_right_durations(frames, clips, tmp_path):
    tokenizer = tokenizer_of(frames, clips)
    step = frames / 25
    assert tokenizer.step_seconds == tokenizer.layout.step_seconds == step
    model = tiny_motion_model(tokenizer)
    lm = MotionLM(model)
    made, = lm.perform(["smile"], [3.2])
    assert len(tokenizer.layout.decode(made)) == round(3.2 / step) and lm.seconds(made) == pytest.approx(3.2, abs=step / 2)
    assert len(tokenizer.decode(made)) == frames * round(3.2 / step)
    free, = lm.perform(["smile"], max_seconds=1.6)
    assert 0 < lm.seconds(free) <= 1.6 + 1e-9

    encoded = tokenizer.encode(Normalised(clips[0]))
    clip = read_clips_of(encoded.ids, tokenizer, tmp_path)
    config = type(DATA)(seconds=1.0, max_tokens=2000)
    example = perform_example(model.template, clip, config, np.random.default_rng(0))
    stated = model.template.words(f"{encoded.steps * step:.1f}s:")
    assert example.ids[1:1 + len(stated)] == stated and example.answers[0][1] == encoded.steps


def read_clips_of(symbols, tokenizer, folder):
    from facelm.llm.examples import prepare_tokens

    prepare_tokens([{"clip_id": "a", "split": "train", "captions": ["smile"], "questions": [], "answers": []}], [symbols],
                   folder / "a.parquet")
    return read_clips(folder / "a.parquet", "train", tokenizer.layout)[0]


def test_the_step_is_saved_and_a_model_without_one_has_the_old(clips, tmp_path):
    tokenizer = tokenizer_of(8, clips)
    tiny_motion_model(tokenizer).save_adapter(tmp_path)
    saved = read_card(tmp_path)["vocabulary"]
    assert MotionVocabulary.from_json(saved).layout == tokenizer.layout
    assert saved.pop("step_seconds") == 0.32
    assert MotionVocabulary.from_json(saved).layout.step_seconds == 0.16 == LAYOUT.step_seconds
    assert MotionVocabulary.from_json(saved).layout != tokenizer.layout, "another tokenizer"
    with pytest.raises(ValueError, match="step_seconds is 0"):
        MotionVocabulary.from_json({**saved, "step_seconds": 0})


def test_the_released_model_goes_with_its_tokenizer():
    card = json.loads((weights_dir() / "llm" / CARD).read_text())
    tokenizer = FaceTokenizer.from_pretrained(weights_dir() / "tokenizer")
    assert MotionVocabulary.from_json(card["vocabulary"]).layout == tokenizer.layout
