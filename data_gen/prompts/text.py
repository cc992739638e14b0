"""From the attributes of a prompt to English sentences.

The words of actions come from the lexicon that also writes the captions; emotions, people and the
picture from words/prompts.yaml. Every attribute is said: what a prompt does not say cannot be asked of
the video.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from ...face.facs.schedule import LEVELS, Event
from ..text.lexicon import NONE, UNGRADED, WORDS, article
from ..text.phrasing import Speaker, Voice
from .factors import TABLE, Attributes


@cache
def _event(name: str, level: str) -> Event:
    return Event(name, 0.0, 0.3, 0.3, 0.3, 1.0 if name in UNGRADED else LEVELS[level])


def _join(parts: Sequence[str]) -> str:
    """"a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


class _Writer:
    def __init__(self, attributes: Attributes, rng: np.random.Generator) -> None:
        self.a, self.rng = attributes, rng
        self.pronoun, self.possessive, self.object = TABLE.pronouns[attributes.gender]
        self.speaker = Speaker(rng, Voice("", "", self.possessive), mark=1.0, tempo=0.0)
        self.pick, self.chance = self.speaker.pick, self.speaker.chance

    # -- the person -------------------------------------------------------------------------
    def person(self, *, may_wear: bool) -> str:
        """The person as a noun phrase with an article; ``may_wear`` allows a participle behind it."""
        a = self.a
        noun = self.pick(TABLE.people[a.age][a.gender])
        features = ["a bald head" if a.hair == "bald" else f"{a.hair} hair"]
        if self.chance(0.3):
            noun = f"{a.skin}-skinned {noun}"
        else:
            features.insert(0, f"{a.skin} skin")
        if a.beard != NONE:
            features.append(TABLE.beards[a.beard])
        worn = a.glasses != NONE and may_wear and self.chance(0.5)
        if a.glasses != NONE and not worn:
            features.append(f"{a.glasses} glasses")
        return f"{article(noun)} {noun} with {_join(features)}" + (f", wearing {a.glasses} glasses" if worn else "")

    # -- what the face does -----------------------------------------------------------------
    def feeling(self, form: int) -> str:
        """The emotion as a predicate. ``form``: 0 after a plural, 1 after a singular, 2 participle."""
        word = self.a.emotion_word or ""
        info = WORDS.get(word)
        graded = info is None or (info.graded and not info.says_level)
        adverbs = TABLE.adverbs[self.a.intensity] if graded else ()
        if word in TABLE.after_verb_only or " " in word or self.chance(0.55):
            adverb = f"{self.pick(adverbs)} " if adverbs else ""
            return f"{self.pick(TABLE.be)[form]} {adverb}{word}"
        single = [a for a in adverbs if " " not in a]
        described = f"{self.pick(single)} {word}" if single else word
        having = TABLE.keep if info is not None and not info.graded else TABLE.have
        verb = self.pick(having)[form] if form != 2 else "showing"  # "wearing" and "having" would follow "wearing glasses"
        noun = "expression" if verb.startswith("wear") or self.chance(0.6) else f"look on {self.possessive} face"
        return f"{verb} {article(described)} {described} {noun}"

    def _act(self, name: str, level: str, form: int) -> str:
        how = "ger" if form == 2 else "third"
        return self.speaker.clause(_event(name, level), how, parts=False, plural=form == 0).text

    def body(self, form: int) -> str:
        """All that the person does, as a predicate in one of the forms of :meth:`feeling`."""
        a = self.a
        parts = [self.feeling(form)] if a.emotion_word else []
        facial = list(a.actions)
        if parts and facial and self.chance(0.4):
            nouns = [self.speaker.noun(_event(n, a.intensity)) for n in facial]
            if all(nouns):
                parts[0] += f" with {_join([n for n in nouns if n])}"
                facial = []
        moves = [self._act(n, a.intensity, form) for n in facial]
        moves += [self._act(n, "medium", form) for n in (*a.head, *a.gaze)]
        mixed = len(moves) > 1 and self.chance(0.5)
        parts += [moves[int(k)] for k in self.rng.permutation(len(moves))] if mixed else moves
        parts, tail = parts or [f"{TABLE.keep[0][form]} a still face"], ""
        if not a.gaze and not a.head and "eye_close" not in a.actions and self.chance(0.5):
            tail = ", looking into the camera" if form != 2 else ", eyes on the camera"
        if a.speaking:
            said = self.pick(TABLE.speak_participle if form == 2 else TABLE.speak)
            if said.startswith("and "):
                return f"{_join([*parts, {0: 'talk', 1: 'talks'}[form]])}{tail}"
            return f"{_join(parts)} {said}{tail}"
        return f"{_join(parts)} {self.pick(TABLE.silent)}{tail}"

    # -- the picture ------------------------------------------------------------------------
    def place(self) -> str:
        """Where: "in front of a white wall"."""
        scene = self.pick(TABLE.backgrounds[self.a.background])
        behind = self.chance(0.3)
        return f"with {scene} behind {self.object}" if behind else f"{self.pick(('in front of', 'against'))} {scene}"

    def text(self, note: bool) -> str:
        """The prompt; ``note`` allows a closing remark about the camera."""
        a = self.a
        shot, light = self.pick(TABLE.framings[a.framing]), self.pick(TABLE.lights[a.light])
        kind = int(self.rng.integers(6))
        they = 0 if self.pronoun == "they" else 1
        if kind == 0:
            out = [f"{shot} of {self.person(may_wear=True)}", f"{self.pronoun} {self.body(they)}",
                   self.pick((f"{light}, {self.place()}", f"filmed {self.place()}, in {light}"))]
        elif kind == 1:
            out = [f"{self.person(may_wear=False)} {self.body(1)}", f"{shot} {self.place()}, in {light}"]
        elif kind == 2:
            out = [f"{shot} of {self.person(may_wear=True)}, {self.body(2)}", f"{light}, {self.place()}"]
        elif kind == 3:
            out = [f"in {light}, {self.person(may_wear=False)} {self.body(1)}", f"{shot} {self.place()}"]
        elif kind == 4:
            out = [f"{shot} in {light}: {self.person(may_wear=True)}, {self.place()}", f"{self.pronoun} {self.body(they)}"]
        else:
            out = [f"video of {self.person(may_wear=True)}, {self.place()}", f"{self.pronoun} {self.body(they)}",
                   f"{shot}, {light}"]
        said = " ".join(f"{s[:1].upper()}{s[1:]}." for s in out)
        return f"{said} {self.pick(TABLE.notes)}" if note and self.chance(0.7) else said


def word_prompt(attributes: Attributes, rng: np.random.Generator, note: bool = True) -> str:
    """One prompt for a set of attributes; ``rng`` decides between templates and synonyms.

    Args:
        note: allow a closing remark about the camera.
    """
    return _Writer(attributes, rng).text(note)
