"""Results on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..common.progress import Progress
from ..common.text import printable

if TYPE_CHECKING:
    from ..agent.options import Result


def emit(results: Any, as_json: bool) -> int:
    """Print what a command returned, as it comes; the exit code, 1 where something failed.

    A command returns a result, several (an iterator is printed as it goes), or None after its own output.
    """
    several: Iterable[Result] = () if results is None else results if isinstance(results, Iterable) else (results,)
    code = 0
    for result in several:
        if said := json.dumps(result.facts) if as_json else printable(result.text):
            print(said)
        if result.error:
            print(f"facelm: {printable(result.error)}", file=sys.stderr)
            code = 1
    return code


def bars(text: str = "") -> Progress:
    """A progress callback with a bar for each stage (``text`` for one without a name); silent when stderr is not a terminal."""
    shown: dict[str, Any] = {}

    def update(done: int, of: int, stage: str = "", /) -> None:
        from tqdm import tqdm

        if (bar := shown.get(stage)) is None:
            bar = shown[stage] = tqdm(desc=stage or text, leave=False, disable=not sys.stderr.isatty())
        bar.total = of
        bar.update(done - bar.n)
        if done >= of:
            shown.pop(stage).close()

    return update


def baseline() -> Callable[..., Any]:
    """What carries out transitions by a trained baseline."""
    from .baseline import trained_transition

    return trained_transition
