"""Dual mappers: attention, losses and projection against NumPy, the renderer's gradients against differences, a tiny training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from facelm.eval.baselines.mappers.generator import People, TexturedHeadGenerator
from facelm.eval.baselines.mappers.judge import QUICK, apex_of, expressions, judged_actions, measured, render, train_judges
from facelm.eval.baselines.mappers.model import (
    DualMappers,
    aim_of,
    augmented,
    identity_loss,
    norm_loss,
    subspace,
    text_loss,
)
from facelm.eval.baselines.mappers.nets import ClipEmbedder, MiniClip, caption_words, contrast, same_person
from facelm.eval.baselines.mappers.next3d import Next3DGenerator
from facelm.eval.baselines.mappers.train import VARIANTS, Goal, MapperOptions, Setting, starts, train_mappers
from facelm.face.head.model import HeadModel
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def generator() -> TexturedHeadGenerator:
    return TexturedHeadGenerator(size=32)


@pytest.fixture(scope="module")
def people(generator: TexturedHeadGenerator) -> People:
    return generator.people(2, 1)


# -- the mappers ------------------------------------------------------------------------
def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_each_code_asks_the_other() -> None:
    torch.manual_seed(1)
    net = DualMappers((3, 2), 5, width=8)
    own, other = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    t = net.texture
    q, k, v = (x @ p.weight.detach().numpy().T for x, p in ((own.numpy(), t.q), (other.numpy(), t.k), (other.numpy(), t.v)))
    want = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(8)) @ v
    assert np.allclose(t.attend(own, other).detach().numpy(), want, atol=1e-5)
    w, psi = torch.randn(2, 3, 2), torch.rand(2, 5)
    assert all((d == 0).all() for d in net(w, psi)), "an untrained mapper changes nothing"
    for mapper in (net.texture, net.emotion):
        torch.nn.init.normal_(mapper.mlp[-1].weight)
    dw, dpsi = net(w, psi)
    assert dw.shape == w.shape and dpsi.shape == psi.shape
    assert not torch.allclose(net(w, psi + 1)[0], dw) and not torch.allclose(net(w + 1, psi)[1], dpsi), "conditioned on the other"
    alone = DualMappers((3, 2), 5, width=8, attention=False)
    for mapper in (alone.texture, alone.emotion):
        torch.nn.init.normal_(mapper.mlp[-1].weight)
    assert torch.allclose(alone(w, psi + 1)[0], alone(w, psi)[0]) and torch.allclose(alone(w + 1, psi)[1], alone(w, psi)[1])


def test_changes_stay_among_the_actions(generator: TexturedHeadGenerator) -> None:
    actions = generator.actions()
    net = DualMappers(generator.codes, generator.expressions, actions, limits=generator.limits)
    torch.nn.init.normal_(net.emotion.mlp[-1].weight)
    _, change = net(torch.randn(4, *generator.codes), torch.rand(4, generator.expressions))
    left = np.linalg.lstsq(actions.numpy().T, change.detach().numpy().T, rcond=None)
    assert change.abs().max() > 1e-3 and np.abs(actions.numpy().T @ left[0] - change.detach().numpy().T).max() < 1e-4
    columns = {n: k for k, n in enumerate(generator.head.expr_names)}
    sides = [(k, columns[n[:-4] + "Right"]) for n, k in columns.items() if n.endswith("Left")]
    assert all(torch.allclose(change[:, a], change[:, b], atol=1e-4) for a, b in sides), "no face goes one-sided"
    _, psi, _, _ = net.edit(torch.zeros(1, *generator.codes), torch.full((1, generator.expressions), 1.1))
    assert psi.min() >= 0 and psi.max() <= 1.15


# -- losses -----------------------------------------------------------------------------
def test_losses_are_their_formulas() -> None:
    dw, dpsi = torch.tensor([[[3.0], [4.0]], [[0.0], [0.0]]]), torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    assert float(norm_loss(dw, dpsi)) == pytest.approx((5 + 2 + 0 + 1) / 2)
    a, b = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    want = (1 - 0.5**0.5 + 0) / 2
    assert float(text_loss(a, b)) == pytest.approx(want) and float(identity_loss(a, b)) == pytest.approx(want)


def test_the_aim_is_augmented_in_the_subspace_and_kept_outside_it() -> None:
    rng = np.random.default_rng(0)
    texts = rng.normal(size=(3, 6))
    basis = subspace(torch.tensor(np.vstack([texts, texts[:1] + texts[1:2]]))).numpy()
    assert basis.shape == (3, 6) and np.allclose(basis @ basis.T, np.eye(3), atol=1e-6)
    assert np.allclose(np.linalg.svd(np.vstack([basis, texts]))[1][3:], 0, atol=1e-6), "the span of the texts"
    initial = rng.normal(size=(2, 6))
    initial /= np.linalg.norm(initial, axis=1, keepdims=True)
    text, power = rng.normal(size=6), 0.6
    c, d = initial @ basis.T, basis @ text
    s = np.abs(d) / np.abs(d).max()
    inside = ((1 - power * (1 - s)) * c + power * d) @ basis
    want = inside + initial - c @ basis
    found = aim_of(torch.tensor(initial), torch.tensor(text), torch.tensor(basis), power).numpy()
    assert np.allclose(found, want / np.linalg.norm(want, axis=1, keepdims=True))
    none = augmented(torch.tensor(c @ basis), torch.tensor(text), torch.tensor(basis), 0.0).numpy()
    assert np.allclose(none, c @ basis), "power 0 changes nothing"
    assert torch.allclose(aim_of(torch.tensor(initial), torch.tensor(text), None, 1.0), torch.tensor(text).expand(2, 6))


def test_wrong_pictures_are_negatives() -> None:
    texts = torch.eye(3)
    images = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0.9, 0.1]])
    label, scale = torch.tensor([0, 1, -1]), torch.tensor(1.0)
    logits = np.e * images.numpy()
    by_picture = -np.mean([np.log(softmax(logits[k])[k]) for k in (0, 1)])
    by_text = -np.mean([np.log(softmax(logits[:, k])[k]) for k in (0, 1)])
    assert float(contrast(images, texts, label, scale)) == pytest.approx(0.5 * (by_picture + by_text), rel=1e-5)
    assert float(contrast(images[:2], texts, label[:2], scale)) < float(contrast(images, texts, label, scale))
    a, b = torch.eye(2), torch.tensor([[0.8, 0.6], [0.0, 1.0]])
    logits = 10 * (a @ b.T).numpy()
    want = -0.5 * np.mean([np.log(softmax(m)[k, k]) for m in (logits, logits.T) for k in (0, 1)]) * 2
    assert float(same_person(a, b)) == pytest.approx(want / 1, rel=1e-5)


# -- the generator ----------------------------------------------------------------------
def test_pictures_follow_both_codes(generator: TexturedHeadGenerator, people: People) -> None:
    w, psi = torch.zeros(2, *generator.codes), torch.zeros(2, generator.expressions)
    plain = generator.picture(w, psi, people)
    assert plain.shape == (2, 3, 32, 32) and plain.min() >= 0 and plain.max() <= 1 and not torch.allclose(plain[0], plain[1])
    smile = torch.from_numpy(np.tile(apex_of("smile", generator.head.n_expr)[0], (2, 1)))
    assert (generator.picture(w, smile, people) - plain).abs()[:, :, 16:].mean() > 3 * (
        generator.picture(w, smile, people) - plain).abs()[:, :, :8].mean()
    lined = w.clone()
    lined[:, generator.names.index("forehead")] = 1
    change = (generator.picture(lined, psi, people) - plain).abs().mean((0, 1))
    assert change[:14].sum() > 5 * change[20:].sum() and change.sum() > 0, "the forehead folds"
    folds = generator.folded(smile.numpy())
    assert folds.shape == (2, *generator.codes) and folds[0, generator.names.index("nasolabial"), 0] > 0.3


def test_gradients_are_differences_of_pictures(people: People) -> None:
    generator, one = TexturedHeadGenerator(size=64), people.of(torch.tensor([0]))
    weight = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    w = torch.zeros(1, *generator.codes, requires_grad=True)
    psi = torch.zeros(1, generator.expressions, requires_grad=True)
    value = (generator.picture(w, psi, one) * weight).sum()
    value.backward()
    k = generator.names.index("flush")
    step = torch.zeros_like(w)
    step[0, k] = 1e-2
    with torch.no_grad():
        more, less = (float((generator.picture(w + s * step, psi, one) * weight).sum()) for s in (1, -1))
    assert float(w.grad[0, k, 0]) == pytest.approx((more - less) / 2e-2, rel=0.05, abs=1e-3)
    assert torch.isfinite(psi.grad).all() and psi.grad.abs().max() > 0
    # without the jumps of visibility a small move of the face changes the picture as the gradient says
    shared = generator._seen
    seen = shared(_screen(generator, psi, one))
    generator._seen = lambda screen: seen  # type: ignore[method-assign]
    try:
        column = list(generator.head.expr_names).index("mouthSmileLeft")
        move = torch.zeros_like(psi)
        move[0, column] = 1e-3
        with torch.no_grad():
            more, less = (float((generator.picture(w, psi + s * move, one) * weight).sum()) for s in (1, -1))
        assert float(psi.grad[0, column]) == pytest.approx((more - less) / 2e-3, rel=0.05)
    finally:
        del generator._seen


def _screen(generator: TexturedHeadGenerator, psi: torch.Tensor, people: People) -> torch.Tensor:
    at = generator.vertices(psi, people) - generator.middle
    scale = generator.size / 0.21 * 1.2 / (1.2 - at[..., 2])
    return torch.stack([generator.size / 2 + at[..., 0] * scale, generator.size / 2 - at[..., 1] * scale, scale], -1)


# -- judges and training ----------------------------------------------------------------
def test_the_papers_prompts_come_first_and_ask_for_actions(generator: TexturedHeadGenerator) -> None:
    names = list(expressions())
    assert names[:6] == ["smile", "angry", "sad", "close eyes", "raise brow", "frown brow"]
    assert expressions()["smile"].says[0] == "A person who is smiling."
    actions = judged_actions(generator.head.n_expr)
    for name in names[:6]:
        pose, asked = apex_of(name, generator.head.n_expr)
        shown = dict(zip(actions, measured(pose[None], generator)[0], strict=True))
        assert asked and all(shown[a] >= 0.24 for a in asked), name
    still = measured(np.zeros((1, generator.expressions), np.float32), generator)
    assert np.abs(still).max() < 0.1


def test_judges_are_made_once(tmp_path: Path) -> None:
    generator, told = TexturedHeadGenerator(size=32), []
    made = train_judges(generator, QUICK, tmp_path / "j.safetensors", lambda *a: told.append(a))
    count = len(told)
    again = train_judges(generator, QUICK, tmp_path / "j.safetensors", lambda *a: told.append(a))
    assert count > 4 * QUICK.steps and len(told) == count, "the second time they are read"
    pictures = torch.rand(2, 3, 32, 32)
    assert torch.equal(made.guide.image(pictures), again.guide.image(pictures)) and torch.equal(
        made.actions(pictures), again.actions(pictures))
    assert not any(p.requires_grad for part in made.parts().values() for p in part.parameters())
    seen = render(generator, generator.people(2, 0), 40, 0.5, 3)
    assert 8 < int((seen.label < 0).sum()) < 32 and seen.actions.shape == (40, len(judged_actions(generator.head.n_expr)))


def test_a_mini_clip_reads_known_words() -> None:
    words = caption_words(["A person who is smiling.", "closed eyes"])
    assert words == ["a", "closed", "eyes", "is", "person", "smiling", "who"]
    net = MiniClip(words, (4, 4, 8, 8))
    text, image = net.text(["smiling", "Eyes closed!"]), net.image(torch.rand(2, 3, 20, 20))
    assert torch.allclose(text.norm(dim=1), torch.ones(2)) and torch.allclose(image.norm(dim=1), torch.ones(2))
    assert torch.allclose(net.text(["smiling zebra"]), text[:1])
    with pytest.raises(ValueError, match="has no word that the mini-CLIP knows"):
        net.text(["zebra"])


class Bright:
    """An embedder for which a prompt is the picture's lower half being bright."""

    def text(self, texts: list[str]) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.tensor([[1.0, 0.2 * k] for k, _ in enumerate(texts)]), dim=-1)

    def image(self, pictures: torch.Tensor) -> torch.Tensor:
        low = pictures[:, :, 16:].mean((1, 2, 3)) * 4 - 1
        return torch.nn.functional.normalize(torch.stack([low, torch.ones_like(low)], 1), dim=-1)


@pytest.mark.parametrize("variant", ["full", "no_projection"])
def test_mappers_learn_what_the_judge_likes_and_are_kept(generator: TexturedHeadGenerator, people: People, tmp_path: Path,
                                                         variant: str) -> None:
    ask = MapperOptions(**{"steps": 12, "batch": 2, "lr": 0.02, "norm": 0.0, **VARIANTS[variant]})  # type: ignore[arg-type]
    judge, pose = Bright(), apex_of("smile", generator.head.n_expr)[0]
    person = lambda pictures: pictures.mean((2, 3))  # noqa: E731
    on = Setting(generator, judge, person, people, generator.actions(), generator.folded, "bright")  # type: ignore[arg-type]
    args = (Goal("bright", ("bright", "dark"), pose), ask, tmp_path / "m.safetensors")
    net = train_mappers(on, *args)
    start = starts(on, pose, 4, 77)
    with torch.no_grad():
        w, psi, dw, dpsi = net.edit(start.w, start.psi)
        before, after = (generator.picture(*codes, start.people)[:, :, 16:].mean() for codes in ((start.w, start.psi), (w, psi)))
    assert float(after) > float(before) + 0.002 and dw.abs().max() > 0 and dpsi.abs().max() > 0
    told: list[object] = []
    again = train_mappers(on, *args, progress=lambda *a: told.append(a))
    assert not told and torch.equal(again(start.w, start.psi)[0], dw)
    train_mappers(replace(on, key="another"), *args, progress=lambda *a: told.append(a))
    assert told, "other judges: trained anew"


# -- slots ------------------------------------------------------------------------------
def test_clip_from_a_folder(tmp_path: Path) -> None:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    with pytest.raises(FileNotFoundError, match="lacks config.json"):
        ClipEmbedder(tmp_path)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocab = {w: k for k, w in enumerate(["<|startoftext|>", "<|endoftext|>", *letters, *(c + "</w>" for c in letters)])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"), model_max_length=20).save_pretrained(tmp_path)
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(text_config={**size, "vocab_size": len(vocab), "max_position_embeddings": 20, "eos_token_id": 1,
                                              "bos_token_id": 0},
                                 vision_config={**size, "image_size": 32, "patch_size": 16}, projection_dim=8)).eval()
    model.save_pretrained(tmp_path)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(tmp_path)
    net = ClipEmbedder(tmp_path)
    pictures = torch.rand(2, 3, 32, 32, requires_grad=True)
    image, text = net.image(pictures), net.text(["smiling", "sad"])
    pixels = CLIPImageProcessor.from_pretrained(tmp_path)(
        [(p.permute(1, 2, 0).detach().numpy() * 255).astype(np.uint8) for p in pictures], return_tensors="pt")["pixel_values"]
    ids = CLIPTokenizer.from_pretrained(tmp_path)(["smiling", "sad"], padding=True, return_tensors="pt")
    with torch.no_grad():
        true = model(**ids, pixel_values=pixels)
    want = true.image_embeds / true.image_embeds.norm(dim=1, keepdim=True)
    assert torch.allclose(image, want, atol=2e-2) and torch.allclose(text, true.text_embeds, atol=1e-5)
    (image @ text.T).sum().backward()
    assert pictures.grad is not None and pictures.grad.abs().max() > 0


class Synthesis(torch.nn.Module):
    """Answers the calls of Next3D's generator."""

    num_ws, w_dim = 4, 6

    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.size, self.weight = size, torch.nn.Parameter(torch.ones(6))

    def synthesis(self, ws: torch.Tensor, c: torch.Tensor, v: torch.Tensor, noise_mode: str) -> dict[str, torch.Tensor]:
        assert c.shape == (len(ws), 25) and noise_mode == "const" and v.shape[2] == 3
        level = torch.tanh((ws * self.weight).mean((1, 2)) + 10 * v[:, -68:, 1].mean(1))
        return {"image": level[:, None, None, None].expand(-1, 3, self.size, self.size)}


def test_next3d_is_driven_by_w_and_the_mesh(tmp_path: Path) -> None:
    head = HeadModel.default()  # in FLAME's place: the adapter needs vertices and 68 landmarks
    with pytest.raises(FileNotFoundError, match="is no Next3D folder: it lacks checkout"):
        Next3DGenerator(tmp_path, head, torch.zeros(25))
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "toy_next3d.py").write_text("")
    save_file({"weight": torch.full((6,), 2.0)}, tmp_path / "generator.safetensors")
    (tmp_path / "generator.json").write_text(json.dumps({"class": "toy_next3d.Net", "arguments": {"size": 16}}))
    with pytest.raises(ValueError, match="toy_next3d.Net cannot be built"):
        Next3DGenerator(tmp_path, head, torch.zeros(25))
    made = Next3DGenerator(tmp_path, head, torch.zeros(25), lambda config: Synthesis(**config["arguments"]))
    assert made.codes == (4, 6) and made.expressions == head.n_expr + 1
    people = People(torch.zeros(2, head.n_shape), torch.zeros(2, 0))
    w, psi = torch.randn(2, 4, 6, requires_grad=True), torch.zeros(2, head.n_expr + 1, requires_grad=True)
    picture = made.picture(w, psi, people)
    assert picture.shape == (2, 3, 16, 16) and picture.min() >= 0 and picture.max() <= 1
    picture.sum().backward()
    assert w.grad is not None and psi.grad is not None and w.grad.abs().max() > 0 and psi.grad.abs().max() > 0
    net = train_mappers(Setting(made, Patches(), lambda p: p.mean((2, 3)), people),  # type: ignore[arg-type]
                        Goal("a", ("a", "b"), np.zeros(head.n_expr + 1, np.float32)), MapperOptions(steps=2, batch=2))
    assert net(torch.randn(2, 4, 6), torch.zeros(2, head.n_expr + 1))[0].shape == (2, 4, 6), "the same mappers fit it"
    save_file({"other": torch.ones(1)}, tmp_path / "generator.safetensors")
    with pytest.raises(ValueError, match="does not fit"):
        Next3DGenerator(tmp_path, head, torch.zeros(25), lambda config: Synthesis())
    (tmp_path / "generator.json").write_text("[]")
    with pytest.raises(ValueError, match=r"generator.json.*class and arguments"):
        Next3DGenerator(tmp_path, head, torch.zeros(25))


class Patches(Bright):
    def image(self, pictures: torch.Tensor) -> torch.Tensor:
        low = pictures.mean((1, 2, 3))
        return torch.nn.functional.normalize(torch.stack([low, torch.ones_like(low)], 1), dim=-1)
