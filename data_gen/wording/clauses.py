"""One cue of an asked script as a clause: its verb or noun phrase with side, strength, speed, count and times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ...face.facs.script import BRIEF, LONG, SPEEDS, STRENGTHS, Cue, Script
from ..text import lexicon
from .phrases import ASKED, felt, inflect, nouns, phrase, verbs

T = TypeVar("T")
OPPOSITE = {"left": "right", "right": "left"}


_GIVES = frozenset({"give", "do", "make", "have", "let", "take", "heave", "breathe", "put", "pull", "show"})
_GIVEN = re.compile(r"^((?:out |on )?)an? (?!\{)(?=\w)")
_FRAMES = ("look", "look", "look", "seem", "appear", "be", "become", "get", "turn")
_FRAMES_NP = ("put|on {e}", "make|{e}", "give|{e}", "show|{e}", "have|{e}", "pull|{e}")
_FRAMES_NOUN = ("show", "express", "display")
_PLURAL = re.compile(r"an? (?:\{a\} )?([a-z-]+(?: (?!of|to|with|on)[a-z-]+)?)$")


# -- who --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Subject:
    """Who is spoken of: first and later mention, possessive, object, and the form of its verbs."""

    first: str
    again: str
    possessive: str
    objective: str

    @property
    def form_again(self) -> str:
        """Form of the verbs after ``again``."""
        return "base" if self.again in ("they", "you", "I") else "third"


YOU = Subject("", "", "your", "you")


class Unsayable(ValueError):
    """A script that has something which these words cannot say, e.g. a speed that is neither slow nor fast."""


@dataclass(frozen=True)
class Group:
    """Cues that happen together, by their places in the script."""

    cues: tuple[int, ...]
    join: str


# -- wording ----------------------------------------------------------------------------
class Teller:
    """Words the cues of one script; notes each thing that it has said."""

    def __init__(self, script: Script, rng: np.random.Generator) -> None:
        self.script, self.rng = script, rng
        self.who = YOU
        self.said: set[tuple[int, str]] = set()
        groups: list[Group] = []
        for i, cue in enumerate(script.cues):
            if cue.join == "with" and groups:
                groups[-1] = Group((*groups[-1].cues, i), groups[-1].join)
            else:
                groups.append(Group((i,), cue.join if groups else "then"))
        self.groups = groups

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.rng.random() * len(options))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    # -- numbers ------------------------------------------------------------------------
    def time(self, value: float, at: bool = False, plain: bool = False) -> str:
        """A time; ``at``: also as a place in the clip; ``plain``: never "a second"."""
        whole = value == int(value)
        n = f"{value:g}"
        options = [f"{n} s", f"{n}s", f"{n} seconds", f"{n} seconds", f"{n} sec"]
        if value == 1:
            options = ["1 s", "1s", "one second", "1 second", "one second"] + ([] if at or plain else ["a second"])
        elif whole and value < len(lexicon.NUMBERS):
            options += [f"{lexicon.NUMBERS[int(value)]} seconds"] * 3
        elif value == 0.5:
            options += ["half a second"] * 3
        elif value == 1.5:
            options += ["a second and a half"] if not at and not plain else []
        elif value % 1 == 0.5 and value < len(lexicon.NUMBERS):
            options += [f"{lexicon.NUMBERS[int(value)]} and a half seconds"]
        if 0 < value < 1:
            options += [f"{round(1000 * value)} ms", f"{round(1000 * value)}ms"]
        if at and whole and value < 60 and self.chance(0.12):
            options = [f"0:{int(value):02d}"]
        elif at and self.chance(0.05) and abs(25 * value - round(25 * value)) < 1e-6:
            options = [f"frame {round(25 * value)}"]
        elif at and self.chance(0.04):
            options = [f"t={n}s", f"t = {n}"]
        return self.pick(options)

    def percent(self, value: float) -> str:
        n = f"{round(100 * value, 1):g}"
        if value == 0.5 and self.chance(0.15):
            return "half strength"
        return self.pick([f"{n}%", f"{n}%", f"{n} %", f"{n} percent", f"{n} per cent", f"{n}% strength", f"{n}% intensity"])

    def times(self, count: int) -> str:
        """How often, after a verb."""
        if count == 1:
            return self.pick(["once", "once", "one time", "exactly once", "just once"])
        if count == 3 and self.chance(0.35):
            return self.pick(["several times", "repeatedly", "a few times", "again and again"])
        word = lexicon.NUMBERS[count] if count < len(lexicon.NUMBERS) else str(count)
        options = [f"{word} times", f"{word} times", f"{count} times", f"{count}x", f"x{count}"]
        return self.pick(["twice"] * 4 + options if count == 2 else options)

    # -- one cue ------------------------------------------------------------------------
    def level(self, cue: Cue) -> str:
        """The name of the strength to say, ``%`` for a share, or nothing."""
        if cue.strength is None:
            return ""
        return next((w for w, v in STRENGTHS.items() if v == cue.strength), "%")

    def tempo(self, cue: Cue) -> str:
        """The name of the speed to say, or nothing."""
        if cue.speed is None:
            return ""
        found = next((w for w, v in SPEEDS.items() if v == cue.speed), None)
        if found is None:
            raise Unsayable(f"a speed of {cue.speed:g} has no words; allowed: {', '.join(map(str, SPEEDS.values()))}")
        return found

    def fill(self, text: str, cue: Cue) -> str:
        """Possessive and side put in; the side also as it looks to the viewer."""
        if cue.side != "both":
            other = OPPOSITE[cue.side]
            if self.chance(0.07) and "to the {s}" in text:
                text = text.replace("to the {s}", self.pick([
                    f"to the viewer's {other}", f"to camera {other}", f"to screen {other}"]))
            elif self.chance(0.05) and (match := re.search(r"\{p\} \{s\} (\w+)", text)):
                text = text.replace(match[0], f"the {match[1]} on {self.pick(['the viewer' + chr(39) + 's', 'screen'])} {other}")
            elif self.chance(0.2):
                text = text.replace("to the {s}", "to {p} {s}")
        return text.replace("{s}", cue.side).replace("{p}", self.who.possessive)

    def noun(self, i: int) -> str:
        """A cue as a noun phrase with all that is said of it ("a quick nod at 2 s"), or nothing where it has none."""
        cue = self.script.cues[i]
        level, tempo = self.level(cue), self.tempo(cue)
        if cue.kind in ("emotion", "feeling"):
            text = self.felt_noun(cue, level)
            return self.after(i, text, "noun", tempo, level == "%") if text else ""
        options = list(nouns(cue.name, cue.side != "both"))
        counted = cue.count or 0
        if counted > 1:
            plural = [t for t in options if _PLURAL.match(t)]
            options = plural or options
        if not options:
            return ""
        text = self.pick(options)
        words = list(self.pick(ASKED.adjectives[level]) for _ in (0,) if level in ASKED.adjectives)
        rest = tempo
        if "{a}" in text and tempo:
            words.append(self.pick(ASKED.slow_adjective if tempo == "slow" else ASKED.fast_adjective))
            rest = ""
        adjective = " ".join(words)
        if counted == 1 and text.startswith("a "):
            text = self.pick(["a single", "one", "one single"]) + text[1:]
            self.said.add((i, "count"))
        elif counted > 1 and (match := _PLURAL.match(text)):
            vague = counted == 3 and self.chance(0.3)
            number = "several" if vague else self.pick([str(counted), lexicon.NUMBERS[counted]
                                                        if counted < len(lexicon.NUMBERS) else str(counted)])
            text = f"{number} {'{a} ' if '{a}' in text else ''}{_plural(match[1])}"
            self.said.add((i, "count"))
        if "{a}" not in text and "{d}" not in text and level in ASKED.adjectives:
            return ""
        text = text.replace("{a}", adjective).replace("{d}", self.pick(ASKED.adverbs[level]) if level in ASKED.adverbs else "")
        text = re.sub(r"\ba (?=[aeiou])(?!one\b|uni)", "an ", " ".join(self.fill(text, cue).split()))
        return self.after(i, text, "noun", rest, level == "%")

    def felt_noun(self, cue: Cue, level: str) -> str:
        adjectives, abstract = felt(cue.name)
        if abstract and self.chance(0.5):
            word = self.pick(abstract)
            return f"{self.pick(ASKED.quantities[level])} {word}" if level in ASKED.quantities else word
        single = [a for a in adjectives if " " not in a and a not in ("glad", "mad", "content", "pleased")]
        if not single or level == "faint":
            return ""
        word = self.pick(single)
        degree = self.pick(ASKED.degrees["feeling"][level]) + " " if level in ASKED.degrees["feeling"] else ""
        said = f"a {degree}{word} {self.pick(['look', 'face', 'expression'])}".replace("a a ", "a ")
        return re.sub(r"^a (?=[aeiou])", "an ", said)

    def adjective(self, i: int) -> str:
        """An emotion or feeling as an adjective with its strength, or nothing where more is said of it."""
        cue = self.script.cues[i]
        level = self.level(cue)
        if cue.kind not in ("emotion", "feeling") or level == "%":
            return ""
        options = felt(cue.name)[0]
        if level:
            options = tuple(o for o in options if " " not in o)
        if not options:
            return ""
        word = self.pick(options)
        return f"{self.pick(ASKED.degrees['feeling'][level])} {word}" if level else word

    def felt_verb(self, i: int, form: str) -> str:
        cue = self.script.cues[i]
        level = self.level(cue)
        if cue.name == "neutral" and not level and self.chance(0.6):
            chosen = phrase(self.pick(ASKED.neutral))
            return f"{inflect(chosen.head, form)} {self.fill(chosen.rest, cue)}".strip()
        adjectives, abstract = felt(cue.name)
        if abstract and self.chance(0.2):
            quantity = self.pick(ASKED.quantities[level]) + " " if level in ASKED.quantities else ""
            return f"{inflect(self.pick(_FRAMES_NOUN), form)} {quantity}{self.pick(abstract)}"
        if self.chance(0.2) and re.search(r"^an? .* (look|face|expression)$", text := self.felt_noun(cue, level)):
            chosen = phrase(self.pick(_FRAMES_NP))
            return f"{inflect(chosen.head, form)} {chosen.rest.replace('{e}', text)}"
        options = [a for a in adjectives if " " not in a] if level and level != "%" else list(adjectives)
        if not options:
            raise Unsayable(f"{cue.name} has no word that takes a degree")
        word = self.pick(options)
        if level in ASKED.degrees["feeling"]:
            word = f"{self.pick(ASKED.degrees['feeling'][level])} {word}"
        frames = _FRAMES[:6] if " " in word else _FRAMES
        return f"{inflect(self.pick(frames), form)} {word}"

    def verb(self, i: int, form: str, skip: frozenset[str] = frozenset()) -> str:
        """A cue as a verb phrase with all that is said of it, but for the fields in ``skip``."""
        cue = self.script.cues[i]
        level, tempo = self.level(cue), self.tempo(cue)
        if cue.kind in ("emotion", "feeling"):
            return self.after(i, self.felt_verb(i, form), form, tempo, level == "%", skip)
        options = verbs(cue.name, cue.side != "both")
        if level:
            options = tuple(p for p in options if p.rest.split()[-1:] not in (["no"], ["yes"]))
        chosen = self.pick(options)
        rest, before, adverb = chosen.rest, "", ""
        if level and level != "%" and chosen.head in _GIVES:
            rest = _GIVEN.sub(r"\1a {a} ", rest)
        if "{a}" in rest or "{d}" in rest:
            rest = rest.replace("{a}", self.pick(ASKED.adjectives[level]) if level in ASKED.adjectives else "")
            rest = rest.replace("{d}", self.pick(ASKED.adverbs[level]) if level in ASKED.adverbs else "")
        elif level and level != "%":
            adverb = self.pick(self.degrees(cue, level))
            if level == "faint" or adverb.endswith("ly") and self.chance(0.3):
                before, adverb = adverb, ""
            elif re.search(r"(?:^| )(?:to the )?\{s\}$|(?:^| )(?:up|down)$", rest):
                at = re.search(r"(?:to the )?\{s\}$|(?:up|down)$", rest)
                assert at is not None
                if adverb in ("slightly", "a little", "a bit", "far"):
                    rest, adverb = f"{rest[:at.start()]}{adverb} {at[0]}", ""
        if tempo and not before and self.chance(0.3):
            word = self.pick(ASKED.slow if tempo == "slow" else ASKED.fast)
            if word.endswith("ly"):
                before, tempo = word, ""
        words = [before, inflect(chosen.head, form), self.fill(rest, cue), adverb]
        text = re.sub(r"\ba (?=[aeiou])(?!one\b|uni)", "an ", " ".join(" ".join(words).split()))
        return self.after(i, text, form, tempo, level == "%", skip)

    def degrees(self, cue: Cue, level: str) -> Sequence[str]:
        entry = lexicon.LEXICON.get(cue.action)
        if cue.kind == "action" and entry and level == "strong" and entry.strong and cue.name != "talking":
            return entry.strong
        return ASKED.degrees["action" if cue.kind == "action" else "behaviour"][level]

    def after(self, i: int, text: str, form: str, tempo: str, share: bool, skip: frozenset[str] = frozenset()) -> str:
        """What follows the words of a cue: speed, share, count and times."""
        cue = self.script.cues[i]
        out = [text]
        if tempo:
            out.append(self.pick(ASKED.slow if tempo == "slow" else ASKED.fast))
        if share and cue.strength is not None:
            percent = self.percent(cue.strength)
            out.append(f"({percent})" if self.chance(0.15) else f"at {percent}")
        if cue.count is not None and (i, "count") not in self.said:
            out.append(self.times(cue.count))
        if cue.start is not None and "start" not in skip:
            out.append(self.place(cue))
        elif cue.end is not None and "end" not in skip:
            out.append(f"{self.pick(['until', 'till', 'up to'])} {self.time(cue.end, at=True)}")
        if cue.seconds is not None:
            out.append(self.duration(cue.seconds))
        shape: list[str] = []
        if cue.onset is not None:
            shape.append(self.pick(["over {}", "rising over {}", "with an onset of {}", "building up over {}"][form == "noun":])
                       .format(self.time(cue.onset)))
        if cue.hold is not None:
            shape.append(self.pick(["with a hold of {}", "holding it for {}", "held for {}"]).format(self.time(cue.hold)))
        if cue.offset is not None:
            shape.append(self.pick(["fading over {}", "with an offset of {}", "easing off over {}"])
                         .format(self.time(cue.offset)))
        if shape:
            out.append(", ".join(shape))
        if cue.held and "held" not in skip:
            stay = {"base": ["and stay like that", "and keep it that way", "and stay that way"],
                    "third": ["and stays like that", "and keeps it that way", "and stays that way"],
                    "ger": ["and staying like that"]}.get(form, [])
            out.append(self.pick([*stay, "until the end", "till the end", "to the end of the clip"]))
        self.said |= {(i, f) for f in ("strength", "speed", "count", "start", "end", "seconds", "onset", "hold", "offset")}
        return " ".join(out)

    def duration(self, value: float) -> str:
        if value == BRIEF and self.chance(0.8):
            return self.pick(["for a moment", "briefly", "for just a moment"])
        if value == LONG and self.chance(0.4):
            return self.pick(["for a long time", "for a long while"])
        return f"for {self.time(value)}"

    def place(self, cue: Cue) -> str:
        """When a cue starts and ends in the clip."""
        start, end = cue.start, cue.end
        assert start is not None
        if end is not None:
            if start == 0 and self.chance(0.3):
                return f"for the first {self.time(end)}" if end > 1 else f"from 0 to {self.time(end)}"
            frame = self.pick(["from {} to {}", "from {} until {}", "between {} and {}"])
            if self.chance(0.5):
                return frame.format(f"{start:g}", self.pick([f"{end:g} s", f"{end:g}s", f"{end:g} seconds"]))
            return frame.format(self.time(start, at=True), self.time(end, at=True))
        if start == 0:
            return self.pick(["at the start", "from the beginning", "at 0 s", "right at the start"])
        time = self.time(start, at=True)
        if re.fullmatch(r"\d+(?:\.\d+)? seconds?", time) and self.chance(0.3):
            return self.pick([f"at the {time.removesuffix('s')} mark", f"{time} in", f"{time} into the clip"])
        return f"at {time}"


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")
