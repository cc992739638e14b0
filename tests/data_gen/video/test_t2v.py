"""Text-to-video: the code path with tiny random pipelines, resuming, failures, adopted and performed videos.

No weights of a real model are here. The pipelines are built from diffusers' own classes with random
numbers as weights: what they make is noise in an MP4, and not a face.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facelm.data_gen.prompts.suite import Prompt, sample_prompts, write_prompts
from facelm.data_gen.video import t2v
from facelm.data_gen.video.sidecar import FAILURES, Licence, VideoRecord, prompt_seed, read_record
from facelm.data_gen.video.sources import adopt_videos, perform_videos
from facelm.face.io.media import probe, read_frames
from inputs import command

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "t2v"
FREE = Licence("made in this test", use="free")
SIZE = {"frames": 9, "fps": 8.0, "width": 64, "height": 64, "steps": 2, "dtype": "float32"}


@pytest.fixture(scope="module")
def suite() -> list[Prompt]:
    return sample_prompts(5, seed=1)


class Fake:
    """A renderer without a model: pictures that depend on prompt and seed; may fail as told."""

    def __init__(self, config: t2v.T2VConfig, fail: dict[str, Exception] | None = None, most: int = 99) -> None:
        self.config, self.commit, self.software = config, "0" * 40, {"fake": "1"}
        self.fail, self.most, self.batches = fail or {}, most, []

    def __call__(self, prompts: list[str], seeds: list[int]) -> list[np.ndarray]:
        self.batches.append(len(prompts))
        if len(prompts) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        for p in prompts:
            if p in self.fail:
                raise self.fail[p]
        c = self.config
        return [np.random.default_rng(s).integers(0, 255, (c.frames, c.height, c.width, 3), np.uint8) for s in seeds]


def config(**change: object) -> t2v.T2VConfig:
    return t2v.T2VConfig(**{"model": "nobody/fake", "pipeline": "WanPipeline", "licence": FREE, "batch": 2, **SIZE, **change})


def records(folder: Path) -> list[VideoRecord]:
    return [read_record(path) for path in sorted(folder.glob("*.json")) if path.with_suffix(".mp4").is_file()]


# -- configurations -----------------------------------------------------------------------------
@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_configs_parse_and_name_their_licence(path: Path) -> None:
    cfg = t2v.load_config(path)
    assert cfg.licence.url.startswith("https://") and cfg.licence.use in ("free", "limited", "non-commercial")
    assert (cfg.licence.use == "free") == (cfg.licence.name == "Apache-2.0")
    assert cfg.frames / cfg.fps > 2.0 and cfg.pipeline in t2v.PIPELINES
    assert t2v.load_config(path, model="some/other").model == "some/other"


def test_every_family_has_a_config() -> None:
    assert {t2v.load_config(p).pipeline for p in CONFIGS.glob("*.yaml")} == set(t2v.PIPELINES)


@pytest.mark.parametrize(("change", "said"), [
    ({"pipeline": "StableDiffusionPipeline"}, "WanPipeline"), ({"frames": 10}, "multiple of 4"),
    ({"width": 70}, "multiples of 16"),
    ({"dtype": "int8"}, "bfloat16"), ({"offload": "disk"}, "sequential"), ({"steps": 0}, "steps")])
def test_bad_configs_are_refused(change: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        config(**change)


def test_limited_licences_must_say_how() -> None:
    with pytest.raises(ValueError, match="say how"):
        Licence("x", "https://example.org", "limited")


# -- real pipeline classes with random weights ------------------------------------------------------
def tokenizer() -> object:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "<unk>", "a", "woman", "man", "looks", "nods", "light"]
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
                                   model_max_length=512)


ENCODER = {"vocab_size": 16, "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}


def ltx() -> object:
    from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXPipeline, LTXVideoTransformer3DModel
    from transformers import T5Config, T5EncoderModel

    four, five = (8,) * 4, (1,) * 5
    return LTXPipeline(
        transformer=LTXVideoTransformer3DModel(
            in_channels=8, out_channels=8, num_attention_heads=2, attention_head_dim=16, cross_attention_dim=32, num_layers=1,
            caption_channels=16),
        vae=AutoencoderKLLTXVideo(
            latent_channels=8, block_out_channels=four, decoder_block_out_channels=four, layers_per_block=five,
            decoder_layers_per_block=five, spatio_temporal_scaling=(True, True, False, False),
            decoder_spatio_temporal_scaling=(True, True, False, False), decoder_inject_noise=(False,) * 5,
            upsample_residual=(False,) * 4, upsample_factor=(1,) * 4, patch_size=1, patch_size_t=1),
        scheduler=FlowMatchEulerDiscreteScheduler(), text_encoder=T5EncoderModel(T5Config(**ENCODER)), tokenizer=tokenizer())


def wan() -> object:
    from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, WanPipeline, WanTransformer3DModel
    from transformers import UMT5Config, UMT5EncoderModel

    return WanPipeline(
        transformer=WanTransformer3DModel(
            patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16, out_channels=16, text_dim=16,
            freq_dim=32, ffn_dim=16, num_layers=1, cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=32),
        vae=AutoencoderKLWan(base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
                             temperal_downsample=[False, True, True]),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0), text_encoder=UMT5EncoderModel(UMT5Config(**ENCODER)),
        tokenizer=tokenizer())


def cogvideox() -> object:
    from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXPipeline, CogVideoXTransformer3DModel
    from transformers import T5Config, T5EncoderModel

    return CogVideoXPipeline(
        transformer=CogVideoXTransformer3DModel(
            num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=4, time_embed_dim=2, text_embed_dim=16,
            num_layers=1, sample_width=8, sample_height=8, sample_frames=9, max_text_seq_length=16),
        vae=AutoencoderKLCogVideoX(
            down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
            block_out_channels=(8,) * 4, latent_channels=4, layers_per_block=1, norm_num_groups=2),
        scheduler=CogVideoXDDIMScheduler(), text_encoder=T5EncoderModel(T5Config(**ENCODER)), tokenizer=tokenizer())


@pytest.mark.slow
@pytest.mark.parametrize(("make", "kind", "more"), [
    (ltx, "LTXPipeline", {}), (wan, "WanPipeline", {"vae_dtype": "float32"}),
    (cogvideox, "CogVideoXPipeline", {"max_tokens": 16})])
def test_tiny_random_pipelines_make_videos_of_noise(tmp_path: Path, suite: list[Prompt], make, kind: str, more: dict) -> None:
    pytest.importorskip("diffusers")
    import torch

    torch.manual_seed(0)
    make().save_pretrained(tmp_path / "model", safe_serialization=True)
    cfg = config(model=str(tmp_path / "model"), pipeline=kind, negative_prompt="blurry", **more)
    out = tmp_path / "out"
    assert t2v.render_videos(suite[:3], out, cfg, seed=5, device="cpu").as_dict() == {
        "written": 3, "skipped": 0, "failed": 0, "first_error": ""}
    for prompt in suite[:3]:
        video = list(read_frames(probe(out / f"{prompt.id}.mp4")))
        assert np.shape(video) == (9, 64, 64, 3)  # a decodable video of noise: nothing here knows what a face is
        record = read_record(out / f"{prompt.id}.mp4")
        assert record.attributes_or_none() == prompt.attributes and record.prompt == prompt.text and record.licence == FREE
        assert record.seed == prompt_seed(5, prompt) and len(record.commit or "") == 64 and record.software["diffusers"]
    # alone and in a batch, a prompt gives the same pictures (to the rounding of batched arithmetic)
    alone = t2v.load_pipeline(cfg, "cpu")
    pair = alone([p.text for p in suite[:2]], [1, 2])
    single = alone([suite[1].text], [2])[0]
    assert np.abs(pair[1].astype(int) - single.astype(int)).max() <= 2
    assert not np.array_equal(pair[0], pair[1])
    if kind == "LTXPipeline":
        with pytest.raises(ValueError, match="is a LTXPipeline"):
            t2v.load_pipeline(replace(cfg, pipeline="WanPipeline"), "cpu")
        weights = next((tmp_path / "model" / "transformer").glob("*.safetensors"))
        weights.rename(weights.with_suffix(".bin"))  # weights that only pickle could read are refused
        with pytest.raises((OSError, ValueError)):
            t2v.load_pipeline(cfg, "cpu")


@pytest.mark.parametrize(("model", "said"), [("no/such/folder", "no such model folder"), ("", "no such model folder")])
def test_missing_models_are_said(model: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    monkeypatch.chdir(tmp_path)
    with pytest.raises((FileNotFoundError, ValueError), match=f"{said}|model_index"):
        t2v.load_pipeline(config(model=model), "cpu")


def test_without_diffusers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ImportError, match=r"facelm\[t2v\]"):
        t2v.load_pipeline(config(), "cpu")


# -- the run ------------------------------------------------------------------------------------
def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_stopped_run_resumes_to_the_same_bytes(tmp_path: Path, suite: list[Prompt]) -> None:
    cfg = config()
    t2v.render_videos(suite, tmp_path / "whole", cfg, renderer=Fake(cfg))
    stop = Fake(cfg, {suite[2].text: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        t2v.render_videos(suite, tmp_path / "parts", cfg, renderer=stop)
    (tmp_path / "parts" / f"{suite[0].id}.mp4").write_bytes(b"half a file")  # damaged: made again
    (tmp_path / "parts" / f"{suite[1].id}.json").unlink()  # no sidecar: not complete
    again = Fake(cfg)
    summary = t2v.render_videos(suite, tmp_path / "parts", cfg, renderer=again)
    assert (summary.written, summary.skipped, summary.failed) == (5, 0, 0)
    assert content(tmp_path / "whole") == content(tmp_path / "parts")
    assert t2v.render_videos(suite, tmp_path / "parts", cfg).skipped == 5  # no model is loaded for nothing
    assert [r.id for r in records(tmp_path / "whole")] == sorted(p.id for p in suite)
    with pytest.raises(ValueError, match="another settings"):
        t2v.render_videos(suite, tmp_path / "whole", replace(cfg, steps=3))
    with pytest.raises(ValueError, match="another seed"):
        t2v.render_videos(suite, tmp_path / "whole", cfg, seed=9)


def test_failures_are_listed_and_do_not_stop_the_run(tmp_path: Path, suite: list[Prompt]) -> None:
    cfg = config()
    summary = t2v.render_videos(suite, tmp_path, cfg, renderer=Fake(cfg, {suite[3].text: ValueError("a bad\nprompt")}))
    assert (summary.written, summary.failed) == (4, 1)
    listed = [json.loads(line) for line in (tmp_path / FAILURES).read_text().splitlines()]
    assert [(x["id"], x["error"]) for x in listed] == [(suite[3].id, "ValueError: a bad prompt")]
    assert not (tmp_path / f"{suite[3].id}.mp4").exists() and not list(tmp_path.glob(".*"))
    assert t2v.render_videos(suite, tmp_path, cfg, renderer=Fake(cfg)).as_dict()["written"] == 1
    assert not (tmp_path / FAILURES).exists()


def test_out_of_memory_halves_the_batch_once(tmp_path: Path, suite: list[Prompt]) -> None:
    cfg = config(batch=4)
    small = Fake(cfg, most=2)
    assert t2v.render_videos(suite, tmp_path / "a", cfg, renderer=small).written == 5
    assert small.batches == [4, 2, 2, 1]
    never = Fake(cfg, most=0)
    with pytest.raises(RuntimeError, match="first 5 videos all failed.*out of memory"):
        t2v.render_videos(suite, tmp_path / "b", cfg, renderer=never)
    assert never.batches == [4, 2, 2, 1]


def test_names_must_be_file_names(tmp_path: Path, suite: list[Prompt]) -> None:
    cfg = config()
    for name in ("../x", "a/b", "", ".hidden", "con:"):
        with pytest.raises(ValueError, match="file name"):
            t2v.render_videos([replace(suite[0], id=name)], tmp_path, cfg, renderer=Fake(cfg))
    with pytest.raises(ValueError, match="same id"):
        t2v.render_videos([replace(suite[0], id="A"), replace(suite[1], id="a")], tmp_path, cfg, renderer=Fake(cfg))


# -- other ways in ------------------------------------------------------------------------------
def test_existing_videos_enter_with_what_is_known_of_them(tmp_path: Path, suite: list[Prompt]) -> None:
    cfg, source, out = config(), tmp_path / "mine", tmp_path / "out"
    t2v.render_videos(suite[:3], source, cfg, renderer=Fake(cfg))
    for k, p in enumerate(suite[:3]):
        (source / f"{p.id}.mp4").rename(source / f"my video {k}.mp4")
    (source / "broken.mp4").write_bytes(b"not a video")
    (source / "notes.txt").write_text("x")
    table = tmp_path / "known.csv"
    table.write_text("id,text,emotion,actions,speaking\nmy video 0.mp4,He smiles.,happiness,smile,false\nmy video 1,,,,\n")
    summary = adopt_videos(source, out, attributes=table)
    assert (summary.written, summary.failed) == (3, 1)
    assert json.loads((out / FAILURES).read_text())["source"] == "broken.mp4"
    first, second, third = records(out)
    assert first.file == "my_video_0.mp4" and (out / first.file).read_bytes() == (source / "my video 0.mp4").read_bytes()
    assert first.prompt == "He smiles." and first.attributes_or_none() is None
    assert first.attributes == {"emotion": "happiness", "actions": ["smile"], "speaking": False} and second.attributes is None
    assert (first.width, first.height, first.frames, first.backend) == (64, 64, 9, "files") and first.seed is None
    assert third.attributes is None and third.prompt is None and third.licence.use == "unknown"
    assert adopt_videos(source, out, attributes=table).skipped == 3
    table.write_text("id,emotion\nnobody,fear\n")
    with pytest.raises(ValueError, match="no video"):
        adopt_videos(source, out, attributes=table)
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(FileNotFoundError):
            adopt_videos(folder, out)


def test_the_performer_films_prompts(tmp_path: Path, suite: list[Prompt]) -> None:
    footage = pytest.importorskip("facelm.data_gen.video.footage")
    cfg = footage.FootageConfig(size=64, fps=8.0)
    assert perform_videos(suite[:1], tmp_path, config=cfg, seed=2).written == 1
    before = content(tmp_path)
    (record,) = records(tmp_path)
    assert record.backend == "performer" and record.attributes_or_none() == suite[0].attributes
    made = footage.load_footage(tmp_path / record.file)
    assert made.script.seed == record.seed and len(made.truth) == record.frames
    assert perform_videos(suite[:1], tmp_path, config=cfg, seed=2).skipped == 1
    (tmp_path / f"{suite[0].id}.truth.npz").unlink()
    assert perform_videos(suite[:1], tmp_path, config=cfg, seed=2).written == 1
    assert content(tmp_path) == before
    with pytest.raises(ValueError, match="another settings"):
        perform_videos(suite[:1], tmp_path, config=replace(cfg, quality=30), seed=2)


def test_the_command_refuses_what_does_not_fit(tmp_path: Path, suite: list[Prompt]) -> None:
    file = write_prompts(suite, tmp_path / "p.jsonl")
    for args, said in ((["--prompts", str(file)], "which model"), ([], "nothing to film"),
                       (["--videos", "x", "--prompts", "y"], "existing files"), (["--attributes", "x"], "belongs to --videos"),
                       (["--prompts", str(file), "--backend", "performer", "--device", "cpu"], "no model")):
        with pytest.raises(ValueError, match=said):
            command("data", "videos", "-o", tmp_path / "o", *args)
    source = tmp_path / "mine"
    cfg = config()
    t2v.render_videos(suite[:1], source, cfg, renderer=Fake(cfg))
    assert command("data", "videos", "--videos", source, "-o", tmp_path / "o", "--json") == 0
