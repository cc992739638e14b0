"""A corpus checked before anything is trained on it or measured with it: values, rates, texts, leaks between splits, heads."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...common.files import digest
from ...common.progress import Progress, silent
from ...common.text import one_line
from ...data_gen.corpus.splits import structure
from ...face.facs.schedule import Schedule
from .corpora import open_corpus

EXAMPLES = 5
"""Faults of a kind that are named one by one."""


@dataclass
class CorpusReport:
    """What was found.

    Attributes:
        clips: by split.
        found: faults by kind: what is wrong, as sentences.
        counts: faults by kind.
        facts: what is no fault: frame rates, heads, hours.
    """

    clips: dict[str, int] = field(default_factory=dict)
    found: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def fault(self, kind: str, sentence: str) -> None:
        """One more."""
        self.counts[kind] += 1
        named = self.found.setdefault(kind, [])
        if len(named) < EXAMPLES:
            named.append(sentence)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"ok": self.ok, "clips": self.clips, "counts": dict(self.counts), "found": self.found, "facts": self.facts}

    def text(self) -> str:
        """For people."""
        lines = [", ".join(f"{n} clips in {split}" for split, n in self.clips.items()),
                 ", ".join(f"{k}: {v}" for k, v in self.facts.items())]
        for kind, count in self.counts.items():
            lines.append(f"{kind}: {count}")
            lines += [f"  {s}" for s in self.found[kind]]
        return "\n".join([*lines, "nothing is wrong" if self.ok else f"{self.faults} faults"])


def validate(folder: str | os.PathLike[str], progress: Progress = silent) -> CorpusReport:
    """Check every clip of a corpus of `facelm data synth` or `facelm data build`, or of Express4D's folder as distributed.

    Faults: values that are not finite (or a clip that cannot be read), frames that are not valid throughout, texts that are
    missing or empty, several frame rates, several heads, the same clip, text or event structure in two splits, an empty split.

    Raises:
        FileNotFoundError, ValueError: no corpus there.
    """
    corpus = open_corpus(folder)
    report = CorpusReport()
    rates: Counter[str] = Counter()
    heads: Counter[str] = Counter()
    seen: dict[str, dict[str, str]] = {"clip": {}, "event structure": {}, "text": {}}
    seconds, done = 0.0, 0
    for split in corpus.splits:
        report.clips[split] = 0
        for row in corpus.rows(split):
            done += 1
            report.clips[split] += 1
            name = str(row["clip_id"])
            _texts(report, name, row, corpus.texts)
            try:
                clip = corpus.clip(row)
            except ValueError as err:
                report.fault("damaged", f"{name}: {one_line(err, 160)}")
                continue
            if not clip.valid.any():
                report.fault("not valid", f"{name}: no frame of it is valid")
            rates[f"{clip.fps:g}"] += 1
            heads[str(clip.head)] += 1
            seconds += clip.seconds
            motion = (clip.expr, clip.neck_pose, clip.jaw_pose, clip.eyes_pose)
            own = {"clip": digest([np.asarray(v).tobytes().hex() for v in motion])}
            if row.get("script"):
                own["event structure"] = structure(Schedule.from_json(row["script"]))
            for what, value in own.items():
                _leak(report, what, value, split, name, seen[what])
            for text in row["captions"]:
                _leak(report, "text", text.strip().lower(), split, name, seen["text"])
            progress(done, max(corpus.clips, done))
        if not report.clips[split]:
            report.fault("empty split", f"the {split} split has no clips")
    for what, found in (("frame rates", rates), ("heads", heads)):
        if len(found) > 1:
            report.fault(f"several {what}", ", ".join(f"{k} ({n} clips)" for k, n in found.most_common()))
    report.facts = {"hours": round(seconds / 3600, 2), "frame rates": ", ".join(rates), "heads": ", ".join(heads)}
    return report


def _texts(report: CorpusReport, name: str, row: Mapping[str, Any], columns: Sequence[str]) -> None:
    for column in columns:
        texts = list(row.get(column) or ())
        if not texts:
            report.fault("no text", f"{name}: {column} is empty")
        elif any(not str(t).strip() for t in texts):
            report.fault("no text", f"{name}: a text of {column} is empty")


def _leak(report: CorpusReport, what: str, value: str, split: str, name: str, seen: dict[str, str]) -> None:
    before = seen.setdefault(value, f"{split} {name}")
    if before.split(" ", 1)[0] != split:
        report.fault("leak", f"{split} {name} has the {what} of {before}")
