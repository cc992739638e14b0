from __future__ import annotations

import pytest
import torch
from facelm.llm.export import as_peft, export_merged
from facelm.llm.model import load_model
from llm_tiny import LAYOUT, tiny_base, tiny_clips, tiny_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A tiny base as a folder, and an adapter for it that is not zero."""
    folder = tmp_path_factory.mktemp("export")
    base = tiny_base()
    base.model.save_pretrained(folder / "base")
    base.tokenizer.save_pretrained(folder / "base")
    model = tiny_model()
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
                assert name
    model.save_adapter(folder / "llm")
    return folder


def spelled(symbols) -> str:
    return "<motion>" + "".join(f"<m{i}>" for i in symbols) + "</motion>"


def test_the_merged_folder_is_the_same_model_in_plain_transformers(saved):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = export_merged(saved / "llm", saved / "merged", saved / "base")
    plain = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(out)
    ours = load_model(saved / "llm", saved / "base", dtype=torch.float32)
    motion = tiny_clips(1)[0].symbols.tolist()
    ids = tokenizer(spelled(motion), add_special_tokens=False).input_ids
    assert ids == ours.vocabulary.span(motion), "a motion is spelled with the ids it was trained on"
    batch = torch.tensor([ids])
    with torch.no_grad():
        hidden = ours.hidden(batch).flatten(0, 1)
        want = ours.motion_logits(hidden)[:, : LAYOUT.n_symbols]
        got = plain(batch).logits[0, :, ours.vocabulary.first_symbol:]
    assert want.abs().max() > 0.1
    assert torch.allclose(want, got, atol=0.05 * float(want.abs().max())), "apart from bf16 rounding"


def test_peft_loads_it_with_the_base_that_it_names(saved):
    model = as_peft(saved / "llm", saved / "base")
    ours = load_model(saved / "llm", saved / "base", dtype=torch.float32)
    batch = torch.tensor([ours.vocabulary.span(tiny_clips(1)[0].symbols.tolist())])
    with torch.no_grad():
        want = ours.motion_logits(ours.hidden(batch).flatten(0, 1))[:, : LAYOUT.n_symbols]
        got = model(batch).logits[0, :, ours.vocabulary.first_symbol:]
    assert torch.allclose(want, got, atol=5e-3)


def test_a_full_folder_is_not_overwritten(saved, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="not an empty folder"):
        export_merged(saved / "llm", tmp_path, saved / "base")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_training_can_start_from_a_saved_adapter(saved, tmp_path):
    import dataclasses

    from facelm.llm.examples import prepare_tokens
    from facelm.llm.train import train
    from llm_tiny import tiny_config

    clips = tiny_clips(12)
    rows = [{"clip_id": c.clip_id, "split": "train", "captions": list(c.captions), "questions": list(c.questions),
             "answers": list(c.answers)} for c in clips]
    prepare_tokens(rows, [c.symbols for c in clips], tmp_path / "tokens.parquet")
    config = tiny_config(max_steps=1)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, name=str(saved / "base")),
                                 optim=dataclasses.replace(config.optim, lr=1e-12))
    train(config, tmp_path / "tokens.parquet", LAYOUT, tmp_path / "out", quiet=True, init=saved / "llm")
    from facelm.llm.model import read_adapter

    before, after = read_adapter(saved / "llm"), read_adapter(tmp_path / "out")
    assert all(torch.allclose(before[k].float(), after[k].float(), atol=1e-3) for k in before)
    other = dataclasses.replace(LAYOUT, max_step=LAYOUT.max_step - 1)
    with pytest.raises(ValueError, match="another motion tokenizer"):
        train(config, tmp_path / "tokens.parquet", other, tmp_path / "out2", quiet=True, init=saved / "llm")
