"""The peers' equations against values that are computed here with numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from facelm.eval.baselines.motion.codec import Codec, codec_loss
from facelm.eval.baselines.motion.config import CodecConfig, GPTConfig, MaskConfig, MDMConfig, NetConfig, SpeakerConfig
from facelm.eval.baselines.motion.data import Draws, Scale, embed
from facelm.eval.baselines.motion.mdm import Denoiser, cosine_schedule, masked_mean, noised, previous
from facelm.eval.baselines.motion.momask import Masked, Residual, lowest, masked_count, masked_share, remasked
from facelm.eval.baselines.motion.motiongpt import Speaker
from facelm.eval.baselines.motion.nets import LengthEstimator, guided
from facelm.eval.baselines.motion.t2mgpt import GPT, corrupt, targets
from facelm.llm.lora import LoraConfig
from facelm.tokenizer.features import N_FEATURES, STREAM_SLICES
from llm_tiny import tiny_base
from torch.nn import functional as F

NET = NetConfig(16, 1, 2, 2, 0.0)
SMALL = CodecConfig(width=12, depth=2, dim=6, codes=10, window=16)


def smooth_l1(a: np.ndarray) -> float:
    a = np.abs(a)
    return float(np.where(a < 1, 0.5 * a * a, a - 0.5).mean())


# -- the codec --------------------------------------------------------------------------
def test_the_codecs_loss_is_smooth_l1_of_motion_and_velocity_and_the_commitment() -> None:
    rng = np.random.default_rng(0)
    x, y = 2 * rng.normal(size=(2, 3, 8, N_FEATURES))
    found = codec_loss(torch.tensor(x), torch.tensor(y), torch.tensor(0.7), CodecConfig(commitment=0.02, velocity=0.5))
    wanted = smooth_l1(x - y) + 0.5 * smooth_l1(np.diff(x, axis=1) - np.diff(y, axis=1)) + 0.02 * 0.7
    assert float(found) == pytest.approx(wanted, rel=1e-9)


def seeded_codec(config: CodecConfig = SMALL) -> Codec:
    """A codec whose codebooks are set, so that the first batch does not."""
    torch.manual_seed(0)
    codec = Codec(config)
    x = torch.randn(16, 32, N_FEATURES)
    codec.loss(x)
    return codec


def test_the_nearest_code_is_taken_the_gradient_goes_straight_through_and_the_commitment_is_the_distance() -> None:
    codec = seeded_codec()
    z = torch.randn(2, 5, 6, requires_grad=True)
    book = codec.quantizer.codebook.detach().clone().numpy()
    quantized, codes, commitment = codec.train().quantize(z)
    at = z.detach().numpy()
    nearest = ((at[:, :, None] - book) ** 2).sum(-1).argmin(-1)
    np.testing.assert_array_equal(codes[..., 0].numpy(), nearest)
    np.testing.assert_allclose(quantized.detach().numpy(), book[nearest], atol=1e-5)
    assert float(commitment.detach()) == pytest.approx(((book[nearest] - at) ** 2).mean(), rel=1e-4)
    weight = torch.randn_like(z)
    (quantized * weight).sum().backward()
    np.testing.assert_allclose(z.grad.numpy(), weight.numpy(), atol=1e-6)


def test_the_codes_follow_exponential_moving_averages() -> None:
    codec = seeded_codec(CodecConfig(width=12, depth=1, dim=6, codes=10, window=16, reset=0, decay=0.9))
    inner = codec.quantizer._codebook
    size, total = (t[0].detach().clone().numpy() for t in (inner.cluster_size, inner.embed_avg))
    z = torch.randn(4, 20, 6)
    _, codes, _ = codec.train().quantize(z)
    hot = np.eye(10)[codes[..., 0].numpy().ravel()]
    size = 0.9 * size + 0.1 * hot.sum(0)
    total = 0.9 * total + 0.1 * hot.T @ z.numpy().reshape(-1, 6)
    smooth = (size + 1e-5) / (size.sum() + 10 * 1e-5) * size.sum()
    np.testing.assert_allclose(inner.cluster_size[0].numpy(), size, rtol=1e-5)
    np.testing.assert_allclose(codec.quantizer.codebook.numpy(), total / smooth[:, None], rtol=1e-4, atol=1e-5)


def test_a_code_that_nobody_uses_is_drawn_anew_from_the_batch() -> None:
    codec = seeded_codec(CodecConfig(width=12, depth=1, dim=6, codes=10, window=16, reset=1.0))
    inner = codec.quantizer._codebook
    inner.embed.data[0, 3] = 1000.0
    inner.embed_avg.data[0, 3] = 1000.0
    inner.cluster_size.data[0, 3] = 0.1
    z = torch.randn(4, 20, 6)
    codec.train().quantize(z)
    distance = np.abs(z.numpy().reshape(-1, 6) - codec.quantizer.codebook[3].numpy()).max(1)
    assert distance.min() < 1e-4, "the code is one of the batch's latents"


def test_residual_codebooks_code_what_is_left_over_and_dropout_leaves_the_last_out() -> None:
    config = CodecConfig(width=12, depth=1, dim=6, codes=10, window=16, layers=3, dropout=1.0)
    codec = seeded_codec(config).eval()
    z = torch.randn(2, 4, 6)
    quantized, codes, _ = codec.quantize(z)
    left, total = z.numpy().copy(), np.zeros((2, 4, 6), np.float32)
    for j, book in enumerate(codec.quantizer.codebooks.detach().numpy()):
        nearest = ((left[:, :, None] - book) ** 2).sum(-1).argmin(-1)
        np.testing.assert_array_equal(codes[..., j].numpy(), nearest)
        left, total = left - book[nearest], total + book[nearest]
    np.testing.assert_allclose(quantized.detach().numpy(), total, atol=1e-5)
    torch.testing.assert_close(codec.decode(codes), codec.frames(quantized))
    codec.train()
    used = {int((codec.quantize(z)[1][0, 0] >= 0).sum()) for _ in range(60)}
    assert used == {1, 2, 3}, "a random number of codebooks, at least one"
    new = Codec(config)
    new.loss(torch.randn(16, 32, N_FEATURES))
    assert all(one._codebook.initted for one in new.quantizer.layers), "the first batch sets all codebooks"
    whole = seeded_codec(CodecConfig(width=12, depth=1, dim=6, codes=10, window=16, layers=3, dropout=0.0)).train()
    assert all((whole.quantize(z)[1] >= 0).all() for _ in range(20))


def test_the_codec_halves_the_rate_twice_and_gives_the_frames_back() -> None:
    codec = seeded_codec().eval()
    codes = codec.encode(torch.randn(3, 24, N_FEATURES))
    assert codes.shape == (3, 6, 1) and codes.max() < 10 and codec.decode(codes).shape == (3, 24, N_FEATURES)


# -- T2M-GPT ----------------------------------------------------------------------------
def test_targets_end_after_the_last_code() -> None:
    codes = torch.tensor([[3, 4, 5], [7, -1, -1]])
    assert targets(codes, 9).tolist() == [[3, 4, 5, 9], [7, 9, -1, -1]]


def test_the_share_of_corrupted_codes_is_tau() -> None:
    torch.manual_seed(0)
    codes = torch.full((200, 200), 5)
    changed = float((corrupt(codes, 0.5, 100) != 5).float().mean())
    assert changed == pytest.approx(0.5 * 99 / 100, abs=0.01)
    assert bool((corrupt(codes, 0.0, 100) == 5).all())


def test_the_gpt_sees_the_sentence_and_the_past_alone_and_learns_all_but_padding() -> None:
    torch.manual_seed(0)
    gpt = GPT(GPTConfig(NET, corruption=0.0), 10, 5).eval()
    sentence, codes = torch.randn(2, 5), torch.randint(10, (2, 6))
    before, after = gpt(sentence, codes), gpt(sentence, torch.cat([codes[:, :3], (codes[:, 3:] + 1) % 10], 1))
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4], after[:, 4]) and not torch.allclose(before[0, 0], gpt(-sentence, codes)[0, 0])
    padded = codes.clone()
    padded[1, 2:] = -1
    logits = gpt(sentence, padded.clamp(min=0)).detach().numpy()
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = [logp[0, t, c] for t, c in enumerate([*codes[0].tolist(), 10])] + [logp[1, t, c] for t, c in
                                                                               enumerate([*codes[1, :2].tolist(), 10])]
    assert float(gpt.loss(sentence, padded).detach()) == pytest.approx(-np.mean(wanted), rel=1e-4)


def test_the_gpt_draws_by_its_softmax_until_the_end_or_as_long_as_asked() -> None:
    torch.manual_seed(0)
    gpt = GPT(GPTConfig(NET), 10, 5).eval()
    noise = Draws([1, 2, 3]).gumbel(8, 11)
    sentence = torch.randn(3, 5)
    drawn = gpt.draw(sentence, [4, 8, None], 8, noise)
    assert [len(d) for d in drawn[:2]] == [4, 8] and 1 <= len(drawn[2]) <= 8 and max(d.max() for d in drawn) < 10
    first = (gpt(sentence, torch.zeros(3, 0, dtype=torch.long))[:, -1] + noise[:, 0])[:, :10].argmax(-1)
    assert [int(d[0]) for d in drawn] == first.tolist(), "the end cannot come first"
    alone = gpt.draw(sentence[1:2], [8], 8, noise[1:2])
    assert alone[0].tolist() == drawn[1].tolist(), "what stands beside it does not matter"


def test_gumbel_noise_draws_by_the_softmax() -> None:
    noise = Draws(list(range(40))).gumbel(500, 3)
    logits = torch.tensor([0.0, 1.0, 2.0])
    share = np.bincount((logits + noise).argmax(-1).flatten().numpy()) / 20_000
    np.testing.assert_allclose(share, np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum(), atol=0.015)


# -- MDM --------------------------------------------------------------------------------
def test_the_cosine_schedule() -> None:
    left = cosine_schedule(50).numpy()

    def f(t: float) -> float:
        return math.cos((t / 50 + 0.008) / 1.008 * math.pi / 2) ** 2

    np.testing.assert_allclose(left[:-1], [f(t + 1) / f(0) for t in range(49)], rtol=1e-4)
    assert 0 < left[-1] < 1e-3 * left[-2] * 1.001, "the last beta is 0.999"


def test_noise_and_the_posterior() -> None:
    rng = np.random.default_rng(0)
    left = cosine_schedule(10)
    clean, noise, extra = rng.normal(size=(3, 2, 4, 3)).astype(np.float32)
    t = np.array([2, 7])
    share = left.numpy()[t][:, None, None]
    x = noised(torch.tensor(clean), torch.tensor(noise), left[t])
    np.testing.assert_allclose(x.numpy(), np.sqrt(share) * clean + np.sqrt(1 - share) * noise, rtol=1e-5, atol=1e-6)
    bar = left.double().numpy()
    for t in (1, 6):
        alpha = bar[t] / bar[t - 1]
        beta = 1 - alpha
        mean = (np.sqrt(bar[t - 1]) * beta / (1 - bar[t])) * clean + (np.sqrt(alpha) * (1 - bar[t - 1]) / (1 - bar[t])) * noise
        spread = np.sqrt(beta * (1 - bar[t - 1]) / (1 - bar[t]))
        found = previous(torch.tensor(noise), torch.tensor(clean), torch.tensor(extra), t, left)
        np.testing.assert_allclose(found.numpy(), mean + spread * extra, rtol=1e-4, atol=1e-4)
    last = previous(torch.tensor(noise), torch.tensor(clean), torch.tensor(extra), 0, left)
    np.testing.assert_allclose(last.numpy(), clean, atol=1e-5)  # the last step gives the prediction itself


def test_guidance_and_masked_means() -> None:
    both = torch.tensor([[3.0], [1.0]])
    assert guided(both, 2.5).tolist() == [[1 + 2.5 * 2]] and guided(both, 1.0).tolist() == [[3.0]]
    error = torch.arange(12.0).view(1, 4, 3)
    hidden = torch.tensor([[False, False, True, True]])
    assert float(masked_mean(error, hidden)) == pytest.approx(np.arange(6).mean())


def test_sampling_with_a_perfect_denoiser_gives_the_clean_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Denoiser(MDMConfig(NET, steps=10), 5, 20)
    clean = torch.randn(2, 6, N_FEATURES)
    monkeypatch.setattr(net, "forward", lambda x, t, sentence, hidden: clean.repeat(2, 1, 1))
    made = net.draw(torch.randn(2, 5), torch.tensor([6, 6]), torch.randn(2, 11, 6, N_FEATURES))
    torch.testing.assert_close(made, clean, atol=1e-5, rtol=1e-5)


def test_the_denoiser_sees_step_sentence_and_whole_motion_but_no_padding() -> None:
    torch.manual_seed(0)
    net = Denoiser(MDMConfig(NET, steps=10), 5, 20).eval()
    x, t, sentence = torch.randn(1, 6, N_FEATURES), torch.tensor([3]), torch.randn(1, 5)
    hidden = torch.tensor([[False] * 4 + [True] * 2])
    out = net(x, t, sentence, hidden)
    other = x.clone()
    other[:, 5] += 1
    torch.testing.assert_close(net(other, t, sentence, hidden)[:, :4], out[:, :4])
    other = x.clone()
    other[:, 3] += 1
    assert not torch.allclose(net(other, t, sentence, hidden)[:, 0], out[:, 0])
    assert not torch.allclose(net(x, t + 1, sentence, hidden), out) and not torch.allclose(net(x, t, -sentence, hidden), out)


# -- MoMask -----------------------------------------------------------------------------
def test_the_masking_schedule() -> None:
    np.testing.assert_allclose(masked_share(torch.tensor([0, 0.5, 1.0])).numpy(), [1, math.sqrt(0.5), 0], atol=1e-6)
    steps = torch.tensor([10, 10, 10, 7])
    wanted = [max(1, math.ceil(math.cos(p * math.pi / 2) * n - 1e-6)) for p, n in ((0, 10), (0.3, 10), (1.0, 10), (0.5, 7))]
    assert masked_count(torch.tensor([0, 0.3, 1.0, 0.5]), steps).tolist() == wanted
    assert lowest(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([2])).tolist() == [[False, True, True]]


def test_masked_codes_are_remasked_as_bert_does() -> None:
    torch.manual_seed(0)
    codes = torch.full((200, 200), 5)
    chosen = torch.zeros(200, 200, dtype=torch.bool)
    chosen[:, :100] = True
    out = remasked(codes, chosen, 1000)
    inside, outside = out[:, :100], out[:, 100:]
    assert bool((outside == 5).all())
    shares = [float((inside == 1000).float().mean()), float((inside == 5).float().mean())]
    np.testing.assert_allclose(shares, [0.8, 0.1], atol=0.01)


def test_unmasking_keeps_the_surest_and_fills_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """With logits that are known: the surest places are decided first, by the order of their probabilities."""
    net = Masked(MaskConfig(NET, NET, iterations=3, guidance=1.0), 4, 5, 6)
    strength = torch.tensor([5.0, 1.0, 3.0, 4.0, 2.0, 6.0])
    seen = []

    def known(sentence: torch.Tensor, codes: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        seen.append(codes[0].tolist())
        return strength[None, :, None] * F.one_hot(torch.tensor([0, 1, 2, 3, 0, 1]), 4).float().expand(len(codes), -1, -1)

    monkeypatch.setattr(net, "forward", known)
    made = net.draw(torch.randn(1, 5), torch.tensor([6]), torch.zeros(1, 3, 6, 4))
    assert made.tolist() == [[0, 1, 2, 3, 0, 1]]
    # of 6 codes, ceil(6 cos(pi/6)) = 6 and ceil(6 cos(pi/3)) = 3 are masked again
    assert seen == [[4] * 6, [4] * 6, [0, 4, 4, 3, 4, 1]]


def test_the_masked_transformers_loss_is_over_the_masked_codes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = Masked(MaskConfig(NET, NET, unconditional=0.0), 10, 5, 6).eval()
    codes = torch.tensor([[1, 2, 3, 4, 5, 6], [7, 8, 9, -1, -1, -1]])
    kept = {}
    forward = Masked.forward

    def spy(self: Masked, sentence: torch.Tensor, seen: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        kept.update(seen=seen, hidden=hidden, logits=forward(self, sentence, seen, hidden))
        return kept["logits"]

    monkeypatch.setattr(Masked, "forward", spy)
    monkeypatch.setattr("facelm.eval.baselines.motion.momask.RANDOM", 0.0)
    monkeypatch.setattr("facelm.eval.baselines.motion.momask.AS_IT_WAS", 0.0)
    sentence = torch.randn(2, 5)
    total = float(net.loss(sentence, codes).detach())
    chosen = (kept["seen"] == 10).numpy()
    assert chosen.any(1).all() and not chosen[1, 3:].any()
    logp = F.log_softmax(kept["logits"], -1).detach().numpy()
    masked = -np.mean([logp[b, t, codes[b, t]] for b, t in zip(*np.nonzero(chosen), strict=True)])
    length = F.log_softmax(net.length(sentence), -1).detach().numpy()
    assert total == pytest.approx(masked - (length[0, 5] + length[1, 2]) / 2, rel=1e-4)


def test_the_residual_transformer_reads_the_codebooks_before_alone() -> None:
    torch.manual_seed(0)
    net = Residual(MaskConfig(NET, NET), 10, 3, 5).eval()
    sentence, codes, hidden = torch.randn(1, 5), torch.randint(10, (1, 4, 3)), torch.zeros(1, 4, dtype=torch.bool)
    out = net(sentence, codes, 1, hidden)
    other = codes.clone()
    other[..., 1:] = (other[..., 1:] + 1) % 10
    torch.testing.assert_close(net(sentence, other, 1, hidden), out)
    assert not torch.allclose(net(sentence, other, 2, hidden), net(sentence, codes, 2, hidden))
    x = net.code[0].weight[codes[..., 0]] + net.code[1].weight[codes[..., 1]]
    seen = []
    net.stack.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    net(sentence, codes, 2, hidden)
    from facelm.eval.baselines.motion.nets import sinusoids

    torch.testing.assert_close(seen[0][:, 2:] - sinusoids(6, 16)[2:], x, atol=1e-5, rtol=1e-5)
    drawn = net.draw(sentence, codes[..., 0], torch.tensor([4]), torch.zeros(1, 2, 4, 10))
    assert drawn.shape == (1, 4, 3) and torch.equal(drawn[..., 0], codes[..., 0])


def test_the_length_estimator_learns_steps_as_classes() -> None:
    torch.manual_seed(0)
    net = LengthEstimator(4, 6, 8).eval()
    sentence = torch.randn(3, 4)
    logits = net(sentence).detach().numpy()
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = -np.mean([logp[0, 0], logp[1, 5], logp[2, 2]])
    assert float(net.loss(sentence, torch.tensor([1, 6, 3]))) == pytest.approx(wanted, rel=1e-5)
    assert net.draw(sentence, torch.zeros(3, 6)).tolist() == (logits.argmax(-1) + 1).tolist()


# -- MotionGPT --------------------------------------------------------------------------
def test_motions_are_words_in_both_directions_and_what_is_said_first_is_not_learned() -> None:
    base = tiny_base()
    speaker = Speaker(SpeakerConfig(LoraConfig(2, 2.0)), base, 7)
    n, words = speaker.n_words, base.tokenizer
    made = speaker.sequences(["smile slowly", "nod"], [[3, 0], [6]], [False, True])
    ids, target = made.ids.tolist(), made.target.tolist()
    asked = speaker.to_perform("smile slowly")
    assert asked[-1] == n + 7 and words.decode(asked[:-1]).endswith("smile slowly")
    assert ids[0][:len(asked) + 3] == [*asked, n + 3, n + 0, n + 8]
    assert [t for t in target[0] if t >= 0] == [n + 3, n + 0, n + 8] and target[0][len(asked) - 1] == n + 3
    told = speaker.to_describe([6])
    assert told[-3:] == [n + 7, n + 6, n + 8]
    said = [*words("nod", add_special_tokens=False)["input_ids"], words.eos_token_id]
    assert ids[1][:len(told) + len(said)] == [*told, *said] and [t for t in target[1] if t >= 0] == said


def test_the_speakers_loss_is_over_one_vocabulary_of_words_and_codes() -> None:
    speaker = Speaker(SpeakerConfig(LoraConfig(2, 2.0)), tiny_base(), 7)
    batch = speaker.sequences(["smile", "nod"], [[3, 0], [6]], [False, True])
    hidden = speaker.lm.model(inputs_embeds=speaker.embed(batch.ids)).last_hidden_state.detach().numpy()
    table = np.concatenate([speaker.lm.get_output_embeddings().weight.detach().numpy(), speaker.rows.detach().numpy()])
    logits = hidden @ table.T
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    where = np.argwhere(batch.target.numpy() >= 0)
    wanted = -np.mean([logp[b, t, batch.target[b, t]] for b, t in where])
    assert float(speaker.loss(batch).detach()) == pytest.approx(wanted, rel=1e-4)


def test_going_on_with_the_cache_equals_reading_everything_again() -> None:
    torch.manual_seed(0)
    speaker = Speaker(SpeakerConfig(LoraConfig(2, 2.0)), tiny_base(), 7)
    first = speaker.to_perform("smile")
    allowed = slice(speaker.n_words, speaker.end + 1)
    made = speaker.go_on([first], allowed, speaker.end, 5, 5, None)[0]
    assert len(made) == 5
    ids = list(first)
    for one in made:
        hidden = speaker.lm.model(inputs_embeds=speaker.embed(torch.tensor([ids]))).last_hidden_state[:, -1]
        logits = speaker.logits(hidden)[0, allowed]
        logits[speaker.end - allowed.start] = -1e9
        assert int(logits.argmax()) + allowed.start == one
        ids.append(one)


# -- data -------------------------------------------------------------------------------
def test_sentences_are_the_mean_of_their_tokens_states() -> None:
    base = tiny_base()
    found = embed(["smile", "nod slowly left ."], base)
    for row, text in zip(found, ("smile", "nod slowly left ."), strict=True):
        states = base.model.model(**base.tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        np.testing.assert_allclose(row.numpy(), states.detach().numpy().mean(0), atol=1e-5)


def test_a_region_has_one_deviation() -> None:
    values = torch.randn(500, N_FEATURES) * torch.linspace(0.1, 2, N_FEATURES) + 3
    scale = Scale(N_FEATURES)
    scale.measure(values, by_stream=True)
    x = values.double().numpy()
    for at in STREAM_SLICES.values():
        np.testing.assert_allclose(scale.deviation[at].numpy(), np.sqrt(x[:, at].var(0).mean()), rtol=1e-4)
    np.testing.assert_allclose(scale(values).numpy().mean(0), 0, atol=1e-4)
    torch.testing.assert_close(scale.back(scale(values)), values, rtol=1e-4, atol=1e-4)
