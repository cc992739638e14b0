// The panel of the selected event: what it is, and a button for everything that keys do.
import { $, button, el } from "./dom.js";
import { byWords, drafted, nudge, strengthen, stretch } from "./bars.js";
import { duplicate, once, remove, side } from "./edits.js";
import { mark } from "./checks.js";
import { choose, focusSelected } from "./timeline.js";
import { on, percent, seconds, state } from "./state.js";

let items = [];
let player = null;
let shown = ""; // key of the event that the buttons are for

export function startInspector(thePlayer) {
  player = thePlayer;
  on("items", (list) => { items = list; draw(); });
  on("selected", draw);
  on("dragging", facts);
  on("inspect", () => $("inspector").querySelector("button:not(.close)")?.focus());
  $("inspector").addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    e.stopPropagation();
    focusSelected();
  });
}

function draw() {
  const panel = $("inspector"), item = items.find((i) => i.key === state.selected);
  panel.hidden = !item;
  if (!item) { shown = ""; return; }
  // the buttons stay, and with them the focus, while the same event is being changed
  if (shown !== item.key) panel.replaceChildren(heading(), el("div", { class: "facts" }), item.editable ? controls() : play());
  shown = item.key;
  panel.querySelector("h3").textContent = title(item);
  panel.querySelector(".sides")?.replaceChildren(...sides(item));
  const counted = panel.querySelector(".counted");
  if (counted) counted.hidden = !item.count;
  facts(drafted(item));
}

const current = () => items.find((i) => i.key === state.selected);
const doing = (run) => () => { const item = current(); if (item) run(item); };

function title(item) {
  return item.label + (item.count > 1 ? ` ×${item.count}` : "");
}

function heading() {
  return el("div", { class: "inspector-head" }, el("h3", {}),
    button("", () => { focusSelected(); choose(null); }, { name: "close", kind: "icon small quiet close", label: "Close this panel" }));
}

function fact(name, ...value) {
  return [el("dt", { text: name }), el("dd", {}, value)];
}

function facts(item) {
  const box = $("inspector").querySelector(".facts");
  if (!box) return;
  const kinds = { asked: "asked for", measured: "measured", felt: "measured emotion" };
  box.replaceChildren(el("dl", {}, fact("What", kinds[item.kind] + (item.side && item.side !== "both" ? `, ${item.side} side` : "")),
    fact("When", `${seconds(item.start, 2)} to ${seconds(item.end, 2)} (${seconds(item.end - item.start, 2)})`),
    item.apex !== undefined ? fact("Apex", seconds(item.apex, 2)) : null,
    item.strength !== null && item.strength !== undefined ? fact("Strength", percent(item.strength)) : null,
    item.confidence < 1 ? fact("Certainty", percent(item.confidence)) : null,
    item.by ? fact("Who", byWords(item.by)) : null,
    item.sentence ? fact("Check", mark(item.ok), " ", item.sentence) : null));
}

function pair(name, less, more, lessLabel, moreLabel, kind = "") {
  return el("div", { class: `pair ${kind}`, role: "group", "aria-label": name }, el("span", { text: name }),
    button("", doing(less), { name: "minus", kind: "icon small", label: lessLabel, title: lessLabel }),
    button("", doing(more), { name: "plus", kind: "icon small", label: moreLabel, title: moreLabel }));
}

function controls() {
  return el("div", { class: "controls" },
    pair("Start", (i) => nudge(i, -0.1), (i) => nudge(i, 0.1), "0.1 s earlier", "0.1 s later"),
    pair("Length", (i) => stretch(i, -0.1), (i) => stretch(i, 0.1), "0.1 s shorter", "0.1 s longer"),
    pair("Strength", (i) => strengthen(i, -0.05), (i) => strengthen(i, 0.05), "Weaker", "Stronger"),
    pair("Count", (i) => once(i, false), (i) => once(i, true), "Once less", "Once more", "counted"),
    el("div", { class: "pair sides", role: "group", "aria-label": "Side" }),
    el("div", { class: "pair" }, button("Duplicate", doing(duplicate), { kind: "small", title: "D" }),
      button("Remove", doing(remove), { kind: "small", title: "Delete" }), play()));
}

function sides(item) {
  const made = ["left", "both", "right"].map((to) => {
    const b = button(to, doing((i) => { if (i.side !== to) side(i, to); }), { kind: "small seg", title: to === "both" ? null : "S takes the other side" });
    b.setAttribute("aria-pressed", String(item.side === to));
    return b;
  });
  return [el("span", { text: "Side" }), ...made];
}

function play() {
  return button("Play", doing((i) => player.part(i.start - 0.1, i.end + 0.1)), { name: "play", kind: "small", title: "Play this part" });
}
