"""Tables II to X of Vo et al. with the paper's figures and ours in columns of their own, and two tables on the movement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS, read_settings
from ..table import Table
from .bench import Entry
from .images import Likeness
from .metrics import Spread
from .quality import DynamicsScore

DASH = "-"
Value = tuple[float, float | None]
Three = tuple[Value, Value, Value]
"""Acc1, Acc2, G-mean."""
Four = tuple[float, float, float, float]
"""L1, PSNR (dB), LPIPS, MS-SSIM."""


@settings(frozen=True, config=SETTINGS)
class Ablation:
    """One of the paper's Tables V to VIII."""

    what: str
    """What varies."""
    rows: dict[str, str]
    """Our variant and what the paper calls it."""
    values: dict[str, dict[str, Three]]
    """By data set and variant."""


@settings(frozen=True, config=SETTINGS)
class Paper:
    """The paper's figures, by data set and row; see ``paper.yaml``."""

    url: str
    accuracy: dict[str, dict[str, Three]]
    variants: dict[str, Ablation]
    rendered: dict[str, dict[str, Four]]
    neutral: dict[str, dict[str, Four]]
    angles: tuple[float, ...]
    rotation: dict[str, dict[str, tuple[tuple[float, float], ...]]]


@cache
def paper() -> Paper:
    """The paper's figures, read once."""
    return read_settings(Paper, Path(__file__).with_name("paper.yaml"))


@dataclass
class Results:
    """Everything measured; what was not asked for stays empty. Shares in [0, 1], times in seconds."""

    name: str
    """Of the data set."""
    title: str
    """What the data is."""
    encoder: str = ""
    """The text encoder's name."""
    samples: dict[str, int] = field(default_factory=dict)
    """Samples of each split."""
    classifier: str = ""
    """The classifier's title."""
    lm_name: str = "language model"
    main: dict[str, Entry] = field(default_factory=dict)
    """``ground truth``, ``MotionCLIP``, ``I2FET``, ``lm``, and the last three once more with ``, paraphrased``."""
    variants: dict[str, Entry] = field(default_factory=dict)
    rendered: dict[str, Likeness] = field(default_factory=dict)
    neutral: dict[str, Likeness] = field(default_factory=dict)
    rotation: dict[str, dict[float, tuple[float, float]]] = field(default_factory=dict)
    quality: dict[str, dict[str, float]] = field(default_factory=dict)
    dynamics: dict[str, DynamicsScore] = field(default_factory=dict)
    separation: dict[str, float] = field(default_factory=dict)
    """Silhouette of the latents of Fig. 7."""
    times: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """What was left out, and why."""
    sizes: dict[str, int] = field(default_factory=dict)
    """``pictures``, ``picture_size``, ``quality``, ``classifier_test``."""

    @property
    def like(self) -> str:
        """The paper's data set that this one is, or is a surrogate of."""
        return self.name.removeprefix("surrogate-")

    def about(self, *more: str) -> str:
        """Which data, which text encoder, and more, for a title."""
        return "; ".join([f"data: {self.title}", *([f"text encoder: {self.encoder}"] if self.encoder else []), *more])


def percent(value: Spread, share: float = 100.0) -> str:
    """``91.4 ± 0.2`` in percent; without deviation for a single evaluation."""
    if not value.count or math.isnan(value.mean):
        return DASH
    text = f"{share * value.mean:.2f}"
    return text if value.count < 2 else f"{text} ± {share * value.std:.2f}"


def _printed(value: Value) -> str:
    """A figure of the paper as it is printed there."""
    mean, deviation = value
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:g}"


def _three(entry: Entry | None, printed: Three | None) -> tuple[str, ...]:
    theirs = [_printed(v) for v in printed] if printed else [DASH] * 3
    ours = [percent(entry.spread(k)) for k in ("acc1", "acc2", "g_mean")] if entry else [DASH] * 3
    return (*theirs, *ours, _count(entry))


def _count(entry: Entry | None) -> str:
    """Instructions x evaluations."""
    return DASH if entry is None else f"{entry.items} x {len(entry.scores)}"


SCORES = ("Acc1, paper", "Acc2, paper", "G-mean, paper", "Acc1, ours", "Acc2, ours", "G-mean, ours", "items x repeats")
_REAL = {"ckplus": "CK+", "celebvhq": "CelebV-HQ"}


def _source(r: Results, number: str) -> str:
    """Where the paper's columns come from."""
    printed = "" if number in ("IV", "IX", "X") else " (percent, with deviations printed as shares: 0.0024 is 0.24 points)"
    text = f'Columns "paper": Table {number} of {paper().url}{printed}, on the real {_REAL[r.like]}; not comparable in value with'
    return text + " ours" + ("." if r.name == r.like else ", which are on a synthetic surrogate.")


def accuracy_table(r: Results) -> Table:
    """Table II or III, by the data."""
    number = "II" if r.like == "ckplus" else "III"
    printed = paper().accuracy[r.like]
    names = {"ground truth": "Ground truth", "MotionCLIP": "MotionCLIP", "I2FET": "I2FET", "lm": r.lm_name}
    rows = [(label, *_three(r.main.get(key), printed.get(key))) for key, label in names.items()]
    rows += [(f"{names[key]}, paraphrased", *_three(r.main.get(f"{key}, paraphrased"), None))
             for key in ("MotionCLIP", "I2FET", "lm")]
    notes = [_source(r, number), f"Classifier: {r.classifier} on shape images, every method on the test subject's identity."]
    notes += [f"{e.failed} instructions were refused by {k} and count as wrong." for k, e in r.main.items() if e.failed]
    notes += _left_out(r, *names)
    return Table(number, f"Table {number}: accuracy, % ({r.about(_samples(r))})", ("Method", *SCORES), tuple(rows), tuple(notes))


def _samples(r: Results) -> str:
    return f"samples: {r.samples.get('train', 0)} train, {r.samples.get('val', 0)} val, {r.samples.get('test', 0)} test"


def variant_table(r: Results, number: str) -> Table:
    """Tables V to VIII: variants of I2FET."""
    table = paper().variants[number]
    printed = table.values[r.like]
    body = tuple((label, *_three(r.variants.get(key), printed.get(key))) for key, label in table.rows.items())
    trainings = max((e.trainings for e in r.variants.values()), default=0)
    about = r.about(f"trainings: {trainings}", _samples(r))
    return Table(number, f"Table {number}: {table.what}, % ({about})", ("I2FET", *SCORES), body, (_source(r, number),))


def _like_row(label: str, printed: Four | None, ours: Likeness | None) -> tuple[str, ...]:
    theirs = [f"{v:g}" for v in printed] if printed else [DASH] * 4
    if ours is None:
        return (label, *theirs, *[DASH] * 4)
    return (label, *theirs, f"{ours.l1:.4f}", f"{ours.psnr:.2f}", DASH if ours.lpips is None else f"{ours.lpips:.4f}",
            DASH if ours.ms_ssim is None else f"{ours.ms_ssim:.4f}")


PICTURES = tuple(f"{measure}, {whose}" for whose in ("paper", "ours") for measure in ("L1", "PSNR", "LPIPS", "MS-SSIM"))


def picture_table(r: Results, number: str) -> Table:
    """Tables IV and IX: likeness of drawn faces to the target's."""
    if number == "IV":
        what, printed, ours, absent = "drawn faces against the target expression", paper().rendered, r.rendered, "lm"
    else:
        what, printed, ours, absent = "neutral faces", paper().neutral, r.neutral, "NED"
    rows = [_like_row(f"{k} (paper)", v, None) for k, v in printed[r.like].items()]
    rows += [_like_row(k, None, v) for k, v in ours.items()]
    reasons = dict.fromkeys(reason for v in ours.values() for reason in v.reasons)
    about = r.about(f"pictures: {r.sizes.get('picture_size', 0)} px", f"samples: {r.sizes.get('pictures', 0)}")
    notes = (_source(r, number), "The paper compares photographs with ROME's and CVTHead's pictures; ours compares drawings "
             "of one renderer, so that only the expression differs.", *_left_out(r, absent), *(f"{DASH}: {x}." for x in reasons))
    return Table(number, f"Table {number}: {what} ({about})", ("Method", *PICTURES), tuple(rows), notes)


def _left_out(r: Results, *names: str) -> list[str]:
    return [f"Left out: {k}: {why}." for k, why in r.missing.items() if k in names]


def rotation_table(r: Results) -> Table:
    """Table X: classifiers on pictures turned in their plane."""
    columns = ["Classifier"]
    for angle in paper().angles:
        name = "0" if angle == 0 else f"±{angle:.0f}"
        columns += [f"{name}° Acc1, paper", f"{name}° G-mean, paper", f"{name}° Acc1, ours", f"{name}° G-mean, ours"]
    labels = {"MEK": "MEK", "ce": "ResNet", "rfl": "ResNet with RFL"}
    rows = []
    for key, label in labels.items():
        row = [label]
        for k, angle in enumerate(paper().angles):
            ours = r.rotation.get(key, {}).get(angle)
            row += [f"{v:.2f}" for v in paper().rotation[r.like][key][k]]
            row += [DASH, DASH] if ours is None else [f"{100 * v:.2f}" for v in ours]
        rows.append(tuple(row))
    about = r.about(f"test pictures: {r.sizes.get('classifier_test', 0)}")
    return Table("X", f"Table X: expression classifiers on turned pictures, % ({about})", tuple(columns), tuple(rows), (
        _source(r, "X"), f"Paper: ResNet-101; ours: {r.classifier.removesuffix(' with RFL')}, one training each, tested on "
        "records that its training did not see.",
        "MEK is not reproduced: it needs its authors' pretrained network and training code."))


def quality_table(r: Results) -> Table:
    """The movement itself."""
    names = {"facs": "actions found, %", "foreign": "foreign actions", "emotion": "endpoint accuracy, %",
             "monotonic": "monotonic, %", "smoothness": "log dimensionless jerk", "identity": "identity kept, %",
             "drift": "head drift, deg",
             "seconds": "duration error, s", "apex": "apex error, s"}
    share = {"facs", "emotion", "monotonic", "identity"}

    def cell(row: Mapping[str, float], key: str) -> str:
        value = row.get(key, math.nan)
        return DASH if math.isnan(value) else f"{100 * value:.1f}" if key in share else f"{value:.2f}"

    rows = tuple((name, *(cell(row, key) for key in names)) for name, row in r.quality.items())
    about = r.about(f"transitions: {r.sizes.get('quality', 0)}")
    return Table("quality", f"The movement ({about})", ("Method", *names.values()), rows, (
        "Ours alone; the paper has no such table. Actions: EMFACS prototypes, measured from geometry at the key frames.",
        "Identity and head: against the source frame, the subject's neutral face. The log dimensionless jerk of a minimum-jerk "
        "stroke is -5.1; higher is smoother."))


def dynamics_table(r: Results) -> Table:
    """Curves between two expressions against the procedural animator's transitions."""
    rows = tuple((name, *(f"{getattr(d, k):.3f}" for k in ("correlation", "jerk_gap", "peak_gap", "asymmetry_gap", "smoothness")),
                  str(d.count)) for name, d in r.dynamics.items())
    columns = ("Curve", "speed profile correlation", "jerk gap", "peak gap", "asymmetry gap", "log dimensionless jerk", "pairs")
    title = f"Course of the movement between two expressions, against the animator's transitions ({r.about()})"
    return Table("dynamics", title, columns, rows, (
        "The reference is our procedural animator, whose strokes are minimum-jerk by construction; a second clip of the same "
        "pairs shows how far two references agree.",))


def build(r: Results, wanted: Sequence[str]) -> list[Table]:
    """The wanted tables, in order."""
    whole = {"II": accuracy_table, "III": accuracy_table, "X": rotation_table, "quality": quality_table,
             "dynamics": dynamics_table}
    return [whole[name](r) if name in whole else picture_table(r, name) if name in ("IV", "IX") else variant_table(r, name)
            for name in wanted]
