"""Whether descriptions are complete and true: sampled scripts are performed and described, and the words read back by rule.

What the words say is checked against the same measurement that they were made from, by other code: the rules that read prompts,
and the check of scripts. It shows what the wording loses, doubles or turns round, not what measurement misses.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...common.progress import Progress, silent
from ...data_gen.performer.animator import perform
from ...data_gen.performer.sampler import sample_script
from ...data_gen.reading.rules import read_rules
from ...data_gen.text.quantities import find_quantities
from ...face.facs.check import check
from ...face.facs.evidence.happenings import happenings
from ...face.facs.measure import measure
from ...face.facs.measured import Measurement
from ...face.facs.script import Script
from ..metrics import Counts, bootstrap_interval

COUNT = 500
_UNTRUE = {"present": "present", "absent": "absent", "count": "count", "side": "side", "order": "order", "together": "order",
           "strength": "strength"}
"""Kinds of checks that a description can fail, and what is wrong then."""
_CONTRARY = frozenset(("absent", "side", "count", "order"))
"""What the measurement shows otherwise, and not only not at all."""
_CLAUSE = re.compile(r"[.;]\s+|,? then |, ")




@dataclass(frozen=True)
class Told:
    """One description.

    Attributes:
        text: the description.
        untrue: what of it the measurement does not show, as sentences of the check, each with its kind before it.
        missing: what is measured and not said.
        repeated: what is said more often than it happens.
        read: whether the rules could read all of it.
    """

    text: str
    untrue: tuple[str, ...]
    missing: tuple[str, ...]
    repeated: tuple[str, ...]
    read: bool

    @property
    def contrary(self) -> bool:
        """Whether it says what the measurement shows otherwise."""
        return any(u.partition(":")[0] in _CONTRARY for u in self.untrue)


def score_text(text: str, measured: Measurement) -> Told:
    """A description against what was measured; blinks are told at its end, counted over the whole clip, whenever they are."""
    reading = read_rules(find_quantities(text), 0.0)
    script = reading.script if reading is not None else Script()
    checks = [c for c in check(script, measured).failed if c.cue is None or script.cues[c.cue].name != "blink" or not (
        c.kind == "order" or c.kind == "count" and script.cues[c.cue].count == len(measured.of("blink")))]
    untrue = tuple(f"{_UNTRUE[c.kind]}: {c.sentence}" for c in checks if c.kind in _UNTRUE)
    missing = tuple(c.sentence for c in checks if c.kind == "foreign")
    whole = reading is not None and reading.explained >= 0.99
    return Told(text, untrue, missing, tuple(_repeated(text, script, measured)), whole)


def _repeated(text: str, script: Script, measured: Measurement) -> Iterable[str]:
    """Clauses that stand twice though what they say happens once."""
    clauses = Counter(c.strip(" .").lower() for c in _CLAUSE.split(text) if c.strip(" ."))
    shown = Counter(s.name for s in happenings(measured))
    said = Counter(c.action for c in script.cues)
    for clause, times in clauses.items():
        reading = read_rules(find_quantities(clause), 0.0) if times > 1 else None
        for cue in reading.script.cues if reading else ():
            if times > max(shown[cue.action], shown[cue.name]) > 0:
                yield clause
    yield from (name.replace("_", " ") for name, times in said.items() if times > shown[name] > 0)


@dataclass(frozen=True)
class Descriptions:
    """The outcome of many."""

    rows: tuple[Told, ...]

    def shares(self) -> dict[str, int]:
        """How many are true, complete, both, without repetition, without contradiction, and read whole."""
        return {"true": sum(not r.untrue for r in self.rows), "complete": sum(not r.missing for r in self.rows),
                "true and complete": sum(not r.untrue and not r.missing for r in self.rows),
                "without repetition": sum(not r.repeated for r in self.rows),
                "without contradiction": sum(not r.contrary for r in self.rows), "read whole": sum(r.read for r in self.rows)}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        kinds = Counter(u.partition(":")[0] for r in self.rows for u in r.untrue)
        return {"set": "descriptions", "descriptions": len(self.rows), **self.shares(), "untrue": dict(kinds)}

    def failures(self) -> list[dict[str, Any]]:
        """What is wrong, with the texts."""
        return [{"text": r.text, "untrue": list(r.untrue), "missing": list(r.missing), "repeated": list(r.repeated)}
                for r in self.rows if r.untrue or r.missing or r.repeated]

    def table(self) -> str:
        """For people."""
        lines = [f"descriptions: {len(self.rows)}"]
        for name, count in self.shares().items():
            of = len(self.rows)
            low, high = bootstrap_interval([Counts(1, 0)] * count + [Counts(0, 1)] * (of - count), "recall")
            lines.append(f"  {name:<22s}{count:4d} of {of:<4d}{count / of:6.3f} ({low:.2f} to {high:.2f})")
        return "\n".join(lines)


def sampled(count: int, seed: int = 0) -> Iterable[Measurement]:
    """What sampled scripts show, performed by the procedural animator without spontaneous motion."""
    for k in range(count):
        yield measure(perform(sample_script(np.random.default_rng([seed, k]))))


def evaluate_descriptions(describe: Callable[[Measurement], str], count: int = COUNT, seed: int = 0,
                          progress: Progress = silent) -> Descriptions:
    """Describe sampled performances, and check the descriptions.

    Args:
        describe: says what a measurement shows.
        count, seed: how many, and which.
        progress: called with (done, of).
    """
    rows = []
    for k, measured in enumerate(sampled(count, seed), 1):
        rows.append(score_text(describe(measured), measured))
        progress(k, count)
    return Descriptions(tuple(rows))
