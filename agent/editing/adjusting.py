"""Wishes that change how strong, long, fast, late or often something is, and on which side."""

from __future__ import annotations

import re

from ...face.facs.script import mark
from .operations import Edit, Op, same_name
from .wording import MORE, RULES, TABLE, Wording, more_in, sided_cues

_MUCH, _LITTLE, _SOME = 1.7, 1.15, 1.35
_STEPS = (("double", 2.0), ("triple", 3.0), ("half", 2.0), ("halve", 2.0))
_TIMES = {"once": 1, "twice": 2, "thrice": 3}
_LEVEL = re.compile(rf"\b({'|'.join(TABLE.levels)})(?:ly)?\b")


class Adjusting(Wording):
    """One wish about a script, as far as it adjusts what is there."""

    def _adjusted(self) -> tuple[Edit, ...]:
        plain, marked, said = self.plain, self.marked, self.seconds
        own, meant, which = self.own(plain), bool(RULES["it"].search(plain)), self.which(plain)
        others = [n for n in self.names(plain) if not any(same_name(c, n) for c in self.script.cues)]
        less = bool(re.search(r"\bone (?:\w+ )?(?:fewer|less)\b|\bonce less\b|\bless nods\b", plain))
        once_more = re.search(r"\b(?:once|one|1)(?: \w+)? more\b|\bone more time\b|\ban extra\b|\banother\b", plain)
        again = not less and bool(once_more) and not more_in(re.sub(r"\b(?:once|one|1)(?: \w+)? more\b", " ", plain))
        plain = re.sub(r"\b(?:once|one|1) (?:\w+ )?(?:more|less|fewer)(?: time)?\b", " ", plain)
        compared = more_in(plain)
        if others and not compared or not own and not others and not meant and len(plain.split()) > 6 and not compared:
            return ()
        noun = RULES["noun"].search(plain)
        if not own and (compared or said is not None or marked.c or marked.p) and (others or noun):
            raise self.absent(others[0] if others else str(noun and noun[1]))
        if own and RULES["bare"].fullmatch(plain) and not RULES["meant"].search(self.text.strip().lower()):
            return ()  # "turn left" is a performance of its own, "turn left, I mean" a correction
        out = self._compared(plain, own, which)
        if marked.p and not out:
            out.append(Edit("strength", own, which, value=min(marked.p[0], 1.0)))
        if not out and (word := _LEVEL.search(plain)) and (own or meant):
            out.append(Edit("strength", own, which, value=TABLE.levels[word[1]]))
        if not (others and not own):
            out += self._sides(plain, own, which, bool(out))
        return tuple(out + self._times(plain, own, which, out, again, less, meant))

    def _compared(self, plain: str, own: tuple[str, ...], which: int | None) -> list[Edit]:
        """Stronger, longer, faster, later."""
        out: list[Edit] = []
        said = self.seconds
        for op, sign, words in MORE:
            if not words.search(plain) or any(e.op in (op, "length") for e in out):
                continue
            if op == "strength" and out and not re.search(
                    r"\b(?:strong|big|wide|small|weak|soft|happ|sad|ang|intense|tone|subtle)", plain):
                continue  # "more slowly" is no strength
            step = self._step(plain, sign)
            if op == "shift":
                out.append(Edit(op, own, which, value=sign * (said if said is not None else 0.5)))
            elif op == "duration":
                over: Op = op if own or len(self.script.cues) == 1 and not RULES["length"].search(plain) else "length"
                if said is not None and re.search(
                        rf"\b(?:to|no more than|at most)\b.{{0,6}}{mark('t', 0)}|{mark('t', 0)},? no more", plain):
                    out.append(Edit(over, own, which, value=said))
                else:
                    out.append(Edit(over, own, which, factor=0.0, value=sign * said) if said is not None else
                               Edit(over, own, which, factor=step if sign > 0 else 1 / step))
            else:
                out.append(Edit(op, own, which, factor=step if sign > 0 else 1 / step))
        return out

    def _sides(self, plain: str, own: tuple[str, ...], which: int | None, changed: bool) -> list[Edit]:
        if m := RULES["side"].search(plain):
            side = {"opposite": "other", "wrong": "other"}.get(m[0], m[0])
            return [Edit("side", own or sided_cues(plain, self.script), which, side=side)]
        if not changed and RULES["mirror"].search(plain):
            return [Edit("side", own or sided_cues(plain, self.script), which, side="other")]
        return []

    def _times(self, plain: str, own: tuple[str, ...], which: int | None, out: list[Edit], again: bool, less: bool,
               meant: bool) -> list[Edit]:
        """How often, when and how long."""
        marked, said = self.marked, self.seconds
        times = marked.c[0] if marked.c else next((n for w, n in _TIMES.items() if re.search(rf"\b{w}\b(?! as\b)", plain)), None)
        if marked.c and re.search(mark("c", 0) + r" (?:more|extra|additional|further)\b", plain) and not less:
            return [Edit("count", own or self._counted(own), which, value=0.0) for _ in range(int(marked.c[0]))]
        if re.search(r"\bhalve\b", plain) and not out:
            cue = next((c for c in self.script.cues if same_name(c, (own or ("",))[0])), None)
            if cue is not None:
                return [Edit("count", own, which, value=float(max((cue.count or 2) // 2, 1)))]
        if less:
            return [Edit("count", own or self._counted(own), which, value=-1.0)]
        if again or times is not None:
            return [Edit("count", own or self._counted(own), which, value=0.0 if again else float(times or 1))]
        if said is not None and not out:
            if re.search(r"\b(?:at|start|starting|begin|starts|begins|move|put|around|from|come)\b", plain) and not re.search(
                    r"\b(?:for|last|lasts|hold|long)\b", plain):
                return [Edit("start", own, which, value=said)]
            if re.search(r"\b(?:more|extra|another)\b", plain):
                return [Edit("duration", own or (self.script.cues[-1].name,), which, factor=0.0, value=said)]
            whole = not own and (meant or bool(RULES["length"].search(plain)))
            return [Edit("length" if whole else "duration", own, which, value=said)]
        if not out and own and RULES["directly"].search(plain):
            return [Edit("start", own, which, value=0.0)]
        return []

    def _step(self, plain: str, sign: float) -> float:
        """By what factor something becomes more, or by one over what less."""
        if self.marked.p:
            share = self.marked.p[0]
            return 1.0 + share if sign > 0 else 1.0 / max(1.0 - share, 0.05)
        for word, factor in _STEPS:
            if re.search(rf"\b{word}\b", plain):
                return factor
        return _LITTLE if RULES["slightly"].search(plain) else _MUCH if RULES["greatly"].search(plain) else _SOME

    def _counted(self, own: tuple[str, ...]) -> tuple[str, ...]:
        """The cue whose number is meant where none is named: one that has one, else the last."""
        return own or tuple(c.name for c in self.script.cues if c.count is not None)[:1] or (self.script.cues[-1].name,)
