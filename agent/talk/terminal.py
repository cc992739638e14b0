"""The conversation in a terminal: lines in, answers out, also piped and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TextIO

import numpy as np

from ...data_gen.wording.telling import STYLES
from ...face.facs.measured import Measurement
from ..requests import Seconds, parsed
from .agent import Agent, Reply
from .console import Console, Words, typed, typing
from .references import mentions
from .tools import Call

LEAVE = ("/quit", "/exit", "quit", "exit", "bye")
HELP = """\
Type what the face should do ("She smiles, then nods twice."), ask about it ("How often does she nod?"), \
change it ("make the smile
stronger", "no, three times", "without the wink", "add a yawn at the end"), or go on from it ("now turn it into sadness").
"undo", "go back to clip 1", "call it greeting", "which clip has the bigger smile?" and "what changed?" work as well.
  /open FILE         talk about a clip, video or picture   /clips            all clips
  /describe [STYLE]  plain, timed, clinical, director ...  /measure          the measured actions
  /compare [A B]     what differs between two clips        /script           what was performed, as a line
  /undo [N] /redo    go back, and forth                    /export FILE      .npz, .glb, .mp4, .csv, .json ...
  /plot FILE.png     a contact sheet with the timeline     /seconds S        exact duration of performances (0: free)
  /help              this text                             /quit             leave (or end of input)"""
_COMMANDS = ("open", "clips", "describe", "measure", "compare", "script", "undo", "redo", "export", "plot", "seconds", "help",
             "quit")
_MAKERS = frozenset(("perform", "edit", "again", "transition", "join", "between", "open"))
"""Tools after which the clip at hand is shown."""
_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 48


def sparkline(measured: Measurement) -> str:
    """How much happens over a clip, in one line: the strongest action at each moment."""
    edges = np.linspace(0.0, measured.seconds, _WIDTH + 1)
    level = np.zeros(_WIDTH)
    for a in measured.actions:
        inside = (edges[1:] > a.onset) & (edges[:-1] < a.offset)
        level[inside] = np.maximum(level[inside], a.intensity)
    return "".join(_BARS[int(np.ceil(min(v, 1.0) * (len(_BARS) - 1)))] for v in level)


def command(agent: Agent, line: str) -> Reply | str:
    """Answer a line that begins with a slash; what is only shown is text.

    Raises:
        ValueError: an unknown command, or one that lacks something.
    """
    name, _, rest = line[1:].partition(" ")
    words, rest = rest.split(), rest.strip()
    if name in ("help", ""):
        return HELP
    if name == "measure":
        from ..measuring import fact_lines

        here = agent.memory.current
        if here is None:
            raise ValueError("there is no clip yet; say what the face should do, or /open FILE")
        return "\n".join(fact_lines(here.measured()))
    if name == "seconds":
        try:
            value = float(rest)
        except ValueError:
            raise ValueError(f"/seconds needs a number, not {rest!r}") from None
        agent.seconds = parsed(Seconds, value) if value else None
        return f"performances last {value:g} s" if value else "performances last as long as their words say, else as they take"
    needed = {"open": "FILE", "export": "FILE", "plot": "FILE.png"}
    if name in needed and not rest:
        raise ValueError(f"/{name} needs {needed[name]}")
    pair = [f"version {c.version} of clip {c.number}" for _, _, c in mentions(rest, agent.memory)] if name == "compare" else []
    calls = {"open": Call("open", {"path": rest}), "clips": Call("list_clips"), "script": Call("script"), "redo": Call("redo"),
             "undo": Call("undo", {"times": int(rest)} if rest.isdigit() else {}), "export": Call("export", {"path": rest}),
             "plot": Call("export", {"path": rest}), "describe": _describe(words),
             "compare": Call("compare", dict(zip(("first", "second"), pair, strict=False)))}
    if name not in calls:
        raise ValueError(f"unknown command /{name}; /help lists them")
    return agent.call(calls[name], line)


def _describe(words: list[str]) -> Call:
    style = next((w for w in words if w in STYLES), "")
    detail = "full" if "full" in words else ""
    known = {"style": style, "detail": detail}
    return Call("describe", {k: v for k, v in known.items() if v} or ({"style": words[0]} if words else {}))


def loop(agent: Agent, source: TextIO, sink: TextIO, as_json: bool = False) -> None:
    """Read lines until /quit or the end of input; a wrong line is answered, not fatal.

    Args:
        agent: the conversation.
        source, sink: where lines come from and answers go.
        as_json: answer each line with one JSON object, and nothing else.
    """
    console = Console(sink, plain=as_json)

    def say(reply: Reply | str, error: str = "") -> None:
        if as_json:
            facts = reply.to_dict() if isinstance(reply, Reply) else {"answer": reply}
            print(json.dumps({"error": error} if error else facts), file=sink, flush=True)
            return
        refused = isinstance(reply, Reply) and reply.refused
        console.write(error or (reply.text if isinstance(reply, Reply) else reply), "red" if error or refused else "")
        here = agent.memory.current
        if isinstance(reply, Reply) and here is not None and any(c.tool in _MAKERS for c in reply.calls):
            facts_ = here.measured()
            print(console.paint(f"  0 s |{sparkline(facts_)}| {facts_.seconds:.1f} s", "cyan"), file=sink, flush=True)

    read = _reader(agent, source, sink, as_json)
    if not as_json:
        print(console.paint(HELP, "dim"), file=sink)
        if agent.memory.turns:
            print(f"(going on with the conversation in {agent.memory.folder}: {len(agent.memory.turns)} turns, "
                  f"{len(agent.memory.numbers)} clips)", file=sink)
    while True:
        line = read()
        if line is None or line.strip().lower() in LEAVE:
            print("", end="" if as_json else "\n", file=sink)
            return
        if not line.strip():
            continue
        try:
            with console.working():
                reply = command(agent, line.strip()) if line.strip().startswith("/") else agent.say(line)
            say(reply)
        except (ValueError, OSError) as err:
            say("", str(err))


def _reader(agent: Agent, source: TextIO, sink: TextIO, as_json: bool) -> Callable[[], str | None]:
    """Reads the next line, None at the end; with history and completion where somebody types."""
    if typing(source) and not as_json:
        def names() -> list[str]:
            return [n for k in agent.memory.numbers for n in (agent.memory.latest(k).name, f"clip {k}") if n]

        return typed(agent.memory.folder, Words((f"/{c}" for c in _COMMANDS), names))

    def plain() -> str | None:
        print("" if as_json else "> ", end="", file=sink, flush=True)
        return source.readline() or None

    return plain
