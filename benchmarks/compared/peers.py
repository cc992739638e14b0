"""Peers and our model, trained on the same texts and motions for the same minutes on the same device."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...agent.pipeline import weights_dir
from ...cli.output import bars
from ...common.config import read_settings
from ...common.files import write_json
from ...eval.baselines.motion.config import Kind, Recipe
from ...eval.baselines.motion.data import Clips
from ...eval.baselines.motion.peer import Peer
from ...eval.baselines.motion.peers import PEERS, device_of, train_peer, with_parameters
from ...eval.baselines.motion.training import Budget, sentences_of
from ...llm.base import load_base
from ...llm.config import TrainConfig
from ...llm.config import load_config as load_lm
from ...llm.data import write_pieces, write_readings
from ...llm.grammar.script_tokens import ScriptTokens
from ...llm.model import read_card
from ...llm.train import Sources
from ...llm.train import train as train_lm
from ...llm.vocabulary import MotionVocabulary
from ...tokenizer.codec import FaceTokenizer
from ..report import Row, Tables
from .pairs import Told, clips_of, corpus_clips, corpus_told, kept_told, make_told, motion_of, performed, readings_of

Name = Literal["ours", "t2mgpt", "mdm", "momask", "motiongpt", "data"]
ALL: tuple[Name, ...] = ("ours", "t2mgpt", "mdm", "momask", "motiongpt")
HELD_OUT = 50
"""At most so many of the last texts, and a tenth, are kept for our model's validation; peers need none."""


def peers(minutes: float = 3.0, out: Path = Path("runs/peers"), corpus: Path | None = None,
          device: Literal["cpu", "cuda"] | None = None, only: tuple[Name, ...] = ALL,
          equal: Literal["time", "parameters"] = "time", recipe: Path | None = None, ours: Path | None = None,
          count: int = 20_000, workers: int = 0, seed: int = 0, steps: int = 0) -> Tables:
    """Train peers and our model alike; a second run goes on, and what was trained is kept.

    Without a corpus all learn from the same texts with scripts (what our reader learns from, written by hand and by templates)
    and the animator's performances of these scripts. A corpus has captions without scripts: then the motions are the same, and
    our model reads from as many texts of its own.

    Parameters
    ----------
    minutes
        Of training, for each model.
    out
        Folder: a folder of weights for each model, and peers.json.
    corpus
        A corpus of `facelm data synth` or `facelm data build`.
    device
        cpu or cuda; default: the latter where it is there.
    only
        Models; `data` alone makes the data and trains none.
    equal
        time: the recipes' sizes; parameters: peers as wide as makes them train as many parameters as our model does.
    recipe
        Of the peers (default: configs/peers/small.yaml, on a CPU cpu.yaml).
    ours
        Of our model (default: configs/lm_peers.yaml, on a CPU lm_peers_cpu.yaml).
    count
        Texts, when there is no corpus.
    workers
        Processes that make texts.
    seed
        Of texts, weights and batches.
    steps
        Optimiser steps of each stage instead of minutes.
    """
    at = device_of(device)
    if at.type == "cpu" and torch.cuda.is_available() and "ours" in only:
        raise ValueError("our model trains on CUDA where it is there; hide it with CUDA_VISIBLE_DEVICES= to train on the CPU")
    configs = Path(__file__).resolve().parents[2] / "configs"
    small = "small" if at.type == "cuda" else "cpu"
    settings = replace(read_settings(Recipe, recipe or configs / "peers" / f"{small}.yaml"), seed=seed)
    lm = load_lm(ours or configs / ("lm_peers.yaml" if at.type == "cuda" else "lm_peers_cpu.yaml"))
    lm = replace(lm, run=replace(lm.run, max_minutes=0.0 if steps else minutes, max_steps=steps, seed=seed))
    longest = settings.data.seconds
    key: dict[str, object] = {"corpus": str(corpus), "count": count, "seed": seed, "longest": longest}
    make = partial(corpus_told, corpus, settings.data) if corpus else partial(make_told, count, seed, longest, workers, bars())
    told = kept_told(out, make, key)
    if len(told) < 20:
        raise ValueError(f"there are {len(told)} texts that last at most {longest:g} s; give a larger --count or corpus")
    if only == ("data",):
        _our_data(told, out / "ours", corpus is not None, seed)
        return {"data": [{"texts": sum(len(t.texts) for t in told), "clips": len(told)}]}
    budget = Budget(0.0 if steps else minutes, steps)
    rows: list[Row] = []
    clips: Clips | None = None
    for name in only:
        if name == "ours":
            rows.append(_ours(told, lm, out / "ours", corpus is not None, seed))
        elif name != "data":
            if clips is None:
                source = corpus_clips(corpus, settings.data) if corpus else performed(_parts(told)[0], bars())
                clips = clips_of(source, settings.data, at.type)
            rows.append(_peer(name, settings, lm, clips, out, equal, budget, at.type))
        write_json(out / f"peers-{equal}.json", {
            "minutes": minutes, "steps": steps, "equal": equal, "device": _device_name(at), "data": key, "models": rows}, 1)
        print(rows[-1] if rows else "", file=sys.stderr, flush=True)
    return {f"trained alike, equal {equal}, {_device_name(at)}": rows}


def _peer(kind: Kind, recipe: Recipe, lm: TrainConfig, clips: Clips, out: Path, equal: str, budget: Budget, device: str) -> Row:
    if equal == "parameters":
        recipe = with_parameters(kind, recipe, our_parameters(lm))

    def embedded(peer: Peer, data: Clips) -> Tensor:
        return sentences_of(peer, data, data.digest(), out, bars())

    peer = train_peer(kind, recipe, clips, out / equal / kind, budget, device, bars(PEERS[kind].TITLE), embedded=embedded)
    facts = peer.training_facts
    stages = facts["stages"].values()
    return {"model": peer.name, "folder": f"{equal}/{kind}", "minutes": facts["minutes"], "parameters": facts["parameters"],
            "steps": sum(s["steps"] for s in stages), "clips seen": sum(s["clips"] for s in stages),
            "tokens or frames seen": sum(s["tokens"] for s in stages), "stages": facts["stages"]}


def _our_data(told: list[Told], folder: Path, own_texts: bool, seed: int) -> Sources:
    """Parquet files of readings and pieces, made once."""
    tokenizer_dir = weights_dir() / "tokenizer"
    tokenizer = FaceTokenizer.from_pretrained(tokenizer_dir)
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.parquet" for name in ("readings", "readings_held_out", "pieces", "pieces_held_out")}
    texts = make_told(sum(len(t.texts) for t in told), seed, 60.0) if own_texts and not files["readings"].is_file() else told
    for end, motions, said in zip(("", "_held_out"), _parts(told), _parts(texts), strict=True):
        if not files[f"readings{end}"].is_file():
            write_readings(readings_of(said), files[f"readings{end}"])
        if not files[f"pieces{end}"].is_file():
            write_pieces(motion_of(motions, tokenizer, bars()), files[f"pieces{end}"])
    shutil.copytree(tokenizer_dir, folder / "tokenizer", dirs_exist_ok=True)
    return Sources(**files)


def _ours(told: list[Told], lm: TrainConfig, folder: Path, own_texts: bool, seed: int) -> Row:
    """Train our model, or take what it came to before."""
    sources = _our_data(told, folder, own_texts, seed)
    tokenizer = FaceTokenizer.from_pretrained(folder / "tokenizer")
    if not (folder / "llm" / "motion_lm.json").is_file():
        train_lm(lm, sources, tokenizer.layout, folder / "llm", progress=bars("ours"),
                 info={"tokenizer": tokenizer.hash, "performer": "model"})
    info: dict[str, Any] = read_card(folder / "llm")["info"]
    return {"model": "facelm", "folder": "ours", "minutes": info["minutes"], "parameters": our_parameters(lm),
            "steps": info["steps"], "clips seen": info["sequences"], "tokens or frames seen": info["tokens"], "stages": {}}


def our_parameters(lm: TrainConfig) -> int:
    """How many parameters our model trains: the adapter's matrices and the new rows (its tokenizer comes trained)."""
    base = load_base(lm.model.name, lm.model.keep_first, lm.model.keep_last)
    network: Any = base.model
    layout = FaceTokenizer.from_pretrained(weights_dir() / "tokenizer").layout
    words = network.get_input_embeddings().weight
    rows = MotionVocabulary(len(words), layout, ScriptTokens.default()).n_new
    linears = [m for m in network.model.layers.modules() if isinstance(m, nn.Linear)]
    return int(rows * words.shape[1] + lm.lora.rank * sum(m.in_features + m.out_features for m in linears))


def _parts(told: list[Told]) -> tuple[list[Told], list[Told]]:
    """What is learned from, and what is held out."""
    at = len(told) - min(HELD_OUT, len(told) // 10)
    return told[:at], told[at:]


def _device_name(at: torch.device) -> str:
    return torch.cuda.get_device_name(0) if at.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
