"""A step's length comes from the tokenizer: its durations are right whatever number of frames a code covers."""

import json

import numpy as np
import pytest
import torch
from facelm.agent.learning.pieces import pieces_of
from facelm.agent.pipeline import weights_dir
from facelm.data_gen.performer.animator import perform
from facelm.face.clip.normalise import Normalised
from facelm.face.facs.schedule import Event, Schedule
from facelm.llm.examples import perform_example
from facelm.llm.generate import MotionLM
from facelm.llm.grammar.windows import cut
from facelm.llm.model import CARD, read_card
from facelm.llm.vocabulary import MotionVocabulary
from facelm.tokenizer.codec import FaceTokenizer, find_kept
from facelm.tokenizer.config import TokenizerConfig
from facelm.tokenizer.features import to_features
from facelm.tokenizer.model import MotionVQVAE
from llm_tiny import LAYOUT
from tiny_agent import tiny_motion_model


def tokenizer_of(frames: int, clips) -> FaceTokenizer:
    torch.manual_seed(0)
    model = MotionVQVAE(TokenizerConfig(hidden=8, frames_per_step=frames)).eval()
    return FaceTokenizer(model, find_kept(model, [to_features(c) for c in clips[:4]]), "x")


@pytest.mark.parametrize("frames", [2, 5, 8])
def test_a_step_of_other_length_gives_right_durations(frames, clips, head):
    tokenizer = tokenizer_of(frames, clips)
    step = frames / 25
    assert tokenizer.step_seconds == tokenizer.layout.step_seconds == step
    model = tiny_motion_model(tokenizer)
    lm = MotionLM(model)
    script = Schedule(3.2, (Event("smile", 0.8, 0.4, 0.8, 0.4), Event("nod", 1.6, 0.4, 0.8, 0.4, 0.7, 2)))
    windows = cut(script, step)
    assert sum(w.steps for w in windows) == round(3.2 / step)
    made = lm.perform_windows(windows[:1], [None], [(0, 0)])[0]
    assert len(made) == windows[0].steps and len(tokenizer.decode_codes(made)) == frames * windows[0].steps
    smile = next(e for w in windows for e in w.events if e.name == "smile")
    assert abs(smile.start * step - 0.8) <= step / 2 and abs(smile.rise * step - 0.4) <= step / 2 + 1e-9

    piece = next(pieces_of([script], tokenizer, head))
    codes = tokenizer.layout.decode(piece.symbols, piece.before)
    assert perform_example(model.template, piece).answers[0].steps == len(codes) == windows[0].steps
    whole = tokenizer.layout.decode(tokenizer.encode(Normalised(perform(script, head))).ids)
    assert np.array_equal(codes, whole[:len(codes)])


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
