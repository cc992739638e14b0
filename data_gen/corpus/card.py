"""The dataset card of a synthetic corpus: what it is, and its statistics, counted from the files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...face.facs.script import Script
from .splits import has_reserved_pair, reserved_pairs

_COLUMNS = ("split", "seconds", "n_events", "script", "captions", "registers", "describe", "questions", "answers",
            "kinds")

_TEXT = """\
# A synthetic corpus of facial motion and words

{total} clips ({hours:.1f} hours at {fps:g} fps), written by `facelm data synth --clips {clips} --seed {seed}`.
Nothing in it was recorded: scripts are drawn at random, performed on a 3D head by code, measured
from the head's geometry by code, and put into words from a lexicon. There are no people in it.

| split | clips | share | of these with a pair of events reserved for test |
|---|---|---|---|
{splits}

A clip's split follows from what happens in it (names, strengths, counts, order, whole seconds), so
that the same event structure never is in two splits. {pairs} pairs of events occur together only in
the test split. About a third of the test captions use phrases that never occur in train and val.

## Columns
- `clip_id`, `split`, `seconds`, `fps`, `n_frames`, `n_events`
- `script`: the performance script (JSON): what was commanded, the ground truth
- `captions`, `registers`: texts that ask for or tell the motion, and the register of each
- `describe`: two compact texts in one uniform style, the target for "describe this motion"
- `questions`, `answers`, `kinds`
- `facts`: measured actions (JSON): name, onset, apex, offset in seconds, intensity 0 to 1, cycles
- `head`: name, edition and sha256 of the head
- `expr`, `neck_pose`, `jaw_pose`, `eyes_pose`: the commanded motion, half precision, flattened by
  frames; empty where it is zero throughout. `facelm.data_gen.corpus.synth.load_clip(row)` gives the clip.

Left and right are the subject's own. The idle layer (drift, spontaneous blinks) is not in it.

## Statistics
{stats}

### Events by action and emotion
{balance}

## Limits
Strengths are three words for a continuous scale; timing follows minimum-jerk profiles; the language
comes from a few hundred phrases. Emotions are prototypes (EMFACS), not what anybody felt.

## Licence
Apache-2.0, as facelm. The head that performs is derived from MakeHuman's CC0 assets.
"""


def table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in r) + " |" for r in rows])


def _words(texts: list[str]) -> float:
    return float(np.mean([len(t.split()) for t in texts])) if texts else 0.0


def write_card(folder: Path, config: dict[str, Any], counts: dict[str, int]) -> None:
    """Write README.md beside the data.

    Args:
        folder: the corpus.
        config: clips and seed, for the text.
        counts: clips in each split.
    """
    import pyarrow.parquet as pq

    names: Counter[str] = Counter()
    registers: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    events: Counter[int] = Counter()
    by_register: dict[str, list[int]] = {}
    seconds: list[float] = []
    texts: dict[str, list[str]] = {"captions": [], "describe": [], "questions": [], "answers": []}
    reserved = dict.fromkeys(counts, 0)
    for path in sorted((folder / "data").glob("*.parquet")):
        for row in pq.read_table(path, columns=list(_COLUMNS)).to_pylist():
            script = Script.from_json(row["script"])
            names.update(e.name for e in script.events)
            events[row["n_events"]] += 1
            seconds.append(row["seconds"])
            registers.update(row["registers"])
            kinds.update(row["kinds"])
            reserved[row["split"]] += has_reserved_pair(script)
            for key, store in texts.items():
                store += row[key]
            for text, register in zip(row["captions"], row["registers"], strict=True):
                by_register.setdefault(register, []).append(len(text.split()))
    total = sum(counts.values())
    stats = [
        ("length, s (mean, shortest, longest)", f"{np.mean(seconds):.2f}, {min(seconds):.2f}, {max(seconds):.2f}"),
        ("events in a clip (share)", ", ".join(f"{k}: {v / total:.0%}" for k, v in sorted(events.items()))),
        ("words in a caption", f"{_words(texts['captions']):.1f}"),
        ("words in a description", f"{_words(texts['describe']):.1f}"),
        ("words in a question, in an answer", f"{_words(texts['questions']):.1f}, {_words(texts['answers']):.1f}"),
        ("different captions", f"{len(set(texts['captions']))} of {len(texts['captions'])}"),
        ("registers (share, words)", ", ".join(f"{k} {v / registers.total():.0%} ({np.mean(by_register[k]):.1f})"
                                               for k, v in registers.most_common())),
        ("questions (share)", ", ".join(f"{k} {v / max(kinds.total(), 1):.0%}" for k, v in kinds.most_common())),
    ]
    body = _TEXT.format(
        total=total, hours=sum(seconds) / 3600, fps=25.0, clips=config["clips"], seed=config["seed"],
        splits="\n".join(f"| {s} | {n} | {n / total:.1%} | {reserved[s]} |" for s, n in counts.items()),
        pairs=len(reserved_pairs()), stats=table(stats, ("what", "value")),
        balance=table([(n, c, f"{c / names.total():.1%}") for n, c in names.most_common()],
                       ("name", "events", "share")))
    files = "\n".join(f"  - split: {s}\n    path: data/{s}-*.parquet" for s, n in counts.items() if n)
    front = f"---\nlicense: apache-2.0\nlanguage: en\nconfigs:\n- config_name: default\n  data_files:\n{files}\n---\n\n"
    partial = folder / ".README.md.part"
    partial.write_text(front + body)
    partial.replace(folder / "README.md")
    figures = {"counts": counts, "hours": round(sum(seconds) / 3600, 3), "events": dict(sorted(names.items()))}
    (folder / "statistics.json").write_text(json.dumps(figures, indent=2) + "\n")
