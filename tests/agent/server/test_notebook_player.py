"""The player of notebooks, mounted in a real browser from what its widget carries."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from browser import _FLAGS, CHROMIUM
from facelm.agent.notebook import player, script
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.script_text import read_script
from PIL import Image

pytest.importorskip("anywidget")
_PAGE = """<!doctype html><meta charset="utf-8"><div id="cell"></div><script type="module">
import widget from "/player.js";
const bytes = async (path) => new DataView(await (await fetch(path)).arrayBuffer());
const traits = { head: await bytes("/head"), motion: await bytes("/motion"), fps: %g, height: 320, label: "a <b>smile</b>" };
window.away = await widget.render({ model: { get: (name) => traits[name] }, el: document.getElementById("cell") });
window.there = true;
</script>"""


@pytest.fixture(scope="module")
def smiling() -> FaceSequence:
    return perform(lay_out(read_script("smile strong at 1 s for 2 s; turn left at 4 s for 1.5 s; 6 s")))


def test_the_module_names_nothing_of_the_network_and_wrong_values_are_refused(smiling: FaceSequence, tmp_path: Path) -> None:
    assert "import(" in script() and "cdn" not in script().lower() and "unpkg" not in script()
    widget = player(smiling.save(tmp_path / "a.npz"), "mine", 240)
    assert (widget.label, widget.height, widget.fps) == ("mine", 240, 25.0) and widget.head[:4] == b"glTF"
    with pytest.raises(ValueError, match="height is 5"):
        player(smiling, height=5)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_the_widget_shows_the_face_and_plays_it(smiling: FaceSequence, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    widget = player(smiling, "a <b>smile</b>", 320)
    served = {"/": (_PAGE % smiling.fps, "text/html"), "/player.js": (str(widget._esm), "text/javascript"),
              "/head": (widget.head, "application/octet-stream"), "/motion": (widget.motion, "application/octet-stream")}
    asked: list[str] = []

    def answer(route) -> None:  # type: ignore[no-untyped-def]
        path = route.request.url.removeprefix("http://facelm.test")
        asked.append(route.request.url)
        body, kind = served.get(path, ("", "text/plain"))
        route.fulfill(status=200 if path in served else 404, body=body, content_type=kind)

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        page = browser.new_page(viewport={"width": 400, "height": 420})
        page.set_default_timeout(120_000)
        wrong: list[str] = []
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.route("**/*", answer)
        page.goto("http://facelm.test/")
        page.wait_for_function("window.there")

        def seen(at: float) -> np.ndarray:
            page.evaluate("t => { const s = document.querySelector('input'); s.value = t; s.dispatchEvent(new Event('input')); }",
                          at)
            page.wait_for_timeout(200)
            shot = page.locator("canvas").screenshot(path=str(tmp_path / f"{at}.png"))
            return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), float)

        rest, smile, turned, after = (seen(t) for t in (0.0, 2.0, 4.8, 5.96))
        middle = rest[80:240, 100:220]
        assert middle.std() > 8 and (middle[..., 0] > middle[..., 2] + 8).mean() > 0.3, "no skin in the middle"
        size = {"smile": np.abs(smile - rest).mean(), "turn": np.abs(turned - rest).mean(), "rest": np.abs(after - rest).mean()}
        assert size["turn"] > size["smile"] > 4 * size["rest"] and size["smile"] > 0.3, size
        changed = np.abs(smile - rest).mean((1, 2))
        assert changed[160:240].mean() > changed[:100].mean(), "a smile changes the lower face"
        page.get_by_title("Play or pause").click()
        page.wait_for_function("!document.querySelector('output').textContent.startsWith('5.9')")
        assert page.locator("figcaption").inner_text() == "a <b>smile</b>"
        page.evaluate("window.away()")
        browser.close()
    assert not wrong and {a.removeprefix("http://facelm.test") for a in asked if not a.startswith("blob:")} <= {
        *served, "/favicon.ico"}
