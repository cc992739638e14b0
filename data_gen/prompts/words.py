"""The words of the prompt suite: emotions in families, people, framing, light and background.

Emotion words use the notation of lexicon.py: ``@`` and digits limit a word to strengths (1 slight,
2 medium, 3 strong). Words that the lexicon holds out for the test split are never used in a prompt.
"""

from __future__ import annotations

from ..text.feelings import FAMILIES, NONE, OTHER, WORDS, WORDS_OF

__all__ = ["FAMILIES", "NONE", "OTHER", "WORDS", "WORDS_OF"]
AFTER_VERB_ONLY: frozenset[str] = frozenset({"afraid", "glad", "content", "mad", "pleased", "ashamed", "cross",
                                        "expressionless", "speechless"})
"""Words that are not put before a noun ("a glad expression"); neither is a word of several parts."""

ADVERBS: dict[str, tuple[str, ...]] = {"slight": ("slightly", "mildly", "a little", "a bit"), "medium": (),
                                       "strong": ("very", "extremely")}
"""Before an adjective; those of more than one word only after a verb."""

# -- people -----------------------------------------------------------------------------------
AGES: tuple[str, ...] = ("child", "teenager", "young adult", "middle-aged", "older")
GENDERS: tuple[str, ...] = ("woman", "man", "person")
PEOPLE: dict[tuple[str, str], tuple[str, ...]] = {
    ("child", "woman"): ("girl", "young girl"),
    ("child", "man"): ("boy", "young boy"),
    ("child", "person"): ("child", "young child"),
    ("teenager", "woman"): ("teenage girl",),
    ("teenager", "man"): ("teenage boy",),
    ("teenager", "person"): ("teenager",),
    ("young adult", "woman"): ("young woman", "woman in her twenties"),
    ("young adult", "man"): ("young man", "man in his twenties"),
    ("young adult", "person"): ("young person", "young adult"),
    ("middle-aged", "woman"): ("middle-aged woman", "woman in her fifties"),
    ("middle-aged", "man"): ("middle-aged man", "man in his fifties"),
    ("middle-aged", "person"): ("middle-aged person", "person in their fifties"),
    ("older", "woman"): ("older woman", "elderly woman", "woman in her seventies"),
    ("older", "man"): ("older man", "elderly man", "man in his seventies"),
    ("older", "person"): ("older person", "elderly person"),
}
PRONOUN: dict[str, tuple[str, str]] = {"woman": ("she", "her"), "man": ("he", "his"), "person": ("they", "their")}
SKINS: tuple[str, ...] = ("very light", "light", "olive", "tan", "brown", "dark")
HAIRS: tuple[str, ...] = (
    "short black", "long black", "curly black", "short brown", "long brown", "wavy brown", "short blond", "long blond",
    "curly red", "straight red", "braided dark", "short grey", "long grey", "white", "bald")
GLASSES: tuple[str, ...] = (NONE, "thin-rimmed", "dark-framed")
BEARDS: tuple[str, ...] = (NONE, "stubble", "short beard", "full beard", "moustache")
BEARD_WORDS: dict[str, str] = {"stubble": "stubble", "short beard": "a short beard", "full beard": "a full beard",
                               "moustache": "a moustache"}

# -- picture ----------------------------------------------------------------------------------
FRAMINGS: dict[str, tuple[str, ...]] = {
    "close-up": ("a close-up", "a close-up shot"),
    "head and shoulders": ("a head-and-shoulders shot", "a portrait shot of head and shoulders"),
    "chest up": ("a medium close-up from the chest up", "a chest-up shot"),
    "low angle": ("a close-up from a slightly low angle", "a head-and-shoulders shot from slightly below"),
    "high angle": ("a close-up from a slightly high angle", "a head-and-shoulders shot from slightly above"),
}
LIGHTS: dict[str, tuple[str, ...]] = {
    "soft daylight": ("soft daylight", "soft, diffuse daylight"),
    "studio": ("even studio light", "soft studio light"),
    "window": ("window light from the side", "daylight from a window at one side"),
    "warm lamp": ("warm lamp light", "the warm light of a lamp"),
    "cool indoor": ("cool fluorescent light", "cool indoor light"),
    "overcast": ("the flat light of an overcast day", "overcast daylight"),
    "golden hour": ("golden-hour sunlight", "low, golden evening sun"),
    "dim": ("dim evening light", "low-key, dim light"),
}
BACKGROUNDS: dict[str, tuple[str, ...]] = {
    "plain grey": ("a plain grey background", "a grey studio backdrop"),
    "white wall": ("a white wall", "a bare white wall"),
    "dark backdrop": ("a dark backdrop", "a plain dark background"),
    "office": ("a blurred office", "an office out of focus"),
    "living room": ("a blurred living room", "a living room out of focus"),
    "kitchen": ("a kitchen out of focus", "a blurred kitchen"),
    "bookshelf": ("a bookshelf", "a blurred wall of books"),
    "cafe": ("a blurred cafe", "a busy cafe out of focus"),
    "park": ("a green park out of focus", "blurred trees in a park"),
    "street": ("a blurred city street", "a city street out of focus"),
    "beach": ("a blurred beach", "a beach and the sea out of focus"),
}
OUTDOORS: frozenset[str] = frozenset({"park", "street", "beach"})
STUDIO: frozenset[str] = frozenset({"plain grey", "white wall", "dark backdrop"})
INDOOR_LIGHT: frozenset[str] = frozenset({"studio", "window", "warm lamp", "cool indoor"})
OUTDOOR_LIGHT: frozenset[str] = frozenset({"overcast", "golden hour"})
