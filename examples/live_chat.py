"""A chat model that has a face: what it feels while it talks moves a face in the browser.

Start ``facelm serve`` and any OpenAI-compatible chat model, open the address that this prints, and talk:

    python examples/live_chat.py --url http://localhost:11434/v1 --model llama3.2

The model is asked to write what its face does in square brackets: ``[happiness 0.8]``, ``[nod]``, ``[wink]``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator

import openai
from websockets.sync.client import connect

SYSTEM = """You are a friendly character with a face. Before each sentence, write in square brackets what your face does:
one of happiness, sadness, anger, fear, surprise, disgust, contempt, smile, nod, head_shake, wink, brow_raise, frown, with a
strength from 0.1 to 1, like this: [happiness 0.7] How nice to see you! [nod] Yes, of course."""
MARK = re.compile(r"\[\s*([a-z][a-z _]*?)\s*(\d*\.?\d+)?\s*\]", re.IGNORECASE)


def marked(pieces: Iterator[str]) -> Iterator[str | dict[str, object]]:
    """A model's words as they come, and what the face should do between them."""
    waiting = ""
    for piece in pieces:
        waiting += piece
        while mark := MARK.search(waiting):
            yield waiting[:mark.start()]
            strength = {"strength": min(1.0, float(mark[2]))} if mark[2] else {}
            yield {"do": mark[1].lower().replace(" ", "_"), **strength}
            waiting = waiting[mark.end():]
        if "[" not in waiting:
            yield waiting
            waiting = ""
    yield waiting


def main() -> None:
    """Talk until an empty line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="of the chat model, up to /v1")
    parser.add_argument("--model", required=True)
    parser.add_argument("--key", default="none")
    parser.add_argument("--server", default="127.0.0.1:8321", help="where facelm serve listens")
    options = parser.parse_args()
    model = openai.OpenAI(base_url=options.url, api_key=options.key)
    talk: list[dict[str, str]] = [{"role": "system", "content": SYSTEM}]
    print(f"the face is at http://{options.server}/live?face=chat")
    with connect(f"ws://{options.server}/api/live?face=chat&frames=0") as face:
        while line := input("> ").strip():
            talk.append({"role": "user", "content": line})
            chunks = model.chat.completions.create(model=options.model, messages=talk, stream=True)  # type: ignore[call-overload]
            said = ""
            for part in marked(c.choices[0].delta.content or "" for c in chunks if c.choices):
                if isinstance(part, dict):
                    face.send(json.dumps(part))
                else:
                    said += part
                    print(part, end="", flush=True)
            print()
            talk.append({"role": "assistant", "content": said})


if __name__ == "__main__":
    main()
