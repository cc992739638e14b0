"""DiffEdit on a tiny random Stable Diffusion: mask, inversion and denoising against formulas computed apart, and its LoRA."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusion_tiny import tiny_diffusion
from facelm.eval.baselines.picture.diffedit import DiffEditEditor, DiffEditOptions, StableDiffusion, mask_of, original_of
from facelm.eval.baselines.picture.kdef import Pair
from facelm.eval.baselines.picture.lora import ATTENTION, LoraOptions, edit_loss, train_lora
from PIL import Image

SMALL = DiffEditOptions(steps=10, side=64, maps=3, encode=0.6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_diffusion(tmp_path_factory.mktemp("sd"))


@pytest.fixture(scope="module")
def model(folder: Path) -> StableDiffusion:
    return StableDiffusion(folder)


def picture(seed: int = 0, size: tuple[int, int] = (48, 40)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (6, 5, 3), np.uint8))
    return np.asarray(small.resize((size[1], size[0]), Image.Resampling.BICUBIC))


def test_the_mask_is_couairons() -> None:
    difference = torch.tensor([[1.0, 2.0], [3.0, 50.0]])  # mean 14; cut at 14 * 0.2 = 2.8
    assert mask_of(difference, 0.2, 0.5).tolist() == [[0, 1], [1, 1]]  # 1/2.8 = .36, 2/2.8 = .71
    assert mask_of(difference, 3.0, 0.5).tolist() == [[0, 0], [0, 1]]  # cut at 42: 3/42, 1
    assert mask_of(difference, 3.0, 0.05).tolist() == [[0, 0], [1, 1]]


@torch.no_grad()
def test_noise_differences_are_means_over_channels_and_draws(model: StableDiffusion) -> None:
    words, empty = model.words(["happy face"]), model.words([""])
    assert words.shape == (1, 16, 16) and not torch.equal(words, empty)
    latents, step = torch.randn(1, 4, 8, 8), torch.tensor(500)
    noise = torch.randn(2, 1, 4, 8, 8)
    found = model.noise_difference(latents, step, words, empty, noise)
    beta = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    alpha = float(np.cumprod(1 - beta)[500])
    want = np.zeros((8, 8))
    for draw in noise:
        noisy = alpha**0.5 * latents + (1 - alpha) ** 0.5 * draw
        two = [model.unet(noisy, 500, encoder_hidden_states=w).sample[0].numpy() for w in (words, empty)]
        want += np.abs(two[0] - two[1]).mean(0) / 2
    assert np.allclose(found[0].numpy(), want, atol=1e-6) and want.max() > 0


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_predictions_mean_the_clean_latents(kind: str) -> None:
    clean, noise, alpha = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 3, 3), torch.tensor(0.3)
    noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
    said = {"epsilon": noise, "v_prediction": alpha.sqrt() * noise - (1 - alpha).sqrt() * clean, "sample": clean}[kind]
    assert torch.allclose(original_of(noisy, said, alpha, kind), clean, atol=1e-5)
    with pytest.raises(ValueError, match="allowed: epsilon"):
        original_of(noisy, said, alpha, "flow")


@torch.no_grad()
def test_inversion_follows_ddim_and_denoising_returns(model: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a prediction that depends on the step alone, DDIM backwards is known in closed form, and forwards undoes it."""
    editor = DiffEditEditor(model, SMALL)
    fixed = {int(t): torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(int(t))) for t in range(1001)}
    monkeypatch.setattr(model, "predict", lambda latents, step, words: fixed[int(step)])
    start = torch.randn(1, 4, 8, 8)
    inverted = editor.invert(start, torch.zeros(1))
    assert len(inverted) == 7 and torch.equal(inverted[-1], start)
    cumulated = torch.from_numpy(np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)).float()
    now, want = 1.0 * start, []
    for k in range(6):  # from step 1 + 100 (k - 1) to 1 + 100 k; below 0 is the first
        below, above, noise = cumulated[max(1 + 100 * (k - 1), 0)], cumulated[1 + 100 * k], fixed[1 + 100 * k]
        now = above.sqrt() * (now - (1 - below).sqrt() * noise) / below.sqrt() + (1 - above).sqrt() * noise
        want.append(now)
    assert torch.allclose(inverted[0], want[-1], atol=1e-4) and torch.allclose(inverted[5], want[0], atol=1e-5)
    back = editor.denoise(inverted, torch.ones(8, 8), torch.zeros(1), torch.zeros(1))
    assert torch.allclose(back, start, atol=1e-4)


def test_outside_the_mask_every_bit_stays(model: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    editor, source = DiffEditEditor(model, SMALL), picture()
    half = torch.zeros(32, 26)
    half[:, :13] = 1
    monkeypatch.setattr(editor, "mask", lambda latents, *_: half[:latents.shape[2], :latents.shape[3]])
    done = editor.edit(source, "happy")
    assert done.rgb.shape == source.shape and (done.rgb != source).any()
    assert (done.rgb[done.mask == 0] == source[done.mask == 0]).all() and 0.2 < (done.mask == 0).mean() < 0.8
    monkeypatch.setattr(editor, "mask", lambda latents, *_: torch.zeros(latents.shape[2:]))
    assert (editor.edit(source, "happy").rgb == source).all()


def test_edits_repeat_and_depend_on_the_prompt(model: StableDiffusion) -> None:
    editor, source = DiffEditEditor(model, SMALL), picture()
    one, same, other = (editor.edit(source, p, 1) for p in ("happy", "happy", "angry"))
    assert (one.rgb == same.rgb).all() and (one.mask == same.mask).all()
    assert (one.mask > 0).mean() > 0 and ((one.rgb != other.rgb).any() or (one.mask != other.mask).any())
    with pytest.raises(ValueError, match="the prompt is empty"):
        editor.edit(source, " ")
    with pytest.raises(ValueError, match=r"needed: \(H, W, 3\) uint8"):
        editor.edit(source[..., 0], "happy")


def test_a_folder_that_is_none_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="lacks unet/"):
        StableDiffusion(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder with a LoRA"):
        StableDiffusion(folder, tmp_path / "none")
    with pytest.raises(ValueError, match="guidance is 99"):
        DiffEditOptions(guidance=99)


def test_the_loss_weighs_the_masked_area_and_aims_outside_at_the_source() -> None:
    made, source, target = (torch.full((1, 3, 2, 2), v) for v in (0.5, 0.0, 1.0))
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    mse, seen = edit_loss(made, source, target, mask, 5.0, 0.1, None)
    assert float(mse) == pytest.approx((5 * 0.25 + 3 * 0.25) / 8) and float(seen) == 0
    made[:, :, 0, 0] = 1.0  # as the target where the mask is
    assert float(edit_loss(made, source, target, mask, 5.0, 0.1, None)[0]) == pytest.approx(3 * 0.25 / 8)

    class Far:
        def distance(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return (a - b).abs().amax((1, 2, 3))

    assert float(edit_loss(made, source, target, mask, 5.0, 0.1, Far())[1]) == pytest.approx(0.05)  # type: ignore[arg-type]


def test_a_lora_learns_saves_and_changes_the_editor(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    files = []
    for k in range(3):
        files.append(tmp_path / f"{k}.png")
        Image.fromarray(picture(k, (96, 96))).save(files[-1])
    train, held = [Pair(files[0], files[1], "F01", "happy face")], [Pair(files[0], files[2], "F02", "sad face")]
    model = StableDiffusion(folder)
    before = {n: p.clone() for n, p in model.unet.named_parameters()}
    words, step, noisy = model.words(["happy face"]), torch.tensor(100), torch.randn(1, 4, 8, 8)
    plain = model.predict(noisy, step, words)
    facts = train_lora(model, train, held, tmp_path / "lora", None, LoraOptions(rank=4, epochs=12, lr=5e-3, side=64, maps=1))
    assert facts["steps"] == 12 and np.isfinite(facts["held_out"])
    named = dict(model.unet.named_parameters())
    tuned_layers = {n.split(".lora_")[0] for n in named if "lora_" in n}
    assert tuned_layers == {n for n in (m.removesuffix(".base_layer") for m, _ in model.unet.named_modules())
                            if n.endswith(ATTENTION)}, "all of the attention, and nothing else"
    base = {n.replace(".base_layer", ""): p for n, p in named.items() if "lora_" not in n}
    assert set(base) == set(before) and all(torch.equal(before[n], base[n]) for n in before), "the base stays"
    again = StableDiffusion(folder, tmp_path / "lora")
    tuned = again.predict(noisy, step, words)
    assert torch.allclose(tuned, model.predict(noisy, step, words), atol=1e-5) and not torch.allclose(tuned, plain, atol=1e-4)
    assert (tmp_path / "lora" / "training.json").is_file()
    with pytest.raises(ValueError, match="no pairs"):
        train_lora(StableDiffusion(folder), [], [], tmp_path / "b")
