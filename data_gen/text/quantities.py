"""Numbers in a text: its times, shares and counts, found by exact rules and replaced by marks.

A language model that reads "smile at 2.5 s" copies the mark of a quantity into its script and never writes a number, so any
number that is found here is exact. What is no quantity of a performance stays text: ages, scene numbers, action units, angles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from ...face.facs.script import SLOTS, mark
from ..wording import numbers as n
from ..wording.numbers import number
from ..wording.speech import QUOTE, speeches, syllables

FRAMES_PER_SECOND = 25.0
_REPEATED = 3
"""How often something is done "every two seconds" where nothing says how long."""
_PRIVATE = re.compile("[\ue000-\uf8ff]")


@dataclass(frozen=True)
class Marked:
    """A text whose quantities are marks, and what these stand for: seconds, shares of full scale, counts (and syllables)."""

    text: str
    t: tuple[float, ...] = ()
    p: tuple[float, ...] = ()
    c: tuple[float, ...] = ()


@dataclass(frozen=True)
class Span:
    """A quantity's place in a text; the kind is ``t``, ``p`` or ``c``, or empty for a number that stays text."""

    start: int
    end: int
    kind: str
    value: float = 0.0


class _Finder:
    """The spans of one text; a rule never takes what an earlier one has taken."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.spans: list[Span] = []
        rate = n.RATE.search(text)
        said = float(rate[1] or rate[2]) if rate else 0.0
        self.rate = said if said > 0 else FRAMES_PER_SECOND
        if rate and rate[2]:
            self.take(*rate.span(2), "")

    def free(self, start: int, end: int) -> bool:
        return all(end <= s.start or start >= s.end for s in self.spans)

    def take(self, start: int, end: int, kind: str, value: float = 0.0) -> bool:
        """Note a span where nothing is taken yet; says whether it was."""
        while end > start and self.text[end - 1].isspace():
            end -= 1
        if not self.free(start, end):
            return False
        self.spans.append(Span(start, end, kind, round(value, 3 if kind == "t" else 2)))
        return True

    def each(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Matches in what is still free, of the whole text."""
        at = 0
        while match := pattern.search(self.text, at):
            at = max(match.start() + 1, match.end())
            if self.free(*match.span()):
                yield match
            else:
                at = match.start() + 1

    def seconds(self, value: float, unit: str) -> float:
        return value / self.rate if unit == "f" else value * n.SCALE[unit]

    # -- rules --------------------------------------------------------------------------
    def find(self) -> list[Span]:
        """All quantities, in the order of the text."""
        for start, end in speeches(self.text):
            self.take(start, end, "c", syllables(self.text[start:end]))
        self._times_first()
        self._keep()
        self._times()
        self._shares()
        self._counts()
        self._bare_times()
        self._bare()
        return sorted((s for s in self.spans if s.kind), key=lambda s: s.start)

    def _keep(self) -> None:
        numbers = [(m, int(m[1])) for m in n.ITEM.finditer(self.text)]
        if any(n == 1 for _, n in numbers) and any(n == 2 for _, n in numbers):
            for m, _ in numbers:
                self.take(*m.span(), "")
        for pattern in n.KEPT:
            for m in self.each(pattern):
                self.take(*m.span(), "")

    def _times_first(self) -> None:
        """Times that other rules would take apart."""
        for m in self.each(n.NAMED_SECOND):
            if m["which"]:
                self.take(m.start("which"), m.end(), "t", float(n.ORDINALS[m["which"].lower()]))
            elif n.TIME_AFTER.match(self.text[m.end():]):
                self.take(m.start("one"), m.end(), "t", 1.0)
        for m in self.each(n.SECOND_WORD):
            for group in ("number", "last"):
                if m[group]:
                    self.take(*m.span(group), "t", number(m[group]))
        ranges = list(self.each(n.ANY_RANGE))
        if len(ranges) > 1 and all(a["last"] == b["number"] for a, b in pairwise(ranges)):
            unit = "f" if re.search(r"\bfr(?:ames?)?\b|fps", self.text, re.IGNORECASE) else "s"
            for m in ranges:
                for group in ("number", "last"):
                    self.take(*m.span(group), "t", self.seconds(number(m[group]), unit))
        for m in self.each(n.CLOCK):
            rest = float("0." + m["rest"]) if m["rest"] and m["split"] in ".," else float(m["rest"] or 0) / self.rate
            self.take(*m.span(), "t", int(m["hours"] or 0) * 3600 + int(m["minutes"]) * 60 + int(m["seconds"]) + rest)

    def _times(self) -> None:
        for m in self.each(n.SHORT_CLOCK):
            self.take(*m.span(), "t", float(m["seconds"]))
        for m in self.each(n.MINUTES_SECONDS):
            minutes = 1.0 if m["minutes"].lower() == "a" else number(m["minutes"])
            self.take(*m.span(), "t", 60 * minutes + number(m["seconds"]))
        for m in self.each(n.T_IS):
            unit = n.unit(m["unit"]) if m["unit"] else "s"
            if unit:
                self.take(m.start("number"), m.end(), "t", self.seconds(number(m["number"]), unit))
        for m in self.each(n.TIMED):
            if (unit := n.unit(m["unit"])) is None or unit == "f" and m["part"]:
                continue
            if self.take(*m.span(), "t", self.seconds(self._value(m), unit)):
                self._list_before(m.start(), "t", unit)
        for m in self.each(n.A_UNIT):
            if (unit := n.unit(m["unit"])) is None:
                continue
            if unit == "s" and not m["tail"] and not m["own"] and not self._is_time(m):
                continue
            part = number("0 and " + m["tail"].lower().replace("-", " ").split(" and ")[1]) if m["tail"] else 0.0
            self.take(*m.span(), "t", self.seconds(1 + part, unit))
        for m in self.each(n.F_NUMBER) if n.RATE.search(self.text) else ():
            for group in ("number", "last"):
                if m[group]:
                    self.take(*m.span(group), "t", self.seconds(float(m[group]), "f"))
        for m in self.each(n.FRAMES):
            self.take(*m.span(), "t", self.seconds(float(m["number"]), "f"))
        for m in self.each(n.UNIT_FIRST):
            unit = n.unit(m["unit"]) or "f"
            if m["last"]:
                self.take(m.start("number"), m.end("number"), "t", self.seconds(number(m["number"]), unit))
                self.take(m.start("last"), m.end("last"), "t", self.seconds(number(m["last"]), unit))
            elif not self.text[:m.start()].rstrip().lower().endswith((" a", " the")) or unit == "f":
                self.take(m.start() if unit == "f" else m.start("number"), m.end(), "t", self.seconds(number(m["number"]),
                                               unit))

    @staticmethod
    def _value(m: re.Match[str]) -> float:
        """The number of a match of ``n.TIMED``, without its unit."""
        if m["few"]:
            value = n.FEW[m["few"].lower()]
        elif m["part"]:
            value = n.PARTS[m["part"].lower()]
        else:
            value = number(m["number"])
            if m["parts"]:
                part = m["parts"].strip(" -").lower()
                value *= 0.5 if part.startswith("hal") else n.PARTS[part.removesuffix("s")]
        if m["tail"]:
            value += number("0 and " + m["tail"].lower().replace("-", " ").split(" and ")[1])
        return value

    def _is_time(self, m: re.Match[str]) -> bool:
        """Whether "a second" is a time and not the one after the first."""
        before, after = self.text[:m.start()], self.text[m.end():]
        if n.NOT_TIME.match(after) or re.search(r"\btimes\s+$", before, re.IGNORECASE):
            return False
        return bool(n.TIME_AFTER.match(after) or n.TIME_BEFORE.search(before))

    def _list_before(self, end: int, kind: str, unit: str) -> None:
        """Numbers before one with a unit that share it: "from 1 to 3 s", "at 1, 2 and 4 s"."""
        while m := n.BEFORE_UNIT.search(self.text[:end]):
            if re.search(r"\b(?:frames?|fr?)\s?$", self.text[:m.start()], re.IGNORECASE):
                return
            if not m["range"] and not n.LIST_HEAD.search(self.text[:m.start()]):
                return
            value = number(m["number"])
            if not self.take(*m.span("number"), kind, value / 100 if unit == "%" else self.seconds(value, unit)):
                return
            end = m.start()

    def _shares(self) -> None:
        for m in self.each(n.PERCENT):
            if self.take(*m.span(), "p", number(m["number"]) / 100):
                self._list_before(m.start(), "p", "%")
        for m in self.each(n.OF_TEN):
            of = {"ten": 10.0, "five": 5.0, "a hundred": 100.0}.get(m["of"].lower()) or float(m["of"])
            if number(m["number"]) <= of:
                self.take(*m.span(), "p", number(m["number"]) / of)
        for m in self.each(n.STRENGTH_AFTER):
            value = (number(m["number"]) if m["number"] else n.PARTS[m["part"].lower()] if m["part"] else
                     2 / 3 if m["two"].lower().startswith("two") else 0.75)
            self.take(*m.span(), "p", value)
        for m in self.each(n.FRACTION):
            if m["above"]:
                value = float(m["above"]) / float(m["below"])
            elif m["half"]:
                value = 0.5
            elif m["many"]:
                value = n.ONES.get(m["many"].lower(), 1) * n.PARTS[m["part"].lower().removesuffix("s")]
            elif m["quarters"]:
                value = 0.75 if m["quarters"].lower() == "three" else 0.25
            else:
                value = 2 / 3 if m["thirds"].lower() == "two" else 1 / 3
            if value <= 1:
                self.take(*m.span(), "p", value)
        for m in self.each(n.STRENGTH_BEFORE):
            self.take(m.start("number"), m.end(), "p", number(m["number"]))

    def _counts(self) -> None:
        for m in self.each(n.TIMES):
            if m["number"]:
                said = m["number"].lower()
                value = {"a hundred": 100.0, "a dozen": 12.0, "one dozen": 12.0, "half a dozen": 6.0}.get(said) or number(said)
            elif m["after"] or m["n"]:
                value = float(m["after"] or m["n"])
            elif m["word"]:
                value = 3.0 if m["word"].lower() == "thrice" else 2.0
            elif m["dozen"]:
                value = 6.0 if m["dozen"].lower().startswith("half") else 12.0
            else:
                value = 2.0
            keep = 2 <= value <= n.LARGEST_COUNT
            start = m.start("n") if m["n"] else m.start()
            self.take(start, m.end(), "c" if keep else "", value)

    def _bare_times(self) -> None:
        timed = any(s.kind == "t" for s in self.spans)
        for m in self.each(n.FROM_TO):
            values = [number(m[g]) for g in ("number", "last")]
            shares = max(values) <= 1 and "." in m[0]
            score = (not timed or values[0] > values[1]) and max(values) >= 15 and all(v % 5 == 0 and v <= 100 for v in values)
            for group, value in zip(("number", "last"), values, strict=True):
                self.take(*m.span(group), "p" if shares or score else "t", value / 100 if score and not shares else value)
        for m in self.each(n.RANGE_HEAD):
            for group in ("number", "last"):
                self.take(*m.span(group), "t", number(m[group]))
        for pattern in (n.POINT_HEAD, n.BARE_TIME):
            for m in self.each(pattern):
                self._bare_time(m)
        if any(s.kind == "t" for s in self.spans):
            for m in self.each(n.MORE_TIME):
                self._bare_time(m)
            for m in self.each(n.IN_BRACKETS):
                for one in re.finditer(r"\d+(?:\.\d+)?", m[0]):
                    self.take(m.start() + one.start(), m.start() + one.end(), "t", float(one[0]))

    def _bare_time(self, m: re.Match[str] | None) -> None:
        """A number without a unit that is a time, and those after it ("at one, two and three")."""
        while m:
            group = "number" if m["number"] else "other"
            if not self.take(*m.span(group), "t", self.seconds(number(m[group]), self._last_unit(m.start()))):
                return
            m = n.NEXT_TIME.match(self.text, m.end(group))

    def _last_unit(self, end: int) -> str:
        """Frames where the time before is given in frames, else seconds."""
        before = [s for s in self.spans if s.kind == "t" and s.end <= end]
        last = max(before, key=lambda s: s.start, default=None)
        return "f" if last and re.search(r"\d\s?f|frame", self.text[last.start:last.end], re.IGNORECASE) else "s"

    def _bare(self) -> None:
        for m in self.each(n.DECIMAL):
            if 0 < number(m["number"]) <= 1:
                self.take(*m.span(), "p", number(m["number"]))
        for m in self.each(n.SCORE):
            self.take(*m.span(), "p", number(m["number"]) / 100)
        for m in self.each(n.COUNT):
            if 2 <= (value := number(m["number"])) <= n.LARGEST_COUNT and value == int(value):
                self.take(*m.span(), "c", value)


@lru_cache(maxsize=1024)
def find_spans(text: str) -> tuple[Span, ...]:
    """The quantities of a text, in its order; also those beyond the number of marks."""
    return tuple(_Finder(text).find()) if n.ANY.search(text) or QUOTE.search(text) else ()


def _often(text: str) -> str:
    """A text with a period as a count: "every 2 s for 8 s" is 4 times for 8 s; without another number it is 3 times."""
    def period(match: re.Match[str]) -> float:
        said = (match["n"] or "one").lower()
        return (0.5 if said.startswith("half") else number(said)) * n.SCALE[match["unit"].lower()]

    if (match := n.EVERY_FOR.search(text)) and (each := period(match)):
        return f"{text[:match.start()]}{max(round(number(match['whole']) / each), 1)} times {text[match.end():]}"
    match = n.EVERY.search(text)
    if match and (each := period(match)) and not _Finder(text[:match.start()] + text[match.end():]).find():
        return f"{text[:match.start()]}{_REPEATED} times for {_REPEATED * each:g} s{text[match.end():]}"
    return text


TIME = re.compile(r"\b([2-9]|two|three|four|five|six|seven|eight|nine|ten) time\b(?! (?:later|sooner|earlier|zones?|steps?))",
                  re.IGNORECASE)
"""A number of times in the singular."""


def find_quantities(text: str) -> Marked:
    """Replace the quantities of a text by marks, each with its unit ("for 2 seconds" is "for" and one mark).

    Args:
        text: what a user typed; private-use characters in it are left out.
    """
    text = _often(TIME.sub(r"\1 times", _PRIVATE.sub("", text)))
    values: dict[str, list[float]] = {kind: [] for kind in SLOTS}
    out: list[str] = []
    at = 0
    for span in find_spans(text):
        own = values[span.kind]
        if len(own) < SLOTS[span.kind]:
            out += [text[at:span.start], mark(span.kind, len(own))]
            own.append(span.value)
            at = span.end
    return Marked("".join(out) + text[at:], tuple(values["t"]), tuple(values["p"]), tuple(values["c"]))
