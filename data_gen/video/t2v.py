"""Text-to-video through diffusers: one prompt, one MP4, one sidecar.

Any of the pipelines in PIPELINES, from the hub or from a local folder, configured in YAML
(configs/t2v). Weights are read from safetensors only and no code of a model repository is run. Every
prompt has a seed of its own, so a video does not depend on which others are made in the same run.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS, read_settings
from ...common.files import file_digest
from ...common.optional import require
from ...common.progress import Progress, silent
from ...common.store import published
from ...face.io.video import write_mp4
from ..prompts.files import Prompt
from .sidecar import FAILURES, Licence, Summary, VideoFolder, VideoRecord, check_name, prompt_seed, write_record

PIPELINES: dict[str, tuple[int, int]] = {
    # class: (frames come in steps of, sides are multiples of); from each pipeline's check_inputs and VAE
    "WanPipeline": (4, 16), "CogVideoXPipeline": (4, 8), "LTXPipeline": (8, 32), "HunyuanVideoPipeline": (4, 16),
    "MochiPipeline": (6, 8)}
GIVE_UP = 5
"""Failures in a row without a single video after which the run stops: then it is not the prompts."""
Dtype = Literal["float32", "float16", "bfloat16"]


@settings(frozen=True, config=SETTINGS)
class T2VConfig:
    """One text-to-video model and how it is run."""

    model: str
    """Hugging Face id or local folder."""
    pipeline: str
    """One of PIPELINES."""
    licence: Licence
    """Of the model's weights."""
    revision: str = "main"
    """Branch, tag or commit of the model repository; the commit it stood for is recorded."""
    frames: Annotated[int, Field(ge=1, le=1000)] = 81
    fps: Annotated[float, Field(ge=1, le=120)] = 16.0
    width: Annotated[int, Field(ge=16, le=4096)] = 832
    height: Annotated[int, Field(ge=16, le=4096)] = 480
    steps: Annotated[int, Field(ge=1, le=1000)] = 50
    guidance: Annotated[float, Field(ge=0, le=100)] = 5.0
    guidance_2: float | None = None
    """Of the second, low-noise transformer (Wan 2.2 A14B)."""
    negative_prompt: str = ""
    max_tokens: int | None = None
    """Length to which prompts are cut by the text encoder; None is the pipeline's default."""
    decode_timestep: float | None = None
    """LTX-Video 0.9.1 and later: timestep at which the VAE decodes."""
    decode_noise: float | None = None
    """LTX-Video 0.9.1 and later: noise mixed into the latents before decoding."""
    dtype: Dtype = "bfloat16"
    vae_dtype: Dtype | None = None
    """When the VAE wants another precision than the rest."""
    offload: Literal["none", "model", "sequential"] = "none"
    """What waits in main memory while it is not used; slower and smaller in this order."""
    vae_tiling: bool = False
    """Decode in tiles: less memory, slightly slower."""
    batch: Annotated[int, Field(ge=1, le=256)] = 1
    """Prompts at once; halved for the rest of the run when memory runs out."""
    quality: Annotated[int, Field(ge=0, le=40)] = 16
    """x264's constant rate factor."""

    def __post_init__(self) -> None:
        if self.pipeline not in PIPELINES:
            raise ValueError(f"pipeline is {self.pipeline!r}; allowed: {', '.join(PIPELINES)}")
        every, side = PIPELINES[self.pipeline]
        if (self.frames - 1) % every:
            near = every * round((self.frames - 1) / every) + 1
            raise ValueError(f"frames is {self.frames}; {self.pipeline} makes 1 more than a multiple of {every} ({near}, say)")
        if self.width % side or self.height % side:
            raise ValueError(f"size is {self.width}x{self.height}; {self.pipeline} needs multiples of {side}")

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the pictures, beside model, revision, prompt and seed."""
        left_out = ("model", "revision", "licence", "batch", "offload")
        return {k: v for k, v in asdict(self).items() if k not in left_out}


def load_config(path: str | os.PathLike[str], *, model: str | None = None) -> T2VConfig:
    """Read a text-to-video configuration (configs/t2v/*.yaml); ``model`` replaces its model.

    Raises:
        FileNotFoundError, ValueError: see ``common/config.py``.
    """
    config = read_settings(T2VConfig, path)
    return replace(config, model=model, revision="main") if model else config


# -- the pipeline -------------------------------------------------------------------------------
def pick_device(device: str | None) -> str:
    """``device``, or the best one there is."""
    import torch

    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as err:
        raise ValueError(f"device is {device!r}; examples of what is allowed: cpu, cuda, cuda:1, mps") from err
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {device!r}, but no CUDA device is available; use cpu")
    return device


@dataclass
class Renderer:
    """A loaded pipeline."""

    pipe: Any
    config: T2VConfig
    commit: str
    device: str
    software: dict[str, str] = field(default_factory=dict)

    def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[NDArray[np.uint8]]:
        """(T, H, W, 3) uint8 for each prompt.

        Raises:
            RuntimeError: the pictures are not finite, or of another size than asked for.
        """
        import torch

        cfg = self.config
        generators = [torch.Generator("cpu").manual_seed(s) for s in seeds]
        wanted = {"num_frames": cfg.frames, "width": cfg.width, "height": cfg.height, "num_inference_steps": cfg.steps,
                  "guidance_scale": cfg.guidance, "guidance_scale_2": cfg.guidance_2, "frame_rate": cfg.fps,
                  "negative_prompt": [cfg.negative_prompt] * len(prompts) if cfg.negative_prompt else None,
                  "max_sequence_length": cfg.max_tokens, "decode_timestep": cfg.decode_timestep,
                  "decode_noise_scale": cfg.decode_noise}
        takes = inspect.signature(type(self.pipe).__call__).parameters
        known = {k: v for k, v in wanted.items() if v is not None and k in takes}
        with torch.inference_mode():
            out = self.pipe(prompt=list(prompts), generator=generators, output_type="np", **known).frames
        videos = np.asarray(out)
        if videos.shape != (len(prompts), cfg.frames, cfg.height, cfg.width, 3):
            raise RuntimeError(f"{cfg.pipeline} made videos of shape {videos.shape}; expected {len(prompts)} of {cfg.frames} "
                               f"frames of {cfg.width}x{cfg.height}")
        if not np.isfinite(videos).all():
            raise RuntimeError(f"{cfg.pipeline} made values that are not numbers; use dtype bfloat16 or float32")
        return list((np.clip(videos, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))


def load_pipeline(config: T2VConfig, device: str | None = None) -> Renderer:
    """Load a model: safetensors only, no code from its repository.

    Raises:
        ImportError: diffusers is not installed.
        FileNotFoundError, ValueError: no such model folder, or one of another pipeline.
        OSError: the hub cannot be reached or has no such model.
    """
    diffusers = require("diffusers", "t2v", "text-to-video needs diffusers")
    import torch
    import transformers

    target = pick_device(device)
    cls = getattr(diffusers, config.pipeline)
    folder = Path(config.model)
    local = folder.is_dir()
    if not local:
        if config.model.count("/") != 1 or config.model.startswith((".", "/", "~")):
            raise FileNotFoundError(f"no such model folder: {config.model} (and not a Hugging Face id, which is OWNER/NAME)")
        folder = Path(cls.download(config.model, revision=config.revision, use_safetensors=True, trust_remote_code=False))
    index = folder / "model_index.json"
    if not index.is_file():
        raise ValueError(f"{folder} holds no diffusers model: model_index.json is missing")
    try:
        named = json.loads(index.read_text(encoding="utf-8")).get("_class_name")
    except (ValueError, AttributeError) as err:
        raise ValueError(f"{index} is not a diffusers model index: {err}") from err
    if named != config.pipeline:
        raise ValueError(f"{config.model} is a {named}, not a {config.pipeline}; change pipeline in the configuration")
    main = getattr(torch, config.dtype)
    dtype = {"default": main, "vae": getattr(torch, config.vae_dtype)} if config.vae_dtype else main
    pipe = cls.from_pretrained(str(folder), dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False)
    pipe.set_progress_bar_config(disable=True)
    if config.vae_tiling:
        pipe.vae.enable_tiling()
    if config.offload == "none" or target == "cpu":  # on a CPU everything is in main memory anyway
        pipe.to(target)
    elif config.offload == "model":
        pipe.enable_model_cpu_offload(device=target)
    else:
        pipe.enable_sequential_cpu_offload(device=target)
    commit = file_digest(index) if local or not re.fullmatch("[0-9a-f]{40}", folder.name) else folder.name
    versions = {"diffusers": diffusers.__version__, "torch": str(torch.__version__), "transformers": transformers.__version__}
    return Renderer(pipe, config, commit, target, versions)


# -- the run ------------------------------------------------------------------------------------
def _out_of_memory(err: BaseException) -> bool:
    import torch

    if isinstance(err, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    text = str(err).lower()
    return isinstance(err, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text
                                              or "not enough memory" in text)


def _record(prompt: Prompt, config: T2VConfig, seed: int, renderer: Renderer | None = None, sha: str = "") -> VideoRecord:
    return VideoRecord(
        prompt.id, f"{prompt.id}.mp4", sha, "diffusers", config.width, config.height, config.fps, config.frames, prompt.text,
        prompt.attributes.as_dict(), seed, config.model, config.revision, renderer.commit if renderer else None, config.licence,
        config.settings, renderer.software if renderer else {})


class _Run:
    """The batches of one run; see :func:`render_videos`."""

    def __init__(self, renderer: Renderer, folder: VideoFolder, seed: int) -> None:
        self.renderer, self.folder, self.seed = renderer, folder, seed
        self.batch, self.halved, self.row = renderer.config.batch, False, 0

    def _write(self, prompt: Prompt, frames: NDArray[np.uint8]) -> None:
        cfg = self.renderer.config
        with published(self.folder.folder, f"{prompt.id}.json") as work:
            path = work / f"{prompt.id}.mp4"
            write_mp4(iter(frames), path, (cfg.width, cfg.height), cfg.fps, len(frames), quality=cfg.quality)
            write_record(_record(prompt, cfg, prompt_seed(self.seed, prompt), self.renderer, file_digest(path)), work)

    def make(self, prompts: Sequence[Prompt]) -> None:
        """One batch, smaller ones when it fails."""
        import torch

        try:
            videos = self.renderer([p.text for p in prompts], [prompt_seed(self.seed, p) for p in prompts])
        except Exception as err:  # whatever a pipeline raises costs its prompts, never the run
            failed = err
        else:
            for prompt, frames in zip(prompts, videos, strict=True):
                try:
                    self._write(prompt, frames)
                except (OSError, RuntimeError, ValueError) as err:
                    self._fail(prompt, err)
                else:
                    self.row = 0
                    self.folder.done()
            return
        memory = _out_of_memory(failed)
        if memory and torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(prompts) > 1 and memory and not self.halved:
            self.halved, self.batch = True, -(-len(prompts) // 2)
            for k in range(0, len(prompts), self.batch):
                self.make(prompts[k:k + self.batch])
        elif len(prompts) > 1 and not memory:  # one of them may be the reason
            for prompt in prompts:
                self.make([prompt])
        else:
            for prompt in prompts:
                self._fail(prompt, failed)

    def _fail(self, prompt: Prompt, err: Exception) -> None:
        self.folder.fail(prompt.id, err, prompt=prompt.text, seed=prompt_seed(self.seed, prompt))
        self.row += 1
        if self.row >= GIVE_UP and not self.folder.summary.written:
            raise RuntimeError(f"the first {self.row} videos all failed ({self.folder.summary.first_error}); "
                               f"see {self.folder.folder / FAILURES}") from err


def render_videos(prompts: Sequence[Prompt], out_dir: str | os.PathLike[str], config: T2VConfig, *, seed: int = 0,
                  device: str | None = None, renderer: Renderer | None = None, progress: Progress = silent) -> Summary:
    """Make the videos of a prompt suite that are not there yet.

    ``ID.mp4`` and ``ID.json`` appear whole or not at all; complete ones are skipped without loading the
    model; what fails is listed in ``failures.jsonl`` and tried again by the next run.

    Args:
        prompts: with ids that can be file names.
        out_dir: folder of the videos.
        config: model and settings.
        seed: each prompt's own seed is derived from it.
        device: cuda, cuda:1, mps, cpu; None takes cuda when there is one.
        renderer: an already loaded pipeline; None loads ``config``'s when something is to do.
        progress: called with (done, of).

    Raises:
        ValueError: the folder holds videos made with other settings, or ids that cannot be file names.
        ImportError, OSError: see :func:`load_pipeline`.
        RuntimeError: the first GIVE_UP videos all failed.
    """
    folder = VideoFolder(Path(out_dir), [check_name(p.id) for p in prompts], progress)
    todo = []
    for prompt in prompts:
        if folder.has(_record(prompt, config, prompt_seed(seed, prompt))):
            folder.skip()
        else:
            todo.append(prompt)
    if todo:
        run = _Run(renderer or load_pipeline(config, device), folder, seed)
        while todo:
            now, todo = todo[:run.batch], todo[run.batch:]
            run.make(now)
    return folder.summary
