"""vLLM with our merged weights and our grammar; skipped where it is not installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from facelm.data_gen.text.quantities import find_quantities
from facelm.llm.backends.vllm import shown, write_merged
from facelm.llm.decode import MotionRow, Sampling, ScriptRow, TextRow
from facelm.llm.generate import MotionLM
from facelm.llm.grammar.script_tokens import Grammar, Quantities
from llm_tiny import LAYOUT, tiny_model

WEIGHTS = Path(__file__).resolve().parents[2] / "weights/llm"
TEXTS = ["She smiles, then nods twice.", "He winks with his left eye for 2 s, then does a moonwalk.",
         "A surprised face that blinks."]


def test_merged_weights_are_a_checkpoint_whose_last_rows_are_ours(tmp_path) -> None:
    from transformers import AutoModelForCausalLM

    model = tiny_model().merge()
    write_merged(model, tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.tensor([[3, 7, model.vocabulary.begin, model.vocabulary.first_symbol, model.vocabulary.first_script]])
    with torch.inference_mode():
        hidden = model.hidden(ids)[0]
        logits = loaded(ids).logits[0].float()
        for row, own in ((TextRow([], model, Sampling(), (0, 0), 5), model.text_logits(hidden)[:, :model.vocabulary.n_text]),
                         (ScriptRow([], model, Grammar(), Sampling(), (0, 0)), model.script_logits(hidden)),
                         (MotionRow([], model, LAYOUT.start(4), Sampling(), (0, 0)), model.motion_logits(hidden))):
            for at in range(len(hidden)):
                assert torch.allclose(torch.from_numpy(shown(logits[at], row, model)), own[at], atol=1e-4), row.kind


@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="needs the released weights")
def test_vllm_reads_as_the_model_itself_does() -> None:
    pytest.importorskip("vllm")
    marked = [find_quantities(t) for t in TEXTS]
    texts, values = [m.text for m in marked], [Quantities(m.t, m.p, m.c) for m in marked]
    own, other = (MotionLM.from_pretrained(WEIGHTS, dtype=torch.float32, backend=b) for b in ("torch", "vllm"))
    for sampling in (Sampling(0.0), Sampling(0.8, seed=3)):
        one, two = own.read(texts, values, sampling), other.read(texts, values, sampling)
        assert [r.script for r in one] == [r.script for r in two]
        assert [r.nats for r in one] == pytest.approx([r.nats for r in two], abs=0.01)
    with pytest.raises(ZeroDivisionError):
        other.decoder.write([_Broken([3, 4], other.model, Grammar(), Sampling(), (0, 0))])
    assert other.read(texts[:1], values[:1])[0].script == own.read(texts[:1], values[:1])[0].script


class _Broken(ScriptRow):
    def take(self, logits: object) -> int | None:
        raise ZeroDivisionError
