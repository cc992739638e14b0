"""A client for OpenAI-compatible chat endpoints that sends them what was asked for, and nothing else."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Callable
from functools import partial
from typing import Any

from .optional import require


def check_endpoint(url: str, key_env: str = "") -> None:
    """Refuse what is no address of an endpoint.

    Args:
        url: base, to which ``/chat/completions`` is added.
        key_env: name of the environment variable with the key; empty for none.

    Raises:
        ValueError: it is none, or the variable is not set.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"url is {url!r}; needed: the base of a chat endpoint, e.g. http://localhost:8000/v1")
    if key_env and not os.environ.get(key_env):
        raise ValueError(f"the environment variable {key_env} is not set; put the endpoint's key into it")


def chat_completion(url: str, key_env: str = "", timeout: float = 60.0, retries: int = 3) -> Callable[..., Any]:
    """What asks one endpoint for a completion: OpenAI's client (https://github.com/openai/openai-python).

    Raises:
        ImportError: it is not installed.
    """
    openai = require("openai", "rewrite", "an endpoint is asked through the client openai")
    # only the key that was named goes out, not what the client would take from the environment by itself
    left_out = ["OpenAI-Organization", "OpenAI-Project", *([] if key_env else ["Authorization"])]
    client = openai.OpenAI(
        base_url=url, api_key=os.environ[key_env] if key_env else "none", timeout=timeout, max_retries=retries,
        http_client=openai.DefaultHttpxClient(follow_redirects=False))  # a redirect would carry the key to another host
    return partial(client.chat.completions.create, extra_headers=dict.fromkeys(left_out, openai.Omit()))
