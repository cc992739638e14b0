"""`facelm data synth`, `prompts` and `videos`: training data and what it is made from."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from ..agent.options import Out, Result, written
from ..agent.requests import output_file, output_folder, ready
from ..common.config import read_settings
from .output import bars

log = logging.getLogger(__name__)


def positive(name: str, value: int | None, least: int = 1) -> None:
    """Refuse a count that is too small.

    Raises:
        ValueError: it is.
    """
    if value is not None and value < least:
        raise ValueError(f"{name} is {value}; allowed: {least} and more")


def synth(*, out: Out, count: int = 30000, seed: int = 0, shard_size: int = 1000, workers: int = 1) -> Result:
    """Synthesize the text-motion corpus with the procedural animator.

    Args:
        out: Folder of the corpus.
        count: Number of clips.
        seed: The same seed gives the same corpus.
        shard_size: Clips a shard.
        workers: Processes.
    """
    from ..data_gen.corpus.synth import synth as make

    positive("--count", count)
    report = make(count, out, seed=seed, shard_size=shard_size, workers=workers, progress=sys.stderr.isatty())
    counts = ", ".join(f"{split} {n}" for split, n in report.counts.items())
    return written(report.path, f"{sum(report.counts.values())} clips ({counts}), {report.written} of them new, "
                   f"{report.seconds:.0f} s", {"counts": dict(report.counts), "written": report.written})


def prompts(recipe: str | None = None, *, out: Out, count: int, seed: int = 0, report: str | None = None) -> Result:
    """Write a balanced suite of text-to-video prompts with their attributes.

    Args:
        recipe: Factors and values, RECIPE.yaml (default: the whole suite).
        out: FILE.parquet, .jsonl or .csv.
        count: Number of prompts.
        seed: The same seed gives the same prompts.
        report: Write the balance report to this folder: tables, and plots with matplotlib.
    """
    from ..data_gen.prompts.report import balance, write_report
    from ..data_gen.prompts.suite import PromptConfig, Tally, sample_prompts, write_prompts

    positive("--count", count)
    target = output_file(out, ".parquet", ".jsonl", ".csv")
    folder = output_folder(report) if report else None
    config = read_settings(PromptConfig, recipe) if recipe else PromptConfig()
    tally = Tally()
    made = sample_prompts(count, config, seed, tally=tally, progress=bars("prompts"))
    write_prompts(made, ready(target))
    found = balance(made, config, seed=seed, tally=tally)
    files = write_report(found, folder) if folder else []
    text = f"{len(made):,} prompts, {tally.exact + tally.near:,} duplicates left out of {tally.candidates:,}\n"
    text += (f"balance: {'uneven: ' + ', '.join(found.unbalanced) if found.unbalanced else 'even'}; "
             + ", ".join(str(p) for p in files)) if folder else f"  {made[0].text}"
    return written(target, text, {"file": str(target), **found.as_dict()})


def videos(recipe: str | None = None, *, out: Out, prompts: str | None = None, limit: int | None = None,
           device: str | None = None, model: str | None = None, backend: Literal["diffusers", "performer"] = "diffusers",
           seed: int = 0, videos: str | None = None, attributes: str | None = None) -> Result:
    """Turn prompts into videos: text-to-video, the procedural animator, or existing files.

    Args:
        recipe: A text-to-video model, RECIPE.yaml (configs/t2v).
        out: Folder for the videos.
        prompts: A suite of `facelm data prompts`: FILE.parquet, .jsonl or .csv.
        limit: Only the first prompts, so many.
        device: cuda, cuda:1, mps or cpu (default: cuda when there is one).
        model: Another model of the same class: a local folder or a Hugging Face id.
        backend: performer films the procedural animator, whose true parameters are known.
        seed: Each prompt's own seed is derived from it.
        videos: Take the existing videos of this folder instead of making any.
        attributes: With --videos: what their names (id) show: FILE.jsonl, .csv or .parquet.
    """
    from ..data_gen.prompts.suite import read_prompts
    from ..data_gen.video.sources import adopt_videos, perform_videos
    from ..data_gen.video.t2v import load_config, render_videos

    positive("--limit", limit)
    folder, progress = output_folder(out), bars("videos")
    if videos:
        if prompts or recipe or backend != "diffusers":
            raise ValueError("--videos takes existing files; leave out --prompts, --recipe and --backend")
        summary = adopt_videos(videos, folder, attributes=attributes, limit=limit, progress=progress)
    elif attributes:
        raise ValueError("--attributes belongs to --videos; prompts bring their own attributes")
    elif not prompts:
        raise ValueError("nothing to film: give --prompts FILE (see `facelm data prompts`) or --videos DIR")
    elif backend == "performer":
        if recipe or model or device:
            raise ValueError("--backend performer has no model; leave out --recipe, --model and --device")
        summary = perform_videos(read_prompts(prompts)[:limit], folder, seed=seed, progress=progress)
    else:
        if not recipe:
            raise ValueError("which model? give --recipe configs/t2v/wan.yaml (or another of that folder)")
        config = load_config(recipe, model=model)
        if config.licence.use not in ("free", "unknown"):
            log.warning("%s is %s: %s %s", config.licence.name, config.licence.use, config.licence.note, config.licence.url)
        summary = render_videos(read_prompts(prompts)[:limit], folder, config, seed=seed, device=device, progress=progress)
    text = f"{summary.written} written, {summary.skipped} there already, {summary.failed} failed"
    text += f" ({folder / 'failures.jsonl'})" if summary.failed else ""
    lost = summary.failed and not (summary.written or summary.skipped)
    return written(folder, text, summary.as_dict(), f"every video failed; the first: {summary.first_error}" if lost else "")
