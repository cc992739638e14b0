"""The dataset card of a built corpus: how it was made, and its balance, counted from the files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....common.files import write_text
from ....face.facs.vocabulary import ACTIONS
from ..card import table
from .recipe import Recipe

_BACKENDS = {
    "performer": "Scripts were performed on a 3D head by code and filmed (random identity, camera, light, noise); the films "
                 "were then fitted frame by frame as if nothing were known of them. There are no people in it.",
    "t2v": "Prompts of a balanced suite were rendered by a text-to-video model; the people in the videos do not exist. The "
           "videos were fitted frame by frame.",
    "videos": "Existing videos were fitted frame by frame. The motion is of whoever is in them: see the column `licence`.",
}
_TEXT = """\
# {title}

{total} clips ({hours:.2f} hours at {fps:g} fps) of facial motion with words, written by `facelm data build`.
{about}
{truth}
| split | clips | share |
|---|---|---|
{splits}

{asked} clips were asked for. {left_out}

## Use
`datasets.load_dataset("parquet", data_files={{"train": "data/train-*.parquet"}})`, or, in facelm,
`iter_corpus(folder, "train")` and `load_clip(row)` of `facelm.data_gen.corpus.synth`; `facelm train` takes the folder as it is.

## Columns
- `clip_id`, `split`, `seconds`, `fps`, `n_frames`, `n_events`
- `script`: the script that the texts are about (JSON)
- `captions`, `registers`, `describe`, `questions`, `answers`, `kinds`: the texts
- `facts`: measured actions (JSON): name, onset, apex, offset in seconds, intensity 0 to 1, cycles
- `head`: name, edition and sha256 of the head
- `expr`, `neck_pose`, `jaw_pose`, `eyes_pose`: the motion, half precision, flattened by frames; empty where
  it is zero throughout. Head motion is relative to how the head rests in the clip.
{extras}
Left and right are the subject's own.

## Statistics
{stats}

### Measured actions
{balance}

### Left out
{failures}
{plots}
## Limits
{limits}
"""
_EXTRAS = """\
- `prompt`, `attributes` (JSON): what was asked for, and how it was filmed
- `agreement` (JSON): whether the clip shows what was asked for
- `emotion`: the dominant emotion, measured
- `true_script`, `true_facts` (JSON; performer only): what was commanded, and what the true motion shows
- `quality`, `camera` (JSON): of the fit; `valid`: share of its frames that are trusted
- `source`, `licence`, `start`: the video, its licence, and where in it the clip begins, s
- `shape`: fitted identity; `camera_rotation`, `camera_translation`: the head before the camera (axis-angle, m)
"""
_LIMITS = """\
Facts are measured on fitted motion: a fit misses what its landmarks do not show (tongue, cheeks) and adds
noise, of which what is too small to be meant was filtered out. Emotions are prototypes of what a face shows, not
what anybody felt. The texts come from a few hundred phrases."""


@dataclass
class _Counts:
    actions: Counter[str] = field(default_factory=Counter)
    true: Counter[str] = field(default_factory=Counter)
    emotions: Counter[str] = field(default_factory=Counter)
    events: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    captions: set[str] = field(default_factory=set)
    agreeing: int = 0
    judged: int = 0
    fps: float = 25.0


def write_build_card(folder: Path, recipe: Recipe, asked: int, failures: dict[str, int], counts: dict[str, int],
                     true: bool = False) -> None:
    """Write ``README.md``, ``statistics.json`` and, with matplotlib, ``balance.png`` beside the data.

    Args:
        folder: the corpus.
        recipe: how it was made.
        asked: clips asked for.
        failures: clips given up at each stage.
        counts: clips in each split.
        true: the corpus of the commanded motion.
    """
    seen = _count(folder, true)
    total = sum(counts.values())
    plotted = recipe.pack.plots and _plot(folder, seen)
    stats: list[Sequence[Any]] = [
        ("length, s (mean, shortest, longest)",
         f"{np.mean(seen.seconds):.2f}, {min(seen.seconds):.2f}, {max(seen.seconds):.2f}"),
        ("events in a clip (share)", ", ".join(f"{k}: {v / total:.0%}" for k, v in sorted(seen.events.items()))),
        ("words in a caption", f"{np.mean(seen.words):.1f}" if seen.words else "-"),
        ("different captions", f"{len(seen.captions)} of {len(seen.words)}"),
        ("questions (share)", ", ".join(f"{k} {v / max(seen.kinds.total(), 1):.0%}" for k, v in _most(seen.kinds))),
    ]
    if not true:
        errors = np.array(seen.errors or [np.nan])
        stats += [("dominant emotion (share)", ", ".join(f"{k} {v / total:.0%}" for k, v in _most(seen.emotions))),
                  ("reprojection error, % of inter-ocular distance (median, 95th percentile)",
                   f"{np.median(errors):.2f}, {np.percentile(errors, 95):.2f}")]
        if seen.judged:
            stats.append(("clips that show what was asked for", f"{seen.agreeing} of {seen.judged}"))
        stats.append(("licences of the videos", ", ".join(f"{k or 'not stated'} ({v})" for k, v in _most(seen.licences))))
    both = bool(seen.true)
    rows = [(n, seen.actions[n], f"{seen.actions[n] / total:.1%}", *([seen.true[n]] if both else []))
            for n in sorted(ACTIONS, key=lambda n: (-seen.actions[n], n)) if seen.actions[n] or seen.true[n]]
    body = _TEXT.format(
        title="A corpus of performed facial motion and words" if true else "A corpus of fitted facial motion and words",
        total=total, hours=sum(seen.seconds) / 3600, fps=seen.fps, about=_BACKENDS[recipe.backend], asked=asked,
        truth="\nThis is the **commanded** motion of those clips and what it is called, for comparison.\n" if true else "",
        splits="\n".join(f"| {s} | {n} | {n / total:.1%} |" for s, n in counts.items()),
        left_out=_left_out(failures), extras="" if true else _EXTRAS, stats=table(stats, ("what", "value")),
        balance=table(rows, ("action", "times", "per clip", *(["in the true motion"] if both else []))),
        failures=table(list(failures.items()), ("stage", "clips")) if failures else "Nothing.",
        plots="\n![Balance](balance.png)\n" if plotted else "", limits=_LIMITS)
    licence = "apache-2.0" if true or recipe.backend == "performer" else "other"
    files = "\n".join(f"  - split: {s}\n    path: data/{s}-*.parquet" for s, n in counts.items() if n)
    front = (f"---\nlicense: {licence}\nlanguage: en\ntags:\n- facial-animation\n- motion\n- 3d\nconfigs:\n"
             f"- config_name: default\n  data_files:\n{files}\n---\n\n")
    write_text(folder / "README.md", front + body)
    figures = {"counts": counts, "hours": round(sum(seen.seconds) / 3600, 4), "asked": asked, "failures": failures,
               "actions": dict(sorted(seen.actions.items())), "true_actions": dict(sorted(seen.true.items())),
               "emotions": dict(sorted(seen.emotions.items()))}
    write_text(folder / "statistics.json", json.dumps(figures, indent=2, sort_keys=True) + "\n")


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first; ties by name, so that the card does not depend on the order of the rows."""
    return sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))


def _left_out(failures: dict[str, int]) -> str:
    if not failures:
        return "None was left out."
    return f"{sum(failures.values())} were left out (see below; `build/failures/` has each with its reason)."


def _count(folder: Path, true: bool) -> _Counts:
    import pyarrow.parquet as pq

    out = _Counts()
    columns = ["seconds", "fps", "n_events", "captions", "kinds", "facts"]
    extras = [] if true else ["true_facts", "emotion", "quality", "agreement", "licence"]
    for path in sorted((folder / "data").glob("*.parquet")):
        for row in pq.read_table(path, columns=columns + extras).to_pylist():
            out.actions.update(f["name"] for f in json.loads(row["facts"]))
            out.events[row["n_events"]] += 1
            out.kinds.update(row["kinds"])
            out.seconds.append(row["seconds"])
            out.captions.update(row["captions"])
            out.words += [len(t.split()) for t in row["captions"]]
            out.fps = row["fps"]
            if true:
                continue
            out.true.update(f["name"] for f in json.loads(row["true_facts"] or "[]"))
            out.emotions[row["emotion"]] += 1
            out.licences[row["licence"]] += 1
            error = json.loads(row["quality"])["reprojection"]
            out.errors += [] if error is None else [error]
            agreed = json.loads(row["agreement"])
            out.judged += bool(agreed)
            out.agreeing += bool(agreed.get("agrees"))
    return out


def _plot(folder: Path, seen: _Counts) -> bool:
    """Bars of actions, emotions and lengths; False without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.3, 1))
    names = sorted((n for n in ACTIONS if seen.actions[n] or seen.true[n]), key=lambda n: (seen.actions[n], n))
    axes = figure.add_subplot(grid[:, 0])
    at = np.arange(len(names))
    axes.barh(at, [seen.actions[n] for n in names], 0.4 if seen.true else 0.8, label="measured on the fit")
    if seen.true:
        axes.barh(at + 0.4, [seen.true[n] for n in names], 0.4, label="in the true motion")
        axes.legend(fontsize=8)
    axes.set_yticks(at, names, fontsize=7)
    axes.set_title("Actions", fontsize=9)
    top, middle = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    top.hist(seen.seconds, bins=24)
    top.set_title("Length of the clips, s", fontsize=9)
    if seen.errors:
        middle.hist(seen.errors, bins=24)
        middle.set_title("Reprojection error, % of inter-ocular distance", fontsize=9)
    else:
        middle.bar([str(k) for k in sorted(seen.events)], [seen.events[k] for k in sorted(seen.events)])
        middle.set_title("Events in a clip", fontsize=9)
    partial = folder / ".balance.png.part"
    # without metadata: the picture depends on nothing but the counts
    figure.savefig(partial, format="png", dpi=90, metadata={"Software": None})
    partial.replace(folder / "balance.png")
    return True
