"""The blocks of I2FET against the equations of arXiv 2601.08179, by shape and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from facelm.eval.baselines.i2fet.config import IFEDConfig, LossConfig, VAEConfig
from facelm.eval.baselines.i2fet.ifed import CAFT, IFED, Attention, EncoderLayer, TextCopies
from facelm.eval.baselines.i2fet.losses import VertexLoss, kl_divergence, loss_terms, moving_vertices, squared_error
from facelm.eval.baselines.i2fet.model import I2FET, Scale
from facelm.face.clip.sequence import FaceSequence
from facelm.face.clip.trajectory import anchor_frames, trajectory, transition_clip
from facelm.face.head.model import HeadModel

SMALL = IFEDConfig(text_width=16, heads=2, head_width=8)


def norm(x: torch.Tensor, layer: torch.nn.LayerNorm) -> torch.Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias


def attention_by_hand(layer: Attention, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    q = x @ layer.query.weight.T + layer.query.bias
    k, v = (context @ layer.key_value.weight.T + layer.key_value.bias).chunk(2, -1)
    heads = []
    for h in range(layer.heads):
        part = slice(h * q.shape[-1] // layer.heads, (h + 1) * q.shape[-1] // layer.heads)
        score = q[..., part] @ k[..., part].transpose(1, 2) / (q.shape[-1] // layer.heads) ** 0.5
        heads.append(score.softmax(-1) @ v[..., part])
    return torch.cat(heads, -1) @ layer.out.weight.T + layer.out.bias


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """Norms with weights of their own, so that a forgotten one is seen."""
    torch.manual_seed(1)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return module.eval()


# -- IFED -------------------------------------------------------------------------------
def test_encoder_layer_is_equation_1() -> None:
    layer = shaken(EncoderLayer(44, 2, 8, 3))
    x = torch.randn(5, 2, 44)
    h = norm(x, layer.norm_attention)
    y = x + attention_by_hand(layer.attention, h, h)
    first, second = layer.ffn[0], layer.ffn[2]
    expected = y + second(torch.nn.functional.gelu(first(norm(y, layer.norm_ffn))))
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


def test_caft_is_equation_2() -> None:
    caft = shaken(CAFT(53, 16, 2, 8))
    face, text = torch.randn(4, 3, 53), torch.randn(4, 3, 16)
    out_face, out_text = caft(face, text)
    assert out_face.shape == face.shape and out_text.shape == text.shape
    y = caft.face.project(face[:, :1])  # h^f2t: the face's first element in the text's width
    asked = attention_by_hand(caft.face.attention, y, torch.cat([y, text[:, 1:]], 1)) + y
    torch.testing.assert_close(out_face[:, :1], caft.face.back(asked))
    y = caft.text.project(text[:, :1])
    asked = attention_by_hand(caft.text.attention, y, torch.cat([y, face[:, 1:]], 1)) + y
    torch.testing.assert_close(out_text[:, :1], caft.text.back(asked))
    assert torch.equal(out_face[:, 1:], face[:, 1:]) and torch.equal(out_text[:, 1:], text[:, 1:]), "the remainder is untouched"


def test_caft_reads_the_other_branch_and_not_its_first_element() -> None:
    caft = shaken(CAFT(44, 16, 2, 8))
    face, text = torch.randn(1, 2, 44), torch.randn(1, 2, 16)
    out = caft(face, text)[0]
    rest, first = text.clone(), text.clone()
    rest[:, 1] += 1
    first[:, 0] += 1
    assert not torch.allclose(caft(face, rest)[0][:, 0], out[:, 0], atol=1e-4)
    assert torch.equal(caft(face, first)[0], out)


@pytest.mark.parametrize("n_expr", [41, 50])
@pytest.mark.parametrize("how", ["attention", "mean"])
def test_ifed_shapes_follow_the_head(n_expr: int, how: str) -> None:
    ifed = IFED(IFEDConfig(text_width=16, heads=2, head_width=8, copies=how, caft_layers=2), n_expr, 6, 20)
    text = ifed.read(torch.randn(3, 7, 20), torch.ones(3, 7).bool())
    assert text.shape == (3, 2, 16)
    fused = ifed.fuse(torch.randn(3, 2, n_expr + 3), text)
    assert fused.shape == (3, 2, 16 + n_expr + 3)  # eq. (3): the text first
    e, p = ifed(torch.randn(3, 2, n_expr + 3), text)
    assert e.shape == (3, 2, n_expr) and p.shape == (3, 2, 6)
    with pytest.raises(ValueError, match="needed"):
        ifed(torch.randn(3, 2, n_expr + 6), text)


def test_fused_rows_are_normalised_and_projected_linearly() -> None:
    ifed = shaken(IFED(SMALL, 41, 6, 20))
    params, text = torch.randn(3, 2, 44), torch.randn(3, 2, 16)
    face, words = params, text
    for layer in ifed.face_layers:
        face = layer(face)
    face, words = ifed.fusions[0](face, words)
    fused = torch.cat([norm(words, ifed.norm_text), norm(face, ifed.norm_face)], -1)
    torch.testing.assert_close(ifed.fuse(params, text), fused, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ifed(params, text)[1], fused @ ifed.to_pose.weight.T + ifed.to_pose.bias, atol=1e-5, rtol=1e-4)


def test_depths_are_what_the_configuration_says() -> None:
    ifed = IFED(IFEDConfig(N=2, M=1, caft_layers=3, text_width=16), 41, 6, 20)
    assert (len(ifed.face_layers), len(ifed.text_layers), len(ifed.fusions)) == (2, 1, 3)
    assert IFED(IFEDConfig(), 50, 6, 768).text_width == 768  # the paper's: the text encoder's own width


@pytest.mark.parametrize("how", ["attention", "mean"])
def test_padding_is_not_read(how: str) -> None:
    copies = TextCopies(20, 16, 2, 4, how)
    features, mask = torch.randn(2, 9, 20), torch.ones(2, 9).bool()
    mask[:, 5:] = False
    other = features.clone()
    other[:, 5:] = 99.0
    torch.testing.assert_close(copies(features, mask), copies(other, mask))
    torch.testing.assert_close(copies(features, mask), copies(features[:, :5], mask[:, :5]))
    rows = copies(features, mask)
    assert not torch.allclose(rows[:, 0], rows[:, 1]), "the copies differ, or both expressions would be the same"


# -- the autoencoder --------------------------------------------------------------------
def network(ifed: IFEDConfig = SMALL) -> I2FET:
    torch.manual_seed(0)
    return I2FET(ifed, VAEConfig(latent=16, hidden=32), 41, 20)


def test_the_autoencoders_shapes() -> None:
    net = network()
    text = net.read(torch.randn(4, 6, 20), torch.ones(4, 6).bool())
    expr, pose = torch.randn(4, 2, 41), torch.randn(4, 2, 6)
    q = net.encode(expr, pose, text)
    assert {t.shape for t in (q.mean_e, q.logvar_e, q.mean_p, q.logvar_p)} == {(4, 2, 16)}
    assert net.map_expr(q.mean_e).shape == (4, 2, 41) and net.map_pose(q.mean_p).shape == (4, 2, 6)
    out = net(expr, pose, text)
    assert out.expr.shape == (4, 2, 41) and out.pose.shape == (4, 2, 6)
    assert [len([m for m in part if isinstance(m, torch.nn.Linear)]) for part in
            (net.encode_expr, net.encode_pose, net.decode_expr, net.decode_pose)] == [3, 3, 3, 3]


def test_the_decoders_condition_is_ifed_of_the_mapped_latents() -> None:
    """Eqs. (7)-(10): the mapped expression and the jaw of the mapped pose, then IFED, then the decoders."""
    net = network()
    text = net.read(torch.randn(4, 6, 20), torch.ones(4, 6).bool())
    z_e, z_p = torch.randn(4, 2, 16), torch.randn(4, 2, 16)
    on_expr, on_pose = net.ifed(torch.cat([net.map_expr(z_e), net.map_pose(z_p)[..., 3:]], -1), text)
    expr, pose = net.decode(z_e, z_p, text)
    torch.testing.assert_close(expr, net.decode_expr(torch.cat([z_e, on_expr], -1)))
    torch.testing.assert_close(pose, net.decode_pose(torch.cat([z_p, on_pose], -1)))


def test_without_ifed_the_condition_is_a_linear_map_of_the_sentence() -> None:
    net = network(IFEDConfig(on=False))
    features, mask = torch.randn(3, 6, 20), torch.ones(3, 6).bool()
    text = net.read(features, mask)
    e, p = net.conditions(torch.randn(3, 2, 41), torch.randn(3, 2, 6), text)
    expected = (features.mean(1) @ net.plain.weight.T + net.plain.bias).view(3, 2, 47)
    torch.testing.assert_close(torch.cat([e, p], -1), expected)
    assert net.ifed is None and net.sample(text)[0].shape == (3, 2, 41)


def test_a_sentence_read_once_serves_all_its_samples() -> None:
    net = network().eval()
    features, mask = torch.randn(2, 6, 20), torch.ones(2, 6).bool()
    place = torch.tensor([0, 1, 1, 0])
    torch.testing.assert_close(net.read(features, mask)[place], net.read(features[place], mask[place]))


def test_scale_goes_back_and_does_not_blow_up_still_columns() -> None:
    rows = torch.randn(200, 4) * torch.tensor([1.0, 0.5, 0.001, 0.0]) + 3
    scale = Scale(4)
    scale.measure(rows)
    torch.testing.assert_close(scale.back(scale(rows)), rows, atol=1e-5, rtol=1e-5)
    spread = scale(rows).std(0)
    assert abs(spread[0] - 1) < 0.02 and spread[2] < 0.05 and scale(rows).isfinite().all()


# -- losses -----------------------------------------------------------------------------
def test_kl_is_zero_for_a_standard_normal_and_known_elsewhere() -> None:
    zero = torch.zeros(3, 2, 16)
    assert torch.equal(kl_divergence(zero, zero), torch.zeros(3))
    mean, logvar = torch.randn(3, 2, 16), torch.randn(3, 2, 16)
    normal = torch.distributions.Normal(mean, (0.5 * logvar).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum((1, 2))
    torch.testing.assert_close(kl_divergence(mean, logvar), expected, atol=1e-4, rtol=1e-4)


def test_squared_error_sums_or_averages_a_sample() -> None:
    a, b = torch.zeros(3, 2, 5), torch.full((3, 2, 5), 2.0)
    assert squared_error(a, b, "sum").tolist() == [40.0] * 3
    assert squared_error(a, b, "mean").tolist() == [4.0] * 3


def test_vertex_loss_is_zero_for_equal_parameters_and_has_a_gradient(head: HeadModel) -> None:
    loss = VertexLoss(head, 50, 0.001)
    expr = torch.rand(2, 2, head.n_expr, requires_grad=True)
    pose = torch.zeros(2, 2, 6, requires_grad=True)
    shape = torch.randn(2, head.n_shape)
    true = loss.vertices(expr, pose, shape).detach()
    assert torch.equal(loss(true, loss.vertices(expr, pose, shape)), torch.zeros(2))
    moved = loss.vertices(expr * 0.5, pose + 0.1, shape)
    loss(true, moved).sum().backward()
    assert expr.grad.abs().sum() > 0 and (pose.grad.abs().sum((0, 1)) > 0).all()


def test_vertices_are_the_heads(head: HeadModel) -> None:
    """Eq. (13) through the torch layer equals the head's own, in mm, with the identity."""
    loss = VertexLoss(head, 30, 0.001)
    rng = np.random.default_rng(0)
    expr, pose, shape = rng.random((1, 2, 41), np.float32), rng.normal(0, 0.1, (1, 2, 6)).astype(np.float32), np.float32(
        rng.normal(size=(1, head.n_shape)))
    made = loss.vertices(torch.from_numpy(expr), torch.from_numpy(pose), torch.from_numpy(shape))[0]
    index = moving_vertices(head, 30)
    for i in range(2):
        true = head.vertices(expr=expr[0, i], rotation=pose[0, i, :3], jaw_pose=pose[0, i, 3:], shape=shape[0])
        np.testing.assert_allclose(made[i].numpy() * 0.001, np.asarray(true).reshape(-1, 3)[index], atol=2e-5)


def test_vertices_can_be_all_or_a_moving_part(head: HeadModel) -> None:
    assert moving_vertices(head, 0) is None and VertexLoss(head, 0, 1.0).layer.n_out == head.n_vertices
    index = moving_vertices(head, 100)
    assert len(set(index.tolist())) == 100
    reach = np.abs(head.shapedirs[:, :, head.n_shape:]).max((1, 2))
    assert reach[index].min() > np.median(reach)


@pytest.mark.parametrize(("terms", "names"), [
    (("e",), {"expr", "kl_expr"}), (("e", "p"), {"expr", "kl_expr", "pose", "kl_pose"}),
    (("e", "p", "v"), {"expr", "kl_expr", "pose", "kl_pose", "vertex"}),
])
def test_the_total_holds_the_terms_asked_for(head: HeadModel, terms: tuple[str, ...], names: set[str]) -> None:
    net = I2FET(SMALL, VAEConfig(hidden=16), head.n_expr, 20)
    text = net.read(torch.randn(2, 5, 20), torch.ones(2, 5).bool())
    expr, pose, shape = torch.rand(2, 2, head.n_expr), torch.zeros(2, 2, 6), torch.zeros(2, head.n_shape)
    found = loss_terms(net, LossConfig(terms=terms), expr, pose, net(expr, pose, text), VertexLoss(head, 20, 0.001), shape, None)
    assert set(found) == names and all(v.isfinite() and v >= 0 for v in found.values())
    torch.stack(list(found.values())).sum().backward()
    pose_learns = net.decode_pose[0].weight.grad is not None and bool(net.decode_pose[0].weight.grad.abs().sum() > 0)
    assert pose_learns == ("p" in terms)


# -- FET --------------------------------------------------------------------------------
def test_trajectory_hits_its_anchors_and_is_straight_between() -> None:
    source, keys = np.zeros(4, np.float32), np.array([[1, 2, 3, 4], [5, 5, 5, 5]], np.float32)
    path = trajectory(source, keys, 9)
    at = anchor_frames(3, 9)
    assert at == (0, 4, 8) and path.shape == (9, 4)
    np.testing.assert_array_equal(path[list(at)], np.vstack([source, keys]))
    np.testing.assert_allclose(path[2], 0.5 * keys[0])  # eq. (16) at delta 1/2
    np.testing.assert_allclose(np.diff(path[:5], axis=0), np.tile(keys[0] / 4, (4, 1)), atol=1e-6)
    np.testing.assert_array_equal(trajectory(None, keys, 5)[0], keys[0])
    with pytest.raises(ValueError, match="anchors"):
        trajectory(source, keys, 2)
    with pytest.raises(ValueError, match="source has shape"):
        trajectory(source[:3], keys, 9)


def test_transition_clip_keeps_the_source(random_clip: FaceSequence) -> None:
    keys = np.full((2, 41), 0.5, np.float32), np.full((2, 6), 0.1, np.float32)
    clip = transition_clip(random_clip, *keys, frames=11)
    np.testing.assert_array_equal(clip.shape, random_clip.shape)
    np.testing.assert_array_equal(clip.expr[0], random_clip.expr[-1])
    np.testing.assert_allclose(clip.jaw_pose[-1], 0.1)
    assert clip.head == random_clip.head and (clip.neck_pose == random_clip.neck_pose[-1]).all()
    with pytest.raises(ValueError, match="head"):
        transition_clip(random_clip, np.zeros((2, 50)), keys[1], frames=11)
