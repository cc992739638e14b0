"""Where rewritten sentences come from: an OpenAI-compatible endpoint or a local language model."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Message = dict[str, str]
"""``role`` (system, user, assistant) and ``content``."""
MAX_REPLY_BYTES = 1_000_000
_TRY_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class BackendError(RuntimeError):
    """The backend gave no usable reply, even after its retries."""


class Backend(Protocol):
    """Anything that answers a conversation."""

    @property
    def name(self) -> str:
        """Identifies model and settings; part of the cache key."""

    def complete(self, messages: Sequence[Message], seed: int) -> str:
        """The reply to a conversation.

        Raises:
            BackendError: no usable reply.
        """


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


@dataclass(frozen=True)
class ChatEndpoint:
    """An OpenAI-compatible ``/chat/completions`` endpoint (https://platform.openai.com/docs/api-reference/chat)."""

    url: str
    """Base URL, for example http://localhost:8000/v1; ``/chat/completions`` is added."""
    model: str
    """Model name as the endpoint knows it."""
    key_env: str = ""
    """Name of the environment variable that holds the key; empty for none. The key itself is never stored."""
    timeout: float = 60.0
    """Seconds to wait for a reply."""
    retries: int = 3
    """Further tries after a time-out, a refused connection, a busy server or a malformed reply."""
    backoff: float = 1.0
    """Seconds before the first retry; doubled each time."""
    temperature: float = 0.7
    max_tokens: int = 200
    _opener: urllib.request.OpenerDirector = field(
        default_factory=lambda: urllib.request.build_opener(_NoRedirects), repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"url is {self.url!r}; needed: the base of a chat endpoint, e.g. http://localhost:8000/v1")
        if not self.model.strip():
            raise ValueError("model is empty; give the model's name as the endpoint knows it")
        if not 0.0 < self.timeout <= 3600.0:
            raise ValueError(f"timeout is {self.timeout:g}; allowed: above 0, up to 3600 s")
        for key, low, high in (("retries", 0, 20), ("backoff", 0.0, 60.0), ("temperature", 0.0, 2.0), ("max_tokens", 8, 4000)):
            if not low <= getattr(self, key) <= high:
                raise ValueError(f"{key} is {getattr(self, key)}; allowed: {low} to {high}")
        if self.key_env and not os.environ.get(self.key_env):
            raise ValueError(f"the environment variable {self.key_env} is not set; put the endpoint's key into it")

    @property
    def name(self) -> str:
        return f"chat:{self.model}:{self.temperature:g}:{self.max_tokens}"

    def complete(self, messages: Sequence[Message], seed: int) -> str:
        """See :meth:`Backend.complete`."""
        body = json.dumps({"model": self.model, "messages": list(messages), "temperature": self.temperature,
                           "max_tokens": self.max_tokens, "seed": seed}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key_env:
            headers["Authorization"] = f"Bearer {os.environ.get(self.key_env, '')}"
        why = ""
        for attempt in range(self.retries + 1):
            if attempt:
                time.sleep(self.backoff * 2 ** (attempt - 1))
            request = urllib.request.Request(f"{self.url.rstrip('/')}/chat/completions", body, headers, method="POST")
            try:
                with self._opener.open(request, timeout=self.timeout) as reply:
                    return self._text(reply.read(MAX_REPLY_BYTES + 1))
            except urllib.error.HTTPError as err:
                why = f"status {err.code} {err.reason}"
                if err.code not in _TRY_AGAIN:
                    break
            except urllib.error.URLError as err:
                why = str(err.reason)
            except (TimeoutError, http.client.HTTPException, ConnectionError, ValueError) as err:
                why = str(err) or type(err).__name__
        raise BackendError(f"{self.url} gives no usable reply ({why})")

    @staticmethod
    def _text(raw: bytes) -> str:
        """The text of a reply.

        Raises:
            ValueError: not a chat completion.
        """
        if len(raw) > MAX_REPLY_BYTES:
            raise ValueError(f"the reply has more than {MAX_REPLY_BYTES} bytes")
        try:
            content = json.loads(raw)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as err:
            raise ValueError(f"the reply is no chat completion ({type(err).__name__})") from err
        if not isinstance(content, str):
            raise ValueError(f"the reply's content is {type(content).__name__}, not text")
        return content


@dataclass(frozen=True)
class LocalModel:
    """A causal language model in a local folder, through ``transformers``; nothing is downloaded."""

    path: str
    """A folder that ``save_pretrained`` wrote: config, weights and tokenizer."""
    temperature: float = 0.7
    """0 is greedy."""
    max_tokens: int = 80
    device: str = "cpu"
    _loaded: list[Any] = field(default_factory=list, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not Path(self.path, "config.json").is_file():
            raise FileNotFoundError(f"no language model in {self.path}: config.json is missing; give a folder written by "
                                    "transformers' save_pretrained")
        if not 0.0 <= self.temperature <= 2.0 or not 1 <= self.max_tokens <= 4000:
            raise ValueError(f"temperature is {self.temperature:g}, max_tokens is {self.max_tokens}; allowed: 0 to 2, 1 to 4000")

    @property
    def name(self) -> str:
        return f"local:{Path(self.path).resolve().name}:{self.temperature:g}:{self.max_tokens}"

    def _load(self) -> tuple[Any, Any]:
        if not self._loaded:
            from transformers import AutoModelForCausalLM, AutoTokenizer

            try:
                tokenizer = AutoTokenizer.from_pretrained(self.path, local_files_only=True, trust_remote_code=False)
                model: Any = AutoModelForCausalLM.from_pretrained(self.path, local_files_only=True, trust_remote_code=False,
                                                                  use_safetensors=True)
            except (OSError, ValueError, KeyError, RuntimeError) as err:
                raise ValueError(f"{self.path} holds no usable language model: {' '.join(str(err).split())[:300]}") from err
            self._loaded.extend((tokenizer, model.to(self.device).eval()))
        return self._loaded[0], self._loaded[1]

    def complete(self, messages: Sequence[Message], seed: int) -> str:
        """See :meth:`Backend.complete`."""
        import torch

        tokenizer, model = self._load()
        if getattr(tokenizer, "chat_template", None):
            prompt = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        else:
            prompt = "\n".join(f"{m['role']}: {m['content']}" for m in messages) + "\nassistant:"
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"].to(self.device)
        room = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 30) - self.max_tokens
        if ids.shape[1] > room:
            raise BackendError(f"the prompt has {ids.shape[1]} tokens; the model in {self.path} reads {max(room, 0)}")
        sampling: dict[str, Any] = {"do_sample": self.temperature > 0.0}
        if self.temperature > 0.0:
            sampling["temperature"] = self.temperature
        stop = tokenizer.eos_token_id
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stop
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(seed)
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=self.max_tokens,
                                 pad_token_id=pad if pad is not None else 0, **sampling)
        return str(tokenizer.decode(out[0, ids.shape[1]:], skip_special_tokens=True))
