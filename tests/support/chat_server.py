"""A chat endpoint for tests that answers by a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer:
    """A chat endpoint that answers by a script: a function from the request to (status, body)."""

    def __init__(self, answer: Callable[[dict], tuple[int, bytes]]) -> None:
        self.requests: list[dict] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                outer.headers.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
                status, reply = answer(body)
                try:
                    self.send_response(status)
                    if 300 <= status < 400:
                        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                    self.send_header("Content-Type", "text/event-stream" if reply.startswith(b"data:") else "application/json")
                    self.send_header("Content-Length", str(len(reply)))
                    self.end_headers()
                    self.wfile.write(reply)
                except OSError:  # the client has left
                    pass

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


def chat(text: object) -> tuple[int, bytes]:
    """A reply in words."""
    return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def calls(*made: tuple[str, dict[str, object]]) -> tuple[int, bytes]:
    """A reply that calls tools."""
    tools = [{"id": f"call-{k}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
             for k, (name, arguments) in enumerate(made)]
    return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": tools}}]}).encode()


def streamed(*pieces: str) -> tuple[int, bytes]:
    """A reply in pieces, as server-sent events."""
    chunks = [json.dumps({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": p}}]}) for p in pieces]
    return 200, "".join(f"data: {c}\n\n" for c in [*chunks, "[DONE]"]).encode()


@contextmanager
def serving(answer: Callable[[dict], tuple[int, bytes]]) -> Iterator[ChatServer]:
    """A server that ends with the block."""
    server = ChatServer(answer)
    try:
        yield server
    finally:
        server.close()
