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

export function startStage(theFace, thePlayer) {
  [face, player] = [theFace, thePlayer];
  for (const b of document.querySelectorAll(".framing [data-frame]")) b.addEventListener("click", () => face.framed(b.dataset.frame));
  on("frame", (name) => { for (const b of document.querySelectorAll(".framing [data-frame]")) press(b, b.dataset.frame === name); });
  placeMenu($("look-button"), $("look-menu"), menu);
  on("reset", () => compare(null));
  on("session", () => { if (other && !clipOf(other)) compare(null); });
  on("clip", captions);
  on("drawn", marks);
}

/** Brings the view to what is set, when the head is there. */
export function applyLook() {
  face.light(set.light);
  face.each((h) => { h.tone(set.tone); h.wire(set.wire); h.heated(set.heat); });
  face.mirror(set.mirror);
  emit("wake");
}

function choose(name, value) {
  set[name] = value;
  remember("view", set);
  applyLook();
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
  const clips = state.session?.clips ?? [];
  const pick = el("select", { id: "compare", on: { change: (e) => compare(e.target.value || null) } }, el("option", { value: "", text: "Nothing" }),
    clips.filter((c) => c.id !== state.clip?.id || c.id === other).map((c) => el("option", { value: c.id, text: clipLabel(c), selected: c.id === other })));
  $("look-menu").replaceChildren(choice("Light", "light", LIGHTS),
    choice("Skin", "tone", Object.fromEntries(Object.entries(TONES).map(([k, t]) => [k, t.label])), skin),
    el("div", { class: "checks-box" }, toggle("Colour what moves", "heat"), toggle("Wireframe", "wire"), toggle("Mirrored", "mirror"), toggle("Mark left and right", "marks")),
    el("label", { class: "row", for: "compare" }, el("span", { text: "Side by side with" }), pick));
}

async function compare(id) {
  other = id;
  const clip = id === null ? null : state.session?.clips.find((c) => String(c.id) === String(id)) ?? null;
  if (!clip) {
    other = null;
    player.compare(null);
    face?.compare(false);
    captions();
    return;
  }
  other = clip.id;
  try {
    const motion = await motionOf(clip);
    if (other !== clip.id) return;
    player.compare(motion);
    face.compare(true);
    applyLook();
  } catch (error) { notice(error.message, { error: true }); other = null; }
  captions();
}

function captions() {
  const second = other === null ? null : clipOf(other);
  $("view").classList.toggle("split", Boolean(second));
  $("name-a").hidden = $("name-b").hidden = !second;
  if (!second) return;
  $("name-a").textContent = state.clip ? clipLabel(state.clip) : "";
  $("name-b").textContent = clipLabel(second);
}

/** Puts L and R beside the head: the subject's own sides. */
function marks() {
  const there = set.marks && face.heads.length > 0, places = face.marks();
  [$("mark-left"), $("mark-right")].forEach((node, k) => {
    node.hidden = !there || !places[k];
    if (places[k]) node.style.transform = `translate(${places[k].x}px, ${places[k].y}px) translate(-50%, -50%)`;
  });
}
