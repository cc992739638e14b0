"""`facelm data build` and `data rewrite`: a corpus from a recipe, and its captions in other words."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from ..agent.options import FLAT, Out, Result, written
from ..agent.requests import output_folder, ready
from .data import positive
from .output import bars


@dataclass(frozen=True)
class Resuming:
    """What a second run does."""

    retry_failed: bool = False
    """Try clips again that failed before."""
    update: bool = False
    """The recipe changed: make again what the change concerns."""


def build(recipe: str, *, out: Out, backend: Literal["performer", "t2v", "videos"] | None = None, videos: str | None = None,
          workers: int = 1, ray: str | None = None, count: int | None = None, limit: int | None = None,
          truth_out: str | None = None, resuming: Annotated[Resuming, FLAT] = Resuming()) -> Result:
    """Make a corpus from a recipe: prompts, video, fit, facts, captions (resumes by itself).

    Args:
        recipe: RECIPE.yaml; see configs/data.
        out: Folder of the corpus.
        backend: Instead of the recipe's.
        videos: Take the existing videos of this folder (backend videos).
        workers: Processes; 0 runs everything in one process; with --ray the CPUs of a local cluster.
        ray: Run on Ray Data: a local cluster, or the one at this address (it must see the same folders).
        count: Instead of the recipe's number of clips.
        limit: Make only the first clips of the recipe now, so many.
        truth_out: Also write the corpus of the same clips as commanded to this folder (backend performer).
    """
    from ..data_gen.corpus.build import build_corpus
    from ..data_gen.corpus.recipe import load_recipe

    for name, value, least in (("--count", count, 1), ("--limit", limit, 1), ("--workers", workers, 0)):
        positive(name, value, least)
    source = backend or ("videos" if videos else None)
    if videos and source != "videos":
        raise ValueError(f"--videos belongs to --backend videos, not {source}")
    settings = load_recipe(recipe, backend=source, folder=videos, clips=count)
    output_folder(out)
    report = build_corpus(settings, out, workers=workers, ray=ray, limit=limit, truth_out=truth_out, retry=resuming.retry_failed,
                          update=resuming.update, progress=sys.stderr.isatty())
    counts = ", ".join(f"{split} {n}" for split, n in report.counts.items())
    fresh = ", ".join(f"{stage} {n}" for stage, n in report.stage_runs.items() if n) or "nothing"
    text = f"{report.packed} clips ({counts}) of {report.clips} asked for, {report.seconds:.0f} s; made now: {fresh}"
    if report.failures:
        lost = ", ".join(f"{stage} {n}" for stage, n in report.failures.items())
        text += f"\nleft out: {lost}; reasons in {report.path / 'build' / 'failures'}"
    if report.truth:
        text += f"\n{report.truth}: the same clips as commanded"
    return written(report.path, text, report.to_dict())


@dataclass(frozen=True)
class Endpoint:
    """The language model that rewrites."""

    url: str | None = None
    """Base of an OpenAI-compatible endpoint, e.g. http://localhost:8000/v1."""
    model: str | None = None
    """The model's name at that endpoint."""
    key_env: str = ""
    """Environment variable that holds the endpoint's key."""
    local: str | None = None
    """Instead of an endpoint: the folder of a causal language model saved by transformers."""
    workers: int = 1
    """Captions in flight at an endpoint."""
    timeout: float = 60.0
    """Seconds to wait for a reply."""
    retries: int = 3
    """After a time-out or a busy server."""
    temperature: float = 0.7
    """Of the replies."""


@dataclass(frozen=True)
class Accepting:
    """Which sentences are accepted."""

    attempts: int = 3
    """Replies asked for a caption."""
    registers: str = "command,plain,director"
    """Registers that are rewritten."""
    allow_lost: bool = False
    """Accept a sentence that leaves an action out."""
    any_words: bool = False
    """Accept words that the reader does not know (may say anything)."""


def rewrite(source: str, /, *, out: Out, endpoint: Annotated[Endpoint, FLAT] = Endpoint(),
            accepting: Annotated[Accepting, FLAT] = Accepting(), split: Literal["train", "val", "test"] = "train",
            limit: int | None = None, cache: str | None = None, seed: int = 0) -> Result:
    """Captions in other words by a language model; what changes the facts is refused.

    Args:
        source: A corpus folder, or ROWS.jsonl: one JSON object with captions a line.
        out: OUT.jsonl.
        split: Of a corpus folder.
        limit: Only the first rows, so many.
        cache: Replies so far, FILE.jsonl (default: beside the output); nothing is asked twice.
        seed: Of the replies.
    """
    from ..common.config import parse
    from ..data_gen.paraphrase.backends import Backend, ChatEndpoint, LocalModel
    from ..data_gen.paraphrase.rewrite import RewriteConfig, rewrite_file

    for name, value in (("--limit", limit), ("--attempts", accepting.attempts), ("--workers", endpoint.workers)):
        positive(name, value)
    if bool(endpoint.local) == bool(endpoint.url):
        raise ValueError("give either --url with --model (an endpoint) or --local DIR (a model on disk)")
    if endpoint.url and not endpoint.model:
        raise ValueError("--url needs --model: the model's name at that endpoint")
    if endpoint.local and endpoint.workers > 1:
        raise ValueError(f"--workers is {endpoint.workers}; a local model answers one caption at a time")
    registers = [r.strip() for r in accepting.registers.split(",") if r.strip()]
    check = {"allow_lost": accepting.allow_lost, "known_words": not accepting.any_words}
    config = parse(RewriteConfig, {"attempts": accepting.attempts, "registers": registers, "workers": endpoint.workers,
                                   "seed": seed, "check": check}, "")
    same = ("temperature",) if endpoint.local else ("url", "model", "key_env", "timeout", "retries", "temperature")
    raw = {name: getattr(endpoint, name) for name in same} | ({"path": endpoint.local} if endpoint.local else {})
    backend: Backend = parse(LocalModel, raw, "") if endpoint.local else parse(ChatEndpoint, raw, "")
    report = rewrite_file(source, ready(Path(out)), backend, config=config, split=split, limit=limit, cache=cache,
                          progress=bars("rewriting"))
    text = (f"{report.rows} rows, {report.accepted} of {report.captions} captions rewritten, {report.kept} kept "
            f"({report.calls} replies asked, {report.cached} from the cache, {report.failures} captions without a reply)")
    text += "".join(f"\n  refused {count} times: {reason}" for reason, count in report.reasons.most_common(6))
    return written(out, text, report.to_dict())
