"""Recipes of the peers, read from ``configs/peers/*.yaml``, which state only what differs from the file under ``base:``."""

from __future__ import annotations

from dataclasses import asdict, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from ....common.config import SETTINGS
from ....llm.lora import LoraConfig

Size = Annotated[int, Field(ge=1, le=8192)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Kind = Literal["t2mgpt", "mdm", "momask", "motiongpt"]


@dataclass(frozen=True, config=SETTINGS)
class DataConfig:
    """What of a corpus is learned from.

    Attributes:
        captions: most captions of a clip; those after are left out.
        seconds: longest clip; longer ones are cut there, and a longer performance holds its last pose.
        base: the language model that sentences are embedded with, and that MotionGPT speaks with; None searches
            (``llm.base.find_base``).
        clips: most clips; 0 is all.
    """

    captions: Size = 4
    seconds: Annotated[float, Field(ge=0.16, le=60)] = 8.0
    base: str | None = None
    clips: Count = 0


@dataclass(frozen=True, config=SETTINGS)
class CodecConfig:
    """The convolutional VQ-VAE of T2M-GPT (https://arxiv.org/abs/2301.06052, III-A), which MoMask and MotionGPT share.

    Attributes:
        width: of the convolutions; the paper has 512.
        depth, dilation: residual blocks after each halving, and the base of their dilations.
        halvings: of the frame rate; 2 make codes of 4 frames.
        codes, dim: entries of a codebook and their width.
        layers: residual codebooks; 1 is a plain VQ.
        decay: of the exponential moving averages of the codes.
        reset: a code that is used less often than this (moving average of uses a batch) is drawn anew from the batch.
        commitment, velocity: weights of those losses beside the smooth L1.
        dropout: share of batches in which only a random number of the first codebooks is used (MoMask's quantisation dropout).
        window: frames of a training window.
    """

    width: Size = 256
    depth: Size = 3
    dilation: Size = 3
    halvings: Annotated[int, Field(ge=0, le=4)] = 2
    codes: Annotated[int, Field(ge=2, le=65_536)] = 512
    dim: Size = 512
    layers: Annotated[int, Field(ge=1, le=16)] = 1
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.99
    reset: NotNegative = 1.0
    commitment: NotNegative = 0.02
    velocity: NotNegative = 0.5
    dropout: Share = 0.0
    window: Size = 64


@dataclass(frozen=True, config=SETTINGS)
class NetConfig:
    """A transformer: ``width``, ``layers``, ``heads``, ``ratio`` of the feed-forward network's width, ``dropout``."""

    width: Size = 384
    layers: Size = 6
    heads: Size = 6
    ratio: Size = 4
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width is {self.width}; an even multiple of its {self.heads} heads is needed")


@dataclass(frozen=True, config=SETTINGS)
class GPTConfig:
    """T2M-GPT's transformer.

    Attributes:
        corruption: share of the input codes that are replaced by random ones in training (the paper's tau).
        temperature: of sampling.
    """

    net: NetConfig = field(default_factory=NetConfig)
    corruption: Share = 0.5
    temperature: Positive = 1.0


@dataclass(frozen=True, config=SETTINGS)
class MDMConfig:
    """MDM (https://arxiv.org/abs/2209.14916).

    Attributes:
        steps: of diffusion.
        guidance: the paper's s.
        unconditional: share of sentences that are left out in training.
        velocity, vertex: weights of the geometric losses; ``vertex`` is per square centimetre.
    """

    net: NetConfig = field(default_factory=lambda: NetConfig(384, 6, 6, 2))
    steps: Annotated[int, Field(ge=1, le=1000)] = 50
    guidance: NotNegative = 2.5
    unconditional: Share = 0.1
    velocity: NotNegative = 1.0
    vertex: NotNegative = 0.5


@dataclass(frozen=True, config=SETTINGS)
class MaskConfig:
    """MoMask's two transformers (https://arxiv.org/abs/2312.00063).

    Attributes:
        iterations: of unmasking.
        guidance, residual_guidance: scales of classifier-free guidance.
        unconditional: share of sentences that are left out in training.
        temperature: of sampling.
    """

    net: NetConfig = field(default_factory=NetConfig)
    residual: NetConfig = field(default_factory=NetConfig)
    iterations: Annotated[int, Field(ge=1, le=100)] = 10
    guidance: NotNegative = 4.0
    residual_guidance: NotNegative = 5.0
    unconditional: Share = 0.1
    temperature: Positive = 1.0


@dataclass(frozen=True, config=SETTINGS)
class SpeakerConfig:
    """MotionGPT's language model (https://arxiv.org/abs/2306.14795).

    Attributes:
        lora: adapter on the base's linears.
        keep_first, keep_last: layers of the base that are kept; 0 and 0 keep all.
        describe: share of training sequences from motion to words; the rest goes from words to motion.
        words: most tokens of a caption.
        temperature: of sampling.
    """

    lora: LoraConfig = field(default_factory=lambda: LoraConfig(32, 32.0))
    keep_first: Count = 0
    keep_last: Count = 0
    describe: Share = 0.5
    words: Size = 64
    temperature: Positive = 1.0


@dataclass(frozen=True, config=SETTINGS)
class StageConfig:
    """How a stage is trained: AdamW with warm-up and half a cosine.

    Attributes:
        share: of the whole training time.
        batch: clips, or windows, a step.
        lr, weight_decay, clip, warmup: the highest rate, decay, the largest gradient norm, steps of warm-up.
    """

    share: Positive = 1.0
    batch: Size = 256
    lr: Positive = 3e-4
    weight_decay: NotNegative = 1e-2
    clip: NotNegative = 1.0
    warmup: Count = 100


@dataclass(frozen=True, config=SETTINGS)
class StagesConfig:
    """A section for each kind of stage; a peer reads those that it has."""

    codec: StageConfig = field(default_factory=lambda: StageConfig(1.0, 256, 4e-4, 0.0))
    gpt: StageConfig = field(default_factory=lambda: StageConfig(2.0, 256, 4e-4))
    diffusion: StageConfig = field(default_factory=lambda: StageConfig(1.0, 128, 3e-4))
    masked: StageConfig = field(default_factory=lambda: StageConfig(1.2, 256, 4e-4))
    residual: StageConfig = field(default_factory=lambda: StageConfig(0.8, 256, 4e-4))
    speaker: StageConfig = field(default_factory=lambda: StageConfig(2.0, 128, 1e-3, 0.0))


@dataclass(frozen=True, config=SETTINGS)
class Recipe:
    """Everything that peers are trained with; a peer reads the sections that it has.

    Attributes:
        seed: of weights, order and noise.
        save_minutes: between checkpoints.
    """

    data: DataConfig = field(default_factory=DataConfig)
    codec: CodecConfig = field(default_factory=CodecConfig)
    residual_codec: CodecConfig = field(default_factory=lambda: CodecConfig(layers=6, dropout=0.2))
    gpt: GPTConfig = field(default_factory=GPTConfig)
    mdm: MDMConfig = field(default_factory=MDMConfig)
    masked: MaskConfig = field(default_factory=MaskConfig)
    speaker: SpeakerConfig = field(default_factory=SpeakerConfig)
    stages: StagesConfig = field(default_factory=StagesConfig)
    seed: Count = 0
    save_minutes: Positive = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values; which make an equal recipe again."""
        return asdict(self)

    def scaled(self, factor: float) -> Recipe:
        """The same with all widths (and MotionGPT's rank) times a factor; transformers keep whole heads of even width."""
        def net(one: NetConfig) -> NetConfig:
            return replace(one, width=2 * one.heads * max(1, round(one.width * factor / (2 * one.heads))))

        def codec(one: CodecConfig) -> CodecConfig:
            return replace(one, width=max(8, round(one.width * factor)))

        lora = self.speaker.lora
        return replace(
            self, codec=codec(self.codec), residual_codec=codec(self.residual_codec),
            gpt=replace(self.gpt, net=net(self.gpt.net)), mdm=replace(self.mdm, net=net(self.mdm.net)),
            masked=replace(self.masked, net=net(self.masked.net), residual=net(self.masked.residual)),
            speaker=replace(self.speaker, lora=replace(lora, rank=max(1, round(lora.rank * factor)))))
