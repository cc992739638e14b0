"""Speed as ratios within one run, so that two machines can be compared, and memory."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence

from ....common.progress import Progress, silent
from ....data_gen.performer.animator import perform
from ....data_gen.performer.layout import lay_out
from ....face.facs.measure import measure
from ....face.facs.script_text import read_script
from ....face.head.model import HeadModel
from ..report.figures import Column, Figure, Row, Sheet
from ..systems import System

TEXTS = ("She smiles broadly, then nods twice.", "He raises his brows.", "Wink with your left eye, then grin.",
         "They shake their head while frowning.", "A man presses his lips together.", "She looks sad and tilts her head.",
         "He blinks twice.", "She looks surprised.")
COLUMNS = (Column("clip alone, of its length", "less"), Column("clip of a batch of 8, of its length", "less"),
           Column("clip alone, of a measurement", "less", 1), Column("memory of the process, MB", "", 0))


def sheet(systems: Sequence[System], repeats: int, head: HeadModel, command: Callable[[str], str],
          progress: Progress = silent) -> Sheet:
    """Seconds of each system's clips as shares of the clips' length and of the time of measuring one clip on this machine.

    Args:
        systems: what performs.
        repeats: the median of so many is taken, after one that is not counted.
        head: the head.
        command: prints a system's row again.
        progress: called with (done, of, what).
    """
    clip = perform(lay_out(read_script("smile; nod x2")), head)
    yardstick = _median(lambda: measure(clip, head), repeats + 2)
    rows = []
    for k, system in enumerate(systems):
        alone, lengths = [], []
        for i in range(repeats + 1):
            text = TEXTS[i % len(TEXTS)]
            started = time.perf_counter()
            made = system.perform([text], [None], i)[0]
            alone.append(time.perf_counter() - started)
            lengths.append(made.seconds)
        started = time.perf_counter()
        batch = system.perform(TEXTS, [None] * len(TEXTS), 0)
        together = time.perf_counter() - started
        whole = statistics.median(a / s for a, s in zip(alone[1:], lengths[1:], strict=True))
        figures = {COLUMNS[0].name: Figure(whole, n=repeats),
                   COLUMNS[1].name: Figure(together / sum(c.seconds for c in batch), n=8),
                   COLUMNS[2].name: Figure(statistics.median(alone[1:]) / yardstick, n=repeats)}
        if (memory := peak_memory()) is not None:
            figures[COLUMNS[3].name] = Figure(memory)
        rows.append(Row(system.name, figures, command(system.name)))
        progress(k + 1, len(systems), "speed")
    return Sheet("speed", "Speed and memory", COLUMNS, tuple(rows),
                 f"Measuring a clip of {clip.seconds:g} s took {1000 * yardstick:.0f} ms here; memory is the most that the "
                 "process had up to then.")


def _median(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def peak_memory() -> float | None:
    """Most resident memory of this process so far, MB; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)
