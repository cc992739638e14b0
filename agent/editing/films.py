"""Edits of a film with cuts: each acts on the shots that show what is meant; all others stay as they are, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...face.clip.normalise import is_real
from ...face.facs.measure import measure
from ..media import Loaded, Shot
from ..motion.windows import Performer
from .operations import Edit
from .perform import edit_clip
from .recorded import times_shown

_WHOLE = {"length": "its length", "reverse": "its order", "pause": "its pauses"}


def edit_film(performer: Performer, film: Loaded, edits: Sequence[Edit]) -> Loaded:
    """A film after edits.

    Args:
        performer: performs what is added.
        film: with its shots; what an edit means is counted over all of them, and its times are the film's.
        edits: in order.

    Returns:
        The film with its shots; where one of them becomes longer, those after it begin later.

    Raises:
        ValueError: nothing of the film can take an edit, or a cut is in the way of it.
    """
    for edit in edits:
        film = _edited(performer, film, edit)
    return film


def _edited(performer: Performer, film: Loaded, edit: Edit) -> Loaded:
    shots = list(film.shots)
    if len(shots) > 1 and (edit.op in _WHOLE and not edit.names or edit.op == "speed" and not edit.names):
        raise ValueError(f"a film with {len(shots)} shots keeps {_WHOLE.get(edit.op, 'its speed')}; say which action is meant")
    trouble: ValueError | None = None
    done = 0
    for k, own in _shares(shots, edit):
        shot = film.shots[k]
        try:
            clip = edit_clip(performer, shot.clip, (own,), shot.measured)
        except ValueError as err:
            trouble = trouble or err
            continue
        facts = measure(clip, performer.head, filmed=is_real(clip))
        shots[k], done = replace(shot, clip=clip, measured=facts, fit=None), done + 1
    if not done:
        raise trouble or ValueError(f"no shot of the film shows {' or '.join(edit.names) or 'anything'}".replace("_", " "))
    grown, later = 0, []
    for old, new in zip(film.shots, shots, strict=True):
        later.append(replace(new, start=old.start + grown / new.clip.fps) if grown else new)
        grown += len(new.clip) - len(old.clip)
    return replace(film, shots=tuple(later), frames=film.frames + grown)


def _shares(shots: Sequence[Shot], edit: Edit) -> list[tuple[int, Edit]]:
    """Which shots an edit is for, each with the edit on the shot's own clock and count.

    Raises:
        ValueError: there are not so many of them, or a time outside the shot that shows what is meant.
    """
    every = list(range(len(shots)))
    placed = edit.op == "add" and edit.where in ("with", "after", "before") and edit.names
    if edit.op == "add" and not placed:
        return [(every[-1] if edit.where == "end" else 0, edit)]
    if not edit.names:
        return [(k, edit) for k in every]
    counts = [times_shown(s.clip, s.measured, edit.names) for s in shots]
    if edit.op == "only":
        return [(k, edit if n else Edit("remove")) for k, n in enumerate(counts) if n or shots[k].measured.actions]
    showing = [k for k in every if counts[k]]
    if not showing:
        there = ", ".join(dict.fromkeys(n for s in shots for n in s.measured.names)) or "nothing"
        raise ValueError(f"there is no {' or '.join(edit.names)} in the film; it shows: {there}".replace("_", " "))
    one = edit.which
    if one is None and (placed or edit.op in ("replace", "hold", "until", "pause", "count")):
        one = 0 if edit.op in ("replace", "pause") or edit.where == "before" else -1  # as in a clip without cuts
    if one is not None and not -sum(counts) <= one < sum(counts):
        raise ValueError(f"there are only {sum(counts)} of them in the film")
    if one is not None:
        at = one % sum(counts)
        k = next(k for k in every if at < sum(counts[:k + 1]))
        local = None if edit.op == "count" and edit.which is None else at - sum(counts[:k])
        return [(k, _timed(replace(edit, which=local), shots[k]))]
    return [(k, _timed(edit, shots[k])) for k in showing]


def _timed(edit: Edit, shot: Shot) -> Edit:
    """An edit whose time is the film's, on a shot's clock."""
    if edit.op not in ("start", "until") or edit.value is None:
        return edit
    if not shot.start <= edit.value <= shot.end:
        raise ValueError(f"{edit.value:g} s is in another shot; this one lasts from {shot.start:.1f} to {shot.end:.1f} s")
    return replace(edit, value=edit.value - shot.start)
