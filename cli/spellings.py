"""Old spellings of options: still accepted, shown nowhere."""

from __future__ import annotations

from collections.abc import Sequence

OLD: dict[str, dict[str, str]] = {
    "transition": {"--model": "--method"},
    "fit": {"--config": "--recipe", "--model": "--landmarker"},
    "data synth": {"--clips": "--count"},
    "data prompts": {"--config": "--recipe"},
    "data videos": {"--config": "--recipe"},
    "data build": {"--clips": "--count"},
    "tokenizer train": {"--config": "--recipe"},
    "tokenizer eval": {"--items": "--count"},
    "train": {"--config": "--recipe"},
    "eval": {"--items": "--count"},
}
"""Command -> old option -> present one."""


def present(argv: Sequence[str]) -> list[str]:
    """A command line with old and other spellings replaced, and ``--ray`` without an address given its default."""
    if list(argv[:2]) == ["train", "peer"]:
        argv = ["peer", "train", *argv[2:]]
    names = OLD.get(" ".join(argv[:2]), OLD.get(argv[0], {}) if argv else {})
    end = list(argv).index("--") if "--" in argv else len(argv)
    out = []
    for i, word in enumerate(argv):
        option, equals, value = word.partition("=")
        if i >= end or not word.startswith("--"):
            out.append(word)
        elif word == "--ray" and (i + 1 == end or argv[i + 1].startswith("-")):
            out.append("--ray=local")
        else:
            out.append(names.get(option, option) + equals + value)
    return out
