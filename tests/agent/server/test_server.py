"""The app over HTTP and its socket."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("fastapi")
from facelm.agent.server.app import make_app
from facelm.agent.server.settings import Settings
from facelm.face.clip.sequence import FaceSequence
from fastapi.testclient import TestClient
from scripted_agent import needs_tokenizer, rule_agent

pytestmark = needs_tokenizer
START = "She smiles, then nods twice."


@pytest.fixture(scope="module")
def model():
    return rule_agent({"a bit more of it": "stronger smile bit"})


@pytest.fixture
def client(tmp_path, model) -> Iterator[TestClient]:
    app = make_app(Settings(folder=tmp_path / "talks", upload_mb=3, upload_seconds=20), lambda: model)
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 5)) as one:
        yield one


def begin(client: TestClient, name: str = "one") -> str:
    base = f"/api/sessions/{name}"
    assert client.post("/api/sessions", json={"name": name}).status_code == 200
    return base


def say(client: TestClient, base: str, text: str) -> dict:
    answer = client.post(f"{base}/say", json={"text": text})
    assert answer.status_code == 200, answer.text
    return answer.json()


def frames(body: bytes) -> np.ndarray:
    _, _, count, channels = struct.unpack("<IIII", body[:16])
    return np.frombuffer(body[16:], "<f4").reshape(count, channels + 35)


def until(socket, kind: str) -> tuple[dict, list[dict], list[bytes]]:
    """Messages up to one of a kind: that one, those before it, and motion."""
    seen, motion = [], []
    while True:
        got = socket.receive()
        if got.get("bytes"):
            motion.append(got["bytes"])
            continue
        import json
        event = json.loads(got["text"])
        if event["type"] == kind:
            return event, seen, motion
        seen.append(event)


def test_a_conversation_over_http(client):
    base = begin(client)
    made = say(client, base, START)
    assert made["clip"]["number"] == 1 and "clip-1" not in made["answer"] and made["refused"] is False
    stronger = say(client, base, "a bit more of it")
    assert stronger["edits"][0]["op"] == "strength" and stronger["clip"]["version"] == 2
    assert say(client, base, "How often does she nod?")["value"] == 2
    session = client.get(base).json()
    assert [t["said"] for t in session["turns"]] == [START, "a bit more of it", "How often does she nod?"]
    assert session["can_undo"] and not session["can_redo"] and session["current"] == 2
    assert [c["version"] for c in session["clips"]] == [1, 2] and session["clips"][1]["parent"] == 1
    assert say(client, base, "undo")["clip"]["version"] == 1
    assert client.get("/api/sessions").json()[0]["name"] == "one"
    assert client.post(f"{base}/clips/2/select").json()["current"] == 2


def test_a_clip_as_timeline_curves_motion_and_files(client):
    base = begin(client)
    say(client, base, START)
    line = client.get(f"{base}/clips/1/timeline").json()
    assert [(e["name"], e["lane"], e["cue"]) for e in line["events"]] == [("smile", "mouth", 0), ("nod", "head", 1)]
    assert [(a["name"], a["ok"], a["by"]) for a in line["asked"]] == [("smile", True, "animator"), ("nod", True, "animator")]
    curves = client.get(f"{base}/clips/1/curves", params={"names": "smile,brow_raise"}).json()["curves"]
    assert max(curves["smile"]) > 0.6 > 0.2 > max(curves["brow_raise"])
    about = client.get("/api/about").json()
    table = frames(client.get(f"{base}/clips/1/motion").content)
    session = client.get(base).json()
    assert table.shape == (session["clips"][0]["frames"], len(about["channels"]) + 35)
    assert table[:, about["channels"].index("mouthSmileLeft")].max() > 0.4
    head = client.get("/api/head.glb")
    assert head.content[:4] == b"glTF" and b"mouthSmileLeft" in head.content
    for suffix in about["exports"]:
        if suffix not in (".mp4", ".gif"):
            file = client.get(f"{base}/clips/1/export/my clip{suffix}")
            assert file.status_code == 200 and len(file.content) > 300, suffix
            assert file.headers["content-disposition"] == f'attachment; filename="myclip{suffix}"'
    refused = client.get(f"{base}/clips/1/export/x.exe").json()["error"]
    assert refused.startswith("clips are exported as .mp4, .gif, .png, .glb, .npz, .csv") and refused.endswith("not as '.exe'")
    table = client.get(f"{base}/clips/1/export/a.csv", params={"format": "arkit-csv", "target": "vrm", "fps": 30}).text
    assert table.startswith("frame,time,aa,ih,ou,ee,oh,happy") and "1,0.033333," in table
    assert client.get(f"{base}/clips/1/export/a.csv", params={"target": "flame"}).status_code == 422
    assert client.get(f"{base}/clips/1/curves", params={"names": "wiggle"}).status_code == 422
    assert client.get(f"{base}/clips/7/motion").status_code == 404


def test_several_takes_are_made_to_choose_from(client):
    base = begin(client)
    made = client.post(f"{base}/call", json={"tool": "perform", "arguments": {"prompt": START, "takes": 3}}).json()
    assert made["clip"] == {"id": made["takes"][0], "number": 1, "version": 1, "name": ""} and len(made["takes"]) == 3
    assert made["answer"].count("checks hold") == 3
    takes = [client.get(f"{base}/clips/{k}/motion").content for k in made["takes"]]
    assert len(set(takes)) == 3, "each by other chance"
    chosen = client.post(f"{base}/clips/{made['takes'][2]}/select").json()
    assert chosen["current"] == made["takes"][2]
    assert say(client, base, "remove the nod")["clip"]["version"] == 4
    assert client.get(base).json()["clips"][3]["parent"] == made["takes"][2], "the chosen one goes on"
    for steps in (2, 1):
        assert client.get(base).json()["can_undo"], steps
        say(client, base, "undo")
    assert client.get(base).json()["current"] == made["takes"][0], "the takes are one step"
    more = say(client, base, "two more takes")
    assert len(more["takes"]) == 2 and more["calls"][0] == {"tool": "again", "arguments": {"takes": 2}}
    spoken = say(client, base, "Four versions where he looks angry.")
    assert spoken["calls"][0]["arguments"] == {"prompt": "He looks angry", "takes": 4}
    for wrong in (0, 9, "many"):
        answer = client.post(f"{base}/call", json={"tool": "perform", "arguments": {"prompt": START, "takes": wrong}})
        assert answer.status_code == 422 and "takes" in answer.json()["error"]


def test_a_prompt_is_performed_once_and_shown_as_it_is_kept(client, model, monkeypatch):
    from facelm.agent.motion.windows import Performer

    base, performed, laid = begin(client), [], Performer.direct
    monkeypatch.setattr(Performer, "direct",
                        lambda self, schedule, *more: performed.append(schedule) or laid(self, schedule, *more))
    with client.websocket_connect(f"ws://127.0.0.1{base}/socket") as socket:
        socket.receive_json()
        socket.send_json({"do": "say", "id": "r1", "text": START})
        _, seen, motion = until(socket, "reply")
    tried = len(performed) - 1  # times that were tried, and the one that was kept
    assert tried >= 1 and performed[-1] is performed[-2], "the kept schedule was performed for its check and for the clip"
    assert len(set(map(id, performed))) == tried
    assert [e["what"] for e in seen if e["type"] == "progress"][:3] == ["reading", "reading", "performing"]
    ended = next(e for e in seen if e["type"] == "motion_end")
    shown = np.concatenate([frames(m) for m in motion])
    assert ended["final"] and np.array_equal(shown, frames(client.get(f"{base}/clips/1/motion").content)), "blinks and all"


def test_sessions_that_are_not_open_are_listed_with_their_size(tmp_path, model):
    settings = Settings(folder=tmp_path / "talks")
    with TestClient(make_app(settings, lambda: model), base_url="http://127.0.0.1") as one:
        base = begin(one)
        say(one, base, START)
        say(one, base, "remove the nod")
    (tmp_path / "talks/broken").mkdir()
    (tmp_path / "talks/broken/session.sqlite").write_bytes(b"not a database")
    with TestClient(make_app(settings, lambda: model), base_url="http://127.0.0.1") as two:
        listed = {s["name"]: (s["turns"], s["clips"]) for s in two.get("/api/sessions").json()}
    assert listed == {"one": (2, 2), "broken": (None, None)}


def test_all_shots_of_a_film_are_exported_on_its_clock(client, model, tmp_path):
    from facelm.agent.media import Shot, from_shots
    from facelm.face.facs.measure import measure

    base = begin(client)
    smile, nod = (p.clip for p in model.perform_many(["smile; 2 s", "nod x2; 2 s"], idle=False))
    shots = [Shot(start, c, measure(c, filmed=True)) for start, c in ((0.4, smile), (3.2, nod))]  # 0.4 and 0.8 s without a face
    agent = client.app.state.hub.room("one").agent
    agent.open("film.mp4", from_shots(shots, 140, "fitted", "film.mp4"))
    clip = client.get(base).json()["clips"][0]
    line = client.get(f"{base}/clips/1/timeline").json()
    assert clip["frames"] == 140 and clip["shots"] == 2 and clip["seconds"] == line["seconds"] == 5.6
    assert line["lost"] == [[0.0, 0.4], [2.4, 3.2], [5.2, 5.6]]
    (tmp_path / "film.npz").write_bytes(client.get(f"{base}/clips/1/export/film.npz").content)
    film = FaceSequence.load(tmp_path / "film.npz")
    assert len(film) == 140 and np.flatnonzero(np.diff(film.valid.astype(int))).tolist() == [9, 59, 79, 129]
    assert np.array_equal(film.expr[10:60], smile.expr) and np.array_equal(film.neck_pose[80:130], nod.neck_pose)
    assert np.array_equal(film.expr[70], smile.expr[-1]), "between the shots it stays as it was"
    assert len(frames(client.get(f"{base}/clips/1/motion").content)) == 140


def test_the_socket_shows_motion_before_the_reply(client):
    base = begin(client)
    with client.websocket_connect(f"ws://127.0.0.1{base}/socket") as socket:
        assert socket.receive_json()["session"]["turns"] == []
        socket.send_json({"do": "say", "id": "r1", "text": START})
        reply, seen, motion = until(socket, "reply")
        kinds = [e["type"] for e in seen]
        assert kinds.index("motion") < kinds.index("motion_end") < kinds.index("session") < kinds.index("words")
        ended = next(e for e in seen if e["type"] == "motion_end")
        assert sum(struct.unpack("<IIII", m[:16])[2] for m in motion) == ended["frames"]
        assert np.ptp(np.concatenate([frames(m) for m in motion]), axis=0).max() > 0.3
        assert "".join(e["text"] for e in seen if e["type"] == "words") == reply["reply"]["answer"]
        socket.send_json({"do": "call", "id": "r2", "tool": "edit", "arguments": {"wish": "by hand", "plan": "starts nod 3.2s"}})
        until(socket, "reply")
        moved = client.get(f"{base}/clips/2/timeline").json()["asked"]
        assert [a["start"] for a in moved] == [pytest.approx(0.16, abs=0.05), pytest.approx(3.2, abs=0.01)]
        for bad in ("nonsense", "[]", '{"do": "dance", "id": "x"}', '{"do": "call", "id": "x", "tool": "open"}'):
            socket.send_text(bad)
            assert "\n" not in until(socket, "error")[0]["error"]
        socket.send_json({"do": "say", "id": "r3", "text": "remove the yawn"})
        assert "there is no yawn" in until(socket, "reply")[0]["reply"]["answer"]


def test_waiting_requests_are_counted_and_taken_back_at_once_in_their_own_session(client, model, monkeypatch):
    import threading

    gate, read = threading.Event(), type(model).read_many
    monkeypatch.setattr(type(model), "read_many", lambda self, prompts, *more: (gate.wait(20), read(self, prompts, *more))[1])
    base, other = begin(client), begin(client, "other")
    with client.websocket_connect(f"ws://127.0.0.1{base}/socket") as socket, client.websocket_connect(
            f"ws://127.0.0.1{other}/socket") as stranger:
        socket.receive_json()
        for k in range(4):
            socket.send_json({"do": "say", "id": f"r{k}", "text": START})
        assert until(socket, "started")[0]["id"] == "r0"
        stranger.send_json({"do": "cancel", "id": "r2"})  # the id of another session's request
        stranger.send_json({"do": "say", "id": "s", "text": " "})
        until(stranger, "error")
        socket.send_json({"do": "cancel", "id": "r3"})
        told, seen, _ = until(socket, "cancelled")
        assert told["id"] == "r3" and not [e for e in seen if e["type"] == "reply"], "what waits is taken back at once"
        assert [e["ahead"] for e in seen if e["type"] == "queued"] == [1, 2, 3]
        gate.set()
        assert [until(socket, "reply")[0]["id"] for _ in range(3)] == ["r0", "r1", "r2"]
    assert len(client.get(base).json()["turns"]) == 3
    assert client.get("/api/jobs/r0").status_code == 404, "only of uploads is the outcome kept"


def test_what_was_said_is_there_after_a_restart_and_is_shared_as_one_file(tmp_path, model):
    settings = Settings(folder=tmp_path / "talks")
    with TestClient(make_app(settings, lambda: model), base_url="http://127.0.0.1") as one:
        base = begin(one)
        say(one, base, START)
        packed = one.get(f"{base}/share")
        assert set(zipfile.ZipFile(io.BytesIO(packed.content)).namelist()) == {"session.sqlite", "clip-1.npz"}
    with TestClient(make_app(settings, lambda: model), base_url="http://127.0.0.1") as two:
        assert two.get(base).json()["turns"][0]["said"] == START
        copy = two.post("/api/sessions/import", content=packed.content).json()
        assert copy["name"] == "shared-1" and copy["turns"][0]["said"] == START
        assert say(two, "/api/sessions/shared-1", "How often does she nod?")["value"] == 2
        for bad in (b"no zip", b"", _zip({"x.txt": b"a"}), _zip({"session.sqlite": b"a", "../evil.npz": b"b"}),
                    _zip({"session.sqlite": b"not a database"})):
            refused = two.post("/api/sessions/import", content=bad)
            assert refused.status_code == 422 and "\n" not in refused.json()["error"]
    assert sorted(f.name for f in (tmp_path / "talks").iterdir()) == ["one", "shared-1"]


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def waited(client: TestClient, job: str) -> dict:
    for _ in range(600):
        state = client.get(f"/api/jobs/{job}").json()
        if state["state"] in ("done", "failed", "cancelled"):
            return state
        time.sleep(0.1)
    raise AssertionError("the job does not end")


def test_a_clip_is_uploaded_and_bad_files_are_refused_in_one_line(client, tmp_path, model):
    base = begin(client)
    clip, = model.generate_many([START], idle=False)
    clip.save(tmp_path / "mine.npz")
    sent = client.post(f"{base}/upload", params={"name": "../mine.npz"}, content=(tmp_path / "mine.npz").read_bytes())
    done = waited(client, sent.json()["job"])
    assert done["state"] == "done" and done["reply"]["answer"].startswith("mine.npz is clip 1: ")
    assert say(client, base, "How often does she nod?")["value"] == 2
    for name, data in (("a.npz", b"PK\x03\x04 not really"), ("b.mp4", b"\0" * 5000), ("c.png", b"\x89PNG broken"),
                       ("d.csv", b"a,b\n1,2\n"), ("e.json", b"{"), ("f.npy", b"\x93NUMPY")):
        state = waited(client, client.post(f"{base}/upload", params={"name": name}, content=data).json()["job"])
        assert state["state"] == "failed" and "\n" not in state["error"] and "Traceback" not in state["error"], (name, state)
        assert "/tmp" not in state["error"], state
    assert client.post(f"{base}/upload", params={"name": "x.exe"}, content=b"MZ").status_code == 422
    assert client.post(f"{base}/upload", params={"name": "x.mp4"}, content=b"").json() == {"error": "the file is empty"}
    large = client.post(f"{base}/upload", params={"name": "x.mp4"}, content=b"\0" * (4 << 20))
    assert large.status_code in (413, 422) and "3 MB" in large.json()["error"]
    assert len(client.get(base).json()["clips"]) == 1
    import glob
    import tempfile
    assert not glob.glob(f"{tempfile.gettempdir()}/facelm-upload-{os.getpid()}-*/upload*")


def test_what_announces_too_much_is_refused_before_it_is_read(client):
    begin(client)
    for length in (str(1 << 30), "9" * 30, "-5", "many"):
        said = client.post("/api/sessions/one/upload", params={"name": "a.mp4"}, content=b"\0" * 100,
                           headers={"content-length": length})
        assert said.status_code == 413 and said.json() == {"error": "the request is larger than 3 MB"}
    assert client.post("/api/sessions", content=b"{}", headers={"content-length": str(2 << 20)}).status_code == 413


def test_what_a_killed_server_left_of_uploads_is_swept(tmp_path, model, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for owner in (gone.pid, os.getpid()):
        (tmp_path / f"facelm-upload-{owner}-x").mkdir()
        (tmp_path / f"facelm-upload-{owner}-x/upload.mp4").write_bytes(b"private")
    with TestClient(make_app(Settings(folder=tmp_path / "talks"), lambda: model)):
        pass
    assert [p.name for p in tmp_path.glob("facelm-upload-*")] == [f"facelm-upload-{os.getpid()}-x"]


def test_sessions_are_worked_on_side_by_side_and_each_in_its_order(client, model, monkeypatch):
    """While one session's line takes long, another's is answered; a session's own lines wait for each other."""
    import threading

    gate, read = threading.Event(), type(model).read_many
    monkeypatch.setattr(type(model), "read_many", lambda self, prompts, *more: (
        gate.wait(20) if "slowly" in prompts[0] else None, read(self, prompts, *more))[1])
    slow, quick = begin(client, "slow"), begin(client, "quick")
    with client.websocket_connect(f"ws://127.0.0.1{slow}/socket") as socket:
        socket.receive_json()
        socket.send_json({"do": "say", "id": "r1", "text": "She nods slowly."})
        socket.send_json({"do": "say", "id": "r2", "text": START})
        assert until(socket, "started")[0]["id"] == "r1"
        assert say(client, quick, START)["clip"]["number"] == 1, "another session does not wait"
        assert client.get(slow).json()["turns"] == []
        gate.set()
        first, seen, _ = until(socket, "reply")
        assert first["id"] == "r1" and {"type": "queued", "id": "r2", "ahead": 1} in seen
        assert until(socket, "reply")[0]["id"] == "r2"
    assert [t["said"] for t in client.get(slow).json()["turns"]] == ["She nods slowly.", START]


def test_other_pages_hosts_and_strangers_are_refused(client, tmp_path, model):
    assert client.get("/health", headers={"host": "evil.example"}).status_code == 421
    assert client.post("/api/sessions", headers={"origin": "http://evil.example"}).status_code == 403
    assert client.get("/health", headers={"origin": "http://127.0.0.1"}).json()["ok"]
    policy = client.get("/health").headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy
    settings = Settings(host="0.0.0.0", folder=tmp_path / "open").checked()
    assert len(settings.token) > 20 and Settings().checked().token == ""
    with TestClient(make_app(settings, lambda: model), base_url="http://face.example") as far:
        assert far.get("/health").status_code == 200
        assert far.get("/api/about").status_code == 401
        assert far.get("/api/about", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert far.get("/api/about", headers={"authorization": f"Bearer {settings.token}"}).status_code == 200
        far.cookies.clear()
        page = far.get("/api/about", params={"token": settings.token})
        assert page.status_code == 200 and "HttpOnly" in page.headers["set-cookie"]
        assert far.get("/api/about").status_code == 200  # by the cookie


def test_too_many_requests_are_told_to_wait(tmp_path, model):
    with TestClient(make_app(Settings(folder=tmp_path, requests=5), lambda: model), base_url="http://127.0.0.1") as one:
        assert [one.get("/health").status_code for _ in range(7)] == [200] * 5 + [429] * 2


def test_bad_values_are_said_in_one_line(client):
    base = begin(client)
    for path, body in ((f"{base}/say", {"text": ""}), (f"{base}/say", {}), (f"{base}/say", {"text": "x" * 5000}),
                       (f"{base}/call", {"tool": "export", "arguments": {"path": "../x.npz"}}),
                       (f"{base}/call", {"tool": "rm"}),
                       (f"{base}/call", {"tool": "undo", "arguments": {"steps": 3}}), ("/api/sessions", {"name": "../x"}),
                       ("/api/sessions", {"name": ""})):
        answer = client.post(path, json=body)
        assert answer.status_code == 422 and set(answer.json()) == {"error"} and "\n" not in answer.json()["error"], (path, body)
    assert client.get("/api/sessions/none").status_code == 404
    assert client.get("/api/jobs/none").status_code == 404


def test_metrics_and_the_page(client):
    assert "facelm_requests_total 0" in client.get("/metrics").text
    page = client.get("/")
    assert page.status_code == 200 and "facelm" in page.text and "http://" not in page.text.replace("http://www.w3.org", "")


def test_the_motion_of_a_rig_is_the_heads_own(model):
    from facelm.agent.server.lanes import rig

    made = rig(model.head)
    seq = FaceSequence.rest(3, model.head.ref, n_expr=model.head.n_expr, n_shape=model.head.n_shape)
    jaw = seq.jaw_pose.copy()
    jaw[1, 0] = 0.4
    table = made.frames(seq.replace(jaw_pose=jaw))
    extra = [k for k, n in enumerate(made.names) if n.startswith("poseCorrective")]
    assert np.abs(table[0, extra]).max() < 1e-6 < 0.1 < np.abs(table[1, extra]).max() <= 1.5
