"""A text as units: phrases that the tables know, sides, quantities, punctuation, and words that stay unexplained."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from ...face.facs.script import FIRST_MARK, MARKS, SLOTS, Cue, mark
from ...face.facs.script_text import read_script
from ..text.lexicon import FACS
from ..text.quantities import Marked
from .words import EXACT, RULES, SKIPPED, Node, Tag, stem, tree, vocabulary

_QUOTE = re.compile(f"[\"“'‘]([{chr(FIRST_MARK)}-{chr(FIRST_MARK + len(MARKS) - 1)}])([.,!?…-]*)[\"”'’]")
QUOTED = 0xF000
_AU = r"a[ud]\s?\d+\s?[lr]?(?:\s?\+\s?(?:a[ud]\s?)?\d+\s?[lr]?)*(?![\w])"
_EMOJI = "|".join(map(re.escape, sorted(RULES.emoji, key=len, reverse=True)))
_TOKEN = re.compile(
    rf"(?P<emoji>{_EMOJI})|(?P<au>\b{_AU})"
    r"|(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)*)|(?P<mark>[\ue000-\uf8ff])|(?P<point>->|=>|[→>,.;:!?&+/()\n–—*-])"
    r"|(?P<number>\d+)",
    re.IGNORECASE,
)
_VIEWERS = re.compile(r"viewer|camera|screen|audience|picture|image|frame|observer|\bour\b", re.IGNORECASE)
_VIEWERS_BEFORE = re.compile(
    r"(?:viewer|camera|screen|audience|picture|image|frame|observer)(?:'s)?$"
    r"|\b(?:viewer|camera|audience)'s(?: \w+)?$|\bour$"
)
_VIEWERS_AFTER = re.compile(
    r"(?:(?:hand )?side )?(?:of|from|as seen by|for|in|on) (?:the |our )?"
    r"(?:viewer|camera|screen|audience|picture|image|frame|us\b)|(?:as )?(?:we see|seen)"
)
_SIDED_THING = re.compile(r"side|eye|brow|eyebrow|way|direction|one|cheek|corner|nostril|lid|half")
_NO_SIDE = re.compile(
    r"right (?:away|now|after|before|at|then|on|out|through|back|into)\b|all right|left (?:alone|out|over|behind)"
    r"|that's right|right\?",
    re.IGNORECASE,
)
_CODES = {
    code.replace("AU", "").replace("AD", ""): name
    for name, codes in FACS.items()
    for code in codes
    if "left" not in code and "right" not in code
}
_CODES |= {
    "6": "cheek_raise",
    "7": "squint",
    "14": "dimple",
    "16": "lower_lip_depress",
    "22": "lip_funnel",
    "23": "lip_press",
    "25": "mouth_open",
    "27": "mouth_open",
    "28": "lip_suck",
    "2": "brow_raise",
    "6+12": "smile; with cheek_raise",
}
SLACK = 2
"""Words of strength or side that may stand inside a phrase."""


@dataclass(frozen=True)
class Unit:
    """A part of the text."""

    start: int
    end: int
    tags: Mapping[str, Tag]
    text: str = ""
    guessed: bool = False
    """Read as another word, of which it is a slip of the pen."""


@dataclass(frozen=True)
class _Token:
    text: str
    kind: str
    stem: str = ""
    exact: str = ""
    guessed: bool = False


@dataclass
class _Walk:
    end: int
    taken: int
    node: Node
    skipped: list[int] = field(default_factory=list)


def quotes(marked: Marked) -> tuple[str, list[int]]:
    """A text with each quoted speech as one character, and their syllables."""
    found: list[int] = []

    def one(m: re.Match[str]) -> str:
        place = ord(m[1]) - ord(mark("c", 0))
        if not 0 <= place < len(marked.c):
            return m[0]
        found.append(int(marked.c[place]))
        return f" {chr(QUOTED + len(found) - 1)} " + ("." if m[2][:1] in (".", "!") else "")

    return _QUOTE.sub(one, marked.text), found


@cache
def _by_length() -> dict[int, list[str]]:
    out: dict[int, list[str]] = {}
    for s in vocabulary():
        out.setdefault(len(s), []).append(s)
    return out


def _slip(a: str, b: str) -> bool:
    """Whether two words differ in one letter more, less or other, or in two that are swapped."""
    if abs(len(a) - len(b)) > 1:
        return False
    i = 0
    while i < min(len(a), len(b)) and a[i] == b[i]:
        i += 1
    x, y = a[i:], b[i:]
    return x[1:] == y[1:] or x[1:] == y or x == y[1:] or (x[:2] == y[1::-1] and len(x) > 1 and x[2:] == y[2:])


@cache
def _repaired(s: str) -> str:
    """The one known stem that a word is a slip of, or itself; short words are left alone."""
    if s in vocabulary() or len(s) < 4:
        return s
    first = 2 if s[0] == EXACT else 1
    near = [
        k
        for n in (len(s) - 1, len(s), len(s) + 1)
        for k in _by_length().get(n, ())
        if k[:first] == s[:first] and len(k) > 3 and _slip(s, k)
    ]
    return near[0] if len(near) == 1 else s


def _word(piece: str) -> _Token:
    own, exact = stem(piece), EXACT + piece
    if piece in SKIPPED or piece in ("left", "right") or own in vocabulary() or exact in vocabulary() or len(piece) < 4:
        return _Token(piece, "word", own, exact)
    fixed = _repaired(own)
    fixed_exact = _repaired(exact) if fixed == own else exact
    return _Token(piece, "word", fixed, fixed_exact, fixed != own or fixed_exact != exact)


def _tokens(text: str) -> list[_Token]:
    out: list[_Token] = []
    for m in _TOKEN.finditer(text):
        kind = str(m.lastgroup)
        if kind == "word":
            word = m[0].lower().replace("’", "'")
            pieces = [word] if stem(word) in vocabulary() or "-" not in word else word.split("-")
            for piece in pieces:
                out.append(_word(piece))
        else:
            out.append(_Token(m[0], kind))
    return out


def _skippable(token: _Token) -> bool:
    if token.kind != "word":
        return token.kind == "mark" and FIRST_MARK + SLOTS["t"] <= ord(token.text) < FIRST_MARK + len(MARKS)
    node = tree().next.get(token.stem)
    return (
        token.text in SKIPPED
        or token.text in ("left", "right", "both", "one", "side")
        or bool(node and ("strength" in node.tags or "speed" in node.tags or "count" in node.tags))
    )


def _better(walk: _Walk, best: _Walk) -> bool:
    """Longer, with less skipped, and no word that says nothing where another says something."""
    return (walk.taken, -walk.end, "stop" not in walk.node.tags) > (best.taken, -best.end, "stop" not in best.node.tags)


def _longest(tokens: list[_Token], at: int) -> _Walk | None:
    """The longest phrase that begins at a token."""
    best: _Walk | None = None
    todo = [_Walk(at, 0, tree())]
    while todo:
        walk = todo.pop()
        if walk.node.tags and (best is None or _better(walk, best)):
            best = walk
        if walk.end >= len(tokens):
            continue
        token = tokens[walk.end]
        if walk.taken and _skippable(token) and (token.text in SKIPPED or len(walk.skipped) < SLACK):
            kept = walk.skipped if token.text in SKIPPED else [*walk.skipped, walk.end]
            todo.append(_Walk(walk.end + 1, walk.taken, walk.node, kept))
        if token.kind == "word":
            for key in (token.stem, token.exact):
                if following := walk.node.next.get(key):
                    todo.append(_Walk(walk.end + 1, walk.taken + 1, following, walk.skipped))
    return best


def _codes(text: str) -> tuple[Cue, ...]:
    """The cues of FACS codes."""
    side = {"l": "left", "r": "right"}.get(text.strip()[-1:].lower(), "both")
    numbers = "+".join(re.findall(r"\d+", text))
    names = [_CODES[numbers]] if numbers in _CODES else [_CODES.get(n, _CODES.get(n + "L", "")) for n in numbers.split("+")]
    if numbers + "L" in _CODES and side != "both":
        names = [_CODES[numbers + "L"].removesuffix("_left") + f" {side}"]
        side = "both"
    try:
        return read_script("; with ".join(f"{n} {side}" if side != "both" else n for n in dict.fromkeys(names) if n)).cues
    except ValueError:
        return ()


def _point(text: str) -> Tag:
    if text in ("->", "=>", "→", ">"):
        return Tag("join", "arrow")
    if text in ("+", "&"):
        return Tag("join", "with")
    return Tag("point", text)


def _sides(tokens: list[_Token]) -> dict[int, str]:
    """Token -> the subject's side that it says."""
    found: dict[int, str] = {}
    plain = not any(t.text in ("left", "right", "other") for t in tokens)
    for i, token in enumerate(tokens):
        if plain and token.text in ("one", "single") and i + 1 < len(tokens) and _SIDED_THING.fullmatch(tokens[i + 1].text):
            found[i] = "left"
        following = tokens[i + 1].text if i + 1 < len(tokens) else ""
        if token.text in ("same", "other", "opposite") and found and _SIDED_THING.fullmatch(following):
            last = found[max(found)]
            found[i] = last if token.text == "same" else {"left": "right", "right": "left"}.get(last, "?")
            continue
        if token.text not in ("left", "right", "leftward", "leftwards", "rightward", "rightwards"):
            continue
        side = "left" if token.text[0] == "l" else "right"
        around = " ".join(t.text for t in tokens[max(0, i - 3) : i + 4])
        before = " ".join(t.text for t in tokens[max(0, i - 4) : i])
        after = " ".join(t.text for t in tokens[i + 1 : i + 5])
        if _NO_SIDE.match(f"{token.text} {after}") or _NO_SIDE.search(f"{before[-4:].split(' ')[-1]} {token.text}"):
            continue
        if _VIEWERS_BEFORE.search(before) or _VIEWERS_AFTER.match(after):
            side = {"left": "right", "right": "left"}[side]
        elif _VIEWERS.search(around) and "towards camera" not in around:
            found[i] = "?"
        found.setdefault(i, side)
    return {i: s for i, s in found.items() if s != "?"}


def units(marked: Marked) -> list[Unit]:
    """The units of a text in their order, modifiers inside a phrase after it."""
    plain, said = quotes(marked)
    tokens = _tokens(plain)
    sides = _sides(tokens)
    return list(_units(tokens, sides, marked, said))


def _units(tokens: list[_Token], sides: dict[int, str], marked: Marked, said: list[int]) -> Iterator[Unit]:
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if at in sides:
            yield Unit(at, at + 1, {"side": Tag("side", sides[at])}, token.text)
        elif token.kind == "emoji":
            yield Unit(at, at + 1, {"cue": Tag("cue", read_script(RULES.emoji[token.text]).cues, True)}, token.text)
        elif token.kind == "au":
            cues = _codes(token.text)
            yield Unit(at, at + 1, {"cue": Tag("cue", cues), "code": Tag("code")} if cues else {}, token.text)
        elif token.kind == "mark":
            yield Unit(at, at + 1, _quantity(ord(token.text), marked, said), token.text)
        elif token.kind == "point":
            yield Unit(at, at + 1, {(tag := _point(token.text)).kind: tag}, token.text)
        elif token.kind == "number":
            yield Unit(at, at + 1, {"count": Tag("count", int(token.text))} if token.text in ("1",) else {}, token.text)
        else:
            walk = _longest(tokens, at)
            if walk is None:
                yield Unit(at, at + 1, {"stop": Tag("stop")} if token.text in SKIPPED else _manner(token), token.text)
            else:
                words = " ".join(t.text for t in tokens[at : walk.end])
                yield Unit(at, walk.end, walk.node.tags, words, any(t.guessed for t in tokens[at : walk.end]))
                for i in walk.skipped:
                    yield from _units(tokens[i : i + 1], {0: sides[i]} if i in sides else {}, marked, said)
                at = walk.end
                continue
        at += 1


def _manner(token: _Token) -> Mapping[str, Tag]:
    """A feeling as an adverb: "happily"."""
    if not token.text.endswith("ly"):
        return {}
    for base in (token.text[:-2], token.text[:-3] + "y", token.text[:-1] + "e"):
        node = tree().next.get(EXACT + base)
        if node and "cue" in node.tags:
            return {"cue": node.tags["cue"]}
    return {}


def _quantity(code: int, marked: Marked, said: list[int]) -> Mapping[str, Tag]:
    if code >= QUOTED:
        return {"quote": Tag("quote", said[code - QUOTED])} if code - QUOTED < len(said) else {}
    if code - FIRST_MARK >= len(MARKS):
        return {}
    kind, place = MARKS[code - FIRST_MARK][0], int(MARKS[code - FIRST_MARK][1:])
    values, name = getattr(marked, kind), {"t": "time", "p": "strength", "c": "count"}[kind]
    return {name: Tag(name, values[place])} if place < len(values) else {}
