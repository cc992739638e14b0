// Curves of chosen channels under the lanes.
import { $, button, el, notice, placeMenu, press, recall, remember } from "./dom.js";
import { api } from "./api.js";
import { emit, on, state } from "./state.js";

const HEIGHT = 130, MOST = 8;
const DIRECTED = new Set(["wink", "gaze", "tilt", "mouth_shift", "turn", "jaw"]);
const LANES = new Set(["mouth", "brows", "lids", "cheeks", "jaw", "head", "gaze", "speech"]);
let view = null;
let open = recall("curves", false);
let names = []; // chosen; none: those that move most
let data = null; // {clip, fps, curves}
let names0 = null;

export function startCurves(theView) {
  view = theView;
  $("curves-toggle").addEventListener("click", () => { open = !open; remember("curves", open); load(); });
  placeMenu($("curves-pick"), $("curves-menu"), pick);
  on("timeline", load);
  on("reset", () => { data = null; names = []; });
  on("clip", (clip) => { if (!clip) { data = null; load(); } });
}

async function load() {
  press($("curves-toggle"), open);
  $("curves-pick").hidden = !open || !state.clip;
  const { clip, session } = state;
  if (open && clip && names0 !== `${clip.id} ${names}`) {
    names0 = `${clip.id} ${names}`;
    try {
      const got = await api.curves(session.name, clip.id, names);
      if (state.clip?.id !== clip.id) return;
      data = { ...got, clip: clip.id };
    } catch (error) { notice(error.message, { error: true }); names0 = null; }
  }
  emit("curves");
}

const color = (k) => `var(--line-${k + 1})`;
const words = (name) => state.about?.actions.find((a) => a.name === name)?.label ?? name.replaceAll("_", " ");

export function drawCurves() {
  const { content, width, left, scale } = view();
  const there = open && data && data.clip === state.clip?.id;
  content.hidden = !there;
  if (!there) return;
  if (content.dataset.for !== names0) build(content);
  const canvas = content.querySelector("canvas"), ratio = devicePixelRatio || 1;
  canvas.width = Math.max(width, 1) * ratio;
  canvas.height = HEIGHT * ratio;
  canvas.style.width = `${width}px`;
  const g = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  g.scale(ratio, ratio);
  g.strokeStyle = style.getPropertyValue("--line");
  for (const y of [0, 0.5, 1]) line(g, [[0, level(y)], [width, level(y)]]);
  g.lineWidth = 1.6;
  g.lineJoin = "round";
  const first = Math.max(0, Math.floor((left / scale) * data.fps) - 1), last = Math.ceil(((left + width) / scale) * data.fps) + 1;
  const stride = Math.max(1, Math.floor((last - first) / (width * 2)));
  Object.values(data.curves).forEach((values, k) => {
    g.strokeStyle = style.getPropertyValue(`--line-${(k % MOST) + 1}`);
    const points = [];
    for (let f = first; f <= Math.min(last, values.length - 1); f += stride) points.push([(f / data.fps) * scale - left, level(values[f])]);
    line(g, points);
  });
}

const level = (value) => 8 + (1 - value) * (HEIGHT - 16);

function line(g, points) {
  g.beginPath();
  points.forEach(([x, y], k) => (k ? g.lineTo(x, y) : g.moveTo(x, y)));
  g.stroke();
}

function build(content) {
  content.dataset.for = names0;
  const legend = el("ul", { class: "legend", "aria-label": "Curves" }, Object.entries(data.curves).map(([name, values], k) => {
    const dot = el("i", { "aria-hidden": "true" });
    dot.style.background = color(k % MOST);
    return el("li", {}, dot, el("span", { text: words(name), title: `most: ${Math.round(100 * values.reduce((a, b) => Math.max(a, b), 0))} %` }));
  }));
  content.replaceChildren(el("div", { class: "lane-name" }, legend), el("canvas", { role: "img", "aria-label": `Curves of ${Object.keys(data.curves).map(words).join(", ")}` }));
}

/** The channels that a curve can be drawn of. */
function channels() {
  const shown = Object.keys(data?.curves ?? {});
  const all = (state.about?.actions ?? []).filter((a) => LANES.has(a.lane)).flatMap((a) =>
    DIRECTED.has(a.name) ? ["left", "right"].map((s) => `${a.name}_${s}`) : [a.name]);
  return [...new Set([...shown, ...all])];
}

function pick() {
  const chosen = new Set(Object.keys(data?.curves ?? {}));
  const boxes = el("div", { class: "boxes" }, channels().map((name) => el("label", {}, el("input", { type: "checkbox", value: name, checked: chosen.has(name),
    on: { change: (e) => choose(e.target, chosen) } }), el("span", { text: words(name) }))));
  $("curves-menu").replaceChildren(el("p", { class: "menu-title", text: `Channels (up to ${MOST})` }), boxes,
    button("Those that move most", () => { names = []; load(); $("curves-menu").hidePopover(); }, { kind: "small" }));
}

function choose(box, chosen) {
  if (box.checked && chosen.size >= MOST) {
    box.checked = false;
    notice(`At most ${MOST} curves at once.`);
    return;
  }
  chosen[box.checked ? "add" : "delete"](box.value);
  if (!chosen.size) return;
  names = [...chosen];
  load();
}
