"""Where rewritten sentences come from: an OpenAI-compatible endpoint or a local language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import Field
from pydantic.dataclasses import dataclass

from ...common.config import SETTINGS
from ...common.endpoint import chat_completion, check_endpoint
from ...common.optional import require
from ...common.text import one_line

Message = dict[str, str]
"""``role`` (system, user, assistant) and ``content``."""
Temperature = Annotated[float, Field(ge=0.0, le=2.0)]


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


@dataclass(frozen=True, config=SETTINGS)
class ChatEndpoint:
    """An OpenAI-compatible ``/chat/completions`` endpoint (https://platform.openai.com/docs/api-reference/chat).

    Raises:
        ImportError: at the first reply, when the client is not installed.
    """

    url: str
    """Base URL, for example http://localhost:8000/v1; ``/chat/completions`` is added."""
    model: Annotated[str, Field(pattern=r"\S")]
    """Model name as the endpoint knows it."""
    key_env: str = ""
    """Name of the environment variable that holds the key; empty for none. The key itself is never stored."""
    timeout: Annotated[float, Field(gt=0.0, le=3600.0)] = 60.0
    """Seconds to wait for a reply."""
    retries: Annotated[int, Field(ge=0, le=20)] = 3
    """Further tries after a time-out, a refused connection, a busy server or a malformed reply."""
    temperature: Temperature = 0.7
    max_tokens: Annotated[int, Field(ge=8, le=4000)] = 200

    def __post_init__(self) -> None:
        check_endpoint(self.url, self.key_env)

    @property
    def name(self) -> str:
        """See :attr:`Backend.name`."""
        return f"chat:{self.model}:{self.temperature:g}:{self.max_tokens}"

    @cached_property
    def _complete(self) -> Callable[..., Any]:
        return chat_completion(self.url, self.key_env, self.timeout, self.retries)

    def complete(self, messages: Sequence[Message], seed: int) -> str:
        """See :meth:`Backend.complete`."""
        complete, openai, why = self._complete, require("openai", "rewrite"), ""
        for _ in range(self.retries + 1):  # for malformed replies; the client itself repeats what failed on the way
            try:
                reply = complete(model=self.model, messages=list(messages), temperature=self.temperature,
                                 max_tokens=self.max_tokens, seed=seed)
                content = reply.choices[0].message.content
            except openai.OpenAIError as err:
                raise BackendError(f"{self.url} gives no usable reply ({one_line(err, 300)})") from err
            except (ValueError, AttributeError, LookupError, TypeError, RecursionError) as err:  # not a chat completion
                why = f"the reply is no chat completion: {type(err).__name__}"
                continue
            if isinstance(content, str):
                return content
            why = f"the reply's content is {type(content).__name__}, not text"
        raise BackendError(f"{self.url} gives no usable reply ({why})")


@dataclass(frozen=True, config=SETTINGS)
class LocalModel:
    """A causal language model in a local folder, through ``transformers``; nothing is downloaded."""

    path: str
    """A folder that ``save_pretrained`` wrote: config, weights and tokenizer."""
    temperature: Temperature = 0.7
    """0 is greedy."""
    max_tokens: Annotated[int, Field(ge=1, le=4000)] = 80
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not Path(self.path, "config.json").is_file():
            raise FileNotFoundError(f"no language model in {self.path}: config.json is missing; give a folder written by "
                                    "transformers' save_pretrained")

    @property
    def name(self) -> str:
        """See :attr:`Backend.name`."""
        return f"local:{Path(self.path).resolve().name}:{self.temperature:g}:{self.max_tokens}"

    @cached_property
    def _pipe(self) -> Any:
        from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

        here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            return pipeline("text-generation", device=self.device, tokenizer=AutoTokenizer.from_pretrained(self.path, **here),
                            model=AutoModelForCausalLM.from_pretrained(self.path, use_safetensors=True, **here))
        except (OSError, ValueError, KeyError, RuntimeError) as err:
            raise ValueError(f"{self.path} holds no usable language model: {one_line(err, 300)}") from err

    def complete(self, messages: Sequence[Message], seed: int) -> str:
        """See :meth:`Backend.complete`."""
        import torch

        pipe = self._pipe
        if getattr(pipe.tokenizer, "chat_template", None):
            prompt = pipe.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        else:
            prompt = "\n".join(f"{m['role']}: {m['content']}" for m in messages) + "\nassistant:"
        room = int(getattr(pipe.model.config, "max_position_embeddings", 0) or 1 << 30) - self.max_tokens
        length = len(pipe.tokenizer(prompt, add_special_tokens=False)["input_ids"])
        if length > room:
            raise BackendError(f"the prompt has {length} tokens; the model in {self.path} reads {max(room, 0)}")
        sampling = {"do_sample": True, "temperature": self.temperature} if self.temperature else {"do_sample": False}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            made = pipe(prompt, max_new_tokens=self.max_tokens, return_full_text=False,
                        tokenizer_encode_kwargs={"add_special_tokens": False}, **sampling)
        return str(made[0]["generated_text"])
