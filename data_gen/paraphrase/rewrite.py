"""Captions in other words, by a language model whose every sentence is checked.

Each caption goes to a backend (an OpenAI-compatible endpoint or a local model), the reply is
read back (check.py), and only a sentence that says the same replaces the original. A
refused reply is answered with what was wrong, for a few attempts; then the original stays.
Replies are cached by the hash of what was asked, so a stopped run goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass as settings

from ...common.config import SETTINGS
from ...common.files import atomic_file, parse_json
from ...common.progress import Progress, silent
from ...common.store import Journal
from ...face.facs.schedule import Schedule
from ..corpus.shards import iter_corpus
from ..corpus.splits import SPLITS
from ..text.captions import REGISTERS
from .backends import Backend, BackendError, Message
from .check import CheckConfig, clean, problems

INSTRUCTIONS = (
    "You rewrite one description of what a face does. Say exactly the same in other words: every action stays, in the same "
    "order, on the same side, as often and as strongly; what happens at the same time still does. Add nothing: no cause, no "
    "other action, no look, no place. Do not say whether it is a man or a woman unless the sentence does. Use plain words. "
    "Answer with the sentence alone.")
_GIVE_UP = 4
"""Captions in a row for which the backend gives no reply at all, before the run stops."""


@settings(frozen=True, config=SETTINGS)
class RewriteConfig:
    """What is rewritten, and how hard it is tried."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """Replies asked for a caption before the original stays."""
    registers: tuple[str, ...] = ("command", "plain", "director")
    """Registers that are rewritten; codes and times are not prose."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Captions in flight at the same time."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Of the backend's sampling."""
    check: CheckConfig = field(default_factory=CheckConfig)
    """How strictly a reply is read."""

    def __post_init__(self) -> None:
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
        return {**asdict(self), "accepted_share": round(share, 4), "reasons": dict(self.reasons.most_common())}


class ReplyCache:
    """Replies by the hash of what was asked, in a file that only grows (:class:`Journal`); None keeps them in memory.

    Raises:
        ValueError: the file is a folder.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        if path is not None and Path(path).is_dir():
            raise ValueError(f"{path} is a folder; a file is needed for the cache")
        self._journal = Journal(path) if path is not None else None
        rows = self._journal.rows() if self._journal else []
        self._replies = {str(r["key"]): str(r["reply"]) for r in rows if "key" in r and "reply" in r}

    @staticmethod
    def key(backend: str, messages: Iterable[Message], seed: int) -> str:
        """The hash of what is asked."""
        asked = json.dumps([backend, list(messages), seed], sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()

    def get(self, key: str) -> str | None:
        """The reply, if there is one."""
        return self._replies.get(key)

    def put(self, key: str, reply: str) -> None:
        """Keep a reply."""
        self._replies[key] = reply
        if self._journal:
            self._journal.add({"key": key, "reply": reply})


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

    def _count(self, *names: str, refused: Iterable[str] = ()) -> None:
        with self._lock:
            for name in names:
                setattr(self.report, name, getattr(self.report, name) + 1)
            self.report.reasons.update({_kind(w) for w in refused})

    def _reply(self, messages: list[Message], seed: int) -> str:
        key = self.cache.key(self.backend.name, messages, seed)
        if (known := self.cache.get(key)) is not None:
            self._count("cached")
            return known
        try:
            reply = self.backend.complete(messages, seed)
        except BackendError:
            self._count("failures", "kept")
            self._silent += 1
            raise
        self._silent = 0
        self._count("calls")
        self.cache.put(key, reply)
        return reply

    def rewrite(self, caption: str, script: Schedule | None = None, split: str = "train") -> Rewritten:
        """One caption in other words, or itself when no reply says the same.

        Args:
            caption: a sentence that is true of its clip.
            script: what is performed or measured, when known.
            split: outside test, phrases reserved for the test split are refused.

        Raises:
            BackendError: the backend has not answered for several captions in a row.
        """
        refused: list[str] = []
        asked: list[Message] = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": caption}]
        messages = asked
        self._count("captions")
        for attempt in range(self.config.attempts):
            try:
                reply = self._reply(messages, self.config.seed + attempt)
            except BackendError:
                if self._silent >= _GIVE_UP:
                    raise
                return Rewritten(caption, False, tuple(refused))
            text = clean(reply)
            wrong = problems(caption, text, script=script, split=split, config=self.config.check)
            if text == caption:
                wrong = ["is the same sentence"]
            if not wrong:
                self._count("accepted")
                return Rewritten(text, True, tuple(refused))
            refused.append("; ".join(wrong))
            self._count(refused=wrong)
            messages = [*asked, {"role": "assistant", "content": reply[:500]},
                        {"role": "user", "content": f"That {'; it '.join(wrong[:3])}. Try again: {caption}"}]
        self._count("kept")
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
        raw = row.get("script")
        script = Schedule.from_json(raw if isinstance(raw, str) else json.dumps(raw)) if raw not in (None, "") else None
        split = str(row.get("split") or "train")
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; allowed: {', '.join(SPLITS)}")
        prose = [not registers or registers[i] in self.config.registers for i in range(len(originals))]
        done = [self.rewrite(text, script, split) if free else Rewritten(text, False)
                for text, free in zip(originals, prose, strict=True)]
        self._count("rows")
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


# -- files ------------------------------------------------------------------------------
def read_rows(source: str | os.PathLike[str], split: str = "train") -> Iterator[dict[str, Any]]:
    """Rows with captions: of a corpus folder's split, or of a ``.jsonl`` file.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: no corpus, or a line that is no JSON object; the message names it.
    """
    path = Path(source)
    if path.is_dir():
        yield from iter_corpus(path, split, ("clip_id", "split", "captions", "registers", "script"))
        return
    if not path.is_file():
        raise FileNotFoundError(f"no such corpus folder or .jsonl file: {path}")
    with open(path, encoding="utf-8-sig") as handle:
        try:
            for number, line in enumerate(handle, start=1):
                if not line.strip():
                    continue
                row = parse_json(line, f"{path}, line {number}")
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
    rest = iter(rows)
    with ThreadPoolExecutor(rewriter.config.workers) as pool:
        while part := list(islice(rest, 4 * rewriter.config.workers)):
            yield from pool.map(rewriter.row, part)


def rewrite_file(source: str | os.PathLike[str], out: str | os.PathLike[str], backend: Backend, *,
                 config: RewriteConfig | None = None, split: str = "train", limit: int | None = None,
                 cache: str | os.PathLike[str] | None = None, progress: Progress = silent) -> RewriteReport:
    """Rewrite the captions of a corpus split or a ``.jsonl`` file into a ``.jsonl`` file.

    Args:
        source: see :func:`read_rows`.
        out: the file to write; it appears whole or not at all.
        backend: where replies come from.
        config: how hard it is tried; None is the default.
        split: of a corpus folder.
        limit: most rows; None is all.
        cache: file of replies; None is ``out`` with the suffix ``.cache.jsonl``. A second run asks for nothing twice.
        progress: called with (rows done, ``limit``), or with one row more than is done where their number is not known.

    Raises:
        FileNotFoundError, ValueError: see :func:`read_rows`; or ``out`` is no ``.jsonl`` file that can be written.
        BackendError: the backend does not answer.
    """
    target = Path(out)
    if target.suffix.lower() != ".jsonl":
        raise ValueError(f"{target} must be a file that ends in .jsonl")
    if Path(source).exists() and target.exists() and Path(source).samefile(target):
        raise ValueError(f"{target} is the input itself; give another file")
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; allowed: 1 or more")
    with atomic_file(target) as partial, open(partial, "w", encoding="utf-8") as handle:
        rewriter = Rewriter(backend, config, ReplyCache(cache or target.with_suffix(".cache.jsonl")))
        for done, row in enumerate(rewrite_rows(islice(read_rows(source, split), limit), rewriter), start=1):
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")
            progress(done, limit or done + 1)
    return rewriter.report
