"""The `facelm` command: a tree of lazily imported functions, and one way to report results and errors.

Exit codes: 0 done, 1 a value is wrong or the work failed, 2 the command line cannot be read (unknown command or
option, something missing), 130 stopped by Ctrl-C. Every error is one line on stderr.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)

from .. import __version__
from ..common.text import one_line, printable
from .output import bars, baseline, emit
from .spellings import present

LONGEST = 1000
"""Characters of an error message."""
FLAGS = ("Every command also takes: --json (results as one JSON object a line), --verbose or -v (say what is done), "
         "--debug (say everything, and show the traceback of an error).")

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("agent.tools:demo", "perform a prompt and write clip, picture, video and GLB"),
    "generate": ("agent.tools:generate", "words to face motion, checked by measurement"),
    "perform": ("agent.script_tools:perform", "a script to face motion, checked by measurement"),
    "edit": ("agent.script_tools:edit", "what was performed or filmed, changed as a wish says"),
    "compare": ("agent.tools:compare", "where two clips differ"),
    "read": ("agent.script_tools:read", "words to a script: what facelm understands a text to ask for"),
    "check": ("agent.script_tools:check", "whether a clip shows what a script asks for"),
    "actions": ("agent.script_tools:actions", "everything that a script can name"),
    "describe": ("agent.tools:describe", "face motion to words"),
    "measure": ("agent.measuring:measure", "the timeline of facial actions, by geometry"),
    "transition": ("agent.tools:transition", "a face from one expression to another, as an instruction says"),
    "chat": ("agent.tools:chat", "talk with the model about clips, in the terminal"),
    "serve": ("agent.server.serve:serve", "the app: a face to talk to, in the browser and for programs"),
    "mcp": ("agent.server.serve:serve_mcp", "the tools for other agents, by the Model Context Protocol"),
    "render": ("agent.file_tools:render", "a clip as video, GIF or contact sheet"),
    "fit": ("agent.file_tools:fit", "video or pictures to clips: a 3D fit of every frame"),
    "photo edit": ("agent.photo.tools:edit_photo", "a photo with another expression: its own pixels moved, and measured"),
    "convert": ("agent.file_tools:convert",
                "facial motion of other tools to a clip (facelm convert --list: the formats)"),
    "concat": ("agent.clip_tools:concat", "clips one after another, as one"),
    "slice": ("agent.clip_tools:cut", "a part of clips, by seconds or frames"),
    "resample": ("agent.clip_tools:resample", "clips at another frame rate"),
    "mirror": ("agent.clip_tools:mirror", "clips with left and right exchanged"),
    "export": ("agent.exchange:export", "a clip as another tool's file: Live Link, ARKit, FLAME, GLB, USD, VRM, BVH, ELAN ..."),
    "stream": ("agent.exchange:stream", "a clip, live, to Unreal (Live Link Face) or to an avatar program (VMC)"),
    "retarget": ("agent.file_tools:retarget", "clips of one head to clips of another"),
    "avatar build": ("agent.avatar.tools:avatar_build", "a person's textured head from photos or a video"),
    "avatar show": ("agent.avatar.tools:avatar_show", "what an avatar was made from, and how good it is"),
    "avatar live": ("agent.server.serve:serve_avatar", "an avatar in the browser that does what is typed, as long as it runs"),
    "head import": ("agent.file_tools:head_import",
                    "a FLAME file (2020, 2023, 2023 Open) or an ICT-FaceKit head, made a facelm head"),
    "head show": ("agent.file_tools:head_show", "what a head file holds"),
    "head paint": ("agent.file_tools:head_paint", "a head with a texture to paint on, as a folder that is a head"),
    "head list": ("agent.file_tools:head_list", "the packaged head and the head files of a folder"),
    "data synth": ("cli.data:synth", "synthesize the text-motion corpus with the procedural animator"),
    "data prompts": ("cli.data:prompts", "write a balanced suite of text-to-video prompts with their attributes"),
    "data videos": ("cli.data:videos", "turn prompts into videos: text-to-video, the procedural animator, or existing files"),
    "data build": ("cli.corpus:build", "make a corpus from a recipe: prompts, video, fit, facts, captions (resumes by itself)"),
    "data rewrite": ("cli.corpus:rewrite", "captions in other words by a language model; what changes the facts is refused"),
    "tokenizer train": ("cli.train:tokenizer_train", "train a motion tokenizer from a recipe"),
    "tokenizer eval": ("cli.train:tokenizer_eval", "reconstruction error, action recall, tokens and bits a second"),
    "peer train": ("cli.train:peer_train", "train a peer of words to motion on a corpus: T2M-GPT, MDM, MoMask or MotionGPT"),
    "train": ("cli.train:train", "train the language model from a recipe (resumes by itself)"),
    "eval": ("cli.evaluate:evaluate",
             "evaluate: the language model both ways, prompts, conversations, transitions, edited photos, or avatars"),
    "bench": ("cli.bench:bench", "the benchmark: systems side by side, every figure with its interval"),
    "info": ("agent.tools:info", "versions, weights, base model and head in use"),
}
"""Name -> (module and function, help)."""
HIDDEN: dict[str, Callable[[], object]] = {"progress": bars, "baseline": baseline, "version": lambda: __version__}
"""Arguments that are no options: what the command line gives for each."""
_FIRST = {name.split()[0] for name in COMMANDS}
GROUPS = {"photo": "Photos of faces.", "avatar": "Make a head of a person from photos.",
          "head": "Import and look at head models.", "data": "Make training data.",
          "tokenizer": "Train or evaluate the motion tokenizer.", "peer": "Train the field's models to compare with."}


@cache
def app() -> App:
    """The tree of commands; their modules are imported when one is run or explained."""
    usual = Parameter(negative_bool=())
    root = App(name="facelm", help="Facial motion as a language: words to 3D face motion and back. Start with: facelm demo",
               version=f"facelm {__version__}", version_flags=("--version", "-V"), help_format="plaintext",
               default_parameter=usual, help_epilogue=FLAGS)
    for order, (name, (place, text)) in enumerate(COMMANDS.items()):
        parent, _, last = name.rpartition(" ")
        if parent and parent not in root:
            root.command(App(name=parent, help=GROUPS[parent], sort_key=order))
        group = root[parent] if parent else root
        group.command(f"facelm.{place}", name=last, help=f"{text[0].upper()}{text[1:]}.", sort_key=order)
    root.register_install_completion_command(help="Install completion of commands and options for this shell.")
    return root


@dataclass(frozen=True)
class Line:
    """A command line, read."""

    run: Callable[[], object]
    json: bool = False
    level: int = 0
    """Of the log messages that are shown."""


def parse(argv: Sequence[str]) -> Line:
    """Read a command line; nothing runs.

    Raises:
        CycloptsError: it cannot be read.
    """
    split = list(argv).index("--") if "--" in argv else len(argv)
    words = [w for w in argv[:split] if w not in ("--json", "--debug", "--verbose", "-v")]
    level = logging.DEBUG if "--debug" in argv[:split] else logging.INFO if {"--verbose", "-v"} & set(argv[:split]) else 25
    command, bound, hidden = app().parse_args(present([*words, *argv[split:]]), exit_on_error=False, print_error=False)
    as_json = "--json" in argv[:split]
    given = {**HIDDEN, "as_json": lambda: as_json}
    bound.arguments.update({name: given[name]() for name in hidden if name in given})
    return Line(partial(command, *bound.args, **bound.kwargs), as_json, level)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. User errors are one line on stderr."""
    argv = [str(a) for a in (sys.argv[1:] if argv is None else argv)]
    two = " ".join(argv[:2])
    name = "facelm" if not argv else f"facelm {two if two in COMMANDS else argv[0]}" if argv[0] in _FIRST else "facelm"
    try:
        line = parse(argv)
        with logged(line.level):
            code = emit(line.run(), line.json)
        if sys.stdout is not None:
            sys.stdout.flush()  # a reader that left is noticed here, not at exit
        return code
    except KeyboardInterrupt:
        print("facelm: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the reader left (`facelm measure ... | head`): what is still buffered has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except CycloptsError as err:
        return complain(name, explained(err), 1 if isinstance(err, (CoercionError, ValidationError)) else 2, argv)
    except (ValueError, OSError, ImportError, MemoryError, RuntimeError) as err:  # torch reports most trouble as RuntimeError
        return complain(name, str(err) or type(err).__name__, 1, argv)


def complain(name: str, text: str, code: int, argv: Sequence[str]) -> int:
    """One line on stderr; the exit code."""
    if "--debug" in argv:
        import traceback

        traceback.print_exc()
    text = printable(" ".join(text.split()))
    print(f"{name}: {text if len(text) <= LONGEST else text[:LONGEST] + ' ...'}", file=sys.stderr)
    return code


def explained(err: CycloptsError) -> str:
    """What is wrong with a command line, in one sentence."""
    err.verbose = False
    text = one_line(err).rstrip(".")
    name = err.argument.name if err.argument else ""
    chain = " ".join(["facelm", *(err.command_chain or ())])
    if isinstance(err, ValidationError):
        from pydantic import ValidationError as Faults

        from ..agent.requests import fault

        return fault(err.__cause__) if isinstance(err.__cause__, Faults) else text
    if isinstance(err, MissingArgumentError) and name:
        return f"{name} is missing, or its value is; see {chain} --help"
    if isinstance(err, (UnknownOptionError, UnknownCommandError, UnusedCliTokensError)):
        text = text.split(" Available commands:")[0].rstrip(".")  # cyclopts cuts the list; --help has all of it
        return f"{text[0].lower()}{text[1:]}; see {chain} --help"
    return text


@contextmanager
def logged(level: int) -> Iterator[None]:
    """Show the library's log messages on stderr."""
    handler, logger = logging.StreamHandler(), logging.getLogger("facelm")
    handler.setFormatter(_Formatter())
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(f"facelm: {'warning: ' if record.levelno >= logging.WARNING else ''}{super().format(record)}")


def entry() -> None:
    """Console-script entry point."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show costs no result
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # what is not UTF-8 is told by who reads it
    sys.exit(main())
