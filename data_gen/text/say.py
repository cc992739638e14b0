"""Scripts drawn at random, and their wording: texts whose script is exact because the script came first.

:func:`sample` draws what a user could ask for, :func:`say` words all of it and nothing else, by the conventions by which prompts
are labelled by hand: ``then`` for one thing after another, "while" for together, "from ... to" where one takes over.
"""

from __future__ import annotations

import numpy as np

from ...face.facs.script import BRIEF, LONG, Script
from ..asked import sample
from ..wording.clauses import YOU, Group, Subject, Unsayable
from ..wording.phrases import ASKED, inflect
from ..wording.whole import WholeTeller
from . import lexicon

__all__ = ["Unsayable", "sample", "say"]
_CODES = {**{n: c[0] for n, c in lexicon.FACS.items() if not n.startswith("wink")}, "wink": "AU46", "cheek_raise": "AU6",
          "dimple": "AU14", "lower_lip_depress": "AU16", "lip_funnel": "AU22", "lip_suck": "AU28"}
_TIMES = ("start", "end", "seconds", "onset", "hold", "offset", "held")


def say(script: Script, rng: np.random.Generator) -> str:
    """Word a script: every cue and all that is said of it, in one of many constructions.

    Raises:
        Unsayable: it says something that has no words here, e.g. a speed other than slow and fast.
    """
    return _Text(script, rng).text()


class _Text(WholeTeller):
    """The whole text of one script."""

    def text(self) -> str:
        script = self.script
        text = self.finish(self.body() if script.cues else self.rest_only())
        for i, cue in enumerate(script.cues):
            for name in ("strength", "count", "speed", "start", "end", "seconds", "onset", "hold", "offset", "pause"):
                if getattr(cue, name) is not None and (i, name) not in self.said:
                    raise Unsayable(f"{name} of {cue.name} has not been worded")
        return text

    def body(self) -> str:
        """The cues in one of the styles."""
        kind = self.unknown_form()
        if self.timed() and self.chance(0.6):
            return self.timed_list()
        if kind:
            return {"base": self.request, "third": self.told, "ger": self.pick([self.request, self.told, self.fragment])}[kind]()
        if self.chance(0.2) and (told := self.ordered()):
            return told
        if all(c.kind == "action" and c.join != "into" for c in self.script.cues) and self.chance(0.04):
            return self.codes()
        roll = self.rng.random()
        if roll < 0.3:
            return self.request()
        if roll < 0.62:
            return self.told()
        if roll < 0.74:
            return self.wish()
        if roll < 0.79:
            return self.modal()
        if roll < 0.86:
            return self.fragment()
        return self.items()

    def ordered(self) -> str | None:
        """Two or three things one after another, told in another order than they happen: "a yawn, but a nod first"."""
        cues = self.script.cues
        if len(cues) not in ASKED.ordered or len(self.groups) != len(cues) or any(g.join != "then" for g in self.groups) or any(
                getattr(c, f) not in (None, False) for c in cues for f in (*_TIMES, "pause")):
            return None
        self.who = self.pick([YOU, Subject("", "", "the", ""), Subject("", "", "her", ""), Subject("", "", "his", "")])
        things = [self.noun(i) if self.chance(0.7) else "" for i in range(len(cues))]
        things = [noun or self.verb(i, "ger") for i, noun in enumerate(things)]
        return self.pick(ASKED.ordered[len(cues)]).format(**dict(zip("abc", things, strict=False)))

    def draw_subject(self) -> Subject:
        return Subject(*self.pick(ASKED.subjects))

    # -- styles -------------------------------------------------------------------------
    def request(self) -> str:
        """"Smile, then nod twice, please."."""
        self.who = YOU
        wrapper = self.pick(ASKED.requests)
        plain = wrapper == "{v}"
        return wrapper.replace("{v}", self.flow("base", ("", ""), sentences=plain and self.chance(0.35), leads=plain))

    def told(self) -> str:
        """"She smiles, then nods twice."."""
        self.who = self.draw_subject()
        while self.script.unknown and self.who.form_again != "third":
            self.who = self.draw_subject()
        if not self.script.unknown and self.chance(0.08):
            self.who = self.pick([Subject("You", "you", "your", "you"), Subject("I", "I", "my", "me"),
                                  Subject("They", "they", "their", "them"), Subject("The twins", "they", "their", "them")])
            return self.flow("base", (self.who.first, self.who.again), sentences=self.chance(0.5))
        return self.flow("third", (self.who.first, self.who.again), sentences=self.chance(0.5))

    def wish(self) -> str:
        """"Make her smile, then nod twice."."""
        self.who = self.draw_subject()
        flow = self.flow("base", ("", ""), sentences=False, leads=False)
        named = self.who.first[0].lower() + self.who.first[1:] if " " in self.who.first else self.who.objective
        return self.pick(ASKED.wishes).replace("{o}", named).replace("{v}", flow)

    def modal(self) -> str:
        self.who = self.draw_subject()
        flow = self.flow("base", ("", ""), sentences=False, leads=False)
        first = self.who.first
        return self.pick(ASKED.modals).replace("{S}", first).replace("{s}", first[0].lower() + first[1:]).replace("{v}", flow)

    def fragment(self) -> str:
        """"A woman smiling and then nodding twice."."""
        self.who = self.draw_subject()
        first = self.who.first + " " if " " in self.who.first and self.chance(0.7) else ""
        return (first + self.flow("ger", ("", ""), sentences=False, leads=False)).strip()

    def items(self) -> str:
        """A list: "smile, two nods, wink left"."""
        self.who = self.pick([Subject("", "", "the", ""), YOU, Subject("", "", "her", ""), Subject("", "", "his", "")])
        form = self.pick(["noun", "noun", "ger"] if self.who.possessive in ("her", "his") else ["base", "base", "noun"])
        parts: list[str] = []
        mark = self.pick([", ", ", ", "; ", " -> ", " > ", ", then ", "\n", " / ", ". ", " - "])
        numbered = mark == "\n" and len(self.groups) > 1 and self.chance(0.5)
        number = 0
        for group in self.groups:
            cue = self.script.cues[group.cues[0]]
            text = self.item(group, form) if group.join != "into" or not parts else ""
            if cue.pause is not None:
                self.said.add((group.cues[0], "pause"))
                rest = self.rest(cue.pause)
                parts.append(self.pick([rest, f"({rest})"]) if mark != ", then " else rest)
            if group.join == "into" and parts:
                parts[-1] += self.takeover(group, "ger")
            else:
                number += 1
                parts.append(f"{number}. {text}" if numbered else text)
        return mark.join(p[0].upper() + p[1:] if mark == ". " else p for p in parts)

    def rest(self, seconds: float) -> str:
        """A pause as an item of a list."""
        if seconds == BRIEF and self.chance(0.7):
            return self.pick(["short pause", "a beat", "brief pause"])
        if seconds == LONG and self.chance(0.4):
            return "long pause"
        return self.pick(["pause {}", "wait {}", "pause for {}", "{} pause"]).format(self.time(seconds, plain=True))

    def item(self, group: Group, form: str, skip: frozenset[str] = frozenset()) -> str:
        """A group as one item of a list."""
        parts = [form == "noun" and not skip and self.noun(i) or self.verb(i, "base" if form == "noun" else form, skip)
                 for i in group.cues]
        if len(parts) == 2 and self.chance(0.4):
            return self.pick(["{} and {} at the same time", "{} and {} at once", "{} and {} together"]).format(*parts)
        return self.pick([" + ", " + ", " & "] if len(parts) == 2 else [" + "]).join(parts)

    def timed(self) -> bool:
        """Whether every group has a start, and its cues no other."""
        cues = self.script.cues
        return len(self.groups) > 1 and all(
            cues[g.cues[0]].start is not None and cues[g.cues[0]].pause is None and g.join == "then" and
            len({(cues[i].start, cues[i].end) for i in g.cues}) == 1 for g in self.groups)

    def timed_list(self) -> str:
        """"0-2 s: smile; 2-4 s: two nods"."""
        self.who = self.pick([YOU, Subject("", "", "her", ""), Subject("", "", "his", ""), Subject("", "", "the", "")])
        form = self.unknown_form() or self.pick(["base", "base", "ger"])
        style = self.pick(["{a}-{b}s: {x}", "{a}-{b} s: {x}", "{a}s-{b}s: {x}", "[{a}-{b}s] {x}", "{a} to {b} s: {x}", "0:0-{x}",
                           "{x} ({a}-{b} s)"])
        point = self.pick(["at {a}s {x}", "at {a} s: {x}", "{a}s: {x}", "{a} s - {x}", "t={a}: {x}"])
        parts = []
        for group in self.groups:
            cue = self.script.cues[group.cues[0]]
            text = self.item(group, form, frozenset({"start", "end"}))
            assert cue.start is not None
            a = f"{cue.start:g}"
            if cue.end is None:
                parts.append(point.format(a=a, x=text))
            elif style.startswith("0:0"):
                whole = cue.start == int(cue.start) and cue.end == int(cue.end) and cue.end < 60
                shown = "0:{:02.0f}-0:{:02.0f} {}" if whole else "{:g}-{:g} s: {}"
                parts.append(shown.format(cue.start, cue.end, text))
            else:
                parts.append(style.format(a=a, b=f"{cue.end:g}", x=text))
        mark = self.pick(["; ", "\n", ", ", ". "])
        return mark.join(p[0].upper() + p[1:] if mark == ". " else p for p in parts)

    def codes(self) -> str:
        """FACS codes: "AU12 left at 30%, then AU45 x2"."""
        self.who = YOU
        parts: list[str] = []
        for group in self.groups:
            said = []
            for i in group.cues:
                cue = self.script.cues[i]
                code = _CODES.get(cue.name) or _CODES.get(cue.action)
                if code is None:
                    said.append(self.verb(i, "base"))
                    continue
                level, tempo = self.level(cue), self.tempo(cue)
                text = f"{level} {code}" if level and level != "%" else code
                if level == "faint":
                    text = f"barely visible {code}"
                if cue.side != "both" and cue.name in ("wink",) or cue.side != "both" and cue.action not in _CODES:
                    text += f" {cue.side}"
                said.append(self.after(i, text, "noun", tempo, level == "%"))
            cue = self.script.cues[group.cues[0]]
            if cue.pause is not None:
                self.said.add((group.cues[0], "pause"))
                parts.append(self.rest(cue.pause))
            parts.append(" with ".join(said))
        return self.pick([", then ", "; ", ", "]).join(parts)

    # -- flow ---------------------------------------------------------------------------
    def flow(self, form: str, subject: tuple[str, str], sentences: bool, leads: bool = True) -> str:
        """The groups one after another as clauses, in one sentence or several."""
        self.leads, self.shape = leads, form
        if (turned := self.turned(form, subject)) is not None:
            return turned
        again = self.who.form_again if form == "third" else form
        out, k = "", 0
        while k < len(self.groups):
            group = self.groups[k]
            first = not out
            new = first or sentences and group.join != "into" and self.chance(0.6)
            if new:
                self.shape = form if first else again
            shape = self.shape
            pair = self.pair(k, shape)
            if group.join == "into" and not first:
                out += self.takeover(group, shape)
                k += 1
                continue
            lead, text = ("", pair) if pair else self.together(group, shape, new)
            at, k = k, k + (2 if pair else 1)
            link, opening = self.link(group, self.groups[at - 1], new, first, k >= len(self.groups), shape)
            who = subject[0] if first else subject[1]
            if new:
                start = f"{opening}{lead}"
                if start:
                    sentence = f"{start}{self.low(who)} {text}" if who else f"{start}{text}"
                else:
                    sentence = f"{who} {text}" if who else text
                sentence = " ".join(sentence.split())
                out += link + (sentence[0].upper() + sentence[1:] if not first else sentence)
            else:
                out += f"{link}{text}"
        return out

    def low(self, who: str) -> str:
        return who if who in ("I", "") else who[0].lower() + who[1:]

    def link(self, group: Group, before: Group, new: bool, first: bool, last: bool, form: str) -> tuple[str, str]:
        """What joins a group to the one before: between the sentences or clauses, and at the head of a new sentence."""
        cue = self.script.cues[group.cues[0]]
        if first:
            return "", ""
        if cue.pause is not None:
            self.said.add((group.cues[0], "pause"))
            brief, lasting = cue.pause == BRIEF and self.chance(0.7), cue.pause == LONG and self.chance(0.4)
            gap = (self.pick(["a moment", "a beat", "a short pause"]) if brief else "a long pause" if lasting else
                   self.pick(["a pause of {}", "a {} pause", "{}"]).format(self.time(cue.pause, plain=True)))
            if new:
                return ". ", self.pick([f"After {gap}, ", f"Then, after {gap}, "])
            if not brief and not lasting and self.chance(0.4):
                wait = {"base": "wait", "third": "waits", "ger": "waiting"}[form]
                return f", {wait} {self.time(cue.pause)} and then ", ""
            return self.pick([f", then, after {gap}, ", f", and after {gap} ", f"; then after {gap} "]), ""
        if new:
            return ". ", self.pick(["", "Then ", "Then ", "After that ", "Next, ", "Afterwards ", "Finally " if last else ""])
        options = [", then ", ", then ", ", then ", " and then ", "; then ", ", and after that "]
        if len(before.cues) > 1:
            options = [", then ", "; then ", ", and then "]
        elif last:
            options += [", and ", " and ", ", and finally ", " and "]
        elif form != "ger":
            options += [", "]
        return self.pick(options), ""

    def takeover(self, group: Group, form: str) -> str:
        """A group that takes over from the one before."""
        noun = self.noun(group.cues[0])
        rest = "".join(f" while {self.verb(i, 'ger')}" for i in group.cues[1:])
        if noun:
            link = self.pick([", which turns into ", ", turning into ", ", giving way to ", ", melting into ", ", fading into "])
            return f"{link}{noun}{rest}"
        change = inflect(self.pick(["change", "shift", "switch"]), form)
        return f", which {change if form == 'third' else 'changes'} into {self.verb(group.cues[0], 'ger')}{rest}"

    def pair(self, k: int, form: str) -> str:
        """Two states of which the second takes over from the first: "go from happy to sad"."""
        if k + 1 >= len(self.groups) or self.groups[k + 1].join != "into" or self.groups[k].join == "into" or self.chance(0.4):
            return ""
        a, b = self.groups[k], self.groups[k + 1]
        if len(a.cues) != 1 or len(b.cues) != 1:
            return ""
        i, j = a.cues[0], b.cues[0]
        if any(getattr(self.script.cues[i], f) not in (None, False) for f in (*_TIMES, "count", "speed", "pause")):
            return ""
        one, two = self.adjective(i), self.adjective(j)
        if not one or not two:
            return ""
        self.said.add((i, "strength"))
        verb = inflect(self.pick(["go", "change", "shift", "turn", "move"]), form)
        tail = self.after(j, "", form, self.tempo(self.script.cues[j]), False)
        return " ".join(f"{verb} from {one} to {two} {tail}".split())

    def turned(self, form: str, subject: tuple[str, str]) -> str | None:
        """Two things in the reverse order of the words: "before nodding, smile"."""
        if len(self.groups) != 2 or len(self.script.cues) > 2 or self.groups[1].join != "then" or self.chance(0.8):
            return None
        a, b = (g.cues[0] for g in self.groups)
        cues = self.script.cues
        if cues[b].pause is not None or any(getattr(cues[i], f) not in (None, False) for i in (a, b) for f in _TIMES):
            return None
        who = subject[0] + " " if subject[0] else ""
        low = self.low(subject[0]) + " " if subject[0] else ""
        roll = self.rng.random() if self.leads else 0.5 * self.rng.random()
        if roll < 0.25:
            return f"{who}{self.verb(a, form)} before {self.verb(b, 'ger')}"
        if roll < 0.5:
            return f"{who}{self.verb(b, form)} after {self.verb(a, 'ger')}"
        if roll < 0.75:
            text = self.verb(b, "ger")
            return f"Before {text}, {low}{self.verb(a, form)}"
        text = self.verb(a, "ger")
        return f"After {text}, {low}{self.verb(b, form)}"

    def together(self, group: Group, form: str, new: bool) -> tuple[str, str]:
        """A group's clause, and what may stand before its subject ("while nodding, ")."""
        cues = self.script.cues
        i = group.cues[0]
        leads = new and self.leads
        if len(group.cues) == 1:
            cue = cues[i]
            if leads and cue.start is not None and self.chance(0.35):
                text = self.verb(i, form, frozenset({"start", "end"}))
                return f"{self.place(cue)}, ", text
            return "", self.verb(i, form)
        end = cues[i].end
        if end is not None and all((cues[j].start, cues[j].end) == (cues[i].start, end) for j in group.cues):
            span = frozenset({"start", "end"})
            text = f"{self.verb(i, form, span)} while {' and '.join(self.verb(j, 'ger', span) for j in group.cues[1:])}"
            place = self.place(cues[i]) if cues[i].start is not None else f"until {self.time(end, at=True)}"
            return (f"{place}, ", text) if leads else ("", f"{text} {place}")
        if cues[i].held and leads:
            text = " and ".join(self.verb(j, form) for j in group.cues[1:])
            lasting = self.pick(["all the while", "the whole time", "throughout"])
            return f"{self.verb(i, 'ger', frozenset({'held'}))} {lasting}, ", text
        if len(group.cues) > 2:
            first, *rest = group.cues
            if self.chance(0.5):
                return "", f"{self.verb(first, form)} while {' and '.join(self.verb(j, 'ger') for j in rest)}"
            parts = [self.verb(j, form) for j in group.cues]
            return "", f"{', '.join(parts[:-1])} and {parts[-1]}, {self.pick(['all at once', 'all at the same time'])}"
        j = group.cues[1]
        bare = all(getattr(cues[k], f) in (None, False) for k in group.cues for f in _TIMES)
        roll = self.rng.random()
        if roll < 0.2 and leads:
            lead = f"while {self.verb(i, 'ger')}, "
            return lead, self.verb(j, form)
        if roll < 0.45 and (noun := self.noun(j)):
            return "", f"{self.verb(i, form)} with {noun}"
        if roll < 0.6 and bare:
            both = f"{self.verb(i, form)} and {self.verb(j, form)}"
            return "", f"{both} {self.pick(['at the same time', 'simultaneously', 'at once', 'together'])}"
        if roll < 0.7:
            return "", f"{self.verb(i, form)} and at the same time {self.verb(j, form)}"
        return "", f"{self.verb(i, form)} {self.pick(['while', 'while', 'whilst'])} {self.verb(j, 'ger')}"
