// The events of the timeline as elements: how they look, what they are called, how they are dragged and keyed.
import { el, icon } from "./dom.js";
import { change, drafts, duplicate, remove, side } from "./edits.js";
import { percent } from "./state.js";

const EDGE = 7; // px at an end that stretch
const STEP = 0.1, LARGE = 0.5, LEAST = 0.12; // s
const BY = { model: "performed by the model", repaired: "repaired", animator: "performed by the animator" };

const SHORT_BY = { model: "model", repaired: "repaired", animator: "animator" };
export const byWords = (by) => BY[by] ?? "";

/** An event as it is going to be. */
export function drafted(item) {
  return { ...item, ...drafts.get(item.key) };
}

/** Its side, where the label does not tell it. */
const sideOf = ({ side: own, label }) => (own && own !== "both" && !label.includes(own) ? own : "");

function said(item) {
  const parts = [item.label + (sideOf(item) ? `, ${sideOf(item)} side` : ""),
    `${item.start.toFixed(1)} to ${item.end.toFixed(1)} s`];
  if (item.strength !== null && item.strength !== undefined) parts.push(`strength ${percent(item.strength)}`);
  if (item.count > 1) parts.push(`${item.count} times`);
  parts.push(item.kind === "felt" ? "measured emotion" : item.kind);
  if (item.kind === "asked") {
    if (item.by) parts.push(byWords(item.by));
    parts.push(item.ok === null ? "not checked" : item.ok ? "there" : "not as asked");
  }
  if (drafts.has(item.key)) parts.push("being changed");
  return parts.join(", ");
}

/** The element of an event at `left` and `width` px. */
export function bar(given, { left, width, top, selected }) {
  const item = drafted(given);
  const node = el("div", { class: `bar ${item.kind}${item.editable ? " editable" : ""}`, role: "option", tabindex: "-1", "aria-label": said(item),
    "aria-selected": String(selected), title: said(item), data: { key: item.key, by: item.by ?? "" } });
  node.classList.toggle("pending", drafts.has(given.key));
  node.classList.toggle("gone", Boolean(item.gone));
  node.classList.toggle("bad", item.ok === false);
  node.classList.toggle("unsure", item.confidence < 0.5);
  Object.assign(node.style, { left: `${left}px`, width: `${width}px`, top: `${top}px` });
  if (item.kind !== "asked") node.append(envelope(item));
  if (width > 30) {
    // count, side and performer are drawn by the style sheet: the label says them already
    const text = el("span", { text: item.label.replace(/^an? /, ""), data: { count: item.count > 1 ? `×${item.count}` : "", side: sideOf(item)[0]?.toUpperCase() ?? "" } });
    node.append(el("span", { class: "bar-text", data: { by: item.by && width > 130 ? SHORT_BY[item.by] : "" } },
      item.kind === "asked" && item.ok !== null ? icon(item.ok ? "check" : "cross") : null, text));
  }
  return node;
}

/** Onset, apex and offset as a shape whose height is the strength. */
function envelope(item) {
  const span = Math.max(item.end - item.start, 0.01), apex = Math.min(Math.max(((item.apex ?? (item.start + item.end) / 2) - item.start) / span, 0.04), 0.96);
  const shape = el("i", { class: "envelope" });
  const high = 100 * (1 - Math.max(item.strength ?? 1, 0.12)), flat = Math.min(apex + 0.35 * (1 - apex), 0.96);
  shape.style.clipPath = `polygon(0 100%, ${100 * apex}% ${high}%, ${100 * flat}% ${high}%, 100% 100%)`;
  return shape;
}

/** Drags a bar; calls back with what it becomes. */
export function drag(event, node, item, scale, moved) {
  const box = node.getBoundingClientRect(), edge = box.width > 3 * EDGE ? EDGE : box.width / 4;
  const part = event.clientX < box.left + edge ? "left" : event.clientX > box.right - edge ? "right" : "all";
  const was = drafted(item), from = event.clientX;
  let becomes = null;
  const move = (e) => {
    const by = (e.clientX - from) / scale;
    if (!becomes && Math.abs(e.clientX - from) < 4) return;
    const round = (t) => Math.round(t * 50) / 50;
    if (part === "all") {
      const start = round(Math.max(0, was.start + by));
      becomes = { start, end: start + was.end - was.start };
    } else if (part === "left") becomes = { start: round(Math.min(Math.max(0, was.start + by), was.end - LEAST)), end: was.end };
    else becomes = { start: was.start, end: round(Math.max(was.start + LEAST, was.end + by)) };
    node.classList.add("dragged");
    moved(becomes);
  };
  const stop = (e) => {
    for (const [name, run] of Object.entries(listeners)) node.removeEventListener(name, run);
    node.classList.remove("dragged");
    if (e.type === "pointercancel") moved(null);
    else if (becomes) change(item, becomes, part === "all" ? "moved by hand" : "stretched by hand");
  };
  const listeners = { pointermove: move, pointerup: stop, pointercancel: stop };
  node.setPointerCapture(event.pointerId);
  for (const [name, run] of Object.entries(listeners)) node.addEventListener(name, run);
}

export function cursor(event, node) {
  const box = node.getBoundingClientRect(), edge = box.width > 3 * EDGE ? EDGE : box.width / 4;
  node.classList.toggle("edge", event.clientX < box.left + edge || event.clientX > box.right - edge);
}

export function nudge(item, by) {
  const was = drafted(item), start = Math.max(0, was.start + by);
  change(item, { start, end: start + was.end - was.start }, "moved by hand", true);
}

export function stretch(item, by) {
  const was = drafted(item);
  change(item, { end: Math.max(was.start + LEAST, was.end + by) }, "stretched by hand", true);
}

export function strengthen(item, by) {
  const was = drafted(item);
  change(item, { strength: Math.min(Math.max(Math.round(((was.strength ?? 0.6) + by) * 100) / 100, 0.05), 1) }, "strength by hand", true);
}

const OTHER = { both: "left", left: "right", right: "left" };
const otherSide = (item) => side(item, OTHER[drafted(item).side] ?? "left");

/** Keys on a selected event; true when it took the key. */
export function keyed(event, item) {
  if (!item.editable || event.ctrlKey || event.metaKey) return false;
  const far = event.shiftKey ? LARGE : STEP;
  const keys = {
    ArrowLeft: () => (event.altKey ? stretch : nudge)(item, -far),
    ArrowRight: () => (event.altKey ? stretch : nudge)(item, far),
    "+": () => strengthen(item, 0.05), "=": () => strengthen(item, 0.05), "-": () => strengthen(item, -0.05),
    Delete: () => remove(item), Backspace: () => remove(item),
    d: () => duplicate(item), D: () => duplicate(item), s: () => otherSide(item), S: () => otherSide(item),
  };
  if (!keys[event.key]) return false;
  keys[event.key]();
  return true;
}
