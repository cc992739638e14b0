"""A clip as the page's timeline: lanes, measured events, asked cues, curves and motion frames."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ...face.avatar.worn import worn
from ...face.clip.normalise import is_real
from ...face.clip.sequence import FaceSequence
from ...face.facs.check import check
from ...face.facs.evidence.filmed import FilmedSignals
from ...face.facs.evidence.happenings import happenings
from ...face.facs.measured import Measurement
from ...face.facs.signals import Signals, signals_of
from ...face.facs.vocabulary import ACTION, EMOTIONS, FEELING, NAMES, USUAL_STRENGTH, sideless
from ...face.head.model import HeadModel
from ...face.io.gltf import Rig
from ..talk.session import Clip

LANES = {"mouth": "Mouth", "brows": "Brows", "lids": "Lids", "cheeks": "Cheeks and nose", "jaw": "Jaw and tongue", "head": "Head",
         "gaze": "Gaze", "emotion": "Emotion", "speech": "Speech", "whole": "Behaviour"}
_CHEEKS = ("cheek_puff", "cheek_raise", "dimple", "nose_wrinkle")
SHOWN_CURVES = 8
JOINTS = ("root", "neck", "jaw", "eye_left", "eye_right")
HEADER = struct.Struct("<IIII")


def lane(name: str) -> str:
    """The lane that something belongs to."""
    base = sideless(name)
    if base == "talking":
        return "speech"
    if base in _CHEEKS:
        return "cheeks"
    action = ACTION.get(name) or ACTION.get(base) or ACTION.get(f"{base}_left")
    if action is not None:
        return str(action.region)
    return "emotion" if name in EMOTIONS or name in FEELING else "whole"


def label(name: str) -> str:
    """The words for a name."""
    return ACTION[name].label if name in ACTION else name.replace("_", " ")


@lru_cache(maxsize=2)
def rig(head: HeadModel) -> Rig:
    """The head as it is sent to pages."""
    return Rig(head)


@lru_cache(maxsize=1)
def document(head: HeadModel) -> bytes:
    """The head as a GLB."""
    return rig(head).glb()


def frames(head: HeadModel, seq: FaceSequence) -> np.ndarray:
    """A clip's frames on the rig of a head, its own or an avatar made from it; see :meth:`Rig.frames`."""
    return rig(head).frames(worn(seq, head))


def packed(frames: np.ndarray, stream: int = 0, first: int = 0) -> bytes:
    """Motion frames of :meth:`Rig.frames` with their header."""
    return HEADER.pack(stream, first, len(frames), frames.shape[1] - 35) + np.ascontiguousarray(frames, "<f4").tobytes()


def motion(clip: Clip, head: HeadModel) -> np.ndarray:
    """The frames of a clip on the head that is shown; between the shots of a film the face stays as it was."""
    parts = [frames(head, s) for s in clip.sequences()]
    return np.concatenate(parts)[clip.shown()[0]]


def about_names() -> list[dict[str, str]]:
    """Everything that a script can name, with its words and its lane."""
    return [{"name": n, "label": label(n) if n in ACTION else n.replace("_", " "), "lane": lane(n)} for n in NAMES]


def timeline(clip: Clip) -> dict[str, Any]:
    """What a clip shows, and what was asked for, with times."""
    measured = clip.measured()
    asked = _asked(clip)
    events = [{"id": f"e{k}", "name": s.name, "label": s.label, "lane": lane(s.name), "side": s.side,
               "start": round(s.start, 3), "apex": round(_apex(measured, s.name, s.start, s.end), 3),
               "end": round(s.end, 3), "strength": round(s.strength, 3),
               "count": s.times, "confidence": round(_confidence(measured, s.name, s.start), 3),
               "cue": _cue(asked, s.name, s.start, s.end)} for k, s in enumerate(happenings(measured))]
    feelings = [{"name": s.name, "start": round(s.start, 3), "end": round(s.end, 3), "strength": round(s.strength, 3)}
                for s in measured.emotion.timeline if s.name != "neutral"]
    film = clip.loaded()
    sequences = clip.sequences()
    fps = sequences[0].fps
    return {"seconds": round(measured.seconds, 3), "fps": fps, "events": events, "asked": asked, "emotion": feelings,
            "lost": _lost(clip, sequences, fps), "notes": [film.note] if film is not None and film.note else []}


def _apex(m: Measurement, name: str, start: float, end: float) -> float:
    return next((a.apex for a in m.everything if a.name == name and start - 0.05 <= a.onset <= end), 0.5 * (start + end))


def _confidence(m: Measurement, name: str, start: float) -> float:
    return next((a.confidence for a in m.everything if a.name == name and abs(a.onset - start) < 0.05), 1.0)


def _cue(asked: Sequence[dict[str, Any]], name: str, start: float, end: float) -> int | None:
    """The cue that an event belongs to: of the same name, with the most time in common."""
    base = sideless(name)
    found = [(min(end, a["end"]) - max(start, a["start"]), a["cue"]) for a in asked if a["name"] in (name, base)]
    best = max(found, default=(0.0, None))
    return best[1] if best[0] > 0 else None


def _asked(clip: Clip) -> list[dict[str, Any]]:
    if clip.script is None or clip.schedule is None:
        return []
    checks = check(clip.script, clip.measured(), clip.schedule)
    out = []
    for k, cue in enumerate(clip.script.cues):
        own = clip.schedule.of_cue(k)
        if not own:
            continue
        bad = [c for c in checks.items if c.cue == k and not c.ok]
        said = [c.sentence for c in (bad or [c for c in checks.items if c.cue == k])]
        name = cue.action if cue.kind == "action" else cue.name
        out.append({"cue": k, "name": cue.name, "label": label(name), "lane": lane(name), "side": cue.side,
                    "start": round(min(e.start for e in own), 3),
                    "end": round(max(e.end(clip.schedule.seconds) for e in own), 3),
                    "strength": cue.strength if cue.strength is not None else USUAL_STRENGTH, "count": cue.count,
                    "by": clip.by[k] if k < len(clip.by) else "", "ok": not bad, "sentence": "; ".join(said[:3])})
    return out


def _lost(clip: Clip, sequences: Sequence[FaceSequence], fps: float) -> list[list[float]]:
    """Stretches in which no face was found, s."""
    shown, there = clip.shown()
    valid = np.concatenate([s.valid for s in sequences])[shown] & there
    edges = np.flatnonzero(np.diff(np.concatenate([[True], valid, [True]]).astype(int)))
    return [[round(a / fps, 3), round(b / fps, 3)] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def curves(clip: Clip, names: Sequence[str], head: HeadModel) -> dict[str, Any]:
    """Intensity of actions over a clip.

    Raises:
        ValueError: a name that is no action.
    """
    if wrong := [n for n in names if n not in ACTION]:
        raise ValueError(f"{wrong[0]!r} is no action; allowed: {', '.join(ACTION)}")
    parts = [_signals(s, head).intensity for s in clip.sequences()]
    shown, _ = clip.shown()
    table = {n: np.concatenate([p[n] for p in parts])[shown] for n in parts[0] if n in ACTION}
    chosen = list(names) or sorted(table, key=lambda n: -float(np.ptp(table[n])))[:SHOWN_CURVES]
    lines = {n: np.round(np.clip(table[n], 0, 1), 3).tolist() for n in chosen if n in table}
    return {"fps": clip.sequences()[0].fps, "curves": lines}


def _signals(seq: FaceSequence, head: HeadModel) -> Signals:
    signals = signals_of(seq, head)
    return FilmedSignals.of(signals, seq.valid) if is_real(seq) else signals
