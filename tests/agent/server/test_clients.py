"""The official clients, and programs that drive a face, against a live server."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("openai")
pytest.importorskip("mcp")
import uvicorn
from chat_server import serving, streamed
from facelm.agent.server.app import make_app
from facelm.agent.server.protocols.live import LiveFace, wished
from facelm.agent.server.protocols.mcp import make_server
from facelm.agent.server.settings import Settings
from facelm.agent.talk.agent import Agent
from facelm.face.clip.channels import ARKIT_52
from facelm.face.facs.script_text import read_script
from facelm.face.head.model import HeadModel
from facelm.face.io.convert.arkit import perform, weights
from scripted_agent import needs_tokenizer, rule_agent
from shared_data import shared
from websockets.sync.client import connect

pytestmark = needs_tokenizer
ROOT = Path(__file__).resolve().parents[3]
START = "She smiles, then nods twice."


@pytest.fixture(scope="module")
def model():
    return rule_agent()


@pytest.fixture(scope="module")
def address(tmp_path_factory, model) -> Iterator[str]:
    app = make_app(Settings(folder=tmp_path_factory.mktemp("talks"), port=0), lambda: model)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(600):
        if server.started:
            break
        time.sleep(0.05)
    yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


# -- OpenAI's client ----------------------------------------------------------------------------------
@pytest.fixture
def openai(address):
    import openai

    return openai.OpenAI(base_url=f"http://{address}/v1", api_key="none", max_retries=0)


def test_openais_client_holds_a_conversation(openai):
    assert [m.id for m in openai.models.list()] == ["facelm"]
    said = [{"role": "user", "content": START}]
    first = openai.chat.completions.create(model="facelm", messages=said, extra_body={"motion": "arkit52"})
    message = first.choices[0].message
    assert "nods twice" in message.content and first.choices[0].finish_reason == "stop"
    motion = message.model_extra["motion"]
    assert motion["schema"] == "facelm.motion/1" and motion["names"][:52] == list(ARKIT_52)
    table = np.array(motion["frames"])
    assert table[:, ARKIT_52.index("mouthSmileLeft")].max() > 0.4 and np.ptp(table[:, 52]) > 0.1
    said += [{"role": "assistant", "content": message.content}, {"role": "user", "content": "how often does she nod?"}]
    again = openai.chat.completions.create(model="facelm", messages=said)
    assert again.choices[0].message.model_extra["facelm"]["value"] == 2
    other = [said[0], {"role": "assistant", "content": "?"}, {"role": "user", "content": "remove the nod"},
             {"role": "user", "content": "how often does she nod?"}]  # lines that no conversation has seen are said again
    assert openai.chat.completions.create(model="facelm", messages=other).choices[0].message.model_extra["facelm"]["value"] == 0


def test_openais_client_streams(openai):
    stream = openai.chat.completions.create(model="facelm", messages=[{"role": "user", "content": START}], stream=True,
                                            extra_body={"motion": "head"})
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert "nods twice" in text and sum(bool(c.choices[0].delta.content) for c in chunks) > 2
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len(chunks[-1].choices[0].delta.model_extra["motion"]["frames"]) > 50


def test_the_head_format_has_one_naming(openai, address):
    said = [{"role": "user", "content": START}]
    motion = openai.chat.completions.create(model="facelm", messages=said, extra_body={"motion": "head"}
                                            ).choices[0].message.model_extra["motion"]
    with connect(f"ws://{address}/api/live?format=head") as socket:
        live = json.loads(socket.recv())["names"]
    assert motion["names"] == live and len(live) == len(motion["frames"][0]) == len(set(live))
    assert {"rotation_x", "jaw_pose_z", "translation_y"} <= set(live)
    assert live[live.index("eyes_pose_left_x"):][:6] == [f"eyes_pose_{s}_{a}" for s in ("left", "right") for a in "xyz"]
    nods = np.array(motion["frames"])[:, live.index("neck_pose_x")]
    assert np.ptp(nods) > 0.1


def test_openais_client_is_refused_in_one_line(openai):
    import openai as package

    with pytest.raises(package.UnprocessableEntityError, match="the last message should be the user's"):
        openai.chat.completions.create(model="facelm", messages=[{"role": "assistant", "content": "hi"}])


# -- MCP's client --------------------------------------------------------------------------------------
def test_mcps_client_calls_the_tools(model):
    from mcp import Client

    async def talk() -> None:
        async with Client(make_server(lambda: Agent(None, model))) as client:
            tools = {t.name for t in (await client.list_tools()).tools}
            assert {"say", "perform", "edit", "ask", "describe", "compare", "undo", "redo", "list_clips", "go_to"} <= tools
            made = await client.call_tool("perform", {"prompt": START})
            assert made.structured_content["clip"]["number"] == 1 and not made.is_error
            link = next(c for c in made.content if c.type == "resource_link")
            data = (await client.read_resource(link.uri)).contents[0]
            assert len(data.blob) > 1000
            edited = await client.call_tool("edit", {"wish": "no, three times"})
            assert edited.structured_content["edits"][0]["op"] == "count"
            asked = await client.call_tool("ask", {"question": "How often does she nod?"})
            assert asked.structured_content["value"] == 3
            refused = await client.call_tool("edit", {"wish": "remove the yawn"})
            assert refused.is_error and "there is no yawn" in refused.structured_content["text"]

    asyncio.run(talk())


def test_mcp_over_http_is_guarded_as_the_app_is(model):
    from facelm.agent.server.protocols.mcp import guarded
    from mcp import Client
    from starlette.testclient import TestClient

    settings = Settings(host="0.0.0.0").checked()
    app = guarded(make_server(lambda: Agent(None, model)), settings)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}
    accepts = {"accept": "application/json, text/event-stream"}
    with TestClient(app, base_url="http://face.example") as far:
        assert far.post("/mcp", json=hello, headers=accepts).status_code == 401
        assert far.post("/mcp", json=hello, headers={**accepts, "authorization": "Bearer wrong"}).status_code == 401
        right = {**accepts, "authorization": f"Bearer {settings.token}"}
        assert far.post("/mcp", json=hello, headers={**right, "origin": "http://evil.example"}).status_code == 403
        assert "facelm" in far.post("/mcp", json=hello, headers=right).text
    with TestClient(guarded(make_server(lambda: Agent(None, model)), Settings().checked()), base_url="http://127.0.0.1") as near:
        assert near.post("/mcp", json=hello, headers=accepts).status_code == 200
        assert near.post("/mcp", json=hello, headers={**accepts, "host": "evil.example"}).status_code == 421
    server = uvicorn.Server(uvicorn.Config(guarded(make_server(lambda: Agent(None, model)), Settings()), "127.0.0.1", 0,
                                           log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)

    async def talk() -> None:
        async with Client(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp") as client:
            made = await client.call_tool("perform", {"prompt": START, "takes": 2})
            assert len(made.structured_content["takes"]) == 2

    asyncio.run(talk())
    server.should_exit = True
    thread.join(20)


# -- a face that is driven -------------------------------------------------------------------------------
def frames_of(socket, seconds: float) -> tuple[list[int], np.ndarray, list[dict]]:
    numbers, values, said = [], [], []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        message = socket.recv(timeout=2)
        if isinstance(message, str):
            said.append(json.loads(message))
            continue
        n, count = struct.unpack("<II", message[:8])
        numbers.append(n)
        values.append(np.frombuffer(message[8:], "<f4", count))
    return numbers, np.array(values), said


def test_a_face_is_driven_by_words_and_by_names(address):
    with connect(f"ws://{address}/api/live?fps=30") as socket:
        about = json.loads(socket.recv())
        at = {n: k for k, n in enumerate(about["names"])}
        assert about["fps"] == 30 and about["names"][:52] == list(ARKIT_52)
        numbers, idle, _ = frames_of(socket, 0.5)
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert idle[:, at["mouthSmileLeft"]].max() < 0.1
        socket.send(json.dumps({"do": "smile", "strength": 0.9, "seconds": 1.0, "id": 7}))
        _, values, said = frames_of(socket, 1.6)
        assert said[0]["type"] == "began" and said[0]["id"] == 7
        assert values[:, at["mouthSmileLeft"]].max() > 0.6 > 0.15 > values[-1, at["mouthSmileLeft"]]  # and it returns by itself
        socket.send(json.dumps({"words": "She opens her mouth."}))
        _, values, _ = frames_of(socket, 1.0)
        assert values[:, at["jawOpen"]].max() > 0.25
        for bad in ("x", "{}", '{"do": "wiggle"}', '{"do": "smile", "strength": 7}', '{"do": "smile", "seconds": "long"}'):
            socket.send(bad)
            _, _, said = frames_of(socket, 0.2)
            assert [s["type"] for s in said] == ["error"] and "\n" not in said[0]["error"], bad
    with connect(f"ws://{address}/api/live?fps=1000") as socket:
        assert "allowed: 10 to 60" in json.loads(socket.recv())["error"]


def test_a_driven_face_has_no_jumps_and_takes_over_smoothly(model):
    face = LiveFace(model.performer, 30.0)
    values = []
    for k in range(330):
        if k == 60:
            face.wish(wished({"emotion": "happiness", "strength": 1.0, "seconds": 4}, model.read))
        if k == 100:
            face.wish(wished({"emotion": "anger", "seconds": 2}, model.read))
        if k == 140:
            face.rest()
        values.append(face.next())
    table = np.array(values)
    names = face.names("head")
    smile, frown = table[:, names.index("mouthSmileLeft")], table[:, names.index("browDownLeft")]
    assert smile[90:100].max() > 0.5 and smile[125] < 0.1 and frown[120:140].max() > 0.3 and frown[165:].max() < 0.1
    assert np.abs(np.diff(smile)).max() < 0.2 and np.abs(np.diff(table[:, len(model.head.expr_names):], axis=0)).max() < 0.15
    first = next(k for k in range(60, 100) if smile[k] - smile[59] > 0.02)
    assert first - 60 <= 5  # frames until it shows


def test_wishes_follow_one_another_and_their_strength_changes_while_they_run(model):
    face, table = LiveFace(model.performer, 30.0), []
    smile, frown = (face.names("head").index(n) for n in ("mouthSmileLeft", "browDownLeft"))
    first = face.wish(wished({"do": "smile", "strength": 0.6, "seconds": 2}, model.read))
    second = face.wish(wished({"do": "brow_lower", "strength": 0.6, "seconds": 2}, model.read), after=True)
    assert first == 0 and second >= 55 and face.free >= second + 55
    for k in range(face.free + 5):
        if k == second:
            face.amount = 0.4
        table.append(face.next())
    made = np.array(table)
    assert made[:second, smile].max() > 0.4 and made[:second, frown].max() < 0.1 and made[second + 10:, smile].max() < 0.1
    assert 0.1 < made[second:, frown].max() < 0.35, "less than the 0.5 to 0.6 that was asked for"
    assert np.abs(np.diff(made[:, [smile, frown]], axis=0)).max() < 0.2
    again = face.wish(wished({"do": "smile"}, model.read), after=True)
    face.rest()
    assert again == face.frame == face.free, "what has not begun is taken back"


def test_a_mixture_is_worn_under_all_that_is_wished_for(model):
    face = LiveFace(model.performer, 30.0)
    smile, frown, brows = (face.names("head").index(n) for n in ("mouthSmileLeft", "browDownLeft", "browInnerUp"))
    calm = np.array([face.next() for _ in range(30)])
    face.mix({"happiness": 0.5, "anger": 0.4})
    mixed = np.array([face.next() for _ in range(60)])
    assert np.abs(np.diff(np.concatenate([calm, mixed])[:, [smile, frown]], axis=0)).max() < 0.2, "it changes smoothly"
    assert mixed[30:, smile].min() > 0.15 and mixed[30:, frown].min() > 0.15 and calm[:, smile].max() < 0.1
    face.wish(wished({"do": "brow_raise", "strength": 0.8, "seconds": 1}, model.read))
    raised = np.array([face.next() for _ in range(60)])
    assert raised[:, brows].max() > mixed[30:, brows].max() + 0.3 and raised[:, smile].min() > 0.1
    face.rest()
    assert np.array([face.next() for _ in range(30)])[:, smile].min() > 0.1, "resting ends wishes, not the mixture"
    face.mix({})
    assert np.array([face.next() for _ in range(60)])[40:, smile].max() < 0.1


def test_mixtures_that_there_are_not_are_refused(address):
    with connect(f"ws://{address}/api/live?fps=30") as socket:
        json.loads(socket.recv())
        for bad, why in ((3, "a mapping"), ({"nod": 0.5}, "'nod'"), ({"anger": 1.5}, "0 to 1"), ({"anger": True}, "0 to 1")):
            socket.send(json.dumps({"mix": bad}))
            _, _, said = frames_of(socket, 0.2)
            assert [s["type"] for s in said] == ["error"] and why in said[0]["error"]
        socket.send('{"mix": {"anger": 0.5, "bored": 0.2}, "amount": 0.5}')
        assert frames_of(socket, 0.2)[2] == []


def test_amounts_out_of_range_are_refused(address):
    with connect(f"ws://{address}/api/live?fps=30") as socket:
        json.loads(socket.recv())
        for bad in ("3", "true", '"1"'):
            socket.send(f'{{"amount": {bad}}}')
            _, _, said = frames_of(socket, 0.2)
            assert [s["type"] for s in said] == ["error"] and "allowed: 0 to 2" in said[0]["error"]
        socket.send('{"amount": 0.5}')
        assert frames_of(socket, 0.2)[2] == []


def test_arkits_shapes_of_a_clip_are_those_that_it_was_made_of(model):
    head = HeadModel.default()
    rng = np.random.default_rng(0)
    table = rng.uniform(0, 0.6, (20, 52))
    at = {n: k for k, n in enumerate(ARKIT_52)}
    for name in ("jawRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookOutLeft", "eyeLookOutRight"):
        table[:, at[name]] = 0.0  # a joint turns one way
    arrays = perform({n: table[:, k] for n, k in at.items()}, head)
    made, = model.perform_many([read_script("smile; 0.8 s")], idle=False)
    seq = made.clip.slice(0, 20).replace(**{k: v.astype(np.float32) for k, v in arrays.items()})
    assert np.abs(weights(seq, head) - table).max() < 1e-5


def test_clients_share_a_face(address):
    with connect(f"ws://{address}/api/live?fps=30&face=both") as driving, \
            connect(f"ws://{address}/api/live?fps=15&format=head&face=both") as watching:
        about = json.loads(watching.recv())
        assert about["fps"] == 30, "whoever comes first says how fast it is"
        driving.send(json.dumps({"do": "smile", "strength": 0.8, "seconds": 2}))
        numbers, values, _ = frames_of(watching, 1.5)
        smile = values[:, about["names"].index("mouthSmileLeft")]
        assert np.diff(numbers).tolist() == [1] * (len(numbers) - 1) and smile[-1] > 0.4 > 0.1 > smile[0]


def test_a_chat_model_drives_a_face(address, monkeypatch, capsys):
    """The example of docs/app.md, with a chat model that answers by a script."""
    sys.path.insert(0, str(ROOT / "examples"))
    import live_chat

    lines = iter(["hello", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    with serving(lambda _: streamed("[happi", "ness 0.9] Hello", "! [head_shake] No [", "wink] [dance] bye")) as model, \
            connect(f"ws://{address}/api/live?fps=30&face=chat") as face:
        about = json.loads(face.recv())
        frames_of(face, 0.3)
        monkeypatch.setattr(sys, "argv", ["live_chat.py", "--url", model.url, "--model", "tiny", "--server", address])
        live_chat.main()
        _, values, _ = frames_of(face, 2.5)
    assert "Hello! " in (said := capsys.readouterr().out) and "[" not in said and "0.9" not in said
    at = about["names"].index
    assert values[:, at("eyeBlinkLeft")].max() > 0.6 and np.ptp(values[:, at("headYaw")]) > 0.02


def test_the_curl_lines_of_the_docs_work(address, tmp_path, model):
    """All of them, in the order of the page: they go on from each other."""
    from facelm.agent.file_tools import draw

    film = shared("t2v/blink.mp4")
    if film is not None:
        (tmp_path / "video.mp4").write_bytes(film.read_bytes())
    else:
        draw(model.generate("She blinks.", seconds=1.0), tmp_path / "video.mp4", 128)
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/app.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("curl")]
    job = ""
    said = {}
    for line in lines:
        command = line.replace("localhost:8321", address).replace("JOB", job)
        out = subprocess.run(shlex.split(command), capture_output=True, text=True, cwd=tmp_path, check=True, timeout=120).stdout
        said[line] = json.loads(out) if out else None
        job = said[line]["job"] if "/upload" in line else job
    begun, answer, edited, takes, listed, timeline, file, uploaded, state, chatted = said.values()
    assert begun["name"] == "monday" and "nods twice" in answer["answer"]
    assert [e["op"] for e in edited["edits"]] == ["start", "count"] and len(takes["takes"]) == 3
    assert listed["current"] == takes["takes"][1], "the second take was chosen"
    assert {e["name"] for e in timeline["events"]} >= {"smile", "nod"}
    assert file is None and (tmp_path / "clip.glb").read_bytes()[:4] == b"glTF"
    assert uploaded["job"] == job and state["state"] in ("waiting", "running", "done", "failed")
    assert chatted["choices"][0]["message"]["motion"]["format"] == "arkit52"
    for _ in range(600):
        if state["state"] in ("done", "failed"):
            break
        time.sleep(0.2)
        state = json.loads(subprocess.run(["curl", "-s", f"{address}/api/jobs/{job}"], capture_output=True, check=True).stdout)
    assert state["state"] == ("failed" if film is None else "done"), state
