"""What was measured: action units frame by frame as OpenFace writes them, and events as CSV, ELAN and Praat files."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from scipy.spatial.transform import Rotation

from ....common.files import atomic_file, write_text
from ...clip.normalise import is_real
from ...facs.evidence.filmed import FilmedSignals
from ...facs.evidence.happenings import side_of
from ...facs.measure import measure
from ...facs.measured import MeasuredAction, Measurement
from ...facs.signals import signals_of
from ...facs.vocabulary import ACTION
from .base import Job

EVENT_COLUMNS = ("name", "side", "start", "apex", "end", "strength", "value", "unit", "count", "confidence", "sure")
_FULL = 5.0
"""OpenFace's intensity of a unit at full scale."""
_THERE = 0.2
"""Share of full scale from which a unit counts as present (intensity A of FACS)."""
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_CAMERA = np.array([1.0, -1.0, -1.0])
"""OpenFace's camera has y downwards and z away from it."""


def events(found: Measurement) -> list[MeasuredAction]:
    """All that was measured, unsure things as well, in order of their onset."""
    return sorted((*found.everything, *found.unsure), key=lambda a: a.onset)


def event_rows(found: Measurement) -> list[list[Any]]:
    """A row of ``EVENT_COLUMNS`` for each event; times in s, strength and confidence 0 to 1."""
    return [[a.name, side_of(a), f"{a.onset:.3f}", f"{a.apex:.3f}", f"{a.offset:.3f}", f"{a.intensity:.3f}", f"{a.value:.2f}",
             a.unit, "" if a.cycles is None else a.cycles, f"{a.confidence:.3f}", "no" if a in found.unsure else "yes"]
            for a in events(found)]


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table, whole or not at all."""
    with atomic_file(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(columns)
        out.writerows(rows)


def _measured(job: Job) -> Measurement:
    found = measure(job.seq, job.head, filmed=is_real(job.seq))
    job.notes += found.notes
    return found


def write_events(job: Job, path: Path) -> None:
    """CSV, one event a row."""
    write_csv(path, EVENT_COLUMNS, event_rows(_measured(job)))


# -- annotation tools ---------------------------------------------------------------------
def _tiers(found: Measurement) -> list[tuple[str, list[tuple[float, float, str]]]]:
    """For each action its stretches: start and end, s, and label."""
    rows = events(found)
    out = []
    for name in dict.fromkeys(a.name for a in rows):
        own = [(a.onset, max(a.offset, a.onset + 1 / found.fps),
                f"{a.intensity:.2f} {a.beside}".rstrip() + "?" * (a in found.unsure)) for a in rows if a.name == name]
        out.append((name, own))
    return out


def elan(path: Path, found: Measurement, media: Path | None = None) -> None:
    """An ELAN document, a tier an action (https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf).

    Args:
        path: the .eaf.
        found: what was measured.
        media: the video that it belongs to.
    """
    tag = ElementTree.SubElement
    root = ElementTree.Element("ANNOTATION_DOCUMENT", {f"{{{_XSI}}}noNamespaceSchemaLocation": _SCHEMA, "AUTHOR": "facelm",
                                                       "DATE": "1970-01-01T00:00:00+00:00", "FORMAT": "3.0", "VERSION": "3.0"})
    header = tag(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if media is not None:
        tag(header, "MEDIA_DESCRIPTOR", MEDIA_URL=media.resolve().as_uri(), MIME_TYPE="video/mp4",
            RELATIVE_MEDIA_URL=f"./{media.name}")
    order = tag(root, "TIME_ORDER")
    tiers = _tiers(found)
    numbered = [(name, start, end, text) for name, own in tiers for start, end, text in own]
    slots = [(time, f"ts{k}{end}") for k, (_, start, stop, _) in enumerate(numbered) for end, time in (("a", start), ("b", stop))]
    for time, slot in sorted(slots):
        tag(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(round(1000 * time)))
    for name, _ in tiers:
        tier = tag(root, "TIER", LINGUISTIC_TYPE_REF="action", TIER_ID=name)
        for k, (of, _, _, text) in enumerate(numbered):
            if of == name:
                one = tag(tag(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", ANNOTATION_ID=f"a{k}", TIME_SLOT_REF1=f"ts{k}a",
                          TIME_SLOT_REF2=f"ts{k}b")
                tag(one, "ANNOTATION_VALUE").text = text
    tag(root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID="action", TIME_ALIGNABLE="true", GRAPHIC_REFERENCES="false")
    ElementTree.indent(root)
    with atomic_file(path) as part:
        ElementTree.ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)


def textgrid(path: Path, found: Measurement) -> None:
    """A Praat TextGrid, an interval tier an action (https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html).

    Intervals of a tier may not overlap: one that begins before the last ended begins there.
    """
    total = max([found.seconds, *(end for _, own in _tiers(found) for _, end, _ in own)])
    tiers = []
    for name, own in _tiers(found):
        row: list[tuple[float, float, str]] = []
        at = 0.0
        for start, end, text in own:
            start = max(start, at)
            if end - start < 1e-4:
                continue
            row += [(at, start, "")] * (start - at > 1e-4) + [(start, end, text)]
            at = end
        tiers.append((name, row + [(at, total, "")] * (total - at > 1e-4)))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {total:.6f}",
             "tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for k, (name, row) in enumerate(tiers, 1):
        lines += [f"    item [{k}]:", '        class = "IntervalTier"', f'        name = "{name}"', "        xmin = 0",
                  f"        xmax = {total:.6f}", f"        intervals: size = {len(row)}"]
        for i, (start, end, text) in enumerate(row, 1):
            lines += [f"        intervals [{i}]:", f"            xmin = {start:.6f}", f"            xmax = {end:.6f}",
                      f'            text = "{text}"']
    write_text(path, "\n".join(lines) + "\n")


def write_elan(job: Job, path: Path) -> None:
    """ELAN."""
    elan(path, _measured(job))


def write_textgrid(job: Job, path: Path) -> None:
    """Praat."""
    textgrid(path, _measured(job))


# -- action units -------------------------------------------------------------------------
def units() -> dict[int, tuple[str, ...]]:
    """Action unit -> the signals that show it, from the table of actions; head and eye positions are angles instead."""
    out: dict[int, list[str]] = {45: ["closure"]}
    for name, action in ACTION.items():
        if match := re.fullmatch(r"AU(\d+)(?:[+/](\d+))?", action.au):
            for number in (int(n) for n in match.groups() if n):
                if number < 40:
                    out.setdefault(number, []).append(name)
    return {n: tuple(out[n]) for n in sorted(out)}


def write_units(job: Job, path: Path) -> None:
    """CSV with OpenFace's column names: pose, gaze, intensity (0 to 5) and presence of each unit.

    Angles are OpenFace's (rad, R = Rx Ry Rz in a camera with y down and z away; RotationHelpers.h and GazeEstimation.cpp of
    https://github.com/TadasBaltrusaitis/OpenFace); eye 0 is the one on the left of the picture.
    """
    signals = signals_of(job.seq, job.head)
    shown = FilmedSignals.of(signals, job.seq.valid) if is_real(job.seq) else signals
    head = Rotation.from_matrix(_CAMERA[:, None] * job.turns.as_matrix() * _CAMERA)
    looks = [job.turns.apply(Rotation.from_rotvec(job.seq.eyes_pose[:, at:at + 3]).apply([0.0, 0.0, 1.0])) * _CAMERA
             for at in (3, 0)]
    middle = sum(looks)
    angles = np.c_[np.arctan2(middle[:, 0], -middle[:, 2]), np.arctan2(middle[:, 1], -middle[:, 2])]
    amount = {n: np.max([shown.intensity[s] for s in names if s in shown.intensity], axis=0).clip(0.0, 1.0)
              for n, names in units().items() if any(s in shown.intensity for s in names)}
    columns = ["frame", "face_id", "timestamp", "confidence", "success",
               *(f"gaze_{k}_{axis}" for k in (0, 1) for axis in "xyz"), "gaze_angle_x", "gaze_angle_y",
               *(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
               *(f"AU{n:02d}_r" for n in amount), *(f"AU{n:02d}_c" for n in amount)]
    numbers = np.c_[looks[0], looks[1], angles, 1000.0 * job.seq.translation * _CAMERA, head.as_euler("XYZ"),
                    _FULL * np.stack(list(amount.values()), 1)]
    rows = [[k + 1, 0, f"{k / job.seq.fps:.4f}", int(ok), int(ok), *[f"{v:.4f}" for v in row], *there]
            for k, (row, ok, there) in enumerate(zip(
                numbers.tolist(), job.seq.valid.tolist(),
                np.stack([v >= _THERE for v in amount.values()], 1).astype(int).tolist(), strict=True))]
    write_csv(path, columns, rows)
