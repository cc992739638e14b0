"""Results on stdout, progress on stderr, and the types of options that commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..common.progress import Progress

if TYPE_CHECKING:
    from ..agent.results import Result

Out = Annotated[str, Parameter(name=("--out", "-o"))]
FLAT = Parameter(name="*", negative_bool="no-")
"""Of a dataclass whose fields are options of the command."""


def emit(results: object, as_json: bool) -> int:
    """Print what a command returned, as it comes; the exit code, 1 where something failed.

    A command returns a result, several (an iterator is printed as it goes), or None after its own output.
    """
    several: Iterable[Result] = () if results is None else results if isinstance(results, Iterable) else (results,)  # type: ignore[assignment]
    code = 0
    for result in several:
        lines = [json.dumps(result.to_dict())] if as_json else result.lines()
        for line in lines:
            print(line)
        if error := getattr(result, "error", ""):
            print(f"facelm: {error}", file=sys.stderr)
            code = 1
    return code


def bars(text: str = "") -> Progress:
    """A progress callback with a bar for each stage; silent when stderr is not a terminal."""
    from tqdm import tqdm

    shown: dict[str, tqdm] = {}

    def update(done: int, of: int, stage: str = "", /) -> None:
        bar = shown.setdefault(stage, tqdm(desc=stage or text, leave=False, disable=not sys.stderr.isatty()))
        bar.total = of
        bar.update(done - bar.n)
        if done >= of:
            shown.pop(stage).close()

    return update
