"""Scripts performed and checked: the clip, what it shows of what was asked, and who performed each part."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, silent
from ...data_gen.performer.layout import lay_out
from ...face.clip.sequence import FaceSequence
from ...face.clip.spontaneous import IdleConfig, add_idle
from ...face.facs.check import CheckList, check
from ...face.facs.evidence.parts import explains
from ...face.facs.measure import measure
from ...face.facs.measured import Measurement, Named
from ...face.facs.schedule import Schedule
from ...face.facs.script import Cue, Script
from ...face.facs.script_text import write_cue, write_script
from ...face.facs.vocabulary import EMOTION_ACTIONS, EMOTIONS, GROUPS, USUAL_STRENGTH, allowed_with
from ..requests import Sampling
from .windows import By, Codes, Job, Part, Performer

Preview = Callable[[FaceSequence], None]
_PLANS = 8
"""Schedules that are tried for a script before one is performed whose rendition by the animator does not pass the check."""
_PLANNED = 60.0
"""Seconds; a longer script is performed as it was first laid out, so that its first frames need not wait for all of it."""
_WORST: tuple[By, ...] = ("model", "repaired", "animator")
_LIDS = frozenset({"blink", "wink", "eye_close", "flutter_lashes"})


@dataclass(frozen=True)
class Performance:
    """A performed script."""

    clip: FaceSequence
    script: Script
    """What was asked."""
    schedule: Schedule
    """When it was done."""
    checks: CheckList
    """What the clip shows of it, measured."""
    by: tuple[By, ...]
    """Who performed each cue: the model at once, the model when asked again, or the procedural animator."""
    text: str = ""
    """The words that were read as the script, if there were any."""
    seed: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything that was asked for is known and there, and nothing else."""
        return self.checks.ok and not self.script.unknown

    @property
    def verdict(self) -> str:
        """How many checks hold, and how much was not understood."""
        total, failed, unknown = len(self.checks.items), len(self.checks.failed), len(self.script.unknown)
        held = f"{failed} of {total} checks fail" if failed else f"all {total} checks hold"
        return held + f", but {unknown} {'part is' if unknown == 1 else 'parts are'} unknown" * bool(unknown)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the cues that each performed."""
        return {by: sum(b == by for b in self.by) / len(self.by) for by in _WORST} if self.by else {}

    def facts(self) -> Measurement:
        """What the clip shows, with the emotions, feelings and behaviours of the script that are there by their names."""
        failed = {c.cue for c in self.checks.failed if c.kind in ("present", "count", "side")}
        return replace(measure(self.clip), named=tuple(_named(i, cue, self.schedule) for i, cue in enumerate(self.script.cues)
                                                       if cue.kind != "action" and cue.name != "neutral" and i not in failed))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the clip with the script that it performs, which :func:`load_performance` reads."""
        return self.clip.save(path, json.dumps({"script": self.script.to_json(), "schedule": self.schedule.to_json(),
                                                "by": self.by, "seed": self.seed, "motion": self.clip.digest}))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        words = {"prompt": self.text} if self.text else {}
        return {**words, "ok": self.ok, "script": self.script.to_dict(), "line": write_script(self.script),
                "by": list(self.by), "checks": self.checks.to_dict()}

    def lines(self) -> list[str]:
        """The script and its checks, for people."""
        out = [f"script:      {write_script(self.script) or '(nothing to do)'}"]
        for i, cue in enumerate(self.script.cues):
            bad = [c.sentence for c in self.checks.failed if c.cue == i]
            out.append(f"  {'ok ' if not bad else 'NOT'} {write_cue(cue, i == 0)} [{self.by[i]}]")
            out += [f"        {b}" for b in bad]
        out += [f"  NOT {c.sentence}" for c in self.checks.failed if c.cue is None]
        out.append(f"checked:     {self.verdict}")
        return out + [f"note:        I don't know how a face does {w!r}; performed without it" for w in self.script.unknown]


def load_performance(path: str | os.PathLike[str]) -> Performance | None:
    """What a clip's file performs; None where it says nothing of a script, or not of the motion that is in it.

    Raises:
        FileNotFoundError, ValueError: as :meth:`.FaceSequence.load`.
    """
    clip, known = FaceSequence.load(path), FaceSequence.known(path)
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        said = json.loads(known) if known else {}
        if isinstance(said, dict) and said.get("motion") == clip.digest:
            script, schedule = Script.from_json(said["script"]), Schedule.from_json(said["schedule"])
            by = tuple(_WORST[_WORST.index(b)] for b in said["by"])
            done = all(c.name == "neutral" or schedule.of_cue(i) for i, c in enumerate(script.cues))
            if done and len(by) == len(script.cues) and abs(schedule.seconds - clip.seconds) < 0.1:
                return Performance(clip, script, schedule, check(script, measure(clip), schedule), by, seed=int(said["seed"]))
    return None


def _named(index: int, cue: Cue, schedule: Schedule) -> Named:
    own = schedule.of_cue(index)
    parts = frozenset().union(*(allowed_with(e.name) for e in own), *(EMOTION_ACTIONS.get(e.name, ()) for e in own))
    return Named(cue.name, min(e.start for e in own), max(e.end(schedule.seconds) for e in own), cue.strength or USUAL_STRENGTH,
                 cue.count or 1, cue.side, parts | explains(cue) | {e.name for e in own} | frozenset(EMOTIONS) - {"neutral"})


def plan(performer: Performer, script: Script, seed: int) -> Schedule:
    """Times for a script; of several tries one whose rendition by the animator passes the check, else the best of them.

    Raises:
        ValueError: the script cannot be done in its length, or contradicts itself.
    """
    first = lay_out(script, seed, performer.tokenizer.step_seconds)
    if first.seconds > _PLANNED:
        return first
    best, score = None, -1.0
    for k in range(_PLANS):
        schedule = lay_out(script, seed + 7919 * k, performer.tokenizer.step_seconds) if k else first
        found = (_checked(performer, script, schedule, performer.animated(schedule)) if performer.able
                 else check(script, measure(performer.direct(schedule), performer.head), schedule))
        if found.score() > score:
            best, score = schedule, found.score()
        if found.ok:
            break
    assert best is not None
    return best


def perform_scripts(performer: Performer, scripts: Sequence[Script], sampling: Sampling, *, texts: Sequence[str] = (),
                    shape: NDArray[np.float32] | None = None, repair: bool = True, schedules: Sequence[Schedule] = (),
                    progress: Progress = silent, preview: Preview | None = None) -> list[Performance]:
    """Perform scripts side by side; script ``i`` with the seed ``sampling.seed + i``.

    Args:
        texts: the words of each script.
        shape: identity coefficients ``(S,)``; None is the mean face.
        repair: whether what fails is performed again, at last by the animator.
        schedules: when each is done; without, they are planned.
        progress: called with (performed scripts, of).
        preview: called with pieces of the first one: the finished clip before it is checked, or, where the language model
            performs, its windows as they come, before repair and idle motion.

    Raises:
        ValueError: a script that cannot be done in its length.
    """
    performer.require(repair)
    if not repair:
        performer = replace(performer, by="model")
    seeds = [sampling.seed + i for i in range(len(scripts))]
    schedules = schedules or [plan(performer, s, seed) for s, seed in zip(scripts, seeds, strict=True)]
    out = []
    size = max(1, performer.lm.batch_size // sampling.tries)
    for low in range(0, len(scripts), size):
        at = range(low, min(low + size, len(scripts)))
        jobs = [Job(schedules[i], seeds[i]) for i in at]
        rows: list[list[Part]] = [[] for _ in at]
        shown = preview and performer.able and not low
        pieces = Pieces(performer, frames_of(schedules[low], performer), shape) if shown else None
        for parts in () if not performer.able else performer.windows(jobs, sampling.tries, sampling.temperature, repair):
            for row, part in zip(rows, parts, strict=True):
                if part is not None:
                    row.append(part)
            if preview and pieces and parts[0] is not None:
                preview_all(preview, pieces.push(parts[0].codes))
        if preview and pieces:
            preview_all(preview, pieces.end())
        for i, row in zip(at, rows, strict=True):
            out.append(_finished(performer, scripts[i], schedules[i], row, sampling.idle, seeds[i], shape, repair,
                                 texts[i] if texts else "", preview if not i and not pieces else None))
            progress(len(out), len(scripts))
    return out


def preview_all(preview: Preview, pieces: Iterable[FaceSequence]) -> None:
    """Show pieces one after another."""
    for piece in pieces:
        preview(piece)


class Pieces:
    """The frames of a performance while its windows come.

    Args:
        performer: decodes them.
        frames: of the whole performance.
        shape: identity ``(S,)``; None is the mean face.
    """

    def __init__(self, performer: Performer, frames: int, shape: NDArray[np.float32] | None = None) -> None:
        self._stream, self._left = performer.tokenizer.stream(performer.head, shape), frames
        self._last: FaceSequence | None = None

    def push(self, codes: Codes) -> Iterator[FaceSequence]:
        """The frames that a window's codes make sure."""
        yield from self._cut(self._stream.push_codes(codes))

    def end(self) -> Iterator[FaceSequence]:
        """The last frames; a length that is no whole number of tokenizer steps is held."""
        yield from self._cut(self._stream.end())
        if self._last is not None and self._left > 0:
            end = self._last.slice(len(self._last) - 1)
            yield end.concat(*[end] * (self._left - 1))

    def _cut(self, piece: FaceSequence | None) -> Iterator[FaceSequence]:
        if piece is not None and self._left > 0:
            self._last = piece.slice(0, min(len(piece), self._left))
            self._left -= len(self._last)
            yield self._last


def _finished(performer: Performer, script: Script, schedule: Schedule, parts: list[Part], idle: bool, seed: int,
              shape: NDArray[np.float32] | None, repair: bool, text: str, preview: Preview | None = None) -> Performance:
    by: tuple[By, ...] = tuple("animator" for _ in script.cues)
    clip: FaceSequence | None = None
    if parts:
        checks = _checked(performer, script, schedule, _codes(parts))
        if repair and not checks.ok:
            parts, checks = _repaired(performer, script, schedule, parts, checks)
        if repair and not checks.ok:  # what tokens cannot say, e.g. a very small movement, the animator still can
            direct = performer.direct(schedule, shape)
            clip = direct if check(script, measure(direct, performer.head), schedule).score() > checks.score() else None
        if clip is None:
            clip = performer.clip(_codes(parts), frames_of(schedule, performer), shape)
            by = _by(script, schedule, parts, performer.tokenizer.step_seconds)
    if clip is None:
        clip = performer.direct(schedule, shape)
    if idle and not script.still:
        clip = add_idle(clip, seed, idle_of(script))
    if preview:
        preview(clip)
    return Performance(clip, script, schedule, check(script, measure(clip, performer.head), schedule), by, text, seed)


def _repaired(performer: Performer, script: Script, schedule: Schedule, parts: list[Part],
              checks: CheckList) -> tuple[list[Part], CheckList]:
    """The windows in which a failed cue lies, from the animator, as far as that makes the check list better."""
    wanted = performer.animated(schedule)
    step = performer.tokenizer.step_seconds
    for cues in ({c.cue for c in checks.failed if c.cue is not None}, None):
        for k, part in enumerate(parts):
            low, high = part.window.start * step, (part.window.start + part.window.steps) * step
            touched = cues is None or any(e.cue in cues and e.start < high and e.end(schedule.seconds) > low
                                          for e in schedule.events)
            if part.by == "animator" or not touched:
                continue
            tried = [*parts]
            tried[k] = replace(part, codes=wanted[part.window.start:part.window.start + part.window.steps], by="animator")
            found = _checked(performer, script, schedule, _codes(tried))
            if found.score() > checks.score():
                parts, checks = tried, found
            if checks.ok:
                return parts, checks
    return parts, checks


def _codes(parts: Iterable[Part]) -> Codes:
    return np.concatenate([p.codes for p in parts])


def _checked(performer: Performer, script: Script, schedule: Schedule, codes: Codes) -> CheckList:
    clip = performer.clip(codes, frames_of(schedule, performer))
    return check(script, measure(clip, performer.head), schedule)


def frames_of(schedule: Schedule, performer: Performer) -> int:
    """Frames of a performance, exact to the frame."""
    return max(1, round(schedule.seconds * performer.tokenizer.config.fps))


def idle_of(script: Script) -> IdleConfig:
    """The idle layer of a performance: none of what the script counts or forbids."""
    forbidden = frozenset().union(*(GROUPS.get(n.name, {n.name}) for n in script.never)) if script.never else frozenset()
    names = {c.name for c in script.cues}
    lids = bool(names & _LIDS or forbidden & _LIDS)
    gaze, head = bool(forbidden & {"gaze_left", "gaze_up"}), bool(forbidden & {"nod", "turn_left"})
    usual = IdleConfig()
    return replace(usual, blink_rate=0.0 if lids else usual.blink_rate, saccade_rate=0.0 if gaze else usual.saccade_rate,
                   microsaccade_rate=0.0 if gaze else usual.microsaccade_rate, head_drift=0.0 if head else usual.head_drift)


def _by(script: Script, schedule: Schedule, parts: Sequence[Part], step: float) -> tuple[By, ...]:
    """For each cue the last resort that any window of it needed."""
    out: list[By] = []
    for i in range(len(script.cues)):
        worst: By = "model"
        for event in schedule.events:
            if event.cue != i:
                continue
            for part in parts:
                low, high = part.window.start * step, (part.window.start + part.window.steps) * step
                if event.start < high and event.end(schedule.seconds) > low:
                    worst = max(worst, part.by, key=_WORST.index)
        out.append(worst)
    return tuple(out)
