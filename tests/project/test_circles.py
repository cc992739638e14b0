"""No module may import itself through others, except in the circles that are still listed here."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = {"build", "dist", "out", "runs", "tests"}
"""Folders of the root that hold no module of the package."""
KNOWN: list[set[str]] = []
"""The circles that are still there, by the names of their files, so that a file may move. Only ever shorten this list."""

Graph = dict[Path, set[Path]]


def modules(root: Path) -> set[Path]:
    """Every module of the package: the Python files of folders with an ``__init__.py``, wherever they lie below ``root``."""
    found = set()
    for folder, names, here in os.walk(root):
        skip = OUTSIDE if Path(folder) == root else set()
        names[:] = [n for n in names if n not in skip and n != "__pycache__" and not n.startswith(".")
                    and not n.endswith(".egg-info")]
        if "__init__.py" in here:
            found |= {Path(folder, n) for n in here if n.endswith(".py")}
    return found


def module_at(place: Path, known: set[Path]) -> Path | None:
    """The file of the module or package at ``place`` (a path without suffix); None when there is none."""
    return next((p for p in (place.with_name(place.name + ".py"), place / "__init__.py") if p in known), None)


def imported(node: ast.Import | ast.ImportFrom, path: Path, known: set[Path]) -> Iterator[Path]:
    """The files of the package that one import statement of ``path`` names.

    ``from .x import y`` names ``x/y.py`` when there is such a module, else ``x.py`` or ``x/__init__.py``.
    """
    top = path.parent
    while top.parent / "__init__.py" in known:
        top = top.parent
    wanted: list[tuple[Path, list[str]]] = []
    if isinstance(node, ast.Import):
        wanted = [(top.joinpath(*a.name.split(".")[1:]), []) for a in node.names if a.name.split(".")[0] == "facelm"]
    elif node.level:
        parts = node.module.split(".") if node.module else []
        wanted = [(path.parents[node.level - 1].joinpath(*parts), [a.name for a in node.names])]
    elif (node.module or "").split(".")[0] == "facelm":
        wanted = [(top.joinpath(*(node.module or "").split(".")[1:]), [a.name for a in node.names])]
    for base, names in wanted:
        inside = [module_at(base / name, known) for name in names]
        if not names or None in inside:
            inside.append(module_at(base, known))
        yield from (p for p in inside if p is not None)


def imports(root: Path) -> Graph:
    """Who imports whom, with the imports inside functions and those for type checkers only."""
    known = modules(root)
    return {path: {found for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                   if isinstance(node, (ast.Import, ast.ImportFrom)) for found in imported(node, path, known)}
            for path in known}


def reachable(graph: Graph, start: Path) -> set[Path]:
    """Everything that ``start`` imports, directly or through others."""
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return seen


def circles(graph: Graph) -> list[set[Path]]:
    """The largest groups of two and more files that all import each other, directly or through others."""
    reach = {path: reachable(graph, path) for path in graph}
    groups = {frozenset({q for q in reach[path] if path in reach[q]}) for path in graph}
    return sorted((set(g) for g in groups if len(g) > 1), key=sorted)


def name(path: Path) -> str:
    """A file's name; that of an ``__init__.py`` with its folder."""
    if path.name != "__init__.py":
        return path.name
    return "__init__.py" if path.parent == ROOT else f"{path.parent.name}/__init__.py"


def test_the_circles_are_those_that_are_listed() -> None:
    graph = imports(ROOT)
    assert len(graph) > 100 and sum(map(len, graph.values())) > 200, "the imports were not read"
    found = circles(graph)
    named = [{name(p) for p in group} for group in found]
    new = [sorted(str(p.relative_to(ROOT)) for p in group) for group, names in zip(found, named, strict=True)
           if names not in KNOWN]
    assert new == [], "these files import each other in a circle; let one of them do without the other"


@pytest.mark.parametrize(("files", "expected"), [
    ({"a": "from .b import x", "b": "x = 1"}, []),
    ({"a": "from .b import x", "b": "def f():\n    from .a import y"}, [{"a.py", "b.py"}]),
    ({"a": "from . import b", "b": "if TYPE_CHECKING:\n    from .a import Y"}, [{"a.py", "b.py"}]),
    ({"a": "import facelm.b", "b": "from facelm.a import y"}, [{"a.py", "b.py"}]),
    ({"a": "from .sub import x", "sub/__init__": "from ..a import y"}, [{"a.py", "sub/__init__.py"}]),
    ({"a": "from .sub import b", "sub/__init__": "from ..a import y", "sub/b": ""}, []),
    ({"a": "from .sub.b import x", "sub/__init__": "", "sub/b": "from ..c import z", "c": "from . import a"},
     [{"a.py", "b.py", "c.py"}]),
    ({"a": "from .b import x", "b": "from .a import y", "c": "from .a import y"}, [{"a.py", "b.py"}]),
    ({"a": "from . import a"}, []),
])
def test_the_check_sees_what_it_should(files: dict[str, str], expected: list[set[str]], tmp_path: Path) -> None:
    for place, text in {"__init__": "", **files}.items():
        path = tmp_path / f"{place}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert [{name(p) for p in group} for group in circles(imports(tmp_path))] == expected
