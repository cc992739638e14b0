"""The tables of Syed's thesis: likeness of edited pictures to the neutral ones, and skin tone brought back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.progress import Progress, silent
from ...data_gen.fit.landmarker import Landmarker, landmarker_model
from ...face.io.photo import load_picture
from ..baselines.picture.kdef import EMOTIONS, held_out, make_stand_in, pairs_of, read_kdef
from ..baselines.picture.skin import from_lab as picture_of
from ..baselines.picture.skin import match_skin, skin_distance, to_lab
from ..baselines.picture.slots import MeshPictureEditor, PictureEditor
from ..table import Table
from ..transitions.images import psnr
from .edits import ssim
from .judges import Lpips, Recogniser, judges_in
from .papers import PaperReport, papers, shown

Rgb = NDArray[np.uint8]
CODES = ("AN", "HA", "SA")
"""The thesis' three expressions, in its order."""
SUBJECTS = 4
CASTS: tuple[tuple[float, float, float], ...] = ((0, 8, 0), (0, 0, 10), (-6, 4, 6))
"""Colour casts that are put on edited pictures, CIELAB."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A neutral picture, and the true emotional ones by code where there are some."""

    name: str
    neutral: Rgb
    true: dict[str, Rgb]


def subjects_of(kdef: Path | None, photos: Sequence[Path] | None, work: Path, count: int, seed: int = 0,
                progress: Progress = silent) -> list[Subject]:
    """Whom the table is about: photos; KDEF's persons; else made-up ones with KDEF's names, kept in ``work``.

    Raises:
        FileNotFoundError, ValueError: no such place, or nothing in it.
    """
    if photos is not None:
        return [Subject(p.name, load_picture(p).rgb, {}) for p in photos[:count]]
    if kdef is None:
        kdef = work / f"kdef_stand_in_{count}_{seed}"
        if not kdef.is_dir():
            work.mkdir(parents=True, exist_ok=True)
            make_stand_in(kdef, count, seed, progress=progress)
    seen = [p for p in read_kdef(kdef) if p.angle == "S"]
    first = {p.person: p for p in reversed(seen) if p.emotion == "NE"}
    out = []
    for person, neutral in sorted(first.items())[:count]:
        true = {p.emotion: load_picture(p.path).rgb for p in seen if p.person == person and p.session == neutral.session
                and p.emotion in CODES}
        out.append(Subject(person, load_picture(neutral.path).rgb, true))
    if not out:
        raise ValueError(f"{kdef}: no neutral picture at angle S; needed: e.g. AF01NES.JPG")
    return out


def diffusion_editors(folder: str, lora: str | None, kdef: Path | None, work: Path, judges: Path | None,
                      progress: Progress = silent) -> list[PictureEditor]:
    """The mesh editor and DiffEdit; the LoRA is trained first where its folder does not exist.

    Args:
        folder: of Stable Diffusion.
        lora: folder of the LoRA; None edits without one.
        kdef: whose pairs it is trained on; None: made-up persons, kept in ``work``.
        work: see ``kdef``.
        judges: for the perceptual loss; None trains by MSE alone.
        progress: of the training.

    Raises:
        FileNotFoundError, ValueError, ImportError: see :class:`StableDiffusion`.
    """
    from ..baselines.picture.diffedit import DiffEditEditor, StableDiffusion
    from ..baselines.picture.lora import train_lora

    there = lora is not None and Path(lora).is_dir()
    model = StableDiffusion(folder, lora if there else None)
    if lora is not None and not there:
        if kdef is None:
            kdef = work / "kdef_stand_in_training"
            if not kdef.is_dir():
                work.mkdir(parents=True, exist_ok=True)
                make_stand_in(kdef, 20, 1000, progress=progress)
        train, held = held_out(pairs_of(read_kdef(kdef)))
        train_lora(model, train, held, lora, judges_in(judges)[0] if judges else None, progress=progress)
    return [MeshPictureEditor(), DiffEditEditor(model)]


class _Judge:
    """Likeness of two pictures."""

    def __init__(self, folder: Path | None) -> None:
        self.lpips: Lpips | None = None
        self.recogniser: Recogniser | None = None
        if folder is not None:
            self.lpips, self.recogniser = judges_in(folder)
        self.known: dict[bytes, NDArray[np.float32] | None] = {}

    def numbers(self, rgb: Rgb) -> NDArray[np.float32] | None:
        """The recogniser's, or None without it or without a face."""
        if self.recogniser is None:
            return None
        key = rgb.tobytes()
        if key not in self.known:
            task = Landmarker(landmarker_model(), 1)
            try:
                found = task.look(np.ascontiguousarray(rgb))
            finally:
                task.close()
            size = np.array([rgb.shape[1], rgb.shape[0]], np.float32)
            self.known[key] = self.recogniser(rgb, found[0].points[:, :2] * size) if found else None
        return self.known[key]

    def of(self, made: Rgb, source: Rgb) -> dict[str, float | None]:
        """Cosine and distance of the recogniser's numbers, SSIM, PSNR, LPIPS; of the whole pictures."""
        a, b = self.numbers(made), self.numbers(source)
        cosine = None if a is None or b is None else float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
        return {"cosine": cosine, "distance": None if a is None or b is None else float(np.linalg.norm(a - b)),
                "ssim": ssim(made, source), "psnr": psnr(made, source),
                "lpips": self.lpips(made, source) if self.lpips else None}


def thesis_report(subjects: Sequence[Subject], editors: Sequence[PictureEditor] | None = None, judges: Path | None = None,
                  progress: Progress = silent) -> PaperReport:
    """Edit every subject into anger, happiness and sadness, and compare with the neutral picture.

    Args:
        subjects: pictures.
        editors: default: the mesh editor alone.
        judges: folder of the networks; without it cosine and LPIPS are left out.
        progress: called with (edits done, of all, subject).

    Raises:
        ValueError: no subject, or a picture without a face.
    """
    if not subjects:
        raise ValueError("no pictures to edit; give at least one")
    judge, using = _Judge(judges), list(editors) if editors is not None else [MeshPictureEditor()]
    rows: list[dict[str, Any]] = []
    total = len(subjects) * len(using) * len(CODES)
    for subject in subjects:
        for editor in using:
            for code in CODES:
                done = editor.edit(subject.neutral, EMOTIONS[code][0])
                row: dict[str, Any] = {"subject": subject.name, "editor": editor.name, "expression": EMOTIONS[code][0],
                                       **judge.of(done.rgb, subject.neutral), "touched": float((done.mask > 0).mean())}
                row["toned"] = judge.of(match_skin(done.rgb, subject.neutral).rgb, subject.neutral)["cosine"]
                row["casts"] = [_cast(done.rgb, subject.neutral, c) for c in CASTS]
                if judge.lpips and code in subject.true and subject.true[code].shape == done.rgb.shape:
                    row["to_true"] = judge.lpips(done.rgb, subject.true[code])
                    row["neutral_to_true"] = judge.lpips(subject.neutral, subject.true[code])
                rows.append(row)
                progress(len(rows), total, subject.name)
    return PaperReport((_likeness(rows, using), _tone(rows, using)), tuple(rows))


def _cast(made: Rgb, neutral: Rgb, cast: tuple[float, float, float]) -> dict[str, float]:
    """Skin difference to the neutral picture with a cast on the edit, and after each way of matching."""
    tinted = picture_of(to_lab(made) + np.array(cast))
    return {"size": float(np.linalg.norm(cast)), "before": skin_distance(tinted, neutral),
            "histogram": skin_distance(match_skin(tinted, neutral, "histogram").rgb, neutral),
            "transport": skin_distance(match_skin(tinted, neutral, "transport").rgb, neutral)}


def _mean(rows: Sequence[dict[str, Any]], name: str) -> float | None:
    values = [r[name] for r in rows if r.get(name) is not None]
    return float(np.mean(values)) if values else None


def _likeness(rows: Sequence[dict[str, Any]], editors: Sequence[PictureEditor]) -> Table:
    theirs = papers().thesis
    columns, body = ["expression"], []
    for what in ("cosine", "SSIM", "PSNR dB", "LPIPS"):
        columns += [f"{what}, thesis", *(f"{what}, {e.name}" for e in editors)]
    columns += [f"LPIPS to the true picture, {e.name}" for e in editors] + ["the same, neutral picture"]
    for k, code in enumerate((*CODES, "")):
        word = EMOTIONS[code][0] if code else "mean"
        of = lambda e: [r for r in rows if r["editor"] == e.name and (not code or r["expression"] == word)]  # noqa: B023, E731
        cells = [word]
        for name, printed, digits in (("cosine", theirs.cosine, 3), ("ssim", theirs.ssim, 3), ("psnr", theirs.psnr, 1)):
            values = np.array(printed)
            cells += [shown(float(values[:, k].mean() if code else values.mean()), digits),
                      *(shown(_mean(of(e), name), digits) for e in editors)]
        cells += [theirs.lpips, *(shown(_mean(of(e), "lpips"), 3) for e in editors)]
        cells += [shown(_mean(of(e), "to_true"), 3) for e in editors] + [shown(_mean(of(editors[0]), "neutral_to_true"), 3)]
        body.append(tuple(cells))
    distance = _mean(rows, "distance")
    notes = [f"{theirs.title}, Tables 1 to 3, means of four photographs; its embedder, window and crop are not said. "
             f"Ours: {len({r['subject'] for r in rows})} other pictures, whole frames, dlib's numbers. Not comparable in value.",
             "All of these are better the smaller the edit is: they do not say whether the expression is there "
             "(`facelm eval photo` without --table does)."]
    notes.append(f"Mean distance of the recogniser's numbers {distance:.2f}; 0.6 is its limit for one person."
                 if distance is not None else "Cosine and LPIPS need --judges FOLDER (scripts/fetch_judges.py).")
    return Table("004", "Edited pictures against the neutral ones", tuple(columns), tuple(body), tuple(notes))


def _tone(rows: Sequence[dict[str, Any]], editors: Sequence[PictureEditor]) -> Table:
    theirs = papers().thesis
    before, after = (float(np.mean(v)) for v in (theirs.cosine, theirs.toned))
    body = [("cosine, as edited / matched", f"{before:.3f} / {after:.3f}",
             *(f"{shown(_mean(of, 'cosine'), 3)} / {shown(_mean(of, 'toned'), 3)}"
               for of in ([r for r in rows if r["editor"] == e.name] for e in editors)))]
    for k, cast in enumerate(CASTS):
        cells = [f"cast {cast} in Lab: skin dE before / histogram / transport", "-"]
        for editor in editors:
            found = [r["casts"][k] for r in rows if r["editor"] == editor.name]
            means = (float(np.mean([f[n] for f in found])) for n in ("before", "histogram", "transport"))
            cells.append(" / ".join(shown(m, 1) for m in means))
        body.append(tuple(cells))  # type: ignore[arg-type]
    return Table("004-tone", "Skin tone", ("", "thesis (Table 4)", *(e.name for e in editors)), tuple(body),
                 ("An edit that moves the photo's own pixels needs no matching: the casts are put on it to see that they go.",))
