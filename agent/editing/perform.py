"""Edits carried out: of a performance only what they touch is performed again, of a recording its channels are changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...face.clip.normalise import is_real
from ...face.clip.sequence import FaceSequence
from ...face.facs.check import check
from ...face.facs.measure import measure
from ...face.facs.measured import Measurement
from ..motion.checked import Performance, perform_scripts
from ..motion.windows import By, Performer
from ..requests import Sampling
from .operations import Edit, edited
from .recorded import edit_recorded
from .splice import spliced
from .timeline import rescheduled


def perform_edits(performer: Performer, before: Performance, edits: Sequence[Edit], sampling: Sampling) -> Performance:
    """What was performed, after edits.

    Args:
        performer: performs what is new.
        before: what was performed.
        edits: in order.
        sampling: how; its seed counts only where all is performed again.

    Returns:
        The performance; frames that no edit touches are those of ``before``, moved in time where that made room.

    Raises:
        ValueError: an edit that nothing can take, or that cannot be done.
    """
    new = edited(before.script, edits, before.schedule)
    again = any(e.op == "again" for e in edits)
    seed = sampling.seed if again else before.seed
    times = rescheduled(before.schedule, before.script, new, seed, performer.tokenizer.step_seconds)
    schedules = [] if times.afresh else [times.schedule]  # all of it is planned as if it were asked for at once
    fresh, = perform_scripts(performer, [new.script], replace(sampling, seed=seed), schedules=schedules,
                             shape=before.clip.shape)
    if times.afresh:
        return fresh
    clip = spliced(before.clip, before.schedule, times, new.origins, fresh.clip).clip
    by: tuple[By, ...] = tuple(fresh.by[j] if o is None or times.moved[j] is None else before.by[o]
                               for j, o in enumerate(new.origins))
    return replace(fresh, clip=clip, checks=check(new.script, measure(clip, performer.head), fresh.schedule), by=by)


def edit_clip(performer: Performer, clip: FaceSequence, edits: Sequence[Edit], measured: Measurement | None = None
              ) -> FaceSequence:
    """A clip of which no script is known, after edits; see :func:`.recorded.edit_recorded`.

    Raises:
        ValueError: an edit that it cannot take.
    """
    real = is_real(clip)

    def shown(one: FaceSequence) -> Measurement:
        return measure(one, performer.head, filmed=real)

    return edit_recorded(clip, measured or shown(clip), edits, performer.direct, shown)
