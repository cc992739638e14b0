"""A language model of the user's own as planner: native tool calling over the tools of the conversation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...common.endpoint import chat_completion, check_endpoint
from ...common.optional import require
from ...common.text import one_line
from ...face.facs.script_text import write_script
from .dialogue import ABLE
from .tools import Call, Toolbox, schemas

_ROUNDS = 6
"""Most answers of the model that are waited for in one turn."""
_TURNS = 8
"""Turns of the conversation that it is told."""
_SYSTEM = (
    "You lead a conversation about an animated face by calling tools. Call the tools that do what the user's last line asks, one "
    "after the other, and stop when it is done; what the tools say is shown to the user, your own words are not. A wish for new "
    "motion is perform with the user's words; a change of what there is is edit with the user's words; a question about a clip "
    "is ask with the user's question. Thanks and greetings are say. What none of the tools does is refuse, with what is possible "
    "as the reason.")


class PlannerError(ValueError):
    """The planner's model cannot be asked, or answers what cannot be used."""


@dataclass(frozen=True)
class NativePlanner:
    """Plans by a model behind an OpenAI-compatible endpoint; see :attr:`Agent.planner`.

    Every number and every statement about a clip still comes from the tools.

    Args:
        url: base of the endpoint, e.g. ``http://localhost:8000/v1``.
        model: its name there.
        key_env: environment variable with the key; empty for none.
        timeout: seconds to wait for an answer.
        retries: further tries where none comes.

    Raises:
        ValueError: no such address.
        ImportError: at the first line, when the client is not installed.
    """

    url: str
    model: str
    key_env: str = ""
    timeout: float = 60.0
    retries: int = 3

    def __post_init__(self) -> None:
        check_endpoint(self.url, self.key_env)

    @cached_property
    def _complete(self) -> Callable[..., Any]:
        return chat_completion(self.url, self.key_env, self.timeout, self.retries)

    def __call__(self, text: str, tools: Toolbox) -> Iterator[Call]:
        """The calls for a line, each asked for after the one before has been run.

        Raises:
            PlannerError: the endpoint fails, or its answer is no tool call.
        """
        messages = [{"role": "system", "content": f"{_SYSTEM}\n\n{_state(tools)}"}, *_before(tools),
                    {"role": "user", "content": text}]
        for _ in range(_ROUNDS):
            message = self._asked(messages, tools)
            if not message.tool_calls:
                break
            messages.append({"role": "assistant", "content": message.content or "",
                             "tool_calls": [c.model_dump() for c in message.tool_calls]})
            for made in message.tool_calls:
                yield _call(made)
                messages.append({"role": "tool", "tool_call_id": made.id, "content": tools.said[-1].text})
        if not tools.said:
            yield Call("refuse", {"reason": ABLE})

    def _asked(self, messages: list[dict[str, Any]], tools: Toolbox) -> Any:
        openai = require("openai", "rewrite")
        offered = [s for s in schemas() if tools.files or s["function"]["name"] not in ("open", "export")]
        try:
            return self._complete(model=self.model, messages=messages, tools=offered).choices[0].message
        except openai.OpenAIError as err:
            raise PlannerError(f"the planner at {self.url} gives no answer ({one_line(err, 200)})") from None
        except (ValueError, AttributeError, LookupError, TypeError) as err:
            raise PlannerError(f"the planner's answer is no chat completion ({type(err).__name__})") from None


def _call(made: Any) -> Call:
    try:
        function = made.function
        arguments = json.loads(function.arguments or "{}")
        if not isinstance(arguments, dict):
            raise TypeError
        return Call(str(function.name), arguments)
    except (ValueError, TypeError, AttributeError):
        raise PlannerError("the planner's call has no JSON object of arguments") from None


def _state(tools: Toolbox) -> str:
    lines = [f"- {c.label}{' (at hand)' if c is tools.session.current else ''}: " + (
        write_script(c.script) if c.script is not None else c.said) for c in tools.session.clips[-_TURNS:]]
    return "The clips:\n" + "\n".join(lines) if lines else "There is no clip yet."


def _before(tools: Toolbox) -> list[dict[str, Any]]:
    return [m for t in tools.session.turns[-_TURNS:]
            for m in ({"role": "user", "content": t.said}, {"role": "assistant", "content": t.reply})]
