"""What the documentation shows is what the program does."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from functools import cache
from pathlib import Path

import pytest
from cyclopts import CycloptsError
from facelm.cli import main

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))}


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, code) of every fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def snippets(language: str) -> list[tuple[str, str]]:
    return [(page, code) for page, text in PAGES.items() for kind, code in blocks(text) if kind == language]


def facelm_lines() -> list[tuple[str, str]]:
    """Every line in a fenced block that runs facelm, and every complete one in running text."""
    found = []
    for page, text in PAGES.items():
        for kind, code in blocks(text):
            if kind in {"", "bash", "sh"}:
                joined = code.replace("\\\n", " ")
                found += [(page, line.strip()) for line in joined.splitlines() if line.strip().startswith("facelm ")]
        prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        found += [(page, line) for line in re.findall(r"`(facelm [^`]+ [^`]+)`", prose) if re.search(r" -|\.npz", line)]
    return found


def parse(line: str) -> main.Line:
    return main.parse(shlex.split(line, comments=True)[1:])


@cache
def names_of(module: str) -> frozenset[str]:
    """Top-level names of a module of facelm, without importing it."""
    path = ROOT.joinpath(*module.split(".")[1:])
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert source.is_file(), f"{module} does not exist"
    out: set[str] = set()
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            out.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            out |= {a.asname or a.name for a in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            out |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.If):  # TYPE_CHECKING: the root's lazy names
            out |= {a.name for n in node.body if isinstance(n, ast.ImportFrom) for a in n.names}
    return frozenset(out)


# -- the command line ---------------------------------------------------------------------
def test_command_table_is_complete() -> None:
    table = PAGES["docs/commands.md"].split("\n```")[0]
    assert sorted(re.findall(r"^\| `facelm ([a-z ]+)` \|", table, re.MULTILINE)) == sorted(main.COMMANDS)


def test_facelm_lines_parse() -> None:
    lines = facelm_lines()
    assert sum(page in ("README.md", "docs/commands.md") for page, _ in lines) >= 20
    failed = []
    for page, line in lines:
        try:
            parse(line)
        except CycloptsError:
            failed.append(f"{page}: {line}")
    assert failed == []


@pytest.mark.parametrize(
    "line", ["facelm generate", "facelm dance x -o c.npz", "facelm render c.npz", "facelm train --nope"])
def test_the_line_check_refuses_what_is_wrong(line: str) -> None:
    with pytest.raises(CycloptsError):
        parse(line)


def test_commands_named_in_the_text_exist() -> None:
    known = {c.split()[0] for c in main.COMMANDS}
    named = {(page, word) for page, text in PAGES.items() for word in re.findall(r"`facelm ([a-z]+)[^`]*`", text)}
    assert ("README.md", "eval") in named
    assert sorted(f"{page}: facelm {word}" for page, word in named if word not in known) == []


# -- make, environment, Python ------------------------------------------------------------
def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    used = {(page, target) for page, text in PAGES.items()
            for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)}
    assert {"demo", "test", "slow-test"} <= {t for page, t in used if page == "README.md"}
    assert sorted(x for x in used if x[1] not in targets) == []


def test_environment_variables_are_those_of_the_code() -> None:
    folders = ("agent", "cli", "common", "data_gen", "eval", "face", "llm", "tokenizer")
    library = [p for f in folders for p in (ROOT / f).rglob("*.py")]
    code = {v for p in library
            for v in re.findall(r"(?:environ(?:\.get\(|\[)|_VARIABLE = )\"(FACELM_\w+)\"", p.read_text(encoding="utf-8"))}
    assert code and set(re.findall(r"FACELM_[A-Z_]+", PAGES["docs/commands.md"])) == code


@pytest.mark.parametrize(("page", "code"), snippets("python"), ids=lambda x: x if x.endswith(".md") else "")
def test_python_snippets_compile_and_import_what_exists(page: str, code: str) -> None:
    compile(code, page, "exec")
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "facelm":
            assert {a.name for a in node.names} <= names_of(node.module or ""), (page, node.module)


def test_readme_snippet_uses_methods_that_exist() -> None:
    """`lm.` and `clip.` in the README's example are attributes of FaceLM and FaceSequence."""
    def members(path: str, name: str) -> set[str]:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name).body
        return ({n.name for n in body if isinstance(n, ast.FunctionDef)}
                | {n.target.id for n in body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)})

    code = "".join(c for kind, c in blocks(README) if kind == "python")
    used = {"lm": set(re.findall(r"\blm\.(\w+)", code)), "clip": set(re.findall(r"\bclip\.(?!npz)(\w+)", code))}
    assert {"generate", "describe", "ask", "measure"} <= used["lm"] <= members("agent/pipeline.py", "FaceLM")
    assert {"save", "expr"} <= used["clip"] <= members("face/clip/sequence.py", "FaceSequence")


# -- finished -----------------------------------------------------------------------------
def test_no_placeholders_are_left() -> None:
    assert {p: sorted(set(found)) for p, t in PAGES.items() if (found := re.findall(r"\{\{[A-Z0-9_]+\}\}", t))} == {}


def test_tables_are_rectangular() -> None:
    """A cell too many or too few silently loses a number."""
    for page, text in PAGES.items():
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
            assert len(widths) == 1, (page, table.splitlines()[0])


def test_the_api_reference_is_that_of_the_code() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    import api_reference

    assert PAGES["docs/api.md"] == api_reference.reference(), "run python scripts/api_reference.py"
