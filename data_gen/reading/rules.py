"""Read plain English about faces into a script by rules, as far as code can be sure.

A text is split into clauses at the words and points that join them; a clause has what is done (a known phrase, or a part of the
face and its movement) and how (side, strength, count, speed, times). The reading says how much of the text it explains, since
what stays unexplained may say anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...face.facs.script import Cue, Never, Script
from ...face.facs.vocabulary import DIRECTIONS
from ..text.quantities import Marked
from .acts import Act, Clause, part_first
from .joins import joined
from .times import TimeReader
from .units import Unit, units
from .words import RULES, stem

LEAST = 0.6
"""Share of the content words that a reading explains at least."""
_UPRIGHT = {"gaze_up": "gaze", "gaze_down": "gaze", "look_up": "turn", "look_down": "turn"}
_EARLY = frozenset({"first", "start", "starts", "begin", "begins", "beginning", "starting", "initially", "opener"})
_LATE = frozenset({"last", "end", "ends", "finish", "finishes", "finale", "ending", "finally", "lastly"})
_ARTICLES = frozenset({"the", "a", "an", "my", "your", "our", "this", "that", "his", "her", "their"})
MAX_WORDS = 400
"""Longer texts are not read."""


@dataclass(frozen=True)
class RuleReading:
    """A script and the share of a text's content words that it explains."""

    script: Script
    explained: float
    coded: bool = False
    """Whether all that is done is said in FACS codes, which leave nothing to guess."""


class _Reader:
    def __init__(self, found: Sequence[Unit]) -> None:
        self.found = found
        self.clauses: list[Clause] = []
        self.unexplained = 0.0
        self.content = 0
        self.seconds: float | None = None
        self.still = False
        self.never: list[Never] = []
        self.unknown: list[str] = []
        self.part = ""
        self.move = ""
        self.side = ""
        self.times = TimeReader(found)

    # -- clauses ------------------------------------------------------------------------
    def split(self) -> None:
        clause = Clause("then", True, sentence=True)
        for i, unit in enumerate(self.found):
            join = self.join(i, unit, clause)
            if "time" in unit.tags and self.times.leading and self.times.roles.get(i) == "start" and self.has_cue(clause):
                self.clauses.append(clause)
                clause = Clause("then", False)
            if join is None:
                clause.units.append(unit)
                continue
            if clause.units or not clause.first and clause.join not in ("then", "and", ","):
                self.clauses.append(clause)
                clause = Clause(join, False, sentence=unit.text in ".!?\n")
            elif (
                clause.first
                and join in ("with", "before", "after", "from")
                or clause.join in ("and", ",")
                or join in ("into", "with")
            ):
                clause.join = join
        if clause.units:
            self.clauses.append(clause)

    def join(self, i: int, unit: Unit, clause: Clause) -> str | None:
        tags = unit.tags
        if "point" in tags:
            return (
                str("," if unit.text in ",;:/-–—(" else "." if unit.text in ".!?\n" else None) if unit.text not in "*)" else None
            )
        if "together" in tags:
            rest = self.found[i + 1 : i + 2]
            if "join" not in tags or not rest or "point" in rest[0].tags:
                clause.together = True
                return None
        if "join" not in tags or self.times.used(i):
            return None
        value = str(tags["join"].value)
        if value == "arrow":
            near = [u.tags["cue"] for u in (*clause.units[-1:], *self.found[i + 1 : i + 2]) if "cue" in u.tags]
            return "into" if len(near) == 2 and all(t.state for t in near) else "then"
        after = self.found[i + 1 : i + 3]
        if "cue" in tags and value != "into":
            return None
        if unit.text == "once":
            return (
                "after"
                if any("cue" in u.tags or "sided" in u.tags or "part" in u.tags for u in after) and not clause.units
                else None
            )
        if unit.text == "turn" or unit.text == "turns" or unit.text == "turning":
            state = self.state_after(i)
            return "into" if state and self.has_cue(clause) else None
        if unit.text == "to":
            known = any(c.join == "from" for c in [*self.clauses[-1:], clause])
            state = self.state_after(i, known)
            return "into" if state and (known or self.has_cue(clause)) else None
        if unit.text in ("as", "after", "n") and not any(
            "cue" in u.tags or "sided" in u.tags or "part" in u.tags or "move" in u.tags for u in self.found[i + 1 : i + 5]
        ):
            return None
        return value

    def state_after(self, i: int, any_cue: bool = False) -> bool:
        """Whether a state comes next, maybe after its degree."""
        for unit in self.found[i + 1 : i + 5]:
            if "cue" in unit.tags:
                return any_cue or unit.tags["cue"].state
            if any_cue and ("part" in unit.tags or "sided" in unit.tags):
                return True
            if not ("stop" in unit.tags or "strength" in unit.tags or "side" in unit.tags):
                return False
        return False

    def has_cue(self, clause: Clause) -> bool:
        return any("cue" in u.tags or "part" in u.tags or "sided" in u.tags for u in clause.units)

    # -- one clause ---------------------------------------------------------------------
    def read(self, clause: Clause) -> None:
        part = move = ""
        negated = clause.negated
        base = self.found
        sides = [u for u in clause.units if "side" in u.tags]
        pending: list[tuple[int, str, Any]] = []
        keep = False
        for unit in clause.units:
            tags = unit.tags
            at = unit.start
            if "stop" in tags and len(tags) == 1:
                continue
            self.content += 1
            self.unexplained += 0.25 * unit.guessed
            if "side" in tags:
                pending.append((at, "side", tags["side"].value))
                self.side = str(tags["side"].value)
            elif "time" in tags:
                self.time(unit, clause, pending)
            elif "quote" in tags:
                if clause.acts and clause.acts[-1].cue.name in ("talking", "whisper", "shout", "mouth_words", "sing"):
                    clause.acts[-1].fields["count"] = tags["quote"].value
                else:
                    clause.acts.append(Act(Cue("talking"), at, fields={"count": tags["quote"].value}))
            elif "whole" in tags:
                whole: Script = tags["whole"].value  # type: ignore[assignment]
                self.never += whole.never
                self.still |= whole.still
                clause.acts += [Act(cue, at) for cue in whole.cues]
            elif "absent" in tags:
                self.unknown.append(unit.text)
            elif "not" in tags and "cue" not in tags:
                negated = True
            elif "only" in tags and "cue" not in tags:
                rest = [u for u in self.found[unit.start + 1 :] if "stop" not in u.tags]
                before = [u for u in self.found if u.start < unit.start and "stop" not in u.tags]
                if unit.text != "only" or not before and rest and "cue" in rest[0].tags:
                    self.still = True
            elif "cue" in tags and not ("sided" in tags and sides):
                tag = tags["cue"]
                for cue in tag.value:  # type: ignore[attr-defined]
                    clause.acts.append(
                        Act(
                            cue, at, tag.state, never=negated, going=unit.text.split()[0].endswith("ing"), part=part_first(unit)
                        )
                    )
            elif "sided" in tags and sides:
                clause.acts.append(Act(Cue(str(tags["sided"].value), "left"), at, never=negated))
                if "part" in tags:
                    part, self.part = "", str(tags["part"].value)
            elif "held" in tags and not ({"move", "part"} & set(tags)):
                keep = True
                following = next((u for u in clause.units if u.start >= unit.end), None)
                if (
                    unit.text.startswith("keep")
                    and following
                    and following.text.split()[0].endswith("ing")
                    and ({"cue", "sided", "move", "part"} & set(following.tags))
                ):
                    pending.append((unit.end, "count", 3))
                    continue
                if not self.times.used(base.index(unit)):
                    pending.append((at, "held", True))
            elif "strength" in tags and not ("move" in tags and part):
                following = next((u for u in self.found if u.start >= unit.end), None)
                if "time" not in tags and following and not following.tags and unit.text not in ("very", "really"):
                    continue
                pending.append((at, "strength", tags["strength"].value))
            elif "speed" in tags:
                pending.append((at, "speed", tags["speed"].value))
            elif "count" in tags and "join" not in tags or "count" in tags and unit.text == "once":
                said = self.found[self.found.index(unit) - 1].text if self.found.index(unit) else ""
                if said not in ("all", "both"):
                    pending.append((at, "count", int(tags["count"].value)))  # type: ignore[call-overload]
            elif "beat" in tags:
                pending.append((at, "pause", tags["beat"].value))
            elif "brief" in tags:
                pending.append((at, "seconds", tags["brief"].value))
            elif "wait" in tags or "together" in tags or "join" in tags:
                pass
            elif "sided" in tags and stem(unit.text.split()[0]) in ("look", "fac", "turn") and len(unit.text.split()) == 1:
                self.content -= 1
            elif "part" in tags or "move" in tags:
                if "part" in tags:
                    part = str(tags["part"].value)
                if "move" in tags:
                    move = str(tags["move"].value)
                if part and move:
                    name = RULES.acts.get(part, {}).get(move)
                    if name is None and sides:
                        name = RULES.acts.get(part, {}).get("side")
                    if name and name[0] in "!?":
                        if name[0] == "!" or any("held" in u.tags for u in clause.units):
                            self.never += [Never(n) for n in name[1:].split()]
                            pending = [p for p in pending if p[1] != "held"]
                        else:
                            clause.acts.append(Act(Cue("neutral"), at, True))
                        part = move = ""
                    elif name and (name not in DIRECTIONS or sides):
                        clause.acts.append(
                            Act(
                                Cue(name, "left" if name in DIRECTIONS else "both"),
                                at,
                                move in ("up", "down", "open") and "part" not in tags,
                                never=negated,
                            )
                        )
                        self.part, self.move, part, move = part, move, "", ""
                    elif negated and part in ("head", "mouth", "brow", "jaw", "lip"):
                        self.never.append(Never({"brow": "brows", "lip": "mouth"}.get(part, part)))
                        part = move = ""
                    elif name is None and "part" in tags:
                        self.unexplained += 1
            else:
                self.unexplained += 1
        single = part == "eye" and not any(u.text.endswith("eyes") for u in clause.units)
        for unit in clause.units[-1:]:
            follows = self.clauses.index(clause) + 1
            if not unit.tags and follows < len(self.clauses) and self.clauses[follows].join == "into":
                self.unexplained -= 1
        if part and not clause.acts and sides and not single and (name := RULES.acts.get(part, {}).get("side")) and not self.move:
            clause.acts.append(Act(Cue(name, "left"), clause.units[0].start, True))
        elif part and not clause.acts and self.move and (name := RULES.acts.get(part, {}).get(self.move)):
            clause.acts.append(Act(Cue(name, "left" if name in DIRECTIONS else "both"), clause.units[0].start))
        elif (part or move) and not (part and sides and (single or clause.acts)):
            self.unexplained += 1
        if keep and len(clause.acts) == 1 and negated:
            pending = [p for p in pending if p[1] != "held"]
        self.attach(clause, pending)
        for act in [a for a in clause.acts if a.cue.name in _UPRIGHT and "side" in a.fields]:
            side = act.fields.pop("side")
            clause.acts.insert(clause.acts.index(act) + 1, Act(Cue(_UPRIGHT[act.cue.name], side), act.at, never=act.never))

    @staticmethod
    def subject(clause: Clause, unit: Unit) -> bool:
        """Whether a word that no table has is who does it: "the shopkeeper nods"."""
        k = next(i for i, u in enumerate(clause.units) if u is unit)
        after = clause.units[k + 1 : k + 2]
        return (
            k > 0
            and clause.units[k - 1].text in _ARTICLES
            and all("stop" in u.tags for u in clause.units[:k])
            and bool(after)
            and bool({"cue", "sided", "move"} & set(after[0].tags))
        )

    def time(self, unit: Unit, clause: Clause, pending: list[tuple[int, str, Any]]) -> None:
        role = self.times.role(unit, bool(self.clauses and self.clauses[0] is clause) and not clause.acts)
        value = float(unit.tags["time"].value)  # type: ignore[arg-type]
        if role == "length":
            self.seconds = value
        elif role:
            pending.append((unit.start, role, value))
        else:
            self.unexplained += 1

    def attach(self, clause: Clause, pending: list[tuple[int, str, Any]]) -> None:
        """Give modifiers to the acts that they stand at."""
        acts = clause.acts
        if not acts:
            clause.fields = {k: v for _, k, v in pending}
            return
        for at, kind, value in pending:
            before = [a for a in acts if a.at <= at]
            after = [a for a in acts if a.at > at]
            act = before[-1] if before else after[0]
            if before and after and after[0].at == at + 1 and kind in ("strength", "speed", "side", "count"):
                act = after[0]
            if kind in ("strength", "count", "speed") and kind in act.fields and kind == "strength":
                continue
            if kind == "side" and "side" in act.fields and act.fields["side"] != value:
                acts.insert(acts.index(act) + 1, Act(act.cue, at, act.state, {"side": value}, act.never))
                continue
            act.fields[kind] = value
        clause.acts = acts = [a for k, a in enumerate(acts) if not k or a.made() != acts[k - 1].made()]
        for act in acts:
            if "seconds" in act.fields or "end" in act.fields or "hold" in act.fields:
                act.fields.pop("held", None)
            if act.felt and len(acts) > 1 and "count" in act.fields:
                act.fields.pop("count")

    # -- all ----------------------------------------------------------------------------
    def script(self) -> Script | None:
        self.split()
        for clause in self.clauses:
            self.read(clause)
        self.apart()
        self.inherit()
        self.clauses = [c for c in self.clauses if c.acts]
        ordered = self.order()
        cues: list[Cue] = []
        into = False
        for k, clause in enumerate(ordered):
            for j, act in enumerate(clause.acts):
                if act.never:
                    self.never.append(Never(act.cue.name))
                    continue
                join = joined(ordered, k, j)
                if "span" in act.fields:
                    act.fields["onset" if join == "into" else "seconds"] = act.fields.pop("span")
                cue = act.made()
                into = into or join == "into"
                cues.append(replace(cue, join=join if cues else "then"))
        if not cues and not self.never and not self.still and not self.unknown:
            return None
        return Script(tuple(cues), self.seconds, tuple(dict.fromkeys(self.never)), self.still, tuple(self.unknown))

    def apart(self) -> None:
        """Take apart the clauses in which a second thing begins without a point ("before nodding she smiles")."""
        out: list[Clause] = []
        for clause in self.clauses:
            acts = clause.acts
            out.append(clause)
            if len(acts) < 2 or not (clause.join in ("before", "after") and (clause.first or clause.sentence)):
                continue
            clause.acts = acts[:1]
            out.append(Clause(",", False, acts[1:]))
        self.clauses = out

    def inherit(self) -> None:
        """What a clause without an act says belongs to the clause before it, or to the next where there is none."""
        last: Clause | None = None
        waiting: dict[str, Any] = {}
        for clause in self.clauses:
            if not clause.acts and clause.fields and last:
                act = last.acts[-1]
                side = clause.fields.get("side")
                if side and act.fields.get("side", side) != side:
                    made = {**clause.fields}
                    clause.acts.append(Act(act.cue, act.at, act.state, made))
                elif "start" in clause.fields and "start" in act.fields or "pause" in clause.fields:
                    waiting.update(clause.fields)
                else:
                    for k, v in clause.fields.items():
                        act.fields.setdefault(k, v)
                last.together |= clause.together
            elif not clause.acts:
                waiting.update(clause.fields)
            elif waiting:
                for k, v in waiting.items():
                    clause.acts[0].fields.setdefault(k, v)
                waiting = {}
            if clause.acts:
                last = clause

    def order(self) -> list[Clause]:
        out: list[Clause] = []
        k = 0
        clauses = self.clauses
        while k < len(clauses):
            clause = clauses[k]
            if clause.join == "before" and (clause.first or clause.sentence) and k + 1 < len(clauses):
                out += [clauses[k + 1], clause]
                k += 2
                continue
            if clause.join == "after" and out and not clause.first:
                out.insert(len(out) - 1, clause)
            else:
                out.append(clause)
            k += 1
        return sorted(out, key=self.rank) if len(out) > 1 else out

    @staticmethod
    def rank(clause: Clause) -> int:
        """Before or after all others, where a clause says so."""
        words = {u.text.lower() for u in clause.units}
        early, late = bool(words & _EARLY), bool(words & _LATE)
        return late - early


def read_rules(marked: Marked, least: float = LEAST) -> RuleReading | None:
    """Read a text with its quantities as marks, if at least this share of its content words is plain."""
    if len(marked.text) > 20 * MAX_WORDS or marked.text.count(" ") > MAX_WORDS:
        return None
    reader = _Reader(units(marked))
    try:
        script = reader.script()
    except ValueError:
        return None
    if script is None:
        return None
    explained = 1 - reader.unexplained / max(1, reader.content)
    doing = [u for u in reader.found if {"cue", "part", "move", "sided", "not", "absent"} & u.tags.keys()]
    coded = explained == 1.0 and bool(doing) and all("code" in u.tags for u in doing)
    return RuleReading(script, round(explained, 3), coded) if explained >= least else None
