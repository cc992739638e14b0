"""Captions in other words, by a language model that is not believed.

Each caption goes to a backend (an OpenAI-compatible endpoint or a local model), the reply is
read back (rewrite_check.py), and only a sentence that says the same replaces the original. A
refused reply is answered with what was wrong, for a few attempts; then the original stays.
Replies are cached by the hash of what was asked, so a stopped run goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...common.files import atomic_file
from ...face.facs.script import Script
from ..corpus.synth import iter_corpus
from ..text.captions import REGISTERS, SPLITS
from .backends import Backend, BackendError, Message
from .check import CheckConfig, clean, problems

INSTRUCTIONS = (
    "You rewrite one description of what a face does. Say exactly the same in other words: every action stays, in the same "
    "order, on the same side, as often and as strongly; what happens at the same time still does. Add nothing: no cause, no "
    "other action, no look, no place. Do not say whether it is a man or a woman unless the sentence does. Use plain words. "
    "Answer with the sentence alone.")
_GIVE_UP = 4
"""Captions in a row for which the backend gives no reply at all, before the run stops."""


@dataclass(frozen=True)
class RewriteConfig:
    """What is rewritten, and how hard it is tried."""

    attempts: int = 3
    """Replies asked for a caption before the original stays."""
    registers: tuple[str, ...] = ("command", "plain", "director")
    """Registers that are rewritten; codes and times are not prose."""
    workers: int = 1
    """Captions in flight at the same time."""
    seed: int = 0
    """Of the backend's sampling."""
    check: CheckConfig = field(default_factory=CheckConfig)
    """How strictly a reply is read."""

    def __post_init__(self) -> None:
        for key, low, high in (("attempts", 1, 20), ("workers", 1, 64), ("seed", 0, 2**31 - 1)):
            if not low <= getattr(self, key) <= high:
                raise ValueError(f"{key} is {getattr(self, key)}; allowed: {low} to {high}")
        if unknown := [r for r in self.registers if r not in REGISTERS]:
            raise ValueError(f"register is {unknown[0]!r}; allowed: {', '.join(REGISTERS)}")


@dataclass(frozen=True)
class Rewritten:
    """What became of one caption."""

    text: str
    accepted: bool
    refused: tuple[str, ...] = ()
    """Why each refused reply was refused."""


@dataclass
class RewriteReport:
    """Counts of a run."""

    rows: int = 0
    captions: int = 0
    """Captions in registers that are rewritten."""
    accepted: int = 0
    kept: int = 0
    """Captions that stayed as they were."""
    calls: int = 0
    """Replies from the backend in this run."""
    cached: int = 0
    """Replies from the cache."""
    failures: int = 0
    """Captions for which the backend gave no reply."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why replies were refused, by kind."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        share = self.accepted / self.captions if self.captions else 0.0
        return {"rows": self.rows, "captions": self.captions, "accepted": self.accepted, "kept": self.kept,
                "accepted_share": round(share, 4), "calls": self.calls, "cached": self.cached, "failures": self.failures,
                "reasons": dict(self.reasons.most_common())}


class ReplyCache:
    """Replies by the hash of what was asked, in a file that only grows; None keeps them in memory.

    A line that a killed run left unfinished is skipped.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self._replies: dict[str, str] = {}
        self._lock = threading.Lock()
        broken = False
        if self.path is not None and self.path.exists():
            if not self.path.is_file():
                raise ValueError(f"{self.path} is a folder; a file is needed for the cache")
            text = self.path.read_text(encoding="utf-8", errors="replace")
            broken = bool(text) and not text.endswith("\n")
            for line in text.splitlines():
                try:
                    raw = json.loads(line)
                    self._replies[str(raw["key"])] = str(raw["reply"])
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue
        if broken and self.path is not None:
            with open(self.path, "a", encoding="utf-8") as handle:
                handle.write("\n")

    @staticmethod
    def key(backend: str, messages: Iterable[Message], seed: int) -> str:
        """The hash of what is asked."""
        asked = json.dumps([backend, list(messages), seed], sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()

    def get(self, key: str) -> str | None:
        with self._lock:
            return self._replies.get(key)

    def put(self, key: str, reply: str) -> None:
        line = json.dumps({"key": key, "reply": reply}) + "\n"
        with self._lock:
            self._replies[key] = reply
            if self.path is not None:
                with open(self.path, "a", encoding="utf-8") as handle:
                    handle.write(line)


class Rewriter:
    """Rewrites captions with one backend; safe to call from several threads.

    Args:
        backend: where replies come from.
        config: how hard it is tried; None is the default.
        cache: earlier replies; None keeps those of this object only.
    """

    def __init__(self, backend: Backend, config: RewriteConfig | None = None, cache: ReplyCache | None = None) -> None:
        self.backend, self.config, self.cache = backend, config or RewriteConfig(), cache or ReplyCache()
        self.report = RewriteReport()
        self._lock = threading.Lock()
        self._silent = 0

    def _count(self, **more: int) -> None:
        with self._lock:
            for name, value in more.items():
                setattr(self.report, name, getattr(self.report, name) + value)

    def _reply(self, messages: list[Message], seed: int) -> str:
        key = self.cache.key(self.backend.name, messages, seed)
        if (known := self.cache.get(key)) is not None:
            self._count(cached=1)
            return known
        reply = self.backend.complete(messages, seed)
        self._count(calls=1)
        self.cache.put(key, reply)
        return reply

    def rewrite(self, caption: str, script: Script | None = None, split: str = "train") -> Rewritten:
        """One caption in other words, or itself when no reply says the same.

        Args:
            caption: a sentence that is true of its clip.
            script: what is performed or measured, when known.
            split: outside test, phrases reserved for the test split are refused.

        Raises:
            BackendError: the backend has not answered for several captions in a row.
        """
        refused: list[str] = []
        messages: list[Message] = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": caption}]
        self._count(captions=1)
        for attempt in range(self.config.attempts):
            try:
                reply = self._reply(messages, self.config.seed + attempt)
            except BackendError:
                with self._lock:
                    self.report.failures += 1
                    self.report.kept += 1
                    self._silent += 1
                    if self._silent >= _GIVE_UP:
                        raise
                return Rewritten(caption, False, tuple(refused))
            with self._lock:
                self._silent = 0
            text = clean(reply)
            wrong = problems(caption, text, script=script, split=split, config=self.config.check)
            if text == caption:
                wrong = ["is the same sentence"]
            if not wrong:
                self._count(accepted=1)
                return Rewritten(text, True, tuple(refused))
            refused.append("; ".join(wrong))
            with self._lock:
                self.report.reasons.update({_kind(w) for w in wrong})
            messages = [*messages[:2], {"role": "assistant", "content": reply[:500]},
                        {"role": "user", "content": f"That {'; it '.join(wrong[:3])}. Try again: {caption}"}]
        self._count(kept=1)
        return Rewritten(caption, False, tuple(refused))

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with its captions rewritten: ``captions``, ``original_captions`` and ``rewritten`` (bool for each).

        Args:
            row: ``captions`` (or one ``caption``), and if known ``registers``, ``script`` (JSON) and ``split``.

        Raises:
            ValueError: no captions, or a script that is none.
        """
        originals = _captions_of(row)
        registers = list(row.get("registers") or [])
        if registers and len(registers) != len(originals):
            raise ValueError(f"a row has {len(originals)} captions and {len(registers)} registers; needed: one for each")
        script = _script_of(row)
        split = str(row.get("split") or "train")
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; allowed: {', '.join(SPLITS)}")
        done = []
        for i, caption in enumerate(originals):
            prose = not registers or registers[i] in self.config.registers
            done.append(self.rewrite(caption, script, split) if prose else Rewritten(caption, False))
        self._count(rows=1)
        out = {k: v for k, v in row.items() if k not in ("caption", "captions")}
        return {**out, "captions": [d.text for d in done], "original_captions": originals,
                "rewritten": [d.accepted for d in done]}


def _kind(problem: str) -> str:
    """A problem without its particulars."""
    words = problem.split()
    return " ".join(words[:2]) if words[0] in ("is", "has", "changes", "denies") else words[0]


def _captions_of(row: Mapping[str, Any]) -> list[str]:
    found = row.get("captions", row.get("caption"))
    texts = [found] if isinstance(found, str) else list(found) if isinstance(found, (list, tuple)) else []
    if not texts or not all(isinstance(t, str) and t.strip() for t in texts):
        raise ValueError("a row has no captions; needed: \"captions\": [\"She smiles.\", ...] or \"caption\": \"She smiles.\"")
    return texts


def _script_of(row: Mapping[str, Any]) -> Script | None:
    raw = row.get("script")
    if raw is None or raw == "":
        return None
    return Script.from_json(raw if isinstance(raw, str) else json.dumps(raw))


# -- files ------------------------------------------------------------------------------
def read_rows(source: str | os.PathLike[str], split: str = "train") -> Iterator[dict[str, Any]]:
    """Rows with captions: of a corpus folder's split, or of a ``.jsonl`` file.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: no corpus, or a line that is no JSON object; the message names it.
    """
    path = Path(source)
    if path.is_dir():
        for row in iter_corpus(path, split, ("clip_id", "split", "captions", "registers", "script")):
            yield dict(row)
        return
    if not path.is_file():
        raise FileNotFoundError(f"no such corpus folder or .jsonl file: {path}")
    with open(path, encoding="utf-8-sig") as handle:
        try:
            for number, line in enumerate(handle, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as err:
                    raise ValueError(f"{path}, line {number} is not JSON ({err})") from err
                if not isinstance(row, dict):
                    raise ValueError(f"{path}, line {number} is {type(row).__name__}; needed: an object with captions")
                yield row
        except UnicodeDecodeError as err:
            raise ValueError(f"{path} is not UTF-8 text: {err.reason} at byte {err.start}") from err


def rewrite_rows(rows: Iterable[Mapping[str, Any]], rewriter: Rewriter) -> Iterator[dict[str, Any]]:
    """Rewritten rows in order, ``config.workers`` of them at a time."""
    if rewriter.config.workers == 1:
        yield from map(rewriter.row, rows)
        return
    window = 4 * rewriter.config.workers
    with ThreadPoolExecutor(rewriter.config.workers) as pool:
        part: list[Mapping[str, Any]] = []
        for row in rows:
            part.append(row)
            if len(part) == window:
                yield from pool.map(rewriter.row, part)
                part = []
        yield from pool.map(rewriter.row, part)


def rewrite_file(source: str | os.PathLike[str], out: str | os.PathLike[str], backend: Backend, *,
                 config: RewriteConfig | None = None, split: str = "train", limit: int | None = None,
                 cache: str | os.PathLike[str] | None = None,
                 progress: Callable[[int], None] | None = None) -> RewriteReport:
    """Rewrite the captions of a corpus split or a ``.jsonl`` file into a ``.jsonl`` file.

    Args:
        source: see :func:`read_rows`.
        out: the file to write; it appears whole or not at all.
        backend: where replies come from.
        config: how hard it is tried; None is the default.
        split: of a corpus folder.
        limit: most rows; None is all.
        cache: file of replies; None is ``out`` with the suffix ``.cache.jsonl``. A second run asks for nothing twice.
        progress: called with the number of rows done since the last call.

    Raises:
        FileNotFoundError, ValueError: see :func:`read_rows`; or ``out`` is no ``.jsonl`` file that can be written.
        BackendError: the backend does not answer.
    """
    target = Path(out)
    if target.suffix.lower() != ".jsonl" or target.is_dir():
        raise ValueError(f"{target} must be a file that ends in .jsonl")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"the folder {target.parent} does not exist; create it first")
    if Path(source).exists() and target.exists() and Path(source).samefile(target):
        raise ValueError(f"{target} is the input itself; give another file")
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; allowed: 1 or more")
    rewriter = Rewriter(backend, config, ReplyCache(cache or target.with_suffix(".cache.jsonl")))

    def some() -> Iterator[dict[str, Any]]:
        for i, row in enumerate(read_rows(source, split)):
            if limit is not None and i >= limit:
                return
            yield row

    with atomic_file(target) as partial, open(partial, "w", encoding="utf-8") as handle:
        for row in rewrite_rows(some(), rewriter):
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")
            if progress:
                progress(1)
    return rewriter.report
