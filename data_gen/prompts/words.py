"""The words of the prompt suite: emotions in families, people, framing, light and background.

Emotion words use the notation of lexicon.py: ``@`` and digits limit a word to strengths (1 slight,
2 medium, 3 strong). Words that the lexicon holds out for the test split are never used in a prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...face.facs.vocabulary import EMOTIONS
from ..text.lexicon import EMOTION_ADJECTIVES
from ..text.phrases import split_word

OTHER, NONE = "other", "none"
"""Values of the factor emotion beside EMOTIONS: a word outside the eight, and no emotion at all."""


@dataclass(frozen=True)
class Family:
    """Words of one shade of feeling."""

    name: str
    emotion: str
    """One of EMOTIONS, or ``other``."""
    words: str
    """Separated by ", "."""
    shows: tuple[str, ...] = ()
    """Actions by which the built-in performer shows a family outside the eight emotions."""


@dataclass(frozen=True)
class EmotionWord:
    """One emotion word, how strong it can be meant, and what it belongs to."""

    word: str
    emotion: str
    family: str
    levels: frozenset[str]
    shows: tuple[str, ...] = ()

    @property
    def says_level(self) -> bool:
        """The word alone names a strength ("furious")."""
        return len(self.levels) == 1

    @property
    def graded(self) -> bool:
        """Whether strength is spoken of at all; a neutral face has none."""
        return self.emotion != "neutral"


def _lexicon(emotion: str) -> str:
    return ", ".join(w for w in EMOTION_ADJECTIVES[emotion] if not w.startswith("*"))


FAMILIES: tuple[Family, ...] = (
    Family("joy", "happiness", _lexicon("happiness") + ", merry, jubilant@3, jolly"),
    Family("amusement", "happiness", "amused@12, playful, mischievous, tickled@12, giggly, mirthful"),
    Family("excitement", "happiness", "excited@23, thrilled@3, ecstatic@3, exhilarated@3, enthusiastic, eager@12"),
    Family("contentment", "happiness", "satisfied@12, contented@12, fulfilled@12, blissful@23, carefree@12"),
    Family("affection", "happiness", "loving, affectionate, tender@12, adoring@23, fond@12, warm-hearted"),
    Family("pride", "happiness", "proud, triumphant@3, victorious@3, honored"),
    Family("relief", "happiness", "relieved, reassured@12, comforted@12, grateful, thankful"),
    Family("hope", "happiness", "hopeful, optimistic, encouraged@12, inspired@23"),
    Family("sorrow", "sadness", _lexicon("sadness") + ", tearful@23, weepy@12, devastated@3, grieving@23"),
    Family("disappointment", "sadness", "disappointed, let down@12, disheartened, discouraged, crestfallen@23"),
    Family("loneliness", "sadness", "lonely, homesick, abandoned@23, forlorn, neglected"),
    Family("regret", "sadness", "regretful, remorseful, guilty, ashamed, apologetic"),
    Family("despair", "sadness", "hopeless@23, despairing@3, desperate@3, anguished@3, inconsolable@3, defeated"),
    Family("longing", "sadness", "wistful@12, nostalgic@12, melancholic, bittersweet@12"),
    Family("hurt", "sadness", "hurt, wounded, humiliated@23, rejected, betrayed@23"),
    Family("rage", "anger", _lexicon("anger") + ", outraged@3, infuriated@3, seething@3, fuming@3"),
    Family("frustration", "anger", "frustrated, exasperated@23, aggravated, impatient@12, fed up, vexed@12"),
    Family("hostility", "anger", "hostile, aggressive@23, hateful@23, spiteful, vengeful@23, menacing@23"),
    Family("resentment", "anger", "resentful, bitter, jealous, envious@12, grumpy@12, sulky@12, indignant, offended"),
    Family("fright", "fear", _lexicon("fear") + ", horrified@3, alarmed@23"),
    Family("anxiety", "fear", "anxious, nervous, tense@12, apprehensive@12, on edge@12, stressed, jittery@12, panicky@23"),
    Family("insecurity", "fear", "insecure@12, timid@12, intimidated, vulnerable@12, helpless, threatened"),
    Family("distress", "fear", "distressed@23, overwhelmed@23, hysterical@3, haunted@23, traumatized@3"),
    Family("astonishment", "surprise", _lexicon("surprise")),
    Family("wonder", "surprise", "awestruck@3, dazzled@23, impressed@12, mesmerized@23, enchanted@12"),
    Family("disbelief", "surprise", "incredulous, dumbfounded@3, speechless@3, flabbergasted@3, thunderstruck@3"),
    Family("revulsion", "disgust", _lexicon("disgust") + ", nauseous@23"),
    Family("aversion", "disgust", "squeamish@12, put off@12, disapproving@12, displeased@12"),
    Family("scorn", "contempt", _lexicon("contempt")),
    Family("arrogance", "contempt", "arrogant, self-satisfied, cocky, conceited, pompous, patronizing, supercilious"),
    Family("mockery", "contempt", "mocking, sarcastic@12, cynical@12, sardonic@12, snide@12, unimpressed@12"),
    Family("calm", "neutral", "neutral, calm, composed, relaxed, peaceful, serene, tranquil"),
    Family("blankness", "neutral", "expressionless, blank, impassive, deadpan, stoic, emotionless, indifferent, detached"),
    Family("confusion", OTHER, "confused, puzzled@12, perplexed, baffled@23, uncertain@12, doubtful", ("brow_lower",)),
    Family("suspicion", OTHER, "suspicious, skeptical, wary@12, distrustful, cautious@12", ("brow_lower",)),
    Family("thought", OTHER, "thoughtful, pensive@12, contemplative, focused, absorbed@23, meditative@12", ("squint",)),
    Family("curiosity", OTHER, "curious, interested, inquisitive, attentive, intrigued@12, alert", ("brow_raise",)),
    Family("tiredness", OTHER, "tired, sleepy, exhausted@3, weary, drowsy@12, fatigued@23", ("squint",)),
    Family("boredom", OTHER, "bored, uninterested, apathetic, listless@12, lethargic@23", ("lip_corner_depress",)),
    Family("determination", OTHER, "determined, resolute@23, serious, stern, defiant, courageous", ("lip_press",)),
    Family("embarrassment", OTHER, "embarrassed, bashful@12, awkward@12, sheepish@12, self-conscious, flustered", ("lip_press",)),
    Family("pain", OTHER, "pained, in pain@23, agonized@3, aching@12", ("squint", "lip_stretch")),
    Family("sympathy", OTHER, "sympathetic, compassionate, caring, concerned", ("inner_brow_raise",)),
)


def _words() -> dict[str, EmotionWord]:
    out: dict[str, EmotionWord] = {}
    for family in FAMILIES:
        for text in family.words.split(", "):
            p = split_word(text)
            if p.head in out:
                raise ValueError(f"emotion word {p.head!r} is in two families: {out[p.head].family} and {family.name}")
            out[p.head] = EmotionWord(p.head, family.emotion, family.name, p.levels, family.shows)
    return out


WORDS: dict[str, EmotionWord] = _words()
WORDS_OF: dict[str, tuple[str, ...]] = {
    e: tuple(w.word for w in WORDS.values() if w.emotion == e) for e in (*EMOTIONS, OTHER)}
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
