"""Write docs/api.md, the reference of the public names, from their docstrings.

Usage: python scripts/api_reference.py
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import facelm

OUT = Path(__file__).resolve().parent.parent / "docs" / "api.md"
HEAD = """# Python API

The names in `facelm.__all__`, made by `scripts/api_reference.py` from their docstrings. Anything else may change without
notice. Units are metres, seconds and radians (axis-angle); left and right are the subject's own.
"""


def text_of(thing: Any) -> str:
    """A docstring as Markdown: sections in bold, their entries as list items."""
    lines = []
    for line in inspect.cleandoc(inspect.getdoc(thing) or "").splitlines():
        if section := re.fullmatch(r"(Args|Returns|Raises|Attributes|Example|Yields):", line):
            lines += [f"*{section[1]}*", ""]
        elif entry := re.match(r"    (\w[\w, *]*): (.*)", line):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            lines.append(re.sub(r"^ {4,}(?!>)", "  ", line))
    text = "\n".join(lines)
    text = re.sub(r":\w+:`[~.]*([^`]+)`", r"`\1`", text).replace("``", "`")
    return re.sub(r"((?:^ *(?:>>>|\.\.\.) .*\n?)+)", lambda m: f"```pycon\n{inspect.cleandoc(m[1])}\n```\n", text, flags=re.M)


class Written:
    """An annotation that is shown as it is written in the source."""

    def __init__(self, annotation: Any) -> None:
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        self.text = ast.literal_eval(text) if text[:1] in "\"'" else text

    def __repr__(self) -> str:
        return self.text


def signature(name: str, thing: Any) -> str:
    """A call as it is written, without the modules of types."""
    found, none = inspect.signature(thing), inspect.Signature.empty
    found = found.replace(
        parameters=[p.replace(annotation=p.annotation if p.annotation is none else Written(p.annotation))
                    for p in found.parameters.values()],
        return_annotation=none if found.return_annotation is none else Written(found.return_annotation))
    text = str(found).replace("(self, ", "(").replace("(self)", "()")
    return name + re.sub(r"<function (\w+) at 0x\w+>", r"\1", text)


def fields(cls: type) -> str:
    """The fields of a dataclass with the strings under them, for classes whose docstring does not list them."""
    if not dataclasses.is_dataclass(cls) or "Attributes:" in (cls.__doc__ or ""):
        return ""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body  # type: ignore[attr-defined]
    rows = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign):
            said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            text = " ".join(str(said).split()).replace("``", "`")
            default = f" = {ast.unparse(node.value)}" if node.value is not None else ""
            field = f"- `{ast.unparse(node.target)}: {ast.unparse(node.annotation)}{default}`"
            rows.append(f"{field}: {text}" if text else field)
    return "\n*Fields*\n\n" + "\n".join(rows) + "\n"


def members(cls: type) -> list[tuple[str, Any]]:
    """The public methods and properties of a class, in the order of the source; a field's default is none."""
    settable = {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    return [(name, thing) for name, thing in vars(cls).items() if not name.startswith("_") and name not in settable
            and (callable(thing) or isinstance(thing, (property, classmethod, staticmethod)))]


def reference() -> str:
    """The whole page."""
    parts = [HEAD]
    for name in sorted(n for n in facelm.__all__ if n != "__version__"):
        thing = getattr(facelm, name)
        parts.append(f"## {name}\n")
        if not inspect.isclass(thing):
            parts.append(f"`{signature(name, thing)}`\n\n{text_of(thing)}\n")
            continue
        parts.append(f"{text_of(thing)}\n{fields(thing)}")
        for key, member in members(thing):
            if isinstance(member, property):
                parts.append(f"### {name}.{key}\n\n{text_of(member)}\n")
            else:
                parts.append(f"### {name}.{key}\n\n`{signature(key, getattr(thing, key))}`\n\n{text_of(getattr(thing, key))}\n")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


if __name__ == "__main__":
    OUT.write_text(reference(), encoding="utf-8")
