"""How true moved photos and avatars are to films of the same person, as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common.files import files_in
from ...common.optional import require
from ...common.progress import Progress, silent
from ...data_gen.fit.photo import FilmFit
from ..photo.judges import Lpips, Recogniser, judges_in
from ..table import Table
from ..transitions.images import l1, ms_ssim, psnr
from ..transitions.tables import paper
from .films import FAR, NEAR, Pair, Subject, spread_out

STILL, MOVED, AVATAR = "the source as it is", "the source moved by parameters", "an avatar of the source"
ONTO = "the source moved onto landmarks"
VIEW_ONE, VIEW_MANY = "an avatar of one view", "an avatar of several views"
FRAMES, VIEWS = 6, 4
"""Frames of a film that are compared, and views that an avatar is made from at most."""
_SIDE = 256
_FILMS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif")


@dataclass(frozen=True)
class Likeness:
    """One drawn frame against the true one, on the face."""

    film: str
    task: str
    """``reenactment`` or ``view``."""
    way: str
    frame: int
    turn: float
    """Degrees between the face and the camera."""
    l1: float
    psnr: float
    inner_psnr: float
    """The same where it was drawn alone, without the true pixels beside it."""
    ms_ssim: float
    lpips: float | None
    """At 256 px."""
    identity: float | None
    """Between the recogniser's numbers of the drawn and of the true face; 0.6 is its limit for one person."""


@dataclass(frozen=True)
class AvatarReport:
    """All frames, and what was left out of which film."""

    rows: tuple[Likeness, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"rows": [asdict(r) for r in self.rows], "notes": list(self.notes)}

    def _means(self, rows: Sequence[Likeness]) -> tuple[str, ...]:
        def mean(name: str, digits: int) -> str:
            values = [getattr(r, name) for r in rows if getattr(r, name) is not None]
            return f"{np.mean(values):.{digits}f}" if values else "-"

        return tuple(mean(n, d) for n, d in (("l1", 3), ("psnr", 1), ("lpips", 3), ("ms_ssim", 3), ("inner_psnr", 1),
                                            ("identity", 2)))

    def tables(self) -> list[Table]:
        """Self-reenactment film by film, held-out views, and Table IV of Vo et al. beside the first."""
        columns = ("", "frames", "L1", "PSNR dB", "LPIPS", "MS-SSIM", "PSNR inside", "identity")
        out: list[Table] = []
        first = "reenactment", "Self-reenactment: the quietest frontal frame drawn as others are", (STILL, MOVED, ONTO, AVATAR)
        second = "view", f"Held-out views: beyond {FAR:g} degrees, from views within {NEAR:g}", (VIEW_ONE, VIEW_MANY)
        for task, title, ways in (first, second):
            of = [r for r in self.rows if r.task == task]
            films = list(dict.fromkeys(r.film for r in of))
            lines = []
            for way in ways:
                for name in [*films, *(["mean of films"] if len(films) > 1 else [])]:
                    some = [r for r in of if r.way == way and name in (r.film, "mean of films")]
                    lines.append((f"{way}, {name}", str(len(some)), *self._means(some)))
            if lines:
                out.append(Table(task, title, columns, tuple(lines), self.notes if not out else ()))
        return [*out, self.rendering()]

    def rendering(self) -> Table:
        """The rendering task of Vo et al. 2026, Table IV, theirs in columns of their own."""
        ours = [r for r in self.rows if r.task == "reenactment"]
        own = [(way, *self._means([r for r in ours if r.way == way])[:4], *["-"] * 4) for way in (MOVED, ONTO, AVATAR)]
        theirs = [(f"{name} on {data}", *["-"] * 4, *(f"{v:g}" for v in values))
                  for data, rows in paper().rendered.items() for name, values in rows.items()]
        columns = ("", "L1", "PSNR dB", "LPIPS", "MS-SSIM", *(f"published {n}" for n in ("L1", "PSNR dB", "LPIPS", "MS-SSIM")))
        return Table("IV", "Rendering an expression of a photo, against true frames", columns, tuple([*own, *theirs]),
                     ("Theirs (Vo et al. 2026, https://arxiv.org/abs/2601.08179, Table IV) are other faces, networks that draw "
                      "whole pictures, and another choice of targets; ours are of the face's box alone.",))

    def table(self) -> str:
        """All tables as text."""
        return "\n\n".join(t.text() for t in self.tables())


def films_in(place: str | Path) -> list[Path]:
    """The films of a folder in the order of their names, or one film.

    Raises:
        FileNotFoundError: no such place.
        ValueError: a folder without films.
    """
    return files_in(place, "film", _FILMS)


def evaluate_avatars(films: Sequence[str | Path], judges: str | Path | None = None, progress: Progress = silent) -> AvatarReport:
    """Redraw frames of films of one person each.

    Args:
        films: each shows one person, better while it moves and turns.
        judges: folder with the networks' weights; None: without LPIPS and identity.
        progress: called with (films done, films in all, name of the film).

    Raises:
        FileNotFoundError: no such film or weights.
        ValueError: no films, or one without a face that can be fitted.
    """
    if not films:
        raise ValueError("no films to evaluate; give at least one")
    networks = judges_in(Path(judges)) if judges is not None else None
    rows: list[Likeness] = []
    notes = [] if networks else ["LPIPS and identity need --judges FOLDER (scripts/fetch_judges.py)"]
    for done, path in enumerate(films):
        film = FilmFit.of(path)
        chosen = film.differing()
        frames = spread_out(film, int(chosen[0]), FRAMES)
        subject = Subject(film, chosen[:1])
        ways = {STILL: subject.still, MOVED: subject.moved, ONTO: subject.moved_onto, AVATAR: subject.avatar_drawn}
        rows += _rows(film, "reenactment", ways, frames, subject, networks)
        turned, near = film.known[film.turns[film.known] > FAR], film.known[film.turns[film.known] < NEAR]
        if len(turned) and len(near):
            given = np.concatenate([chosen[:1], spread_out(film, int(chosen[0]), VIEWS - 1, near)])
            several = Subject(film, given)
            held = turned[np.linspace(0, len(turned) - 1, min(FRAMES, len(turned))).astype(int)]
            ways = {VIEW_ONE: subject.avatar_drawn, VIEW_MANY: several.avatar_drawn}
            rows += _rows(film, "view", ways, held, subject, networks)
        else:
            notes.append(f"{Path(path).name}: the face turns from {film.turns[film.known].min():.0f} to "
                         f"{film.turns[film.known].max():.0f} degrees: no held-out view")
        progress(done + 1, len(films), Path(path).name)
    return AvatarReport(tuple(rows), tuple(notes))


def _rows(film: FilmFit, task: str, ways: dict[str, Callable[..., Pair]], frames: NDArray[np.int64], subject: Subject,
          networks: tuple[Lpips, Recogniser] | None) -> list[Likeness]:
    photos = film.photos(frames, subject.fit.head)
    out = []
    for way, draw in ways.items():
        for frame, photo in zip(frames, photos, strict=True):
            out.append(compared(draw(photo), film.path.name, task, way, int(frame), photo.turn, networks))
    return out


def compared(pair: Pair, film: str, task: str, way: str, frame: int, turn: float,
             networks: tuple[Lpips, Recogniser] | None) -> Likeness:
    """All measures of one pair."""
    cv2 = require("cv2", "photo", "scaling pictures needs OpenCV")
    drawn, true = pair.drawn[pair.box], pair.true[pair.box]
    small = [np.asarray(cv2.resize(p, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8) for p in (drawn, true)]
    lpips = identity = None
    if networks is not None:
        lpips = networks[0](*small)
        identity = float(np.linalg.norm(networks[1](pair.drawn, pair.points) - networks[1](pair.true, pair.points)))
    inside = pair.face[..., None] & np.ones(3, bool)
    return Likeness(film, task, way, frame, round(turn, 1), l1(drawn, true), psnr(drawn, true),
                    psnr(pair.drawn[inside], pair.true[inside]), ms_ssim(small[0][None], small[1][None]), lpips, identity)
