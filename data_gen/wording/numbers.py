"""English numbers, and the patterns of the quantities that a text can hold."""

from __future__ import annotations

import re

# -- numbers ----------------------------------------------------------------------------
ONES = {w: i for i, w in enumerate([
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"])} | {
    "tow": 2, "twoo": 2, "thre": 3, "threee": 3, "fuor": 4, "foru": 4, "fiev": 5, "fve": 5, "sevn": 7, "eigth": 8}
"""Number words, and misspellings of them that are no other word."""
TENS = {w: 10 * i for i, w in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)} | {
    "fourty": 40}
ONE = "|".join(f"{w}\\b" for w in sorted(ONES, key=len, reverse=True))
TEN = "|".join(TENS)
UNITS = "|".join(f"{w}\\b" for w, v in ONES.items() if 1 <= v <= 9)
WORD = rf"\b(?:(?:{TEN})(?:[ -](?:{UNITS}))?|(?:{ONE})(?: point (?:{ONE})(?: (?:{ONE})\b)?)?|point (?:{ONE}))\b"
FEW = {"couple": 2.0, "few": 3.0, "several": 3.0}
DIGITS = r"(?:\d+(?:[.,]\d+)?|\.\d+)"
EDGE = r"(?<![\w/])(?<!\d[.,:])"
PLAIN = rf"(?:\d+[½¼¾]|[½¼¾]|\d+ \d/\d|\d+/\d+|{DIGITS}|{WORD})"
GLYPHS = {"½": 0.5, "¼": 0.25, "¾": 0.75}
PARTS = {"half": 0.5, "hlaf": 0.5, "haf": 0.5, "quarter": 0.25, "third": 1 / 3, "fifth": 0.2, "tenth": 0.1, "hundredth": 0.01}
AND_PART = r"(?:[ -]and[ -](?:a|one)[ -](?:half|quarter|third)|[ -]and[ -]three[ -]quarters?)"


def number(text: str) -> float:
    """A number in digits or words ("2,5", "twenty-five", "two and a half", "1/2", "1½")."""
    text = text.strip().lower().replace("-", " ")
    body, _, part = text.partition(" and ")
    extra = 0.0
    if part:
        extra = 0.75 if part.startswith("three") else PARTS[part.split()[-1]]
    if body[-1:] in GLYPHS:
        return float(body[:-1] or 0) + GLYPHS[body[-1]] + extra
    if "/" in body:
        whole, _, fraction = body.rpartition(" ")
        above, _, below = fraction.partition("/")
        return float(whole or 0) + float(above) / max(float(below), 1.0) + extra
    if body[0].isdigit() or body[0] in ".,":
        if re.fullmatch(r"\d{1,3},\d{3}", body) and body[0] != "0":
            return float(body.replace(",", "")) + extra
        return float(body.replace(",", ".")) + extra
    whole, point, decimals = body.partition("point")
    value = float(sum(TENS.get(w, ONES.get(w, 0)) for w in whole.split()))
    if point:
        value += float("0." + "".join(str(ONES[w]) for w in decimals.split()))
    return value + extra


# -- times ------------------------------------------------------------------------------
SCALE = {"ms": 0.001, "s": 1.0, "min": 60.0, "beat": 0.6}
UNIT = (r"(?P<unit>milli[ -]?sec(?:ond)?s?|msecs?|ms|minutes?|mins?|frames?|seconds?|secs?|segundos?|sekunden?|"
         r"(?:heart)?beats|s(?![a-z'’]\w)|[sceko]+[a-z]{2,8})(?![\w])")
BETWEEN = r"(?:[ -]?(?:(?:full|whole|more|long|entire|solid|good|short|straight|additional|extra|further|complete)[ -])?)"
OF_A = r"(?:[ -](?:of[ -])?an?)?"
TIMED = re.compile(
    rf"{EDGE}(?:(?P<number>{PLAIN}{AND_PART}?)(?P<parts>[ -](?:quarters?|tenths?|thirds?|fifths?|hundredths?|half|halves)"
    rf"(?=[ -]))?"
    rf"(?P<of>[ -]of[ -]an?(?=[ -]))?"
    rf"|(?:an?[ -])?(?P<part>half|hlaf|haf|quarter|third|fifth|tenth|hundredth){OF_A}(?=[ -])"
    rf"|(?:an?[ -])?(?P<few>couple|few|several)(?:[ -]of)?(?=[ -]))"
    rf"{BETWEEN}{UNIT}(?P<tail>{AND_PART})?(?:['’]s\b|(?<=s)['’](?= \w))?", re.IGNORECASE)
A_UNIT = re.compile(
    rf"\b(?P<article>an?|another|one more|a (?:full|whole|good|solid|long))[ -](?P<unit>second|sec|minute|min|frame"
    rf"|milli-?second|s[a-z]{{3,7}})"
    rf"(?P<tail>{AND_PART})?(?P<own>['’]s)?\b(?!-(?!long|mark))", re.IGNORECASE)
_PERIOD = rf"\b(?:once )?every (?:(?P<n>{PLAIN}|half an?|half)[ -]?)?(?P<unit>ms|min|s)" \
    r"(?:illi[ -]?seconds?|utes?|s|ec(?:ond)?s?)?\b"
EVERY = re.compile(_PERIOD, re.IGNORECASE)
EVERY_FOR = re.compile(rf"{_PERIOD},? (?=for (?P<whole>{DIGITS}|{WORD})[ -]?s(?:ec(?:ond)?s?)?\b)", re.IGNORECASE)
TIME_BEFORE = re.compile(r"\b(?:for|after|in|within|wait|waits|waiting|pause|pauses|hold|holds|lasts?|lasting|over|takes?"
                          r"|about|"
                          r"every|till|until|of|by|just|than|around|roughly|almost|nearly|maybe|exactly|with|at)\s+$",
                          re.IGNORECASE)
TIME_AFTER = re.compile(
    r"\s*(?:$|-long|[^\w\s]|(?:later|long|and|then|before|after|or|in|into|from|passes|apart|each|at|while|with|to|when|as|on|"
    r"until|till|she|he|they|it|you|i|the|her|his|their|please|pls|only|max|tops|more|mark|of|per|so|but|now)\b)", re.IGNORECASE)
NAMED_SECOND = re.compile(r"\b(?:the\s(?P<which>second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)\s(?:second|sec)"
                           r"|(?:the|its|her|his)\s(?:last|final|first|opening|next)\s(?P<one>second|sec))\b(?!-)",
                           re.IGNORECASE)
ORDINALS = {w: i for i, w in enumerate(["second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"],
                                         2)}
NOT_TIME = re.compile(r"\s+(?:time|one|take|nod|smile|blink|wink|look|glance|character|shot|try|attempt|person)s?\b",
                       re.IGNORECASE)
CLOCK = re.compile(r"(?<![\w:.])(?:(?P<hours>\d{1,2}):)?(?P<minutes>\d{1,3}):(?P<seconds>[0-5]\d)(?:(?P<split>[:;.,])"
                    r"(?P<rest>\d{1,3}))?"
                    r"(?:\s?s(?:ec|econds?)?)?(?![\w:])(?!\s?[ap]\.?m\b)", re.IGNORECASE)
SHORT_CLOCK = re.compile(r"(?<![\w:]):(?P<seconds>[0-5]\d)(?![\w:])")
T_IS = re.compile(rf"\b(?:(?:t|time|start|end)\s?(?:==?|~)|t\s?\+)\s?(?P<number>{DIGITS})(?:\s?{UNIT})?", re.IGNORECASE)
UNIT_FIRST = re.compile(rf"\b(?P<unit>frames?|fr?|seconds?|secs?)(?:\.?\s|\s?#|\s?no\.?\s?|\s?:\s?)\s?(?P<number>{DIGITS})"
                         rf"(?![\w%:])"
                         rf"(?:\s?(?:-|–|—|to|and|until|till|through)\s?(?P<last>{DIGITS})"
                         r"(?![\w%:]|\.\d|\s?(?:s|secs?|seconds?|ms)\b))?", re.IGNORECASE)
SECOND_WORD = re.compile(rf"\b(?:at|from|until|till|between|on|of|to|by|through|in|around|after|and)\s(?:the\s)?(?:seconds?"
                          rf"|secs?)\s"
                          rf"(?:number\s)?(?P<number>{WORD}|\d+(?:\.\d+)?)(?![\w%])(?:\s?(?:-|–|to|and|until|till)\s?(?P<last>{WORD})"
                          rf"(?!\s(?:sec|second)))?", re.IGNORECASE)
FRAMES = re.compile(r"(?<![\w.])(?P<number>\d+)(?:f|fr)\b", re.IGNORECASE)
F_NUMBER = re.compile(r"\bf(?P<number>\d+)(?:\s?(?:-|–|to)\s?f?(?P<last>\d+))?\b", re.IGNORECASE)
MINUTES_SECONDS = re.compile(rf"{EDGE}(?P<minutes>\d+|{WORD}|a)\s?-?(?:m|mins?|minutes?)(?:\s?and\s|\s|,\s)?"
                              rf"(?P<seconds>{DIGITS}|{WORD})\s?-?(?:s|secs?|seconds?)\b", re.IGNORECASE)
JOIN = r"\s?(?:-|–|—|~|\.\.+|\bto|\btill|\buntil|\bthrough|\bor|→|->)\s?(?:about\s|at\s)?"
LIST = r"\s?(?:,\s?and|,|;|&|\+|\band|\bthen|\band then)\s?(?:again\s)?(?:at\s|from\s)?"
BEFORE_UNIT = re.compile(rf"{EDGE}(?P<number>{PLAIN}{AND_PART}?)(?:(?P<range>{JOIN})|{LIST})$", re.IGNORECASE)
LIST_HEAD = re.compile(r"(?:^\s*|\b(?:at|from|between|for|after|of|to|in|until|till|lasting|by|@|by|both|seconds?)\s*|,\s*"
                        r"|\band\s+)$",
                        re.IGNORECASE)
FOLLOW = (r"(?!\s?[\w%°]|\s?(?:%|°)|[.,:]\d|-[a-z\d]|/\d)", r"(?=\s+(?:and|then|before|after|while|with|or|but|she|he|it|they"
                                                             r"|in|on|"
           r"until|till|to|at|for|please|pls|plz|when|again|as|over|the|her|his|you|i)\b)")
ENDS = rf"(?:{FOLLOW[0]}|{FOLLOW[1]})"
BARE_TIME = re.compile(rf"(?:\b(?:at|until|till|lasting|waits?|pauses?|holds?|after|for(?=\s[a-z]*\s?[\d.]))\s+(?:about\s+"
                        rf"|around\s+|exactly\s+)?|@\s?)"
                        rf"(?P<number>{DIGITS}|(?!one\b|zero\b){WORD}){ENDS}", re.IGNORECASE)
MORE_TIME = re.compile(rf"(?:\b(?:at|over|from|until|till|within|in|to|for|after|make it|make that)\s+|\b(?:the\s)?next\s+)"
                        rf"(?P<number>{DIGITS}|{WORD}){ENDS}|(?:^|[.;,]\s)at\s(?P<other>\d+(?:\.\d+)?)(?=\s[a-z])(?!\s"
                        rf"(?:times|x)\b)",
                        re.IGNORECASE)
NEXT_TIME = re.compile(rf"\s?(?:,\s?and|,|and)\s(?P<number>{DIGITS}|{WORD}){ENDS}(?P<other>)", re.IGNORECASE)
IN_BRACKETS = re.compile(r"[(\[]\s?(?:at\s)?\d+(?:\.\d+)?(?:,\s?\d+(?:\.\d+)?)+\s?[)\]]")
ANY_RANGE = re.compile(r"(?<![\w.,:/-])(?P<number>\d+(?:\.\d+)?)\s?[-–—]\s?(?P<last>\d+(?:\.\d+)?)"
                       r"(?![\w%:/-]|[.,]\d|\s?(?:s|secs?|seconds?|ms)\b)")
FROM_TO = re.compile(rf"\bfrom\s+(?P<number>{DIGITS}|{WORD})\s?(?:-|–|—|to|till|until|through)\s?(?P<last>{DIGITS}"
                      rf"|{WORD}){ENDS}",
                      re.IGNORECASE)
RANGE_HEAD = re.compile(rf"(?:(?<=^)|(?<=[\n;,.(\[] )|(?<=[\n;,(\[]))(?P<number>{DIGITS})\s?(?:-|–|—|to)\s?(?P<last>{DIGITS})"
                         r"(?=\s?[:\])=]|\s[-–—]\s)", re.IGNORECASE)
POINT_HEAD = re.compile(r"(?:(?<=^)|(?<=[.] )|(?<=[\n;,(\[])|(?<=[\n;,(\[] ))(?P<number>\d+\.\d+)(?=\s?[:\]]|\s[-–—]\s)")

# -- shares -----------------------------------------------------------------------------
AMOUNT = r"(?:strength|intensity|power|amplitude|force|weight|level|scale|effort|amount|magnitude|volume)"
PERCENT = re.compile(rf"{EDGE}(?P<number>{PLAIN}{AND_PART}?)[ -]?(?:%|％|per[ -]?cents?\b|pct\b|percentage\b|perc\b|"
                      r"p[ero]{1,3}[csz]ent\b|perc[ae]?nt\b)",
                      re.IGNORECASE)
OF_TEN = re.compile(rf"{EDGE}(?P<number>{DIGITS}|{WORD})(?:\s?/\s?|\s(?:out\s)?of\s)(?P<of>10|100|5|ten|five|a hundred)"
                     rf"(?![\w/]|[.,]\d)",
                     re.IGNORECASE)
FRACTION = re.compile(rf"(?<![\w./-])(?P<above>\d)/(?P<below>[2-9])(?![\w/])|\b(?P<half>half(?:[ -]?way)?)\b(?![ -](?:through"
                       rf"|as|of|past|an? (?:dozen|"
                       r"second|sec|min)|smile|grin|hearted\w*|asleep|time|moon|her|his|the|your|my|their)\b)(?<!left half)"
                       rf"(?<!right half)(?<!upper half)(?<!lower half)|\b(?P<many>an?|{UNITS})[ -](?P<part>quarters?|thirds?"
                       rf"|fifths?|tenths?)"
                       r"\b(?=$|[^\w\s-]|\sof\b|\s(?:strength|intensity|and|then)\b)|\b(?P<quarters>an?|one"
                       r"|three)[ -]quarters?\b"
                       r"(?![ -](?:view|turn|profile|past|to|of an? (?:hour|sec|min)))|\b(?P<thirds>one|two)[ -]thirds?\b",
                       re.IGNORECASE)
STRENGTH_AFTER = re.compile(rf"{EDGE}(?:(?P<number>\d/\d|0?[.,]\d+|1(?:[.,]0+)?|0)|(?:an?\s|one[ -])?(?P<part>half|quarter"
                             rf"|third)|"
                             rf"(?P<two>two[ -]thirds|three[ -]quarters))(?:\sof)?(?:\sthe)?(?:\s(?:its|full|maximum|max"
                             rf"|normal|usual))?"
                             rf"[ -]{AMOUNT}\b", re.IGNORECASE)
STRENGTH_BEFORE = re.compile(rf"\b{AMOUNT}(?:\sof|\sat|\s?[:=]|\sset to|\sis)?\s?(?P<number>0?[.,]\d+|1[.,]0+|\d/\d)(?![\w%]"
                              rf"|[.,]\d)",
                              re.IGNORECASE)
SCORE = re.compile(r"(?<![\w.,:/$#+-])(?P<number>(?:[2-9][05]|1[05]0?|15))(?=\s?(?:$|[,;.!?)]))(?![.,]\d)")
DECIMAL = re.compile(r"(?<![\w.,:/])(?P<number>0?\.\d+|0,\d+|1\.0+)(?![\w%:/-]|[.,]\d)(?!\s?(?:°|deg))")

# -- counts -----------------------------------------------------------------------------
TIMES = re.compile(
    rf"(?:{EDGE}(?P<number>\d+|{WORD}|a hundred|(?:a|one) dozen|half a dozen)[ -]?(?:times?\b|tmes\b|tims\b|tiems\b|x"
    rf"(?![\w])|×)"
    rf"|(?<![\w])[x×]\s?(?P<after>\d+)(?![\w.]\d|[\w%])|(?P<word>\btwice\b|\bthrice\b|\btwise\b)"
    rf"|\b(?P<couple>(?:an?\s)?couple(?:\sof)?\s(?:times|tmes)\b)|\b(?P<some>(?:an?\s)?couple(?:\sof)?(?=\s\w))"
    rf"|\b(?P<pair>a\spair\sof)\b(?!\s(?:eyes|lips|hands|brows|eyebrows|glasses))|\b(?P<dozen>(?:half\sa|a|one)\sdozen\b)|\b"
    rf"(?:n\s?=|reps?:?|repetitions?:)\s?(?P<n>\d+)\b)", re.IGNORECASE)
COUNT = re.compile(rf"(?<![\w.,:/$#+=-])(?P<number>\d+|{WORD})(?![\w%°:/]|[.,]\d|-\w|\s?(?:°|%))", re.IGNORECASE)
LARGEST_COUNT = 100

# -- numbers that stay text ------------------------------------------------------------
NUMBERED = (r"\w*scenes?|shots?|takes?|acts?|episodes?|ep|panels?|cuts?|lines?|steps?|phases?|parts?|chapters?|pages?"
             r"|versions?|"
             r"ver|beats?|stages?|cameras?|cams?|channels?|characters?|actors?|npcs?|persons?|players?|numbers?|nr|int|ext"
             r"|items?|"
             r"tests?|trials?|tasks?|slides?|rows?|clips?|subjects?|participants?|conditions?|room|figures?|fig|section|"
             r"option|exercise|ex|pose|expression|day|week|year|gen|season|series|round|rule|variant|variation|plan|type"
             r"|sequence|"
             r"seq|lesson|question|window|track|layer|quest|sc|tk|cues?|keys?|v")
KEPT = tuple(re.compile(p, re.IGNORECASE) for p in (
    # action units: AU12, AU 1+2, AUs 1, 2 and 4
    r"\b(?:aus?|ads?|action units?|units?|action descriptors?)\s?\.?#?\s?\d+(?:\.\d+)?[a-e]?[lr]?"
    r"(?:\s?(?:\+|/|&)\s?(?:au|ad)?\d+[a-e]?[lr]?)*"
    r"(?:(?:\s?,\s?(?:and\s)?|\sand\s)\d+[a-e]?(?=\s?(?:$|[.,;:+)]|(?:and|at|for|then|together|with|on|from|in)\b)))*",
    r"(?<![\w])\d+[a-e]?(?:\s?\+\s?\d+[a-e]?)+(?![\w])",
    rf"\b(?:{NUMBERED})\.?\s?#?:?\s?(?:\d+|{WORD})[a-d]?\b(?!\s?(?:times|x\b|s\b|sec|ms\b|%|(?:to|-|–)\s?\d)|-\w)(?![:.]\d)",
    r"\bno\.\s?\d+\b", rf"\bscale\s(?:from|of)\s(?:\d+|{WORD})\s?(?:to|-|–)\s?(?:\d+|{WORD})\b",
    # ages and decades
    rf"\b(?:aged?(?: of)?|age:|turning|turned)\s?(?:about\s)?(?:\d+|{WORD})\b",
    rf"\b(?:s?he(?:['’]s|\sis)|i(?:['’]m|\sam)|they(?:['’]re|\sare))\s(?:[1-9]\d|{WORD})(?=\s?(?:$|[,.;]|and\b))",
    rf"\b(?:wo)?m[ae]n\sof\s(?:[1-9]\d|{WORD})\b",
    rf"{EDGE}(?:\d+|{WORD})[ -]?(?:-|–|to)?[ -]?(?:\d+[ -])?(?:years?|yrs?|yo|y/o|months?|weeks?|days?|hours?|hrs?)"
    rf"(?:[ -]olds?)?\b",
    r"\b(?:in\s(?:his|her|their|my|your|our)|early|mid|late)(?:\s(?:early|mid|late))?[ -]\d0['’]?s\b",
    r"\b(?:1[5-9]|20)\d0['’]?s\b", r"\bthe\s['’]?[2-9]0['’]?s\b(?!\s(?:clip|shot|mark|take|video|scene|animation))",
    r"(?<![\w.])(?:1[5-9]|20)\d\d(?![\w.%]|\s?(?:ms|milli|s\b|sec|frames))",
    # rates, sizes, angles, sums
    r"(?<![\w.])\d+(?:st|nd|rd|th)\b",
    rf"(?<!\w)(?:\d+(?:\.\d+)?|{WORD})\s?-?(?:fps|frames? (?:per|a|each) sec\w*|frames/s\w*|hz|khz|mm|cm|km|m\b|meters?"
    rf"|metres?|feet|foot|ft|"
    r"inch(?:es)?|px|pixels?|k\b|p\b|kg|bpm|db|degrees?|deg\b|°|o'clock|am\b|pm\b|a\.m|p\.m|dollars?|euros?|"
    r"bucks?|pounds?|d\b|people|persons|friends|kids|children|men\b|women\b|characters|guys|girls|boys|judges|actors|eyes\b|"
    r"brows\b|eyebrows\b|lips\b|cheeks\b|hands\b|eyelids\b|sides\b|corners\b|faces\b|things\b|words?\b|syllables?\b)",
    r"\d+\s?x\s?\d+", r"[$€£]\s?\d+(?:\.\d+)?", rf"\bcount(?:s|ing|ed)?\s(?:of|to|down from)\s(?:\d+|{WORD})\b",
    # other readings of a number
    r"<3+", r"(?<=[A-Z]{2} )\((?:early |mid |late )?\d\ds?\)", r"\b(?:high[ -]five|cloud nine|knocked for six"
                                                                               r"|forty winks)\b",
    r"(?<![\w.])[24](?=\s(?:me|u|you|the|my|ever|reals?|us|him|her|them|a|it|ages|now|\d+\s?(?:s|sec\w*)?)\b)"))
ITEM = re.compile(r"(?:(?<=^)|(?<=[\s;,]))\(?(\d{1,2})[.)](?=\s+\S)")
RATE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?-?(?:fps|frames? (?:per|a) sec|frames/s)|\bframes?\b.*\bat (24|25|30|50|60)"
                   r"(?=\s?(?:$|[:,.;)]))",
                   re.IGNORECASE)
ANY = re.compile(r"[\d½¼¾]|[sS][a-z]?[ck]|[sS][a-z]{0,3}(?:on|nd)|"
                 r"\b(?:couple|few|several|pair|dozen|hundred|twice|thrice|twise|"
                 rf"an?\s(?:min|frame|milli)|another|one|beats?|min\w*|frames?|{'|'.join(PARTS)}|"
                 rf"{'|'.join(p + 's' for p in PARTS)}|{TEN}|{ONE})", re.IGNORECASE)
"""Something without which a text has no quantity."""



def unit(word: str) -> str | None:
    """The unit that a word names, misspelt or not: ms, s, min, f; None for another word."""
    word = word.lower()
    if word.startswith("mil") or word in ("ms", "msec", "msecs"):
        return "ms"
    if word.startswith("min"):
        return "min"
    if word.startswith("frame") or word in ("f", "fr"):
        return "f"
    if word.endswith("beats"):
        return "beat"
    if re.fullmatch(r"s|secs?|seconds?|segundos?|sekunden?", word):
        return "s"
    if len(word) < 5 or word in ("secondly", "seconded", "seconder"):
        return "s" if word in ("scs", "secc", "sces", "secz", "seks") else None
    return "s" if min(_distance(word, w) for w in ("second", "seconds")) <= (1 if len(word) < 7 else 2) else None


def _distance(a: str, b: str) -> int:
    """Damerau-Levenshtein distance (optimal string alignment) of two short words."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, rows[i - 2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
