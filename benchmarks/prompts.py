"""Prompts at scale: simple ones at many lengths, the demo's at many seeds, speed, constant memory, and a fuzz."""

from __future__ import annotations

import os
import statistics
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..agent.pipeline import FaceLM, weights_dir
from ..agent.tools import DEMO_PROMPT
from ..cli.output import bars
from ..common.files import digest, file_digest
from ..common.store import Journal
from ..data_gen.text.written import written
from ..face.facs.check import check
from ..face.facs.measure import measure
from ..face.facs.script_text import read_script
from .report import Row, Tables

Part = Literal["simple", "demo", "speed", "memory", "fuzz"]
PARTS: tuple[Part, ...] = ("simple", "demo", "speed", "memory", "fuzz")
LENGTHS = (1.0, 4.0, 12.0, 20.0, 60.0)
SIMPLE: dict[str, str] = {
    "smile": "smile", "nod": "nod", "She blinks.": "blink", "he winks with his left eye": "wink left", "Shake your head": "shake",
    "turn your head to the right": "turn right", "tilt the head left": "tilt left", "look up": "gaze_up",
    "raise your eyebrows": "brow_raise", "frown": "brow_lower", "open your mouth": "mouth_open",
    "puff out your cheeks": "cheek_puff",
    "stick out your tongue": "tongue_out", "close your eyes": "eye_close", "wrinkle your nose": "nose_wrinkle",
    "a woman looks happy": "happiness", "look sad": "sadness", "be angry": "anger", "look surprised": "surprise",
    "glance to the left": "gaze left"}
"""One thing to do -> the script that it is. Each is performed at every length and two seeds: 200 clips."""
SEEDS = 2
FOREIGN = ("foreign", "still", "length")
_SPECIAL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<m3>", "<motion>", "</motion>", "[INST]", "<script>",
            "<s>", "\\x00", "{t0}")
_SIGNS = "😀😢😡😱🤢🙄😉🤔👍🏽👩‍🚀🇫🇮❤️‍🔥"
_RANGES = ((0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F),
           (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1F300, 0x1FAFF), (0x0, 0x1F), (0x7F, 0x9F), (0x2000, 0x206F))


def prompts(only: tuple[Part, ...] = PARTS, weights: Path | None = None, base: str | None = None, count: int = 10_000,
            minutes: float = 10.0, rows: Path = Path("runs/prompts.jsonl"), seed: int = 0) -> Tables:
    """What prompts come to: nothing foreign in simple ones, the demo's nods, speed, constant memory, and a fuzz.

    Parameters
    ----------
    only
        Parts: simple, demo, speed, memory, fuzz.
    weights, base
        Of the model.
    count
        Generations of the fuzz.
    minutes
        Length of the streamed motion.
    rows
        Clips of `simple`, `demo` and `fuzz` are kept in this file as they are scored, so that a run can be stopped and continued.
    seed
        Of the fuzz.
    """
    agent = FaceLM.from_pretrained(weights, base)
    folder = weights_dir(weights)
    rows.parent.mkdir(parents=True, exist_ok=True)
    key = digest([{str(p.relative_to(folder)): file_digest(p) for p in sorted(folder.rglob("*")) if p.is_file()}, base])
    journal = Journal(rows)
    work: dict[Part, Callable[[], list[Row]]] = {
        "simple": lambda: simple(agent, journal, key), "demo": lambda: demo(agent, journal, key), "speed": lambda: speed(agent),
        "memory": lambda: memory(agent, minutes), "fuzz": lambda: fuzz(agent, count, seed, journal, key)}
    titles = {"simple": "simple prompts at many lengths", "demo": DEMO_PROMPT, "speed": f"speed, {os.cpu_count()} cores",
              "memory": f"memory of {minutes:g} minutes", "fuzz": f"{count} random prompts"}
    return {titles[part]: work[part]() for part in PARTS if part in only}


# -- many clips -------------------------------------------------------------------------
Job = tuple[str, float | None, int]
"""Prompt, seconds, seed."""


def _kept(journal: Journal, key: str, jobs: list[Job], score: Callable[[Job], dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The scores of jobs: those of an earlier run, and the others, kept as they come."""
    done = {r["job"]: r for r in journal.rows() if r.get("key") == key}
    names = [digest([name, *job]) for job in jobs]
    show = bars(name)
    for k, (job, at) in enumerate(zip(jobs, names, strict=True)):
        if at not in done:
            done[at] = {"key": key, "job": at, **score(job)}
            journal.add(done[at])
        show(k + 1, len(jobs))
    return [done[at] for at in names]


def simple(agent: Any, journal: Journal, key: str) -> list[Row]:
    """Clips with something that nobody asked for, and those wholly right, by length."""
    jobs: list[Job] = [(text, length, seed) for length in LENGTHS for text in SIMPLE for seed in range(SEEDS)]

    def score(job: Job) -> dict[str, Any]:
        text, length, seed = job
        script = read_script(f"{length:g} s; {SIMPLE[text]}")
        try:
            clip = agent.generate(text, length, seed)
        except ValueError as err:
            return {"foreign": [], "ok": False, "missed": [str(err)], "refused": True}
        found = check(script, measure(clip, agent.head))
        return {"foreign": [c.sentence for c in found.failed if c.kind in FOREIGN], "ok": found.ok,
                "missed": [c.sentence for c in found.failed]}

    scored = _kept(journal, key, jobs, score, "simple")
    out: list[Row] = []
    for length in (*LENGTHS, None):
        some = [r for job, r in zip(jobs, scored, strict=True) if length in (None, job[1])]
        out.append({"length, s": "all" if length is None else f"{length:g}", "clips": len(some),
                    "nothing foreign": sum(not (r["foreign"] or r.get("refused")) for r in some),
                    "wholly right": sum(bool(r["ok"]) for r in some),
                    "missed": dict(Counter(s for r in some for s in r["missed"]))})
    return out


def demo(agent: Any, journal: Journal, key: str, seeds: int = 50) -> list[Row]:
    """How often the demo's prompt smiles once and nods twice, over seeds."""
    script = read_script("smile strong; nod x2")

    def score(job: Job) -> dict[str, Any]:
        try:
            shown = measure(agent.generate(job[0], job[1], job[2]), agent.head)
        except ValueError:
            return {"nods": 0, "ok": False}
        return {"nods": sum(a.cycles or 1 for a in shown.of("nod")), "ok": check(script, shown).ok}

    scored = _kept(journal, key, [(DEMO_PROMPT, None, seed) for seed in range(seeds)], score, "demo")
    return [{"seeds": seeds, "two nods": sum(r["nods"] == 2 for r in scored), "wholly right": sum(bool(r["ok"]) for r in scored),
             "other seeds": [k for k, r in enumerate(scored) if r["nods"] != 2]}]


# -- one clip ---------------------------------------------------------------------------
def speed(agent: Any, tries: int = 7) -> list[Row]:
    """Seconds of a clip of 4 s with checking and repair, and to the first frames of a stream, read and from a script."""
    prompts = list(SIMPLE)[:tries]
    agent.generate(prompts[0], 4.0)  # loads what is loaded once

    def first(text: str) -> float:
        started = time.perf_counter()
        next(iter(agent.stream(agent.read(text))))
        return time.perf_counter() - started

    def whole(text: str, seed: int) -> float:
        started = time.perf_counter()
        agent.generate(text, 4.0, seed)
        return time.perf_counter() - started

    rows = {"4 s of motion, checked and repaired, s": [whole(p, i) for i, p in enumerate(prompts)],
            "first frames of a stream, s": [first(p) for p in prompts]}
    return [{"what": name, "median": statistics.median(times), "slowest": max(times)} for name, times in rows.items()]


def memory(agent: Any, minutes: float) -> list[Row]:
    """Peak of traced and growth of resident memory while motion is streamed, at tenths of its length."""
    seconds = 60.0 * minutes
    cues = [f"{name} at {t:g} s" for t, name in zip(np.arange(1.0, seconds - 5.0, max(5.0, seconds / 150)),
                                                     ["smile", "nod x2", "turn left", "brow_raise", "blink"] * 40, strict=False)]
    script = read_script("; ".join([f"{seconds:g} s", *cues]))
    frames, out = 0, []
    marks = iter([*np.linspace(0.1, 1.0, 10)])
    mark = next(marks)
    started = time.perf_counter()
    tracemalloc.start()
    try:
        for piece in agent.stream(script):
            frames += len(piece)
            fps = piece.fps
            if frames >= mark * seconds * fps - 0.5:
                traced, peak = tracemalloc.get_traced_memory()
                out.append({"streamed, s": frames / fps, "spent, s": time.perf_counter() - started, "traced, MB": traced / 1e6,
                            "peak traced, MB": peak / 1e6, "resident, MB": resident() / 1e6})
                tracemalloc.reset_peak()
                mark = next(marks, 2.0)
    finally:
        tracemalloc.stop()
    return out


def resident() -> int:
    """Bytes of the process in memory; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


# -- fuzz -------------------------------------------------------------------------------
def random_prompts(seed: int = 0) -> Iterator[tuple[str, str]]:
    """Kinds and texts: cut and mixed real prompts, nonsense, empty, very long, signs, other scripts, controls, tokens."""
    rng = np.random.default_rng(seed)
    real = [w.text for w in written("dev")]

    def pick(options: Any) -> Any:
        return options[int(rng.integers(len(options)))]

    def letters(low: int, high: int, most: int) -> str:
        return "".join(map(chr, rng.integers(low, high + 1, int(rng.integers(1, most)))))

    def words(most: int) -> str:
        return " ".join(" ".join(pick(real) for _ in range(1 + most // 5)).split()[:most])

    def mixed() -> str:
        parts = words(40).split()
        rng.shuffle(parts)
        return " ".join(parts)

    kinds: dict[str, Callable[[], str]] = {
        "real": lambda: pick(real), "cut": lambda: (t := pick(real))[int(rng.integers(len(t))):], "mixed": mixed,
        "nonsense": lambda: " ".join(letters(97, 122, 12) for _ in range(int(rng.integers(1, 20)))),
        "empty": lambda: " \t\n\u00a0\u200b"[:int(rng.integers(0, 6))], "5,000 words": lambda: words(5000),
        "numbers": lambda: " ".join(f"{rng.normal() * 10 ** int(rng.integers(0, 9)):g} {pick(['s', '%', 'times', 'min', ''])}"
                                    for _ in range(int(rng.integers(1, 12)))),
        "emoji": lambda: "".join(pick(_SIGNS) for _ in range(int(rng.integers(1, 30)))),
        "other scripts": lambda: letters(*pick(_RANGES[1:11]), 80),
        "controls": lambda: pick(real).replace(" ", letters(*_RANGES[11], 4)),
        "invisible": lambda: letters(*pick(_RANGES[11:]), 30) + pick(real), "lone surrogate": lambda: pick(real) + "\ud83d",
        "special tokens": lambda: " ".join([pick(_SPECIAL), pick(real), pick(_SPECIAL), pick(_SPECIAL)]),
        "script line": lambda: "; ".join(f"{pick(list(SIMPLE.values()))} x{int(rng.integers(0, 300))}" for _ in range(4))}
    names = list(kinds)
    k = 0
    while True:
        yield names[k % len(names)], kinds[names[k % len(names)]]()
        k += 1


def outcome(agent: Any, text: str, seconds: float | None, seed: int) -> str:
    """``clip``, ``refused`` in one line, or what is wrong."""
    try:
        made = agent.perform_many(agent.read_many([text]), seconds, seed)[0]
    except ValueError as err:
        said = str(err)
        return "refused" if said.strip() and "\n" not in said and len(said) < 1000 else f"bad refusal: {said[:80]!r}"
    except Exception as err:  # noqa: BLE001 - whatever else is raised is what the fuzz looks for
        return f"{type(err).__name__}: {str(err)[:80]!r}"
    values = [getattr(made.clip, n) for n in ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation")]
    if not len(made.clip) or not all(np.isfinite(v).all() for v in values):
        return "a clip that is not finite"
    if seconds is not None and len(made.clip) != round(seconds * made.clip.fps):
        return "a clip of another length"
    again = check(made.script, measure(made.clip, agent.head), made.schedule)
    return "clip" if made.checks.items and again == made.checks else "a check list that is not true"


def fuzz(agent: Any, count: int, seed: int, journal: Journal, key: str) -> list[Row]:
    """Outcomes of random prompts by kind: valid clips with a true check list, refusals in one line, and anything else."""
    rng = np.random.default_rng(seed)
    drawn = list(islice(random_prompts(seed), count))
    lengths = [float(rng.integers(1, 25)) / 5 if rng.random() < 0.3 else None for _ in drawn]
    jobs: list[Job] = [(text.encode("utf-8", "backslashreplace").decode(), s, k) for k, ((_, text), s) in
                       enumerate(zip(drawn, lengths, strict=True))]

    def score(job: Job) -> dict[str, Any]:
        return {"outcome": outcome(agent, drawn[job[2]][1], job[1], job[2])}

    scored = _kept(journal, key, jobs, score, f"fuzz {seed}")
    out: list[Row] = []
    for kind in (*dict.fromkeys(k for k, _ in drawn), "all"):
        some = Counter(r["outcome"] for (k, _), r in zip(drawn, scored, strict=True) if kind in ("all", k))
        right = {"valid clips": some.pop("clip", 0), "refused": some.pop("refused", 0)}
        out.append({"kind": kind, **right, "wrong": sum(some.values()), "what": dict(some)})
    return out
