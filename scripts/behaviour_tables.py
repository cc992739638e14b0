"""Write docs/behaviours.md, what every behaviour and feeling is made of, from the tables.

Usage: python scripts/behaviour_tables.py
"""

from __future__ import annotations

from pathlib import Path

from facelm.face.facs.vocabulary import BEHAVIOUR, FEELING, FEELING_SOURCES, Behaviour, Part

OUT = Path(__file__).resolve().parent.parent / "docs" / "behaviours.md"
HEAD = """# Behaviours and feelings

What a script can name beside single actions and the eight emotions: behaviours (a yawn, a sneeze, an eye roll) and feelings
(jealous, relieved, bittersweet). Both are data, and are performed as the actions and emotions below: behaviours with their own
timing, drawn anew from ranges in every performance (`face/facs/behaviours/*.yaml`), feelings as blends
(`face/assets/feelings.yaml`). Fields: `facelm.face.facs.vocabulary.Behaviour`, `Part` and `Feeling`. This page is made from the
tables by `scripts/behaviour_tables.py`. Left and right are the subject's own.
"""


def span(low: float, high: float) -> str:
    """A range, or one number where its ends are alike."""
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def part(p: Part) -> str:
    """A part in words: name, side, strength, count and start."""
    side = {"both": "", "any": " (one side)"}.get(p.side, f" ({p.side})")
    count = f" x{span(*p.count)}" if p.count[1] else ""
    return f"{p.name}{side} {span(round(100 * p.strength[0]), round(100 * p.strength[1]))} %{count} at {span(*p.at)} s"


def needed(b: Behaviour) -> str:
    """What a measurement should find."""
    return "; ".join(" or ".join(group) for group in b.must)


def words(*groups: tuple[str, ...]) -> str:
    """Words without the mark between a verb and what follows it."""
    return ", ".join(w.replace("|", " ").replace("{p}", "the") for group in groups for w in group)


def page() -> str:
    """The whole page."""
    out = [HEAD, "## Behaviours\n",
           f"{len(BEHAVIOUR)} in all. `x` counts repetitions; *shows* is what a measurement should find.\n"]
    for name, b in BEHAVIOUR.items():
        out += [f"### {name}\n", f"{words(b.words, b.nouns)}{' (can be done to one side)' if b.sided else ''}\n",
                f"- Made of: {'; '.join(map(part, b.parts))}", f"- Shows: {needed(b)}", f"- Source: {b.source}\n"]
    out += ["## Feelings\n", f"{len(FEELING)} in all. Strengths are shares of full scale at the feeling's usual degree.\n",
            "| feeling | blend | other words | source |\n| --- | --- | --- | --- |"]
    for name, f in FEELING.items():
        blend = ", ".join(f"{key} {strength:g}" for key, strength in f.blend.items())
        out.append(f"| {name} | {blend} | {', '.join(f.words)} | {f.source} |")
    out += ["", "| source | |\n| --- | --- |", *(f"| {key} | {text} |" for key, text in FEELING_SOURCES.items())]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    OUT.write_text(page(), encoding="utf-8")
