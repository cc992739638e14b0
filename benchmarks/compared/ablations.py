"""Our model without one of its parts at a time: trained for the same time, scored on the same prompts."""

from __future__ import annotations

import json
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from pydantic.dataclasses import dataclass

from ...agent.learning.training import train_language_model
from ...agent.pipeline import FaceLM, weights_dir
from ...cli.output import bars
from ...common.config import SETTINGS, merge, read_settings, read_yaml
from ...common.files import digest, write_json, write_text
from ...eval.baselines.motion.config import Kind, Recipe
from ...eval.baselines.motion.peers import train_peer
from ...eval.baselines.motion.training import Budget
from ...eval.prompts.score import ALONE, WAYS, Share, evaluate_prompts
from ...eval.prompts.suite import Prompt, load_prompts, prompts_digest, template_prompts
from ...face.facs.check import check
from ...face.facs.measure import measure
from ...face.head.model import HeadModel
from ...llm.config import parse_config
from ..report import Row, Tables
from .pairs import clips_of, make_told, performed

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
ALL = tuple(p.stem for p in sorted((CONFIGS / "ablations").glob("*.yaml"), key=lambda p: (p.stem != "full", p.stem)))


@dataclass(frozen=True, config=SETTINGS)
class Ablation:
    """A file of ``configs/ablations``.

    Attributes:
        what: is left out or changed.
        way: of performing (``eval.prompts.score.WAYS``).
        train: entries of the language model's recipe that differ.
        peer: a peer that is trained and scored in the place of our model.
    """

    what: str
    way: Literal["model alone", "with check", "with repair"] = "with repair"
    train: dict[str, Any] = field(default_factory=dict)
    peer: Kind | None = None

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise ValueError(f"way is {self.way!r}; allowed: {', '.join(WAYS)}")
        if self.peer and self.train:
            raise ValueError("train is our model's; a peer has recipes of its own")
        parse_config(self.train, "train")


def ablations(minutes: float = 8.0, out: Path = Path("runs/ablations"), only: tuple[str, ...] = ALL,
              recipe: Path | None = None, templates: int = 100, count: int | None = None, templates_only: bool = False,
              files: tuple[Path, ...] = (), steps: int = 0, peer: Path | None = None, texts: int = 20_000,
              seed: int = 0) -> Tables:
    """Train our model without one of its parts at a time, and score prompts that are wholly right.

    A run that was stopped goes on; models that differ in how they perform alone are trained once. What is repaired is the
    animator's own, so a model that was trained otherwise is scored alone as well.

    Parameters
    ----------
    minutes
        Of training, for each model.
    out
        Folder of models and of ablations.json.
    only
        Names of files in configs/ablations.
    recipe
        Of the language model (default: configs/lm_peers.yaml, on a CPU lm_peers_cpu.yaml).
    templates, count, templates_only
        Fresh prompts by templates; at most so many held-out prompts of each kind; without the held-out ones.
    files
        Ablations of your own, FILE.yaml.
    steps
        Optimiser steps instead of minutes.
    peer, texts
        Recipe of the peer without a script (default: configs/peers/small.yaml, on a CPU cpu.yaml), and how many texts it learns.
    seed
        Of everything random.
    """
    if unknown := [name for name in only if name not in ALL]:
        raise ValueError(f"there is no ablation {unknown[0]!r}; known: {', '.join(ALL)}")
    cuda = torch.cuda.is_available()
    base = read_yaml(recipe or CONFIGS / ("lm_peers.yaml" if cuda else "lm_peers_cpu.yaml"))
    run = {"max_minutes": 0.0 if steps else float(minutes), "max_steps": steps, "seed": seed}
    prompts = {"templates": template_prompts(templates, seed)} if templates else {}
    if not templates_only:
        some = load_prompts()
        kinds = dict.fromkeys(p.kind for p in some)
        prompts["held-out"] = [p for kind in kinds for p in [q for q in some if q.kind == kind][:count]]
    places = {name: CONFIGS / "ablations" / f"{name}.yaml" for name in only} | {f.stem: f for f in files}
    chosen = {name: read_settings(Ablation, place) for name, place in places.items()}
    rows: list[Row] = []
    for name, one in chosen.items():
        if one.peer:
            place = peer or CONFIGS / "peers" / f"{'small' if cuda else 'cpu'}.yaml"
            peer_recipe = replace(read_settings(Recipe, place), seed=seed)
            scores = _peer_scores(one.peer, peer_recipe, out, Budget(0.0 if steps else minutes, steps), prompts, texts, seed)
        else:
            settings = merge(base, merge(one.train, {"run": run}))
            scores = _scores(settings, one.way, out, prompts, seed)
            if one.train or name == "full":
                alone = _scores(settings, ALONE, out, prompts, seed)
                scores |= {f"{title}, model alone": share for title, share in alone.items()}
        rows.append({"name": name, "what": one.what, **{k: v for title, share in scores.items() for k, v in (
            (title, share.share), (f"{title}, 95 %", f"{share.low:.2f}-{share.high:.2f}" if share.low is not None else "-"),
            (f"{title}, prompts", share.of))}})
        write_json(out / "ablations.json", {"minutes": minutes, "steps": steps, "seed": seed, "rows": rows}, 1)
    return {f"ablations, wholly right, {f'{steps} steps' if steps else f'{minutes:g} minutes'} of training each": rows}


def _scores(settings: dict[str, Any], way: str, out: Path, prompts: dict[str, list[Prompt]], seed: int) -> dict[str, Share]:
    """Shares of prompts that a model of this recipe performs wholly right."""
    folder = out / f"model-{digest(settings)[:10]}"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "llm" / "motion_lm.json").is_file():
        write_text(folder / "recipe.yaml", yaml.safe_dump(settings))
        train_language_model(folder / "recipe.yaml", weights_dir() / "tokenizer", folder, progress=bars("making training data"))

    def score(some: list[Prompt]) -> list[bool]:
        lm = FaceLM.from_pretrained(folder, settings.get("model", {}).get("name"))
        return [way in row.made and row.made[way].ok for row in evaluate_prompts(lm, some, seed, [way], progress=bars("prompts"))]

    return {title: Share.among(_kept(folder, [prompts_digest(some), way, seed], lambda some=some: score(some)))
            for title, some in prompts.items()}


def _peer_scores(kind: Kind, recipe: Any, out: Path, budget: Budget, prompts: dict[str, list[Prompt]], texts: int,
                 seed: int) -> dict[str, Share]:
    """The same of a peer, which is told the length where the right script says one."""
    folder = out / f"{kind}-{digest([recipe.to_dict(), vars(budget), texts])[:10]}"
    told = make_told(texts, seed, recipe.data.seconds, progress=bars())
    clips = clips_of(performed(told, bars()), recipe.data, "cuda" if torch.cuda.is_available() else "cpu")
    made = train_peer(kind, recipe, clips, folder, budget, progress=bars(kind))
    head = HeadModel.default()

    def score(some: list[Prompt]) -> list[bool]:
        clips = made.perform([p.text for p in some], [p.scripts[0].seconds for p in some], seed)
        return [any(check(script, measure(clip, head)).ok for script in p.scripts) for p, clip in zip(some, clips, strict=True)]

    return {title: Share.among(_kept(folder, [prompts_digest(some), seed], lambda some=some: score(some)))
            for title, some in prompts.items()}


def _kept(folder: Path, key: list[Any], score: Any) -> list[bool]:
    """Scores, from the folder when they were made before."""
    file = folder / f"scores-{digest(key)[:10]}.json"
    if not file.is_file():
        write_json(file, score())
    found: list[bool] = json.loads(file.read_text(encoding="utf-8"))
    return found
