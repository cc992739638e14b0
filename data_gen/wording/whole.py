"""What holds for a whole clip in words: what should not happen, what no face does, the length, and how the text is typed."""

from __future__ import annotations

from ...face.facs.script import Cue
from .clauses import YOU, Teller
from .phrases import ASKED, felt, inflect, verbs

_GERUNDS, _THIRDS = ({inflect(act.split()[0], form) for act in ASKED.unknown} for form in ("ger", "third"))


class WholeTeller(Teller):
    """Finishes the text of a script's cues."""

    def unknown_form(self) -> str:
        """Form of the words for what no face does, which stay exactly as they are: base, third or any."""
        if not self.script.unknown:
            return ""
        verb = self.script.unknown[0].split()[0]
        return "ger" if verb in _GERUNDS else "third" if verb in _THIRDS else "base"

    def rest_only(self) -> str:
        """A script without cues."""
        self.who = YOU
        if self.script.still and not self.script.never:
            return self.pick(["Hold perfectly still", "Do not move at all", "Stay completely motionless", "Keep perfectly still"])
        return ""

    def finish(self, text: str) -> str:
        """What holds for the whole clip, and how the text is typed."""
        script = self.script
        question = text.endswith("?")
        text = text.rstrip("?")
        bare = [self.without(n.name, n.side) for n in script.never]
        if bare and text and self.chance(0.6) and not question:
            text += self.pick([", ", " "] if len(bare) == 1 else [", "]) + " and ".join(bare)
        elif bare:
            stop = [self.stop(n.name, n.side) for n in script.never]
            joined = ". ".join(s[0].upper() + s[1:] for s in stop)
            text = f"{text}{'?' if question else '.' if text else ''} {joined}".strip()
            question = False
        if script.still and script.cues:
            text += "?" if question else ""
            nothing = self.pick(["nothing else", "nothing else moves", "otherwise motionless", "and nothing else"])
            text += f" {nothing[0].upper()}{nothing[1:]}" if question else f", {nothing}"
            question = False
        if script.unknown:
            text = self.beside(text)
        if script.seconds is not None:
            text = self.length(text, script.seconds, question)
        text = " ".join(text.split(" ")).strip()
        end = "?" if question else ""
        if script.unknown and not script.cues:
            return text
        roll = self.rng.random()
        if roll < 0.55:
            text = text[0].upper() + text[1:] + (end or ("" if text[-1] in ".!?)" else "."))
        elif roll < 0.9:
            text = text[0].lower() + text[1:] + end if not text.startswith(("I ", "I'", "AU")) else text + end
        elif roll < 0.92 and not script.unknown and "\n" not in text:
            text = (text + end).upper()
        else:
            text = text[0].upper() + text[1:] + (end or self.pick(["", "!", "."]) if text[-1] not in ".!?" else "")
        return text

    def beside(self, text: str) -> str:
        """A text with the words for what no face does, before it or after it."""
        words = " and ".join(self.script.unknown)
        if not text:
            return words
        lower = text if text.startswith(("I ", "I'", "AU")) else text[0].lower() + text[1:]
        if self.unknown_form() == "ger":
            ways = ASKED.beside["ger"]
        elif self.unknown_form() == "base" and self.who is YOU:
            ways = ASKED.beside["base"]
        else:
            ways = ASKED.beside["third"]
        return self.pick(ways).format(x=text, l=lower, w=words)

    def length(self, text: str, seconds: float, question: bool) -> str:
        time = self.time(seconds)
        roll = self.rng.random()
        if roll < 0.6 or question:
            n = f"{seconds:g}"
            an = "An" if n[0] == "8" or n in ("11", "18") else "A"
            head = self.pick([f"{time}: ", f"{an} {n}-second clip: ", f"{an} {n} second clip: ", f"{time} long: ", f"({time}) ",
                              f"A clip of {time}: "])
            return head + (text if text.startswith(("I ", "AU")) else text[0].lower() + text[1:])
        return text + self.pick([f" ({time} clip)", f". Make the clip {time} long", f". Total length {time}",
                                 f". The clip lasts {time}"])

    def without(self, name: str, side: str) -> str:
        """What should not happen, after a clause: "without blinking"."""
        if name in ASKED.group_still:
            part = {"brows": "eyebrows", "lids": "eyelids"}.get(name, name)
            return f"without moving {self.who.possessive} {part}"
        return f"without {self.bare(name, side, 'ger')}"

    def stop(self, name: str, side: str) -> str:
        """What should not happen, as a sentence of its own: "do not blink"."""
        if name in ASKED.group_still:
            return self.pick(ASKED.group_still[name]).replace("{p}", self.who.possessive)
        if self.chance(0.3):
            return f"no {self.bare(name, side, 'ger')}"
        return f"{self.pick(['do not', 'don' + chr(39) + 't', 'never'])} {self.bare(name, side, 'base')}"

    def bare(self, name: str, side: str, form: str) -> str:
        cue = Cue(name, side=side)  # type: ignore[arg-type]
        if cue.kind in ("emotion", "feeling"):
            return f"{inflect('look', form)} {self.pick(felt(name)[0])}"
        options = verbs(name, side != "both")
        phrase = self.pick([p for p in options if not p.rest] or options[:2])
        text = self.fill(phrase.rest.replace("{a}", "").replace("{d}", ""), cue)
        return " ".join(f"{inflect(phrase.head, form)} {text}".split())
