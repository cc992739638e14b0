"""The surrogate of CelebV-HQ: short clips in the wild of subjects who talk and turn; some emotions are rare."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....common.progress import Progress
from ....data_gen.video.footage import in_camera
from ....data_gen.video.scene import Scene, draw_background, draw_lights, head_frame, place
from ....face.clip.spontaneous import IdleConfig
from ....face.facs.schedule import Event
from ....face.head.model import HeadModel
from ....face.io.video import write_mp4
from ..celebvhq import INFO, SPELLED
from ..sources import TRUTH
from .files import write_once, write_truth
from .people import Act, Person, act, draw_person, pictures
from .sizes import CelebVSize

SHARES: dict[str, float] = {"neutral": 0.38, "happiness": 0.28, "surprise": 0.08, "sadness": 0.08, "anger": 0.08,
                            "disgust": 0.05, "contempt": 0.03, "fear": 0.02}
"""How often a clip shows an emotion: our choice, in the order that Fig. 5b of Vo et al. leads one to expect (neutral and
happiness most, fear and contempt least); not measured on CelebV-HQ."""
FPS = 25.0
FOLDER = "processed_vid"
_WORD = {ours: theirs for theirs, ours in SPELLED.items()}


@dataclass(frozen=True)
class _Plan:
    """A clip before it is animated."""

    name: str
    subject: int
    number: int
    acts: tuple[Act, ...]
    seconds: float
    talks: bool


def make(folder: Path, size: CelebVSize, seed: int, head: HeadModel, drawn: bool, progress: Progress) -> None:
    """Write what is missing of the JSON file, ``truth/`` and, when ``drawn``, ``processed_vid/``; see ``build.build``."""
    plans = [p for subject in range(size.subjects) for p in _plans(subject, size, seed)]
    write_once(folder / INFO, json.dumps(_info(plans), indent=1) + "\n")
    people: dict[int, Person] = {}
    (folder / FOLDER).mkdir(exist_ok=True)
    for done, plan in enumerate(plans, 1):
        truth, video = folder / TRUTH / f"{plan.name}.npz", folder / FOLDER / f"{plan.name}.mp4"
        if not truth.is_file() or (drawn and not video.is_file()):
            if plan.subject not in people:
                people = {plan.subject: draw_person(np.random.default_rng([seed, plan.subject, 0xCB]), head, size.variation)}
            _make(plan, people[plan.subject], size, seed, head, truth, video if drawn and not video.is_file() else None)
        progress(done, len(plans), "pictures" if drawn else "animated clips")


def _plans(subject: int, size: CelebVSize, seed: int) -> list[_Plan]:
    """A subject's clips."""
    rng = np.random.default_rng([seed, subject, 0xCE])
    names, shares = list(SHARES), np.array(list(SHARES.values()))
    out = []
    for number in range(int(rng.integers(size.clips[0], size.clips[1] + 1))):
        seconds = round(float(rng.uniform(*size.seconds)) * FPS) / FPS
        two = rng.random() < size.two
        picked = [str(n) for n in rng.choice(names, 2 if two else 1, replace=False, p=shares / shares.sum())]
        levels = rng.uniform(*size.intensity, 2)
        acts = []
        for k, emotion in enumerate(picked):
            begin = k * seconds
            # a clip in the wild may begin in the middle of an expression
            rise = 0.24 if two or rng.random() < 0.5 else 0.04
            acts.append(Act(emotion, float(levels[k]), begin, rise, begin + seconds if len(picked) > 1 and k == 0 else 2 * seconds
                            if two else seconds))
        # a subject's id is made like a video's, of eleven characters; another prefix would change which subjects are chosen
        out.append(_Plan(f"standin{subject:04d}_{number}", subject, number, tuple(acts), seconds * len(picked),
                         bool(rng.random() < size.talking)))
    return out


def _info(plans: list[_Plan]) -> dict[str, Any]:
    """The JSON file's content. Appearance and action attributes are left empty but for talking."""
    clips: dict[str, Any] = {}
    for plan in plans:
        if len(plan.acts) == 1:
            emotion: dict[str, Any] = {"sep_flag": False, "labels": _WORD[plan.acts[0].emotion]}
        else:
            # labelled once the change is over, as an annotator would
            emotion = {"sep_flag": True, "labels": [
                {"emotion": _WORD[a.emotion], "start_sec": round(a.start + (0.24 if k else 0.0), 2), "end_sec": round(a.until, 2)}
                for k, a in enumerate(plan.acts)]}
        clips[plan.name] = {
            "ytb_id": plan.name.rsplit("_", 1)[0], "duration": {"start_sec": 0.0, "end_sec": round(plan.seconds, 2)},
            "bbox": {"top": 0.0, "bottom": 1.0, "left": 0.0, "right": 1.0},
            "attributes": {"appearance": [], "action": [int(plan.talks)], "emotion": emotion}, "version": "standin"}
    return {"meta_info": {"appearance_mapping": [], "action_mapping": ["talk"]}, "clips": clips}


def _make(plan: _Plan, person: Person, size: CelebVSize, seed: int, head: HeadModel, truth: Path, video: Path | None) -> None:
    rng = np.random.default_rng([seed, plan.subject, plan.number, 0xCB])
    more = [Event("talking", 0.0, 0.1, plan.seconds, 0.1, float(rng.uniform(0.5, 1.0)))] if plan.talks else []
    if rng.random() < 0.2:
        turn = str(rng.choice(["turn_left", "turn_right", "look_up", "look_down", "tilt_left", "tilt_right"]))
        more.append(Event(turn, 0.0, min(0.4, plan.seconds / 2), plan.seconds, 0.0, float(rng.uniform(0.15, 0.5))))
    motion = act(person, plan.acts, plan.seconds, FPS, rng, head, size.variation, tuple(more), IdleConfig())
    spread = np.array([size.pitch, size.yaw, size.roll])
    pitch, yaw, roll = np.clip(rng.normal(0.0, spread), -2.5 * spread, 2.5 * spread)
    sides = (size.size, size.size)
    height = head_frame(head, motion.shape)[1]
    placement = place(rng, sides, height, (14.0, 40.0), (0.45, 0.72), (float(pitch), float(yaw), float(roll)))
    scene = Scene(person.palette, person.eyes, draw_lights(rng)[0], draw_background(rng, sides)[0], float(rng.uniform(0.5, 4.0)),
                  float(rng.uniform(0.0, 0.2)), {})
    t = np.arange(len(motion)) / FPS
    hertz, phase = rng.uniform(0.05, 0.35, 3), rng.uniform(0.0, 2 * np.pi, 3)
    clip = in_camera(motion, head, placement, 0.003 * np.sin(2 * np.pi * hertz * t[:, None] + phase))
    if video is not None:
        write_mp4(pictures(clip, head, placement, scene, np.random.default_rng([seed, plan.subject, plan.number, 0xD4A3])), video,
                  sides, FPS, len(clip), quality=20)
    write_truth(truth, clip)
