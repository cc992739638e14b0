"""Prompts read, performed and repaired: what is wholly right, by kind of prompt, with intervals.

``exact`` and ``read right`` are of the script (:mod:`.facts`); a clip is wholly right when it passes the check of the right
script, measured with the idle motion that a user gets. Three ways of making it are compared (:data:`WAYS`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Any

from ...common.progress import Progress, silent
from ...common.store import Journal
from ...face.facs.check import CheckList, check
from ...face.facs.measure import measure
from ...face.facs.script import Script
from ...face.facs.script_text import write_script
from ...face.head.model import HeadModel
from ..metrics import Counts, bootstrap_interval
from ..table import Table
from .facts import SEEDS, Rendered, aligned, misread, normal, seen
from .suite import Prompt

ALONE = "model alone"
WAYS: dict[str, dict[str, Any]] = {ALONE: {"candidates": 1, "temperature": 0.0, "repair": False},
                                   "with check": {"repair": False}, "with repair": {}}
"""What is given to ``perform_many``: the likeliest motion of the likeliest reading, unchecked; the best of several candidates;
what a user gets."""
MAKERS = ("model", "repaired", "animator")
BATCH = 8
"""Prompts that are performed side by side, and after which results are kept."""


@dataclass(frozen=True)
class Made:
    """One clip of a prompt."""

    ok: bool
    """Wholly right: passes the check of the right script."""
    by: tuple[str, ...]
    """Who performed each cue."""
    missed: tuple[str, ...]
    """What is not as it was asked."""
    claimed: bool
    """Whether it passes the check of the script that was read, as the user is told."""
    seconds: float


@dataclass(frozen=True)
class Scored:
    """All results of one prompt."""

    kind: str
    line: str
    """What was read."""
    exact: bool
    wrong: tuple[str, ...]
    """What was read wrong; the reason, where the prompt was refused."""
    refused: bool
    reading: float
    """Seconds of reading."""
    made: dict[str, Made] = field(default_factory=dict)
    """By way of making; empty where nothing could be performed."""
    seen_same: bool | None = None
    """Whether the animator's clip of the right script is read back as it by code; None: not in actions and emotions alone."""
    seen_right: bool | None = None
    """Whether what was read back, performed again, passes the check."""

    @property
    def right(self) -> bool:
        """Whether all facts were read right."""
        return not self.wrong

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Scored:
        """Read :meth:`to_dict`'s values."""
        made = {k: Made(**{**m, "by": tuple(m["by"]), "missed": tuple(m["missed"])}) for k, m in raw["made"].items()}
        return cls(**{**raw, "wrong": tuple(raw["wrong"]), "made": made})


def evaluate_prompts(lm: Any, prompts: Sequence[Prompt], seed: int = 0, ways: Sequence[str] = tuple(WAYS),
                     options: dict[str, Any] | None = None, journal: Journal | None = None, key: str = "",
                     progress: Progress = silent) -> list[Scored]:
    """Read and perform prompts and score both.

    Args:
        lm: a :class:`facelm.FaceLM`, or anything with its ``read_many``, ``perform_many`` and ``head``.
        prompts: with their right scripts.
        seed: prompt ``i`` is performed with ``seed + i``.
        ways: names in :data:`WAYS`.
        options: ``temperature`` and ``candidates`` of the ways that sample.
        journal: results are kept there as they come, and those of an earlier run under the same ``key`` are taken from it.
        progress: called with (done, of).

    Raises:
        ValueError: no prompts, or an unknown way.
    """
    if not prompts:
        raise ValueError("evaluation needs prompts")
    if unknown := [w for w in ways if w not in WAYS]:
        raise ValueError(f"no way {unknown[0]!r} of performing; allowed: {', '.join(WAYS)}")
    kept = {r["at"]: Scored.from_dict(r["row"]) for r in (journal.rows() if journal else []) if r.get("key") == key}
    done = {i: kept[i] for i in range(len(prompts)) if i in kept}
    missing = [i for i in range(len(prompts)) if i not in done]
    for low in range(0, len(missing), BATCH):
        at = missing[low:low + BATCH]
        for i, row in zip(at, _batch(lm, [prompts[i] for i in at], [seed + i for i in at], ways, options or {}), strict=True):
            done[i] = row
            if journal:
                journal.add({"key": key, "at": i, "row": row.to_dict()})
        progress(len(done), len(prompts))
    return [done[i] for i in range(len(prompts))]


def _batch(lm: Any, prompts: Sequence[Prompt], seeds: Sequence[int], ways: Sequence[str],
           options: dict[str, Any]) -> list[Scored]:
    started = time.perf_counter()
    scripts = _each(lambda part: lm.read_many([prompts[i].text for i in part]), range(len(prompts)))
    reading = (time.perf_counter() - started) / len(prompts)
    likeliest = _each(lambda part: lm.read_many([prompts[i].text for i in part], tries=1), range(len(prompts)))
    rows = [_read(lm.head, p, s, reading) for p, s in zip(prompts, scripts, strict=True)]
    for way in ways:
        asked = {**(options if "candidates" not in WAYS[way] else {}), **WAYS[way]}
        read = likeliest if way == ALONE else scripts
        able = [i for i, s in enumerate(read) if isinstance(s, Script)]

        def perform(part: Sequence[int], asked: dict[str, Any] = asked, read: Sequence[Any] = read) -> list[Any]:
            return list(lm.perform_many([read[i] for i in part], seed=seeds[part[0]], **asked))

        for run in _runs(able, seeds):
            started = time.perf_counter()
            made = _each(perform, run)
            spent = (time.perf_counter() - started) / len(run)
            for i, performance in zip(run, made, strict=True):
                if isinstance(performance, Exception):
                    if not rows[i].refused and asked.get("repair", True):  # a model alone may not be able to perform
                        rows[i] = replace(rows[i], refused=True, wrong=(*rows[i].wrong, str(performance)))
                else:
                    rows[i] = replace(rows[i], made={**rows[i].made, way: _made(lm.head, prompts[i], performance, spent)})
    return rows


def _runs(at: Sequence[int], seeds: Sequence[int]) -> Iterator[list[int]]:
    """Places whose seeds follow each other: ``perform_many`` gives each script the next seed."""
    for _, run in groupby(enumerate(at), lambda pair: seeds[pair[1]] - pair[0]):
        yield [i for _, i in run]


def _each(work: Callable[[Sequence[int]], list[Any]], at: Sequence[int]) -> list[Any]:
    """Results of one call; where it is refused, of one call each, with the refusals in their places."""
    try:
        return work(at)
    except ValueError as err:
        return [err] if len(at) == 1 else [_each(work, [i])[0] for i in at]


def _read(head: HeadModel, prompt: Prompt, script: Any, reading: float) -> Scored:
    """What was read, beside the right script that is nearest to it."""
    expected = [Rendered(s, head) for s in prompt.scripts]
    try:
        back = seen(expected[0])
        same, right = back.same, back.right
    except ValueError:
        same = right = None
    if not isinstance(script, Script):
        return Scored(prompt.kind, "", False, (str(script),), True, reading, seen_same=same, seen_right=right)
    exact = any(normal(script) == normal(s) for s in prompt.scripts)
    read = Rendered(script, head, SEEDS)
    wrong = [] if exact else min((misread(e, read) for e in expected), key=len)
    return Scored(prompt.kind, write_script(script), exact, tuple(wrong), False, reading, seen_same=same, seen_right=right)


def _made(head: HeadModel, prompt: Prompt, performance: Any, seconds: float) -> Made:
    shown = measure(performance.clip, head)

    def checked(script: Script) -> CheckList:
        return check(script, shown, performance.schedule if aligned(script, performance.script) else None)

    best = max((checked(s) for s in prompt.scripts), key=lambda c: (c.ok, c.score()))
    return Made(best.ok, tuple(performance.by), tuple(c.sentence for c in best.failed), performance.checks.ok, seconds)


# -- report ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Share:
    """A share of prompts and its 95 % bootstrap interval; None of none."""

    of: int
    share: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def among(cls, values: Sequence[bool]) -> Share:
        """The share of what is true."""
        if not values:
            return cls(0)
        counts = [Counts(int(v), int(not v)) for v in values]
        low, high = bootstrap_interval(counts, "recall")
        return cls(len(values), sum(values) / len(values), low, high)

    def text(self, interval: bool = False) -> str:
        """The share, and its interval."""
        if self.share is None:
            return "-"
        return f"{self.share:.3f}" + (f" ({self.low:.2f}-{self.high:.2f})" if interval else "")


@dataclass(frozen=True)
class Report:
    """All shares of a set of prompts."""

    title: str
    kinds: dict[str, dict[str, Share]]
    """By kind, the last being ``all``: shares by name."""
    cues: dict[str, dict[str, float]]
    """By way: the shares of the cues that the model performed at once, when asked again, and the animator."""
    seconds: dict[str, float]
    """Of a prompt, to read and by way."""
    prompts: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def table(self) -> str:
        """Plain text."""
        names = list(self.kinds["all"])
        rows = [(kind, str(shares[names[0]].of), *(shares[n].text(kind == "all") for n in names))
                for kind, shares in self.kinds.items()]
        notes = [f"cues {way}: " + ", ".join(f"{share:.3f} by the {who}" if who != "repaired" else f"{share:.3f} repaired"
                                             for who, share in shares.items()) for way, shares in self.cues.items()]
        notes.append("seconds a prompt: " + ", ".join(f"{what} {s:.2f}" for what, s in self.seconds.items()))
        return Table("prompts", f"{self.title} ({self.prompts} prompts; 95 % intervals)", ("", "n", *names), tuple(rows),
                     tuple(notes)).text()


def report(title: str, rows: Sequence[Scored]) -> Report:
    """Shares by kind and over all.

    ``done of read right`` is the share of the prompts read right that are performed wholly right by the last way.
    """
    ways = [w for w in WAYS if any(w in r.made for r in rows)]
    groups = {kind: [r for r in rows if r.kind == kind] for kind in dict.fromkeys(r.kind for r in rows)}
    kinds = {kind: _shares(part, ways) for kind, part in {**groups, "all": list(rows)}.items()}
    cues = {}
    for way in ways:
        by = [b for r in rows if way in r.made for b in r.made[way].by]
        cues[way] = {m: by.count(m) / len(by) for m in MAKERS} if by else {}
    seconds = {"reading": sum(r.reading for r in rows) / len(rows)}
    for way in ways:
        times = [r.made[way].seconds for r in rows if way in r.made]
        seconds[way] = sum(times) / len(times)
    return Report(title, kinds, cues, seconds, len(rows))


def _shares(rows: Sequence[Scored], ways: Sequence[str]) -> dict[str, Share]:
    def done(row: Scored, way: str) -> bool:
        return way in row.made and row.made[way].ok

    out = {"read exactly": Share.among([r.exact for r in rows]), "read right": Share.among([r.right for r in rows])}
    out |= {way: Share.among([done(r, way) for r in rows]) for way in ways}
    if ways:
        last = ways[-1]
        right = [r for r in rows if r.right]
        out["done of read right"] = Share.among([done(r, last) for r in right])
        out["of these by the model"] = Share.among(
            [set(r.made[last].by) == {"model"} for r in right if done(r, last) and r.made[last].by])
    out["seen as script"] = Share.among([r.seen_same for r in rows if r.seen_same is not None])
    out["seen, done again"] = Share.among([r.seen_right for r in rows if r.seen_right is not None])
    return out


def failures(prompts: Sequence[Prompt], rows: Sequence[Scored]) -> list[dict[str, Any]]:
    """The prompts that are not wholly right in every way, with what is wrong."""
    return [{"kind": p.kind, "text": p.text, "right": [write_script(s) for s in p.scripts], "read": r.line,
             "wrong": list(r.wrong), "missed": {way: list(m.missed) for way, m in r.made.items() if not m.ok}}
            for p, r in zip(prompts, rows, strict=True) if r.wrong or not r.made or not all(m.ok for m in r.made.values())]
