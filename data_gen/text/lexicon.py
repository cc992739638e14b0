"""The words for each action and emotion: phrases, strengths, codes and labels.

One table serves both directions: phrasing.py writes with it, parse_text.py reads with it, so a
phrase must belong to one action only (a test checks it). phrases.py parses the notation.

Notation of a phrase (all are plain strings):

* verbs, ``"raise|{p} eyebrows"``: an inflectable verb, then its object;
* parts, ``"eyebrows:go up"``: a part of the face as the subject of a verb;
* nouns, ``"a {a} smile"`` or ``"{d} raised eyebrows"``.

``{p}`` is the possessive, ``{a}`` the place of an adjective of strength, ``{d}`` of an
adverb; without either the adverb follows the phrase. ``*`` in front marks a phrase that is
held out for the test split; ``@`` and digits behind limit it to strengths (1 slight,
2 medium, 3 strong). Left and right are the subject's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Entry:
    """All phrases of one action and the adverbs and adjectives of strength that suit it."""

    verbs: tuple[str, ...]
    parts: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    slight: tuple[str, ...] = ("slightly", "a little")
    strong: tuple[str, ...] = ("strongly", "a lot")
    slight_adj: tuple[str, ...] = ("slight", "small")
    strong_adj: tuple[str, ...] = ("strong", "big")


_SLIGHT = ("slightly", "a little", "a bit")
_FAR = ("far", "strongly", "all the way")
_GENTLY = ("slightly", "gently")
_FIRMLY = ("strongly", "firmly", "vigorously")

_SIDED: dict[str, Entry] = {
    "wink": Entry(
        ("wink|with {p} {s} eye", "wink|{p} {s} eye", "close|only {p} {s} eye", "shut|just {p} {s} eye",
         "give|a wink with {p} {s} eye", "*close|{p} {s} eye alone", "*shut|{p} {s} eye"),
        ("{s} eye:wink",),
        ("a wink of the {s} eye", "a {s}-eye wink", "a wink with the {s} eye"),
        slight=(), strong=(), slight_adj=(), strong_adj=(),
    ),
    "jaw": Entry(
        ("move|{p} jaw to the {s}", "slide|{p} jaw {s}", "shift|{p} jaw to the {s}", "push|{p} jaw to the {s}",
         "swing|{p} jaw {s}", "*shove|{p} jaw to the {s}", "*jut|{p} jaw {s}"),
        ("jaw:move to the {s}", "jaw:slide {s}", "jaw:shift to the {s}"),
        ("a {a} jaw shift to the {s}", "a {a} jaw movement to the {s}"),
        slight=_SLIGHT, strong=_FAR,
    ),
    "tilt": Entry(
        ("tilt|{p} head to the {s}", "tilt|{p} head {s}", "lean|{p} head to the {s}", "cock|{p} head to the {s}",
         "tip|{p} head to the {s}", "*angle|{p} head to the {s}", "*lean|{p} head over to the {s}"),
        ("head:tilt to the {s}", "head:lean to the {s}"),
        ("a {a} head tilt to the {s}", "a {a} tilt of the head to the {s}"),
        slight=_SLIGHT, strong=_FAR,
    ),
    "turn": Entry(
        ("turn|{p} head to the {s}", "turn|{p} head {s}", "rotate|{p} head to the {s}", "face|{s}",
         "swivel|{p} head to the {s}", "*twist|{p} head to the {s}", "*swing|{p} head {s}"),
        ("head:turn to the {s}", "head:turn {s}", "head:rotate to the {s}"),
        ("a {a} head turn to the {s}", "a {a} turn of the head to the {s}"),
        slight=_SLIGHT, strong=_FAR,
    ),
    "gaze": Entry(
        ("look|{s}", "look|to the {s}", "glance|{s}", "shift|{p} gaze to the {s}", "turn|{p} eyes to the {s}",
         "move|{p} eyes {s}", "*peek|to the {s}", "*cast|{p} eyes to the {s}"),
        ("eyes:move to the {s}", "eyes:go {s}", "gaze:shift {s}"),
        ("a {a} glance to the {s}", "a {a} look to the {s}"),
        slight=_SLIGHT, strong=("far", "all the way"), strong_adj=(),
    ),
}

def _sided(name: str, side: str) -> Entry:
    def put(phrases: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(p.replace("{s}", side) for p in phrases)

    entry = _SIDED[name]
    return replace(entry, verbs=put(entry.verbs), parts=put(entry.parts), nouns=put(entry.nouns))


LEXICON: dict[str, Entry] = {
    "smile": Entry(
        ("smile", "grin", "give|a {a} smile", "break|into a {a} smile", "lift|the corners of {p} mouth",
         "pull|{p} lip corners up", "*beam@3", "*curl|{p} lips into a {a} smile", "*raise|the corners of {p} mouth"),
        ("mouth:curl into a {a} smile", "lip corners:go up"),
        ("a {a} smile", "a {a} grin"),
        slight=("slightly", "a little", "faintly", "softly"), strong=("broadly", "widely", "strongly"),
        slight_adj=("slight", "faint", "small"), strong_adj=("big", "broad", "wide", "strong"),
    ),
    "lip_corner_depress": Entry(
        ("turn|down the corners of {p} mouth", "pull|the corners of {p} mouth down", "frown|with {p} mouth",
         "pull|down the corners of {p} mouth", "draw|{p} lip corners down", "turn|{p} mouth down",
         "*drop|the corners of {p} mouth", "*let|{p} mouth droop"),
        ("mouth corners:turn down", "mouth corners:droop", "mouth:turn down", "*lip corners:sag"),
        ("a {d} downturned mouth", "{d} lowered mouth corners"),
    ),
    "brow_raise": Entry(
        ("raise|{p} eyebrows", "lift|{p} eyebrows", "raise|{p} brows", "lift|{p} brows", "arch|{p} eyebrows",
         "*pull|{p} eyebrows up", "*hike|{p} eyebrows"),
        ("eyebrows:go up", "brows:rise", "brows:go up", "*eyebrows:lift"),
        ("{d} raised eyebrows", "{d} lifted brows", "a {a} brow raise"),
        strong=("high", "strongly", "a lot"),
    ),
    "inner_brow_raise": Entry(
        ("raise|{p} inner eyebrows", "lift|{p} inner brows", "raise|the inner ends of {p} eyebrows",
         "pull|{p} inner brows up", "lift|the inner corners of {p} brows", "*draw|{p} inner eyebrows up",
         "*pull|the inner ends of {p} eyebrows up"),
        ("inner brows:go up", "inner eyebrows:rise"),
        ("{d} raised inner brows", "{d} lifted inner eyebrows"),
        strong=("high", "strongly", "a lot"),
    ),
    "brow_lower": Entry(
        ("frown", "lower|{p} brows", "furrow|{p} brow", "knit|{p} brows", "draw|{p} eyebrows together",
         "pull|{p} eyebrows down", "*scowl", "*crease|{p} brow"),
        ("brows:draw together", "eyebrows:come down", "brows:furrow"),
        ("a {a} frown", "{d} furrowed brows", "{d} lowered brows"),
        strong=("deeply", "hard", "strongly"), strong_adj=("deep", "strong"),
    ),
    "eye_close": Entry(
        ("close|{p} eyes", "shut|{p} eyes", "let|{p} eyes fall shut", "close|{p} eyelids", "keep|{p} eyes closed",
         "*draw|{p} eyelids shut", "*let|{p} eyelids fall"),
        ("eyes:close", "eyes:fall shut", "eyelids:close"),
        ("{d} closed eyes", "{d} shut eyes"),
        slight=("partly", "halfway"), strong=("fully", "completely"),
    ),
    "blink": Entry(
        ("blink", "blink|{p} eyes", "give|a blink", "bat|{p} eyelids", "do|a blink", "*bat|{p} lashes",
         "*flutter|{p} eyelids"),
        ("eyes:blink", "eyelids:blink"),
        ("a blink",),
        slight=(), strong=(), slight_adj=(), strong_adj=(),
    ),
    "wink_left": _sided("wink", "left"),
    "wink_right": _sided("wink", "right"),
    "eye_widen": Entry(
        ("widen|{p} eyes", "open|{p} eyes wide@23", "raise|{p} upper eyelids", "lift|{p} upper lids",
         "stretch|{p} eyes open", "*make|{p} eyes large@23", "*open|{p} eyes up wide@23"),
        ("eyes:widen", "eyes:go wide@23", "eyes:open wide@23", "*eyes:get bigger"),
        ("{d} widened eyes", "wide eyes@23"),
    ),
    "squint": Entry(
        ("squint", "narrow|{p} eyes", "squint|{p} eyes", "tighten|{p} eyelids", "crinkle|{p} eyes",
         "*screw|up {p} eyes", "*scrunch|{p} eyes"),
        ("eyes:narrow", "eyes:squint", "eyelids:tighten"),
        ("a {a} squint", "{d} narrowed eyes"),
        strong=("hard", "strongly", "a lot"),
    ),
    "nose_wrinkle": Entry(
        ("wrinkle|{p} nose", "scrunch|{p} nose", "scrunch|up {p} nose", "crinkle|{p} nose", "wrinkle|up {p} nose",
         "*crease|{p} nose", "*screw|up {p} nose"),
        ("nose:wrinkle", "nose:scrunch up"),
        ("a {d} wrinkled nose", "a {a} nose wrinkle"),
    ),
    "upper_lip_raise": Entry(
        ("raise|{p} upper lip", "lift|{p} upper lip", "curl|{p} upper lip", "pull|{p} upper lip up",
         "pull|up {p} upper lip", "*raise|{p} top lip", "*curl|{p} top lip"),
        ("upper lip:rise", "upper lip:curl up", "upper lip:go up"),
        ("a {d} raised upper lip", "a {d} lifted upper lip"),
        strong=("strongly", "high", "a lot"),
    ),
    "mouth_open": Entry(
        ("open|{p} mouth", "drop|{p} jaw", "let|{p} mouth fall open", "let|{p} jaw drop", "part|{p} lips@1",
         "open|up {p} mouth", "*lower|{p} jaw", "*gape@3", "*open|{p} jaw"),
        ("mouth:open", "jaw:drop", "mouth:fall open", "*mouth:come open"),
        ("an open mouth", "a {d} dropped jaw"),
        strong=("wide", "widely", "fully"),
    ),
    "lip_pucker": Entry(
        ("pucker|{p} lips", "purse|{p} lips", "push|{p} lips forward", "round|{p} lips", "pucker|up {p} lips",
         "make|a kissing mouth", "*push|{p} lips out", "*make|a kissy face"),
        ("lips:pucker", "lips:push forward"),
        ("{d} puckered lips", "a {a} pucker"),
    ),
    "lip_press": Entry(
        ("press|{p} lips together", "press|{p} lips", "squeeze|{p} lips together", "clamp|{p} lips shut",
         "push|{p} lips together", "*pinch|{p} lips together", "*flatten|{p} lips"),
        ("lips:press together", "lips:press tight@3"),
        ("{d} pressed lips", "a {a} lip press"),
        slight=("slightly", "lightly", "a little"), strong=("firmly", "hard", "strongly", "tightly"),
    ),
    "lip_stretch": Entry(
        ("stretch|{p} lips", "stretch|{p} mouth sideways", "pull|{p} lips back", "stretch|{p} lips sideways",
         "pull|{p} mouth sideways", "*widen|{p} mouth", "*draw|{p} lips back"),
        ("lips:stretch sideways", "mouth:stretch sideways"),
        ("{d} stretched lips", "a {d} stretched mouth"),
    ),
    "cheek_puff": Entry(
        ("puff|{p} cheeks", "puff|out {p} cheeks", "blow|out {p} cheeks", "inflate|{p} cheeks",
         "fill|{p} cheeks with air", "*bulge|{p} cheeks", "*blow|up {p} cheeks"),
        ("cheeks:puff out", "cheeks:swell", "cheeks:fill with air"),
        ("{d} puffed cheeks", "a {a} cheek puff"),
        strong=("strongly", "fully", "a lot"),
    ),
    "chin_raise": Entry(
        ("pout", "push|{p} lower lip up", "bunch|{p} chin", "push|up {p} lower lip", "scrunch|{p} chin",
         "wrinkle|{p} chin", "*crumple|{p} chin", "*raise|{p} lower lip"),
        ("chin:bunch up", "lower lip:push up"),
        ("a {a} pout", "a {d} bunched chin"),
    ),
    "tongue_out": Entry(
        ("stick|out {p} tongue", "stick|{p} tongue out", "poke|{p} tongue out", "put|out {p} tongue",
         "push|{p} tongue out", "*extend|{p} tongue", "*thrust|out {p} tongue"),
        ("tongue:come out", "tongue:stick out", "tongue:poke out"),
        ("{p} tongue out",),
        strong=("far", "fully", "all the way"),
    ),
    "jaw_left": _sided("jaw", "left"),
    "jaw_right": _sided("jaw", "right"),
    "talking": Entry(
        ("talk", "speak", "say|something", "say|a few words", "chat", "move|{p} mouth in speech",
         "*utter|a few words", "*mouth|some words"),
        ("mouth:move in speech", "lips:move in speech"),
        ("some talking", "a few words"),
        slight=("quietly", "softly"), strong=("animatedly", "loudly", "energetically"),
        slight_adj=(), strong_adj=(),
    ),
    "nod": Entry(
        ("nod", "nod|{p} head", "give|a {a} nod", "nod|yes", "move|{p} head up and down", "*bob|{p} head",
         "*nod|in agreement"),
        ("head:nod", "head:move up and down"),
        ("a {a} nod",),
        slight=_GENTLY, strong=_FIRMLY, strong_adj=("strong", "big", "firm"),
    ),
    "shake": Entry(
        ("shake|{p} head", "shake|{p} head no", "give|a {a} shake of the head", "turn|{p} head from side to side",
         "move|{p} head side to side", "*wag|{p} head", "*swing|{p} head from side to side"),
        ("head:shake", "head:move from side to side"),
        ("a {a} head shake", "a {a} shake of the head"),
        slight=_GENTLY, strong=_FIRMLY, strong_adj=("strong", "big", "firm"),
    ),
    "tilt_left": _sided("tilt", "left"),
    "tilt_right": _sided("tilt", "right"),
    "turn_left": _sided("turn", "left"),
    "turn_right": _sided("turn", "right"),
    "look_up": Entry(
        ("raise|{p} head", "lift|{p} head", "tilt|{p} head back", "tip|{p} head back", "tilt|{p} head up",
         "bring|{p} head up", "*lean|{p} head back", "*tip|{p} head up"),
        ("head:go up", "head:tilt back", "head:rise"),
        ("a {d} raised head", "a {a} head lift"),
        slight=_SLIGHT, strong=_FAR,
    ),
    "look_down": Entry(
        ("lower|{p} head", "drop|{p} head", "tilt|{p} head down", "bow|{p} head", "bend|{p} head forward",
         "tip|{p} head forward", "*hang|{p} head", "*dip|{p} head"),
        ("head:go down", "head:drop", "head:tilt forward"),
        ("a {d} lowered head", "a {a} bow of the head"),
        slight=_SLIGHT, strong=_FAR,
    ),
    "gaze_left": _sided("gaze", "left"),
    "gaze_right": _sided("gaze", "right"),
    "gaze_up": Entry(
        ("look|up", "glance|up", "raise|{p} eyes", "lift|{p} gaze", "turn|{p} eyes up", "roll|{p} eyes up",
         "*look|at the ceiling", "*cast|{p} eyes up"),
        ("eyes:go up", "eyes:move up", "gaze:go up"),
        ("a {a} glance up", "a {a} upward look"),
        slight=("slightly", "a little"), strong=("far", "all the way"), strong_adj=(),
    ),
    "gaze_down": Entry(
        ("look|down", "glance|down", "lower|{p} eyes", "drop|{p} gaze", "turn|{p} eyes down", "lower|{p} gaze",
         "*look|at the floor", "*cast|{p} eyes down"),
        ("eyes:go down", "eyes:move down", "gaze:drop"),
        ("a {a} glance down", "a {a} downward look"),
        slight=("slightly", "a little"), strong=("far", "all the way"), strong_adj=(),
    ),
}

# Emotion words: the same notation for held-out words and strengths.
EMOTION_ADJECTIVES: dict[str, tuple[str, ...]] = {
    "happiness": ("happy", "joyful", "cheerful", "pleased@12", "glad", "content@1", "delighted@3", "overjoyed@3",
                  "*joyous", "*elated@3"),
    "sadness": ("sad", "unhappy", "sorrowful", "gloomy@12", "dejected", "mournful", "miserable@3", "heartbroken@3",
                "*downcast@12", "*grief-stricken@3"),
    "anger": ("angry", "mad", "cross@12", "annoyed@1", "irritated@12", "furious@3", "enraged@3", "irate@3",
              "*livid@3", "*wrathful@23"),
    "fear": ("afraid", "scared", "frightened", "fearful", "worried@1", "uneasy@1", "terrified@3", "panicked@3",
             "*spooked", "*petrified@3"),
    "surprise": ("surprised", "startled", "taken aback@12", "astonished@3", "amazed@23", "shocked@3", "stunned@3",
                 "caught off guard@12", "*astounded@3", "*wonderstruck"),
    "disgust": ("disgusted", "grossed out", "repulsed", "repelled", "queasy@12", "revolted@3", "sickened@23",
                "nauseated@3", "*turned off@12", "*appalled@3"),
    "contempt": ("contemptuous", "scornful", "disdainful", "smug", "dismissive@12", "derisive", "condescending",
                 "haughty", "*superior", "*snooty"),
}
EMOTION_NOUNS: dict[str, tuple[str, ...]] = {
    "happiness": ("happiness", "joy", "delight@23", "*gladness"),
    "sadness": ("sadness", "sorrow", "grief@3", "*misery@3"),
    "anger": ("anger", "irritation@1", "rage@3", "fury@3", "*wrath@3"),
    "fear": ("fear", "fright", "terror@3", "panic@3", "*dread"),
    "surprise": ("surprise", "astonishment@3", "amazement@23", "shock@3", "*wonder"),
    "disgust": ("disgust", "distaste@1", "revulsion@3", "*repulsion"),
    "contempt": ("contempt", "scorn", "disdain", "*derision"),
}
EMOTION_VERBS_ADJ: tuple[str, ...] = (
    "look|{e}", "look|{e}", "become|{e}", "turn|{e}", "get|{e}", "make|{an} {e} face", "put|on {an} {e} expression",
    "*pull|{an} {e} face", "*come|across as {e}")
EMOTION_VERBS_NOUN: tuple[str, ...] = (
    "show|{e}", "express|{e}", "display|{e}", "react|with {e}", "*convey|{e}", "*give|a look of {e}")
EMOTION_PARTS: tuple[str, ...] = ("face:turn {e}", "face:become {e}", "expression:turn {e}")
EMOTION_NP_ADJ: tuple[str, ...] = ("{an} {e} look", "{an} {e} expression", "{an} {e} face")
EMOTION_NP_NOUN: tuple[str, ...] = ("{e}", "a look of {e}", "an expression of {e}")
EMOTION_ADV: dict[str, tuple[str, ...]] = {
    "slight": ("slightly", "a little", "a bit", "mildly"), "medium": (), "strong": ("very", "extremely", "really")}
EMOTION_QUANT: dict[str, tuple[str, ...]] = {
    "slight": ("slight", "mild", "a hint of", "a little"), "medium": (), "strong": ("strong", "intense", "great")}

NEUTRAL_VERBS: tuple[str, ...] = ("relax", "relax|{p} face", "return|to neutral", "go|back to neutral",
                                  "go|neutral", "let|{p} face rest", "*settle|back to neutral")
NEUTRAL_NOUNS: tuple[str, ...] = ("a neutral face", "a resting face")
"""A neutral face is the absence of action: it is worded, and read as nothing."""

COUNTS: tuple[str, ...] = ("zero times", "once", "twice", "three times", "four times", "five times", "six times",
                           "seven times", "eight times", "nine times", "ten times")
NUMBERS: tuple[str, ...] = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

COUNTABLE: frozenset[str] = frozenset({"nod", "shake", "blink", "wink_left", "wink_right"})
"""Actions whose repetitions a person counts (syllables of talking are not counted)."""
UNGRADED: frozenset[str] = frozenset({"blink", "wink_left", "wink_right", "eye_close", "neutral"})
"""Names whose strength is not spoken of: they are done or not done."""

# FACS codes of the clinical register; sided codes carry L or R.
FACS: dict[str, tuple[str, ...]] = {
    "smile": ("AU12",), "lip_corner_depress": ("AU15",), "brow_raise": ("AU1+2",), "inner_brow_raise": ("AU1",),
    "brow_lower": ("AU4",), "eye_close": ("AU43",), "blink": ("AU45",), "wink_left": ("AU46L", "left AU46"),
    "wink_right": ("AU46R", "right AU46"), "eye_widen": ("AU5",), "squint": ("AU6+7",), "nose_wrinkle": ("AU9",),
    "upper_lip_raise": ("AU10",), "mouth_open": ("AU26", "AU25+26"), "lip_pucker": ("AU18",),
    "lip_press": ("AU24",), "lip_stretch": ("AU20",), "cheek_puff": ("AD34",), "chin_raise": ("AU17",),
    "tongue_out": ("AD19",), "jaw_left": ("AD30L",), "jaw_right": ("AD30R",), "talking": ("AD50",),
    "nod": ("AD85",), "shake": ("AD84",), "tilt_left": ("AU55",), "tilt_right": ("AU56",), "turn_left": ("AU51",),
    "turn_right": ("AU52",), "look_up": ("AU53",), "look_down": ("AU54",), "gaze_left": ("AU61",),
    "gaze_right": ("AU62",), "gaze_up": ("AU63",), "gaze_down": ("AU64",),
}

# Short noun labels with "the", for questions and answers.
LABELS: dict[str, str] = {
    "smile": "smile", "lip_corner_depress": "mouth frown", "brow_raise": "brow raise",
    "inner_brow_raise": "inner brow raise", "brow_lower": "frown", "eye_close": "eye closing", "blink": "blink",
    "wink_left": "left wink", "wink_right": "right wink", "eye_widen": "eye widening", "squint": "squint",
    "nose_wrinkle": "nose wrinkle", "upper_lip_raise": "upper lip raise", "mouth_open": "mouth opening",
    "lip_pucker": "lip pucker", "lip_press": "lip press", "lip_stretch": "lip stretch", "cheek_puff": "cheek puff",
    "chin_raise": "pout", "tongue_out": "tongue", "jaw_left": "jaw shift to the left",
    "jaw_right": "jaw shift to the right", "talking": "talking", "nod": "nod", "shake": "head shake",
    "tilt_left": "head tilt to the left", "tilt_right": "head tilt to the right",
    "turn_left": "head turn to the left", "turn_right": "head turn to the right", "look_up": "head lift",
    "look_down": "lowered head", "gaze_left": "glance to the left", "gaze_right": "glance to the right",
    "gaze_up": "glance up", "gaze_down": "glance down",
    "happiness": "happiness", "sadness": "sadness", "anger": "anger", "fear": "fear", "surprise": "surprise",
    "disgust": "disgust", "contempt": "contempt", "neutral": "neutral face",
}
