"""Wishes about what was performed ("make it stronger", "without the second wink"), read into typed edits by ``wishes.yaml``."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from ...face.facs.script import Cue, Script, mark
from .adjusting import Adjusting
from .operations import Edit, same_name
from .wording import RULES, Reader, more_in, sided_cues, wants_change, without_fillers


def read_edits(text: str, script: Script, read: Reader) -> tuple[Edit, ...]:
    """The edits that a line asks for; none where it asks for something of its own.

    Args:
        text: what a user says.
        script: what was performed.
        read: reads the words of what is added.

    Raises:
        ValueError: of several wishes, one that cannot be read; or one about what is not there.
    """
    plain = text.strip().lower()
    if not script.cues or RULES["subject"].match(plain) and not (RULES["corrects"].search(plain) or more_in(plain)):
        return ()
    pieces = [p.strip(" ,.;:!") for p in RULES["wishes"].split(text.strip()) if p and p.strip(" ,.!?;:")]
    pieces = [p for p in pieces if not RULES["too"].match(without_fillers(p))] or pieces
    found: list[tuple[Edit, ...]] = []
    trouble: ValueError | None = None
    for p in pieces:
        try:
            found.append(_Wish(p, script, read).edits())
        except ValueError as err:
            trouble = trouble or err
            found.append(())
    if len(pieces) > 1 and not all(found):  # what is cut apart may be one wish
        try:
            whole = _Wish(text, script, read).edits()
        except ValueError:
            whole = ()
        if whole and not any(found):
            return whole
    if trouble is not None:
        raise trouble
    if any(found) and not all(found):
        bad = pieces[[bool(f) for f in found].index(False)]
        if _Wish(bad, script, read).names(bad) or wants_change(bad):
            raise ValueError(f"I don't know how to change it so: {bad!r}")
    return tuple(e for edits in found for e in edits)


class _Wish(Adjusting):
    """One wish about a script."""

    def edits(self) -> tuple[Edit, ...]:
        """The edits; none where it is no wish about the script."""
        for kind in (self._whole, self._swapped, self._placed, self._kept, self._gone, self._added):
            if found := kind():
                return found
        return self._adjusted()

    def _whole(self) -> tuple[Edit, ...]:
        plain = self.plain
        if RULES["again"].match(plain):
            return (Edit("again"),)
        if RULES["goes_on"].match(plain) and not self.own(plain):
            return (Edit("continue", value=self.seconds),)
        if RULES["reverse"].search(plain):
            return (Edit("reverse"),)
        if RULES["together"].search(plain):
            return (Edit("together", names) if len(names := self.own(plain)) > 1 else Edit("together"),)
        if m := RULES["during"].search(plain):
            first, second = self.own(plain[:m.start()]), self.own(plain[m.end():])
            word = m[0].strip()
            if word in ("while", "during", "as") and first and second and first != second and not more_in(plain):
                return (Edit("together", (*second, *first)),)
            if word not in ("while", "during", "as") and not RULES["add"].match(plain) and len(names := self.own(plain)) > 1:
                return (Edit("together", names),)
        return ()

    def _swapped(self) -> tuple[Edit, ...]:
        plain = self.plain
        if m := RULES["not_side"].search(plain):
            names = self.own(plain) or sided_cues(plain, self.script)
            wrong = m[1] or m[2]
            return (Edit("side", names, self.which(plain), side="right" if wrong == "left" else "left"),) if names else ()
        if (m := RULES["exchange"].match(plain)) and (a := self.own(m["a"])) and (b := self.own(m["b"])):
            order = [c.name for c in self.script.cues]
            first, second = sorted((a[0], b[0]), key=order.index)
            before = order.index(first)
            after = order.index(second)
            anchor = (order[after + 1],) if after + 1 < len(order) else ()
            move = Edit("move", (first,), where="before" if anchor else "end", anchor=anchor)
            back = Edit("move", (second,), where="start") if before == 0 else (
                Edit("move", (second,), where="after", anchor=(order[before - 1],)))
            return (back, move)
        if RULES["remove"].match(plain) and not re.search(r"\b(?:instead|rather than|not an?)\b", plain):
            return ()
        m = RULES["instead_after"].match(plain) or RULES["replace"].match(plain) or RULES["instead"].match(plain)
        if m is None:
            return ()
        groups = m.groupdict()
        old = next((groups[k] for k in groups if k.startswith("old") and groups[k]), "")
        new = next((groups[k] for k in groups if k.startswith("new") and groups[k]), "")
        if re.fullmatch(r"(?:the )?(?:left|right|other)(?: \w+)?", new.strip()) or more_in(new) and not self.names(new):
            return ()
        if re.fullmatch(r"(?:it|that|this|everything|her|him|them)", old.strip()):
            return ()
        if own := self.own(old):
            sided = next((s for s in ("left", "right") if re.search(rf"\b{s}\b", new)), "")
            if sided and not self.names(re.sub(r"\b(?:left|right)\b", "", new)):
                return (Edit("side", own, self.which(old), side=sided),)
            script = self.new(re.sub(r"\b(?:it|him|her|them) ", "", new) if new.startswith(("make ", "it ")) else new)
            return (Edit("replace", own[:1], self.which(old), script=script),) if script.cues else ()
        if gone := self.names(old):
            raise self.absent(gone[0])
        return ()

    def _placed(self) -> tuple[Edit, ...]:
        plain = self.plain
        if (m := RULES["pause"].search(plain)) and (near := self.own(m["what"])):
            if m["where"] == "before":
                return (Edit("pause", near[:1], self.which(m["what"]), value=self.seconds or 1.0),)
            later = self._after(near[-1] if m["where"] == "after" else near[0])
            return (Edit("pause", (later.name,), value=self.seconds or 1.0),) if later else ()
        m = RULES["move"].match(plain)
        if m is None or self.seconds is not None or more_in(plain):
            return ()
        what = next((m[k] for k in ("what", "what2", "what3", "what4", "what5", "what6") if m[k]), "")
        own = self.own(re.sub(r"\b(?:start|begin|come|happen)s?\b", " ", what))
        known = re.match(r"put the\b|(?:start|begin|open|end|finish) with the\b", plain) or m["what4"] or m["what5"]
        if not own or RULES["add"].match(plain) and not known:
            return ()
        rel, anchor = m["rel"] or m["rel3"], m["anchor"] or m["anchor3"] or ""
        if rel:
            near = self.own(anchor)
            if not near:
                if other := self.names(anchor):
                    raise self.absent(other[0])
                return ()
            where: Literal["before", "after"] = "after" if rel == "after" else "before"
            return (Edit("move", own[:1], self.which(what), where=where, anchor=near[:1]),)
        if len(self.script.cues) < 2:
            return ()
        end = m["what5"] or re.search(r"end|last", m["where"] or m["where2"] or m["where6"] or "")
        return (Edit("move", own[:1], self.which(what), where="end" if end else "start"),)

    def _after(self, name: str) -> Cue | None:
        at = [i for i, c in enumerate(self.script.cues) if same_name(c, name)]
        return self.script.cues[at[-1] + 1] if at and at[-1] + 1 < len(self.script.cues) else None

    def _gone(self) -> tuple[Edit, ...]:
        m = RULES["remove"].match(self.plain) or RULES["dont"].match(self.plain)
        if m is None:
            return ()
        groups = m.groupdict()
        words = next((w for k, w in groups.items() if k.startswith("what") and w), "")
        what = self.names(words)
        if own := self.own(words):
            if more_in(words) or re.match(r"(?:don'?t|do not) (?:hold|keep|make|do it)\b", self.plain):
                return ()
            one = len(own) == 1 and re.match(r"\s*(?:just )?(?:one|1|a)\b", words) and any(
                (c.count or 1) > 1 and c.name == own[0] for c in self.script.cues)
            return (Edit("count", own, value=-1.0),) if one else (Edit("remove", own, self.which(words)),)
        if what:
            if re.search(r"\b(?:the|that|his|her|their)\b", words) and not RULES["dont"].match(self.plain):
                raise self.absent(what[0])
            return (Edit("never", what),) if not groups.get("what3") else ()
        return ()

    def _kept(self) -> tuple[Edit, ...]:
        plain = self.plain
        if (m := RULES["blend"].match(plain)) and (new := self.new(m["new"])).cues:
            return (Edit("blend", script=new),)
        if (m := RULES["only"].match(plain)) and (words := m["what"] or m["what2"] or m["what3"]) and (own := self.own(words)):
            sided = next((s for s in ("left", "right") if re.search(rf"\b{s}\b", words)), "")
            if sided:
                return (Edit("side", own, self.which(words), side=sided),)
            if re.match(r"(?:the |a )?(?:one|single)\b", words.strip()):
                return (Edit("count", own, self.which(words), value=1.0),)
            if not more_in(words) and not self.marked.c:
                return (Edit("only", own, self.which(words)),)
        stays = RULES["let_go"].search(plain)
        held = stays or RULES["hold"].search(plain) and not more_in(plain) and not RULES["dont"].match(plain)
        if held and not RULES["add"].match(plain):
            bare = re.sub(RULES["hold"], " ", plain)
            own = self.own(bare) or self.own(plain)
            if not own and (other := self.names(bare)):
                raise self.absent(other[0])
            if not own and not (RULES["it"].search(plain) or RULES["endless"].search(plain)):
                return ()
            names = own or (self.script.cues[-1].name,)
            if self.seconds is not None:
                if re.search(r"\b(?:until|till|til|to)\b.{0,12}" + mark("t", 0), plain):
                    start = next((c.start for c in self.script.cues if same_name(c, names[0]) and c.start is not None), None)
                    return (Edit("duration", names, self.which(plain), value=self.seconds - (start or 0.0)),)
                more = re.search(r"\b(?:another|more|extra)\b", plain)
                return (Edit("duration", names, self.which(plain), factor=0.0 if more else 1.0, value=self.seconds),)
            several = sum(same_name(c, names[0]) for c in self.script.cues) > 1
            return (Edit("hold", names, -1 if several and self.which(plain) is None else self.which(plain)),)
        return ()

    def _added(self) -> tuple[Edit, ...]:
        plain = self.plain
        if (again := re.match(r"^repeat (?P<what>.+)", plain)) and (own := self.own(again["what"])):
            if self.marked.c:
                return (Edit("count", own, value=float(self.marked.c[0])),)
            cue = next(c for c in self.script.cues if same_name(c, own[0]))
            return (Edit("add", script=Script((replace(cue, join="then", start=None, end=None, pause=None),))),)
        m = RULES["add"].match(plain)
        if m is None:
            return ()
        if m["new5"]:
            near = self.own(m["anchor5"])
            if not near:
                raise self.absent((self.names(m["anchor5"]) or (m["anchor5"],))[0])
            return (Edit("add", near[:1], script=self.new(m["new5"]), where="before" if "before" in m["rel5"] else "after"),)
        new = next((m[k] for k in ("new", "new2", "new3", "new4", "new6", "new7", "new8") if m[k]), "")
        if not new.strip():
            return ()
        if m["new7"]:
            return (Edit("add", script=self.new(new), where="start"),)
        if m["new8"] and len(self.script.cues) > 1:
            return (Edit("add", (self.script.cues[0].name,), script=self.new(new), where="after"),)
        if m["new3"] or m["new6"]:
            return (Edit("add", script=self.new(new)),)
        if re.match(r"^(?:start|begin|open) with", plain):
            return (Edit("add", script=self.new(new), where="start"),)
        if m["new2"]:
            w = re.search(r"\bwhile (?:s?he|they)(?:'s| is|'re| are)? (?P<what>\w+),? (?P<new>.+?)(?: as well| too)?$", new)
            if w and (at := self.own(w["what"])):
                return (Edit("add", at[:1], script=self.new(w["new"]), where="with"),)
            if not self.own(new) and (script := self.new(re.sub(r" (?:as well|too)$", "", new))).cues and not more_in(new):
                return (Edit("add", script=script),)
            return ()
        if (r := RULES["between"].search(new)) and r.start() > 0:
            at = self.own(r["what"]) if r["what"] else (self.script.cues[0].name,)
            if at:
                return (Edit("add", at[:1], self.which(r[0]), script=self.new(new[:r.start()]), where="after"),)
        if (r := RULES["relative"].search(new)) and r.start() > 0 and not RULES["beside"].search(new[r.start():]):
            if at := self.own(r["what"]):
                word = r[1].lower()
                place: Literal["after", "before", "with"] = (
                    "after" if re.search(r"after|once|following", word) else
                    "before" if re.search(r"before|front", word) else "with")
                return (Edit("add", at[:1], self.which(r[0]), script=self.new(new[:r.start()]), where=place),)
            no_cue = r"\b(?:end|start|beginning|it|that|this|second|done|all)\b"
            if (gone := self.names(r["what"])) and not re.search(no_cue, r["what"]):
                raise self.absent(gone[0])
        where: Literal["end", "start", "with"] = (
            "with" if RULES["beside"].search(new) else "start" if RULES["first"].search(new) else "end")
        for key in ("beside", "first", "last"):
            new = RULES[key].sub(" ", new)
        more = re.fullmatch(r"\W*(?:an? |one )?(?:more|other|another|another|extra|additional|second|third)\s+(.+)", new.strip())
        if more and (own := self.own(more[1])) and where == "end":
            return (Edit("count", own[:1], value=0.0),)
        return (Edit("add", script=self.new(new), where=where),)
