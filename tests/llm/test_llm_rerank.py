from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from facelm.llm.generate import MotionLM
from facelm.llm.prompts import CAPTION, Turn
from facelm.llm.rerank import best_of, description_scores
from llm_tiny import tiny_clips, tiny_model


@pytest.fixture(scope="module")
def lm() -> MotionLM:
    return MotionLM(tiny_model())


def by_hand(lm: MotionLM, motion: np.ndarray, text: str) -> float:
    """One sequence, full logits, the answer's tokens one by one."""
    encoded = lm.template.encode([Turn(CAPTION, motion=motion, answer=text)])
    ids = torch.tensor([encoded.ids])
    with torch.no_grad():
        log_p = F.log_softmax(lm.model.text_logits(lm.model.hidden(ids)[0]), -1)
    places = [t for t in range(1, len(encoded.ids)) if encoded.kinds[t] == 1]
    return float(np.mean([float(log_p[t - 1, encoded.ids[t]]) for t in places]))


def test_scores_are_those_of_each_pair_alone_whatever_the_batch(lm):
    clips = tiny_clips(7)
    motions, texts = [c.symbols for c in clips], [c.captions[0] for c in clips]
    want = [by_hand(lm, m, t) for m, t in zip(motions, texts, strict=True)]
    for size in (1, 3, 16):
        assert np.allclose(description_scores(lm, motions, texts, batch_size=size), want, atol=1e-4)


def test_the_likeliest_candidate_is_kept(lm):
    clips = tiny_clips(8)
    prompts = [clips[0].captions[0], clips[1].captions[0]]
    candidates = [[c.symbols for c in clips[:4]], [c.symbols for c in clips[4:]]]
    for prompt, motions, chosen in zip(prompts, candidates, best_of(lm, prompts, candidates), strict=True):
        scores = [by_hand(lm, m, prompt) for m in motions]
        assert (chosen == motions[int(np.argmax(scores))]).all()


def test_unequal_numbers_are_refused(lm):
    with pytest.raises(ValueError, match="1 motions for 2 texts"):
        description_scores(lm, [tiny_clips(1)[0].symbols], ["a", "b"])
