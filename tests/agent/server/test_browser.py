"""The app as its user meets it: in a browser, by mouse, keyboard and camera."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("playwright")
from browser import CHROMIUM, NODE, browsing, serving_app
from facelm.face.avatar.store import save_textured
from facelm.face.head.model import HeadModel
from PIL import Image
from scripted_agent import needs_tokenizer, rule_agent
from shared_data import shared

pytestmark = [pytest.mark.slow, needs_tokenizer, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
START = "She smiles, winks with her left eye, then nods twice."
LAYOUTS = [((1440, 900), False), ((1440, 900), True), ((390, 844), False), ((390, 844), True)]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving_app(tmp_path_factory.mktemp("talks"), rule_agent) as found:
        yield found


@pytest.fixture
def page(address):
    with browsing(address) as shown:
        yield shown
        assert shown.complaints == []


def motion(page, clip: int) -> np.ndarray:
    """Weights of a clip's frames, ``(T, M)``."""
    name = page.page.evaluate("location.hash.slice(1)")
    values = page.page.evaluate(f"fetch('/api/sessions/{name}/clips/{clip}/motion').then(r => r.arrayBuffer()).then(b => "
                                "Array.from(new Float32Array(b, 16)))")
    channels = len(page.get("/api/about")["channels"])
    return np.array(values).reshape(-1, channels + 35)


def test_the_face_moves_before_the_reply_is_there(page) -> None:
    heard: list[str] = []

    def hear(data: str | bytes) -> None:
        heard.append("motion" if isinstance(data, bytes) else json.loads(data)["type"])

    page.page.on("websocket", lambda socket: socket.on("framereceived", hear))
    page.open("first")
    page.page.fill("#say", START)
    page.page.press("#say", "Enter")
    page.until("Math.max(0, ...Object.values(facelm.probe().weights)) > 0.1")
    page.until("document.querySelector('#log .checks')")
    text = page.page.locator("#log").inner_text()
    assert "nods twice" in text and "All as asked" in text and "perform" in text
    assert heard.index("motion") < heard.index("words") < heard.index("reply"), "the motion is sent while it is made"


def test_an_action_is_dragged_later_and_the_rest_stays(page) -> None:
    page.open("dragged")
    page.say(START)
    before = page.session()["clips"][-1]
    old = motion(page, before["id"])
    bar = page.page.locator(".bar.asked[data-key*=nod]").first
    box = bar.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    with page.turn():
        page.page.mouse.move(x, y)
        page.page.mouse.down()
        page.page.mouse.move(x + 40, y + 3)
        page.page.mouse.move(x + 80, y + 3)
        page.page.mouse.up()
    state = page.session()
    after = state["clips"][-1]
    assert after["parent"] == before["id"] and state["turns"][-1]["calls"][0]["arguments"]["plan"].startswith("starts nod")
    line = {e["name"]: e for e in page.get(f"/api/sessions/dragged/clips/{before['id']}/timeline")["events"]}
    moved = {e["name"]: e for e in page.get(f"/api/sessions/dragged/clips/{after['id']}/timeline")["events"]}
    assert moved["nod"]["start"] > line["nod"]["start"] + 0.3
    assert moved["smile"]["start"] == line["smile"]["start"]
    new, kept = motion(page, after["id"]), int(25 * (line["nod"]["start"] - 0.4))
    assert kept > 20 and np.array_equal(old[:kept], new[:kept]), "what lies before is the same, bit for bit"
    with page.turn():
        page.page.click("#undo")
    assert page.session()["current"] == before["id"]


def test_it_answers_compares_and_is_found_again(page) -> None:
    page.open("asked")
    page.say(START)
    assert "twice" in page.say("how often does she nod?").lower() or "2" in page.page.locator("#log > li").last.inner_text()
    page.say("make the smile weaker")
    page.page.click("#compare-button")
    page.page.locator("#compare-menu .menu-item").nth(1).click()
    page.page.wait_for_timeout(1500)
    assert len(page.page.locator(".stage").screenshot()) > 10_000
    text = page.page.locator("#log").inner_text()
    page.page.reload()
    page.ready()
    page.until(f"document.getElementById('log').innerText === {json.dumps(text)}", 30)


def test_sessions_are_found_by_name_and_by_going_back(page) -> None:
    page.open("here")
    page.page.click("#session-button")
    page.page.fill("#new-session", "my other talk")
    page.page.keyboard.press("Enter")
    page.until("document.getElementById('session-name').textContent === 'my-other-talk'")
    page.page.go_back()
    page.until("document.getElementById('session-name').textContent === 'here'")
    page.page.evaluate("location.hash = '#no such!'")
    page.until("document.getElementById('notices').innerText.includes('does not fit')")
    assert page.page.evaluate("location.hash") == "#here", "the address is that of the session that is shown"
    page.page.fill("#say", "smile " * 900)
    page.page.press("#say", "Enter")
    page.until("document.getElementById('notices').innerText.includes('4000 characters')")
    assert len(page.page.input_value("#say")) == 5400 and page.session()["turns"] == [], "what is too long is not lost"
    page.lines[:] = [x for x in page.lines if "422" not in x]


def test_everything_is_done_by_keyboard(page) -> None:
    page.open("keys")
    page.say(START)
    for keys, plan in ((["ArrowRight"], "starts smile"), (["Alt+ArrowRight"], "lasts smile"), (["+"], "strength smile"),
                       (["Delete"], "remove smile")):
        with page.turn():
            page.page.locator(".bar.asked").first.focus()
            for key in keys:
                page.page.keyboard.press(key)
        assert page.session()["turns"][-1]["calls"][0]["arguments"]["plan"].startswith(plan)
    wink = page.page.locator(".bar.asked[data-key*=wink]").first
    with page.turn():
        wink.focus()
        page.page.keyboard.press("s")
    assert "wink right" in page.session()["clips"][-1]["script"]
    page.page.focus(".skip")
    for _ in range(80):
        page.page.keyboard.press("Tab")
        ring = page.page.evaluate("""(() => { const e = document.activeElement; if (e === document.body) return null;
            const s = getComputedStyle(e);
            return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0
                || getComputedStyle(e.closest('.form') || e).boxShadow !== 'none' || e.outerHTML.slice(0, 80); })()""")
        if ring is None:
            break
        assert ring is True, "what has the focus shows it"
    page.page.keyboard.press("?")
    page.until("document.querySelector('dialog')", 10)
    page.page.keyboard.press("Escape")
    page.until("!document.querySelector('dialog')", 10)


def test_one_of_several_takes_is_chosen_by_keyboard(page) -> None:
    page.open("takes")
    text = page.say(f"three takes of: {START}")
    first = page.session()["current"]
    assert "3 takes to choose from" in text and [c["version"] for c in page.session()["clips"]] == [1, 2, 3]
    chips = page.page.get_by_role("group", name="Takes to choose from").get_by_role("button")
    assert [chips.nth(k).get_attribute("aria-pressed") for k in range(3)] == ["true", "false", "false"]
    shown = [motion(page, c["id"]) for c in page.session()["clips"]]
    assert not any(a.shape == b.shape and np.allclose(a, b) for a, b in ((shown[0], shown[1]), (shown[1], shown[2])))
    chips.nth(0).focus()
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Enter")
    page.until("document.querySelector('.takes > button:nth-child(2)').getAttribute('aria-pressed') === 'true'")
    chosen = page.session()
    assert chosen["current"] == chosen["clips"][1]["id"] != first
    assert page.page.evaluate("document.activeElement.textContent") == "Take 2", "the focus stays where it was"
    page.page.reload()
    page.ready()
    page.until("document.querySelector('.takes > button:nth-child(2)')?.getAttribute('aria-pressed') === 'true'", 30)
    assert page.page.get_by_role("group", name="Takes to choose from").count() == 1


def test_a_recording_of_the_camera_is_sent_when_its_person_says_so(page) -> None:
    page.open("camera")
    sent: list[str] = []
    page.page.on("request", lambda r: sent.append(r.url) if "/upload" in r.url else None)
    page.page.click("#camera-button")
    page.page.get_by_role("button", name="Start").click()
    page.page.wait_for_timeout(2500)
    page.page.get_by_role("button", name="Stop").click()
    page.page.get_by_role("button", name="Use this recording").wait_for()
    assert sent == []
    page.page.get_by_role("button", name="Use this recording").click()
    page.page.wait_for_timeout(1500)
    page.until("!document.querySelector('.wait')", 400)
    assert len(sent) == 1 and "no face" in page.page.locator("#log").inner_text()  # the browser's camera shows a test picture


@pytest.mark.skipif(shared("t2v/blink.mp4") is None, reason="needs the shared videos")
def test_a_video_is_dropped_and_asked_about(page) -> None:
    page.open("video")
    page.page.set_input_files("#file", str(shared("t2v/blink.mp4")))
    page.page.wait_for_timeout(500)
    page.until("document.querySelector('#log > li.done')", 240)
    page.settled()
    assert page.page.locator("#video").is_visible()
    page.say("how often does the person blink?")
    measured = page.get("/api/sessions/video/clips/1/timeline")["events"]
    blinks = sum(e["count"] or 1 for e in measured if e["name"] == "blink")
    words = {1: "once", 2: "twice"}.get(blinks, str(blinks))
    assert blinks >= 1 and words in page.page.locator("#log > li").last.inner_text().lower()


@pytest.mark.skipif(not (NODE / "gltf-validator").is_dir(), reason="needs packages of npm")
def test_the_validator_passes_what_is_downloaded(page, tmp_path) -> None:
    page.open("saved")
    page.say(START)
    page.page.click("#save-button")
    with page.page.expect_download() as download:
        page.page.locator("#save-menu .menu-item", has_text="glb").click()
    file = tmp_path / "clip.glb"
    download.value.save_as(file)
    script = ("const v = require('gltf-validator'), fs = require('fs');"
              "v.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))"
              ".then(r => console.log(JSON.stringify(r.issues)))")
    said = subprocess.run(["node", "-e", script, str(file)], capture_output=True, text=True, check=True,
                          env={**os.environ, "NODE_PATH": str(NODE)})
    issues = json.loads(said.stdout)
    assert issues["numErrors"] == 0 and issues["numWarnings"] == 0, issues["messages"][:5]


@pytest.mark.skipif(not (NODE / "axe-core").is_dir(), reason="needs packages of npm")
@pytest.mark.parametrize(("size", "dark"), LAYOUTS)
def test_the_page_fits_and_is_accessible(address, size, dark) -> None:
    with browsing(address, size, dark, bypass=True) as page:
        page.open("layout")
        if not page.session()["clips"]:
            page.say(START)
        sizes = "(d => [d.scrollWidth - innerWidth, d.scrollHeight - innerHeight])(document.documentElement)"
        wide, high = page.page.evaluate(sizes)
        assert wide <= 0 and high <= 0, "nothing scrolls but the panes"
        page.page.evaluate((NODE / "axe-core/axe.min.js").read_text(encoding="utf-8"))
        for opened in ("", "#look-button", "#session-button", "#save-button", "#help-button"):
            if opened:
                page.page.click(opened)
                page.page.wait_for_timeout(300)
            found = page.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
            assert [(v["id"], v["nodes"][0]["html"][:100]) for v in found if v["impact"] in ("serious", "critical")] == [], opened
            page.page.keyboard.press("Escape")
        assert page.complaints == []


def test_the_page_is_light(address) -> None:
    with browsing(address) as page:
        began = time.monotonic()
        page.open("light")
        assert time.monotonic() - began < 60
        sizes = page.page.evaluate("performance.getEntriesByType('resource').map(r => [r.name, r.transferSize])")
    assert len(sizes) > 20 and sum(n for name, n in sizes if "head.glb" not in name) < 3_000_000
    assert all(name.startswith(f"http://{address}/") for name, _ in sizes), "nothing comes from elsewhere"


def test_a_live_face_is_shown_and_driven(address) -> None:
    with browsing(address) as page:
        page.page.goto(f"http://{address}/live?face=shown")
        page.until("Number(document.body.dataset.frame) > 20")
        before = page.page.locator("#view canvas").screenshot()
        page.page.fill("#say", "looks very surprised")
        page.page.press("#say", "Enter")
        page.page.wait_for_timeout(1500)
        assert page.page.locator("#view canvas").screenshot() != before and page.complaints == []


def test_an_avatar_lives_in_the_page(tmp_path) -> None:
    """The page shows the avatar's own texture and mesh; what is typed moves it soon, follows on, and obeys the slider."""
    head = HeadModel.default()
    green = np.tile(np.array([[[40, 200, 60]]], np.uint8), (256, 256, 1))
    mine = replace(head, name="me", v_template=head.v_template * np.float32(1.03), texture=green,
                   meta={**head.meta, "base": head.sha256})
    mine = save_textured(mine, tmp_path / "me.avatar", {"quality": {}})
    with serving_app(tmp_path / "talks", rule_agent, mine) as address, browsing(address) as page:
        page.page.goto(f"http://{address}/live?face=mine")
        page.until("Number(document.body.dataset.frame) > 20")
        shown = page.page.locator("#view canvas").screenshot()
        face = np.asarray(Image.open(BytesIO(shown)).convert("RGB")).astype(int)
        middle = face[face.shape[0] * 2 // 5:face.shape[0] * 3 // 5, face.shape[1] * 9 // 20:face.shape[1] * 11 // 20]
        assert np.median(middle[..., 1] - middle[..., 0]) > 40, "the avatar's texture is on the face"
        page.page.fill("#say", "smile broadly")
        page.page.press("#say", "Enter")
        page.until("document.body.dataset.waited")
        assert float(page.page.evaluate("document.body.dataset.waited")) < 3
        page.page.fill("#amount", "0")
        page.page.fill("#say", "raise your brows")
        page.page.click("#then")
        page.until("document.getElementById('say').value === ''")
        assert page.page.inner_text("#amount-is") == "0.0" and page.page.inner_text("#note").strip() == ""
        page.page.click("text=Mixture of emotions")
        page.page.fill("#mix-anger", "0.6")
        page.until("document.querySelector('#mix-anger + output').textContent === '0.60'")
        assert page.page.inner_text("#note").strip() == ""
        page.open("talk")  # the app itself shows it as well
        assert page.get("/api/about")["head"]["name"] == mine.name
        page.say("She winks.")
        assert page.complaints == []
