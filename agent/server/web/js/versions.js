// The clips of a session with their versions, as a small tree.
import { $, button, el, notice } from "./dom.js";
import { select } from "./session.js";
import { on } from "./state.js";

const HOW = { performed: "performed", edited: "changed", take: "another take", opened: "opened", transition: "transition", joined: "joined" };

export function startVersions() {
  on("session", draw);
  on("reset", () => { $("clips").hidden = true; });
}

function draw(session) {
  const box = $("clips");
  box.hidden = !session.clips.length;
  const numbers = [...new Set(session.clips.map((c) => c.number))];
  box.replaceChildren(el("ul", { "aria-label": "Clips and their versions" }, numbers.map((n) => {
    const own = session.clips.filter((c) => c.number === n);
    const name = own.findLast((c) => c.name)?.name || `Clip ${n}`;
    return el("li", {}, el("span", { class: "clip-name", text: name, title: own[0].said }), el("div", { class: "chains" }, chains(own, session.current)));
  })));
  const here = box.querySelector("[aria-pressed=true]");
  if (here) box.scrollTop = here.offsetTop - 40;
}

/** Lines of versions: each follows the first child, other children begin a line of their own. */
function chains(clips, current) {
  const ids = new Set(clips.map((c) => c.id));
  const children = (id) => clips.filter((c) => c.parent === id);
  const starts = clips.filter((c) => !ids.has(c.parent)).map((c) => [c, null]);
  const lines = [];
  while (starts.length) {
    let [clip, from] = starts.shift();
    const line = el("div", { class: "chain" }, from ? el("span", { class: "from", text: `from v${from.version}` }) : null);
    while (clip) {
      line.append(chip(clip, clip.id === current));
      const [next, ...others] = children(clip.id);
      starts.unshift(...others.map((c) => [c, clip]));
      clip = next;
    }
    lines.push(line);
  }
  return lines;
}

function chip(clip, here) {
  const label = `v${clip.version} of ${clip.name || `clip ${clip.number}`}, ${HOW[clip.how] ?? clip.how}: ${clip.said}`;
  const made = button(`v${clip.version}`, () => select(clip.id).catch((e) => notice(e.message, { error: true })), { kind: "chip version", label, title: label });
  made.setAttribute("aria-pressed", String(here));
  return made;
}
