"""Questions about clips, edits and conversations, by kind, on the written expectations of ``eval/dialogue``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....common.progress import Progress, silent
from ...dialogue.score import Agent, evaluate_dialogues
from ...dialogue.suite import load_dialogues
from ..cases import some_of_each
from ..report.figures import Column, Row, Sheet, mean_of, rows_of


def sheet(names: Sequence[str], each: int | None, agent: Callable[[], Agent], command: Callable[[str], str],
          seed: int = 0, progress: Progress = silent) -> Sheet:
    """A row a set: turns that are right, in all and by kind of turn.

    Args:
        names: of shipped sets, or files.
        each: at most so many conversations of each kind; None: all.
        agent: makes an agent without a past.
        command: prints the row again.
        seed: of which conversations are drawn.
        progress: called with (done, of, what).
    """
    rows, kinds = [], []
    for name in names:
        report = evaluate_dialogues(name, some_of_each(load_dialogues(name), each, seed), agent,
                                    lambda d, of, name=name: progress(d, of, f"conversations: {name}"))  # type: ignore[misc]
        own = list(dict.fromkeys(r.kind for r in report.rows))
        kinds += [k for k in own if k not in kinds]
        rows.append(Row(name, rows_of({
            "turns right": mean_of([r.right for r in report.rows]),
            "every turn right": mean_of(list(report.dialogues.values())),
            **{k: mean_of([r.right for r in report.rows if r.kind == k]) for k in own}}), command(name)))
    columns = (Column("turns right"), Column("every turn right"), *(Column(k, digits=2) for k in kinds))
    return Sheet("questions", "Questions about clips", columns, tuple(rows),
                 "Held-out conversations, judged by what is measured.")

