"""The learned prior on what a fit finds (face/landmarks/learned_prior.py): film, detect, fit, train.

Filmed performances (data_gen/video/footage.py) with identities, scripts, cameras and lights of their own are fitted without
the prior; a network of one hidden layer learns to go from what the fit found to the truth. A quarter of the clips moves
channels and actions at random, also on one side, so that the training set has faces that no script asks for. Every tenth
clip is held out: the network's errors there are the sigmas that the fit weights it by.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from facelm.data_gen.fit.config import FitConfig
from facelm.data_gen.fit.detect import Detections
from facelm.data_gen.fit.landmarker import Landmarker, landmarker_model
from facelm.data_gen.fit.learned_prior import prior_inputs
from facelm.data_gen.fit.solve import solve_landmarks
from facelm.data_gen.performer.sampler import NAMES, sample_script
from facelm.data_gen.video.footage import FootageConfig, Take, prepare
from facelm.face.clip.channels import EXPR_INDEX, EXPR_NAMES
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.poses import ACTION_POSES, EMOTION_POSES
from facelm.face.facs.schedule import Schedule
from facelm.face.head.model import HeadModel
from facelm.face.landmarks.learned_prior import OUTPUTS, Found, LearnedPrior, features, other_side
from facelm.face.landmarks.points import embedding_for
from torch import nn
from tqdm import tqdm

SCRIPTED, AT_RANDOM = 800, 300
"""Clips of sampled scripts, and of random motion."""
SCRIPTED_SEED, RANDOM_SEED = 51_000, 62_000
SIZES = (512, 256, 512, 384)
FPS = 6.25
"""Neighbouring frames say the same: a quarter of the usual rate gives four times the clips."""
AXES, HIDDEN, NETWORKS = 60, 96, 2
"""Directions of what the fit leaves over; units of a network; networks, which the file holds side by side."""
LEAST = (0.05, 0.01, 0.02)
"""Smallest sigma of an expression coefficient, of the jaw and of gaze, rad: faces differ from renders."""
EPOCHS, BATCH, RATE, DECAY, DROP, NOISE = 30, 512, 3e-3, 1e-3, 0.3, 0.3
TOGETHER = 2
"""Channels that move at once in a random clip, at most."""


@dataclass(frozen=True)
class Sample:
    """One clip: what its fit found, and the truth ``(T, O)``."""

    found: Found
    truth: np.ndarray


# -- clips ------------------------------------------------------------------------------
def script_of(seed: int, index: int) -> Schedule:
    """Every action and emotion in turn begins a clip, the rest is sampled; 2 to 4.4 s."""
    rng = np.random.default_rng([seed, index])
    while True:
        script = sample_script(rng, required=(NAMES[(index * 11) % len(NAMES)],))
        if 2.0 <= script.seconds <= 4.4:
            return script


def _pulse(rng: np.random.Generator, frames: int, fps: float) -> np.ndarray:
    """(T,) up, held, and down again, 0 to 1."""
    length = frames / fps
    start, rise, hold, fall = (rng.uniform(0, max(length - 1, 0.5)), rng.uniform(0.15, 0.5), rng.uniform(0.2, 1.5),
                               rng.uniform(0.15, 0.5))
    x = np.interp(np.arange(frames) / fps, np.cumsum([start, rise, hold, fall]), [0, 1, 1, 0])
    return np.asarray(x * x * (3 - 2 * x))


_SHOWN = [p for p in (*ACTION_POSES.values(), *EMOTION_POSES.values()) if set(p) & {*EXPR_INDEX, "jaw_x", "jaw_y"}]


def random_motion(rng: np.random.Generator, clip: FaceSequence) -> FaceSequence:
    """The clip with the face's own motion replaced: single channels, and actions on both sides or one; its blinks stay."""
    frames = len(clip)
    expr, jaw = np.zeros_like(clip.expr), np.zeros_like(clip.jaw_pose)
    blinks = [EXPR_INDEX["eyeBlinkLeft"], EXPR_INDEX["eyeBlinkRight"]]
    expr[:, blinks] = clip.expr[:, blinks]
    for _ in range(rng.integers(2, 6)):
        pulse = _pulse(rng, frames, clip.fps)
        if rng.random() < 0.5:
            for column in rng.choice(expr.shape[1], rng.integers(1, TOGETHER + 1), replace=False):
                expr[:, column] = np.maximum(expr[:, column], pulse * rng.uniform(0.2, 1))
            if rng.random() < 0.3:
                jaw[:, 0] = np.maximum(jaw[:, 0], pulse * rng.uniform(0, 0.35))
            if rng.random() < 0.15:
                jaw[:, 1] += pulse * rng.normal(0, 0.07)
            continue
        pose, level = _SHOWN[rng.integers(len(_SHOWN))], rng.uniform(0.25, 1)
        side = str(rng.choice(["both", "Left", "Right"], p=[0.6, 0.2, 0.2]))
        for name, value in pose.items():
            off = side != "both" and name.endswith(("Left", "Right")) and not name.endswith(side)
            weight = level * value * (rng.uniform(0, 0.5) if off else 1)
            if name in EXPR_INDEX:
                expr[:, EXPR_INDEX[name]] = np.maximum(expr[:, EXPR_INDEX[name]], weight * pulse)
            elif name in ("jaw_x", "jaw_y"):
                jaw[:, "xy".index(name[-1])] += weight * pulse
    jaw[:, 0], jaw[:, 1] = np.clip(jaw[:, 0], 0, 0.45), np.clip(jaw[:, 1], -0.16, 0.16)
    return clip.replace(expr=np.clip(expr, 0, 1).astype(np.float32), jaw_pose=jaw.astype(np.float32))


def take_of(seed: int, index: int) -> Take:
    """Clip ``index`` of either kind, ready to be drawn."""
    take = prepare(script_of(seed, index), FootageConfig(size=SIZES[index % 4], fps=FPS), seed=seed + index)
    if seed == RANDOM_SEED:
        take = replace(take, truth=random_motion(np.random.default_rng([seed, index, 1]), take.truth))
    return take


def sample_of(job: tuple[int, int]) -> Sample | None:
    """Film, detect and fit one clip; None where the face is hardly found."""
    take, head = take_of(*job), HeadModel.default()
    size = take.config.size
    side = size if isinstance(size, int) else size[0]
    landmarker = Landmarker(landmarker_model(), 1)
    faces = [landmarker.look(picture) for picture in take.frames()]
    landmarker.close()
    none = np.full((478, 3), np.nan, np.float32)
    points = np.array([f[0].points * np.float32(side) if f else none for f in faces])
    scores = np.array([f[0].blendshapes if f else np.full(52, np.nan) for f in faces], np.float32)
    poses = np.array([f[0].pose if f else np.eye(4) for f in faces], np.float32)
    valid = np.array([bool(f) for f in faces])
    if valid.sum() < 12:
        return None
    seen = Detections(points[..., :2].copy(), points[..., 2].copy(), scores, poses, valid, side, side, FPS)
    s = solve_landmarks(seen, head, FitConfig())
    return Sample(prior_inputs(s.energy, s.observed, s.person, s.pose, s.good), truth_of(take.truth))


def truth_of(clip: FaceSequence) -> np.ndarray:
    """(T, O) what the network should predict."""
    gaze = (clip.eyes_pose[:, :2] + clip.eyes_pose[:, 3:5]) / 2
    return np.concatenate([clip.expr, clip.jaw_pose, gaze], 1).astype(np.float32)


# -- the network ------------------------------------------------------------------------
def mirrored(sample: Sample, other: np.ndarray) -> Sample:
    """The clip in a mirror."""
    n = len(EXPR_NAMES)
    blank = replace(sample.found, expr=sample.truth[:, :n], jaw=sample.truth[:, n:n + 3], gaze=sample.truth[:, n + 3:])
    turned = blank.mirrored(other)
    return Sample(sample.found.mirrored(other), np.concatenate([turned.expr, turned.jaw, turned.gaze], 1))


def learn(samples: list[Sample], other: np.ndarray, seed: int = 0) -> LearnedPrior:
    """Train on clips and their mirror images; sigma is left at 1 (see :func:`errors`)."""
    both = [x for s in samples for x in (s, mirrored(s, other))]
    left = np.concatenate([(s.found.beyond - np.median(s.found.beyond[s.found.known], 0)).reshape(len(s.truth), -1)[::3]
                           for s in both])
    _, directions = np.linalg.eigh((left.T @ left).astype(np.float64))
    axes = directions[:, ::-1][:, :AXES].T.reshape(AXES, -1, 2).astype(np.float16).astype(np.float32)
    x = np.concatenate([features(s.found, axes)[s.found.known] for s in both])
    y = np.concatenate([s.truth[s.found.known] for s in both])
    mean, scale = x.mean(0), x.std(0) + 1e-3
    unit = np.maximum(y.std(0), 0.02)
    x = np.clip((x - mean) / scale, -6, 6)
    parts = [_network(torch.tensor(x), torch.tensor(y / unit), seed + k) for k in range(NETWORKS)]
    join = lambda k, axis: np.concatenate([p[k] for p in parts], axis)  # noqa: E731
    return LearnedPrior(axes, mean, scale, join(0, 1), join(1, 0), join(2, 0) / NETWORKS * unit,
                   np.mean([p[3] for p in parts], 0) * unit, np.mean([p[4] for p in parts], 0) * unit,
                   np.ones(OUTPUTS, np.float32), np.float32(np.quantile((x**2).mean(1), 0.99)), other)


def _network(x: torch.Tensor, y: torch.Tensor, seed: int) -> list[np.ndarray]:
    """Hidden weights and biases, output weights, linear path, bias."""
    torch.manual_seed(seed)
    hidden, out, linear = nn.Linear(x.shape[1], HIDDEN), nn.Linear(HIDDEN, OUTPUTS), nn.Linear(x.shape[1], OUTPUTS)
    for layer in (out, linear):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    weights = [*hidden.parameters(), *out.parameters(), *linear.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=RATE, weight_decay=DECAY)
    batches = -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * batches)
    for _ in tqdm(range(EPOCHS), desc=f"network {seed}", unit="epoch"):
        for rows in torch.randperm(len(x)).split(BATCH):
            seen = x[rows] + NOISE * torch.randn(len(rows), x.shape[1])
            predicted = out(nn.functional.dropout(nn.functional.silu(hidden(seen)), DROP)) + linear(seen)
            loss = ((predicted - y[rows]) ** 2).clamp(max=25).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    arrays = (hidden.weight.T, hidden.bias, out.weight.T, linear.weight.T, out.bias + linear.bias)
    return [a.detach().numpy().astype(np.float32) for a in arrays]


def errors(prior: LearnedPrior, samples: list[Sample]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(O,) rms error of the prior, of the fit that it saw, and rms size of the truth, on clips held out."""
    predicted = np.concatenate([prior.read(s.found)[0][s.found.known] for s in samples])
    fit = np.concatenate([np.concatenate([s.found.expr, s.found.jaw, s.found.gaze], 1)[s.found.known] for s in samples])
    truth = np.concatenate([s.truth[s.found.known] for s in samples])
    return tuple(np.sqrt((d**2).mean(0)) for d in (predicted - truth, fit - truth, truth))  # type: ignore[return-value]


def build(workers: int) -> dict[str, Any]:
    """Film, train, measure on every tenth clip, print, and return the arrays of the file.

    The sigma of each output is the larger of its errors in scripted and in random clips: a channel that no script uses
    would otherwise be taken never to move.
    """
    jobs = [(SCRIPTED_SEED, i) for i in range(SCRIPTED)] + [(RANDOM_SEED, i) for i in range(AT_RANDOM)]
    with ProcessPoolExecutor(workers) as pool:
        found = list(tqdm(pool.map(sample_of, jobs), total=len(jobs), desc="clips"))
    groups = [[s for s in part if s is not None] for part in (found[:SCRIPTED], found[SCRIPTED:])]
    torch.set_num_threads(1)
    head = HeadModel.default()
    embedding = embedding_for(head)
    prior = learn([s for group in groups for i, s in enumerate(group) if i % 10], other_side(embedding))
    short = {f.name: np.asarray(getattr(prior, f.name), np.float16) for f in fields(LearnedPrior) if f.name != "other"}
    prior = LearnedPrior(**{k: v.astype(np.float32) for k, v in short.items()}, other=prior.other)
    both = [errors(prior, group[::10]) for group in groups]
    least = np.concatenate([np.full(len(EXPR_NAMES), LEAST[0]), np.full(3, LEAST[1]), np.full(2, LEAST[2])])
    short["sigma"] = np.maximum(np.maximum(both[0][0], both[1][0]), least).astype(np.float16)
    print("rms of the truth, error of the fit, error of the prior: scripted clips | random clips | sigma")
    for i, name in enumerate((*EXPR_NAMES, "jaw_x", "jaw_y", "jaw_z", "gaze_pitch", "gaze_yaw")):
        rows = " | ".join(f"{size[i]:.3f} {before[i]:.3f} {wrong[i]:.3f}" for wrong, before, size in both)
        print(f"{name:20s} {rows} | {short['sigma'][i]:.3f}")
    return {"head_sha256": np.array(head.sha256), "index": embedding.index.astype(np.int16), **short}
