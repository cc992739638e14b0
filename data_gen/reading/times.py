"""What a time of a text says: when something starts or ends, how long it takes, a rest, or the clip's length."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .units import Unit

_CLIP = re.compile(
    r"(?:long )?(?:\w+ )?(?:clip|video|animation|shot|take|loop|scene|footage|gif|performance|recording)\b|long\b|in total"
    r"|total\b|altogether|overall|of (?:footage|video)"
)


class TimeReader:
    """The roles of all times of one text."""

    def __init__(self, found: Sequence[Unit]) -> None:
        self.found = found
        self.roles: dict[int, str] = {}
        self.taken: set[int] = set()
        self.leading = bool(found) and "time" in found[0].tags and sum("time" in u.tags for u in found) > 1
        """Times stand before what happens at them."""
        self.index = {id(u): i for i, u in enumerate(found)}
        for i, unit in enumerate(found):
            if "time" in unit.tags and i not in self.roles:
                self._role(i)

    def used(self, i: int) -> bool:
        """Whether a unit belongs to a time."""
        return i in self.taken

    def role(self, unit: Unit, opens: bool) -> str:
        """A field of ``Cue``, ``length``, or nothing where it is unclear."""
        role = self.roles.get(self.index[id(unit)], "")
        return "start" if role == "pause" and opens else role

    def _before(self, i: int) -> str:
        words = " ".join(u.text for u in self.found[max(0, i - 4) : i])
        return re.sub(r"(?: (?:the|a|about|around|roughly|exactly|only|another|just|full|second|its))+$", "", words)

    def _role(self, i: int) -> None:
        before = self._before(i)
        after = " ".join(u.text for u in self.found[i + 1 : i + 5])
        times = [k for k in range(i + 1, min(len(self.found), i + 4)) if "time" in self.found[k].tags]
        if (
            times
            and re.search(r"(?:\bfrom|\bbetween|^|[,;.(] ?)(?: the| second| seconds)?$", before)
            and re.fullmatch(
                r"(?:to|until|till|and|-|–|—|through|up to)(?: second)?", " ".join(u.text for u in self.found[i + 1 : times[0]])
            )
        ):
            self.roles[i], self.roles[times[0]] = "start", "end"
            self.taken |= set(range(i - 1, times[0]))
            return
        if _CLIP.match(after) or re.search(
            r"\b(?:clip|video|animation|duration|length)(?: of| is| lasts| lasting)?(?: :)?$", before
        ):
            self.roles[i] = "length"
        elif re.match(r"later|after(?:wards| that)|pause|wait|of (?:rest|nothing|silence)", after) or re.search(
            r"\b(?:(?:waits?|waiting|pauses?|pausing|rests?|nothing)(?: of| for)?|after a pause of)$", before
        ):
            self.roles[i] = "pause"
        elif re.search(
            r"\bholds?(?: it| that| this| (?:the|her|his) \w+)?(?: there)?(?: for)?$|\bholding(?: it)? for$|\bheld(?: for)?$",
            before,
        ):
            self.roles[i] = "hold"
            self.taken |= {k for k in range(max(0, i - 4), i) if "held" in self.found[k].tags}
        elif re.search(r"\b(?:for|lasts|lasting|last|takes|taking|during|about|for about|stays|a full|long)$", before):
            self.roles[i] = "seconds"
        elif re.search(r"\b(?:until|till|up to|to|by|ends? at|gone by|stops? at)$", before):
            self.roles[i] = "end"
        elif re.search(r"\b(?:at|@|from|starting at|since|t|mark)$|@$", before) or re.match(r"(?:in\b|into|in :|mark)", after):
            self.roles[i] = "start"
        elif re.search(r"\bafter(?: about)?$", before):
            self.roles[i] = "pause"
        elif re.search(r"\bover(?: the course of)?$|\bonset(?: of)?$", before):
            self.roles[i] = "onset" if "onset" in before else "span"
        elif re.search(r"\boffset(?: of)?$", before):
            self.roles[i] = "offset"
        elif i == 0 and re.match(r"[:,]", after) and sum("time" in u.tags for u in self.found) == 1:
            self.roles[i] = "length"
        elif (
            self.leading
            and not re.search(r"\b(?:for|in|over|within)$", before)
            or re.match(r"[:–—-]", after)
            or re.search(r"(?:^|[.;\n])$", before)
            and not re.match(r"of\b", after)
        ):
            self.roles[i] = "start"
        elif re.search(r"\b(?:in|within|across)$", before):
            self.roles[i] = "span"
        else:
            self.roles[i] = "seconds"
        self.taken.add(i - 1)
