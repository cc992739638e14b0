"""The tools of a conversation for other agents, by the Model Context Protocol (https://modelcontextprotocol.io)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any

from mcp import types
from mcp.server import MCPServer
from pydantic import BaseModel, Field

from ....common.text import one_line
from ...talk.agent import Agent, Reply
from ...talk.tools import Call
from ..guard import Guard
from ..settings import Settings

_INSTRUCTIONS = (
    "facelm performs facial motion from words, describes it, answers questions about it, compares it and changes it. `perform` "
    "makes a clip that is at hand then; `edit`, `ask` and `describe` are about the clip at hand. Each result links its clip.")
Words = Annotated[str, Field(min_length=1, max_length=4000)]


class Outcome(BaseModel):
    """What a tool did."""

    text: str
    value: Any = None
    query: dict[str, Any] | None = None
    check: list[str] = []
    edits: list[dict[str, Any]] = []
    takes: list[int] = []
    refused: bool = False
    clip: dict[str, Any] | None = None


def make_server(agent: Callable[[], Agent]) -> MCPServer:
    """An MCP server over one conversation.

    Args:
        agent: makes the conversation, once, when it is first needed.
    """
    server = MCPServer("facelm", instructions=_INSTRUCTIONS, log_level="WARNING")
    lock = threading.Lock()
    made: list[Agent] = []

    def done(work: Callable[[Agent], Reply]) -> types.CallToolResult:
        with lock:
            if not made:
                made.append(agent())
            reply = work(made[0])
        outcome = _outcome(reply)
        content: list[types.ContentBlock] = [types.TextContent(type="text", text=outcome.text)]
        if reply.clip is not None:
            content.append(types.ResourceLink(type="resource_link", name=reply.clip.label, uri=f"facelm://clips/{reply.clip.id}",
                                              description=reply.clip.said[:200], mime_type="application/octet-stream"))
        return types.CallToolResult(content=content, structured_content=outcome.model_dump(), is_error=reply.refused)

    def call(tool: str, **arguments: Any) -> types.CallToolResult:
        given = {k: v for k, v in arguments.items() if v not in ("", None)}
        return done(lambda a: _called(a, Call(tool, given)))

    @server.tool()
    def say(text: Words) -> types.CallToolResult:
        """Say something to the face in plain English: what it should do, what to change, or a question about the clip at hand."""
        return done(lambda a: a.say(text))

    @server.tool()
    def perform(prompt: Words, takes: Annotated[int, Field(ge=1, le=8)] = 1) -> types.CallToolResult:
        """Perform new facial motion from words, e.g. "She smiles, then nods twice."; the new clip is at hand then.

        Several takes are versions of the clip, of which `go_to` chooses one.
        """
        return call("perform", prompt=prompt, takes=takes)

    @server.tool()
    def edit(wish: Words, clip: str = "", plan: str = "") -> types.CallToolResult:
        """Change a clip: stronger, later, longer, faster, other side, without, add, replace ...; makes a new version."""
        return call("edit", wish=wish, clip=clip, plan=plan)

    @server.tool()
    def transition(instruction: Words) -> types.CallToolResult:
        """Go from the end of the clip at hand to an emotion, e.g. "Turn this face from disgust to happiness"."""
        return call("transition", instruction=instruction)

    @server.tool()
    def describe(clip: str = "", style: str = "plain", detail: str = "brief") -> types.CallToolResult:
        """Say what a clip shows; style plain, timed, clinical, director or caption; detail brief or full."""
        return call("describe", clip=clip, style=style, detail=detail)

    @server.tool()
    def ask(question: Words, clip: str = "") -> types.CallToolResult:
        """Answer a question about a clip from what is measured in it: how often, when, how long, which side ..."""
        return call("ask", question=question, clip=clip)

    @server.tool()
    def compare(first: str = "", second: str = "", question: str = "") -> types.CallToolResult:
        """Compare two clips or versions."""
        return call("compare", first=first, second=second, question=question)

    @server.tool()
    def undo(times: Annotated[int, Field(ge=1, le=100)] = 1) -> types.CallToolResult:
        """Go back to what was at hand before."""
        return call("undo", times=times)

    @server.tool()
    def redo(times: Annotated[int, Field(ge=1, le=100)] = 1) -> types.CallToolResult:
        """Go forth again after going back."""
        return call("redo", times=times)

    @server.tool()
    def list_clips() -> types.CallToolResult:
        """Say which clips there are."""
        return call("list_clips")

    @server.tool()
    def go_to(clip: Words) -> types.CallToolResult:
        """Take up another clip or version: "clip 1", "version 2", "the one with the wink"."""
        return call("go_to", clip=clip)

    @server.resource("facelm://clips/{id}", mime_type="application/octet-stream")
    def clip(id: str) -> bytes:
        """A clip as npz."""
        with lock:
            found = made[0].memory.find(int(id)) if made and id.isdigit() else None
        if found is None:
            raise ValueError(f"there is no clip {id}")
        return bytes(found.path.read_bytes())

    return server


def guarded(server: MCPServer, settings: Settings) -> Guard:
    """The server over HTTP, at /mcp, behind the same guard as the app: token, host, origin, rate and size."""
    from mcp.server.transport_security import TransportSecuritySettings

    app = server.streamable_http_app(host=settings.host,
                                     transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False))
    return Guard(app, settings)  # the guard checks Host and Origin itself, for every address


def _called(agent: Agent, call: Call) -> Reply:
    """A tool's reply; a refusal is one as well."""
    try:
        return agent.call(call)
    except ValueError as err:
        return Reply(one_line(err), (call,), agent.memory.current, refused=True)


def _outcome(reply: Reply) -> Outcome:
    said = reply.to_dict()
    return Outcome(text=reply.text, value=said["value"], query=said["query"], check=said["check"], edits=said["edits"],
                   takes=said["takes"], refused=reply.refused, clip=said["clip"])
