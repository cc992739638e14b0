// Controls of the 3D view: framing, light, skin, heat map, mirror, two clips side by side.
import { $, el, notice, placeMenu, press, recall, remember } from "./dom.js";
import { TONES } from "./head.js";
import { motionOf } from "./session.js";
import { clipLabel, clipOf, emit, on, state } from "./state.js";

const USUAL = { light: "studio", tone: "modelled", wire: false, heat: false, mirror: false, marks: true };
const LIGHTS = { studio: "Studio", soft: "Soft", side: "From the side" };
const set = { ...USUAL, ...recall("view", {}) };
let face = null;
let player = null;
let other = null; // id of the second clip
let centred = []; // the motions that the view is centred on

export function startStage(thePlayer) {
  player = thePlayer;
  for (const b of document.querySelectorAll(".framing [data-frame]")) b.addEventListener("click", () => face?.framed(b.dataset.frame));
  on("frame", (name) => { for (const b of document.querySelectorAll(".framing [data-frame]")) press(b, b.dataset.frame === name); });
  placeMenu($("look-button"), $("look-menu"), menu);
  placeMenu($("compare-button"), $("compare-menu"), others);
  on("reset", () => compare(null));
  on("session", ({ clips }) => {
    $("compare-button").hidden = clips.length < 2;
    if (other !== null && !clipOf(other)) compare(null);
  });
  on("clip", captions);
  on("player", centre);
  on("drawn", marks);
}

function centre() {
  const { motion, second } = player;
  if (!face?.heads.length || motion === centred[0] && second === centred[1]) return;
  centred = [motion, second];
  face.centre(player.first(), player.first(true));
}

/** Takes up the view, when its head is there. */
export function showFace(theFace) {
  face = theFace;
  applyLook();
}

function applyLook() {
  face.light(set.light);
  face.each((h) => { h.tone(set.tone); h.wire(set.wire); h.heated(set.heat); });
  face.mirror(set.mirror);
  centre();
  emit("wake");
}

function choose(name, value) {
  set[name] = value;
  remember("view", set);
  if (face) applyLook();
}

function choice(title, name, options, swatch) {
  return el("fieldset", { class: swatch ? "swatches" : "choices" }, el("legend", { text: title }), Object.entries(options).map(([value, label]) => {
    const input = el("input", { type: "radio", name, value, checked: set[name] === value, on: { change: () => choose(name, value) } });
    const dot = swatch ? el("i", { "aria-hidden": "true" }) : null;
    if (dot) dot.style.background = swatch(value);
    return el("label", { title: swatch ? label : null }, input, dot, el("span", { class: swatch ? "hidden" : null, text: label }));
  }));
}

function toggle(label, name) {
  return el("label", { class: "check" }, el("input", { type: "checkbox", checked: set[name], on: { change: (e) => choose(name, e.target.checked) } }), el("span", { text: label }));
}

/** The skin's colour on screen under a tone. */
function skin(tone) {
  const base = face?.heads[0]?.meshes.find((m) => m.material.name === "skin")?.material.userData.base ?? [0.73, 0.41, 0.27];
  const srgb = base.map((c, k) => Math.min(c * TONES[tone].factor[k], 1)).map((c) => Math.round(255 * (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055)));
  return `rgb(${srgb})`;
}

function menu() {
  $("look-menu").replaceChildren(choice("Light", "light", LIGHTS),
    choice("Skin", "tone", Object.fromEntries(Object.entries(TONES).map(([k, t]) => [k, t.label])), skin),
    el("div", { class: "checks-box" }, toggle("Colour what moves", "heat"), toggle("Wireframe", "wire"), toggle("Mirrored", "mirror"), toggle("Mark left and right", "marks")));
}

/** The clips and versions that can be shown beside the one at hand. */
function others() {
  const item = (id, label, said) => el("li", {}, el("button", { type: "button", class: "menu-item", "aria-current": id === other ? "true" : null,
    on: { click: () => { $("compare-menu").hidePopover(); compare(id); } } }, el("b", { text: label }), el("span", { class: "said-of", text: said })));
  const clips = (state.session?.clips ?? []).filter((c) => c.id !== state.clip?.id || c.id === other);
  $("compare-menu").replaceChildren(el("p", { class: "menu-title", text: "Side by side with" }),
    el("ul", { class: "menu-list" }, item(null, "Nothing", ""), clips.map((c) => item(c.id, clipLabel(c), c.said))));
}

async function compare(id) {
  const clip = id === null ? null : clipOf(id);
  other = clip?.id ?? null;
  if (!clip) {
    player.compare(null);
    face?.compare(false);
    captions();
    return;
  }
  try {
    const motion = await motionOf(clip);
    if (other !== clip.id) return;
    face?.compare(true);
    player.compare(motion);
    if (face) applyLook();
  } catch (error) { notice(error.message, { error: true }); other = null; }
  captions();
}

function captions() {
  const second = other === null ? null : clipOf(other);
  $("view").classList.toggle("split", Boolean(second));
  press($("compare-button"), Boolean(second));
  $("name-a").hidden = $("name-b").hidden = !second;
  if (!second) return;
  $("name-a").textContent = state.clip ? clipLabel(state.clip) : "";
  $("name-b").textContent = clipLabel(second);
}

/** Puts L and R beside the head: the subject's own sides. */
function marks() {
  if (!face) return;
  const there = set.marks && face.heads.length > 0, places = face.marks();
  [$("mark-left"), $("mark-right")].forEach((node, k) => {
    node.hidden = !there || !places[k];
    if (places[k]) node.style.transform = `translate(${places[k].x}px, ${places[k].y}px) translate(-50%, -50%)`;
  });
}
