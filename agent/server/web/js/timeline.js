// The timeline: lanes with measured and asked events, ruler, playhead, zoom.
import { $, el, notice, takesKeys } from "./dom.js";
import { bar, cursor, drag, drafted, keyed, strengthen } from "./bars.js";
import { addressed } from "./edits.js";
import { drawCurves, startCurves } from "./curves.js";
import { emit, on, state } from "./state.js";

const ROW = { asked: 27, measured: 26 }, GAP = 4, EMPTY = 19, RULER = 22, MOST = 400;
let player = null;
let zoom = 1;
let scale = 100; // px a second
let items = []; // everything that can be focused
let parts = {}; // the fixed elements
let dragging = false; // nothing is drawn anew meanwhile
let dirty = 0;

const labels = () => (innerWidth < 700 ? 76 : 128);

export function startTimeline(thePlayer) {
  player = thePlayer;
  build();
  startCurves(view);
  for (const name of ["timeline", "draft", "about", "curves", "theme"]) on(name, redraw);
  on("clip", (clip) => { if (!clip) redraw(); });
  on("reset", () => { zoom = 1; });
  on("time", playhead);
  on("player", playhead);
  on("buffer", () => { if (player.seconds > shownSeconds()) redraw(); });
  on("selected", marked);
  $("zoom-in").addEventListener("click", () => zoomed(1.6));
  $("zoom-out").addEventListener("click", () => zoomed(1 / 1.6));
  $("zoom-fit").addEventListener("click", () => { zoom = 1; redraw(); });
  new ResizeObserver(redraw).observe(parts.scroll);
}

/** What the curves need to know of the timeline's geometry. */
function view() {
  return { scale, left: parts.scroll.scrollLeft, width: parts.scroll.clientWidth - labels(), content: parts.curves, seconds: shownSeconds() };
}

function shownSeconds() {
  return Math.max(state.timeline?.seconds ?? 0, player.seconds) || 5;
}

// -- building -----------------------------------------------------------------------------------------
function build() {
  const scroll = $("tl-scroll");
  parts = { scroll, ruler: el("canvas", { class: "ruler", "aria-hidden": "true" }), rulerRow: el("div", { class: "ruler-row" }),
    list: el("div", { class: "lanes", role: "listbox", "aria-label": "Events" }), curves: el("div", { class: "curves", hidden: true }),
    head: el("div", { class: "playhead", "aria-hidden": "true" }), body: el("div", { class: "tl-body" }) };
  parts.rulerRow.append(el("div", { class: "corner" }), parts.ruler);
  parts.body.append(parts.rulerRow, parts.list, parts.curves, parts.head);
  scroll.append(parts.body);
  scroll.addEventListener("scroll", () => { drawRuler(); drawCurves(); playhead(); }, { passive: true });
  scroll.addEventListener("wheel", wheel, { passive: false });
  scroll.addEventListener("keydown", key);
  parts.list.addEventListener("pointerdown", grab);
  parts.list.addEventListener("pointermove", (e) => { const b = e.target.closest(".editable"); if (b && !e.buttons) cursor(e, b); });
  parts.list.addEventListener("focusin", (e) => { const b = e.target.closest(".bar"); if (b) choose(b.dataset.key); });
  parts.ruler.addEventListener("pointerdown", scrub);
}

function redraw() {
  if (!dirty && !dragging) dirty = requestAnimationFrame(() => { dirty = 0; draw(); });
}

/** Every event of the clip at hand: asked cues, measured events, emotions. */
function collect() {
  const t = state.timeline;
  if (!t) return [];
  const scripted = t.asked.length > 0;
  const asked = addressed(t.asked).map((a) => ({ ...a, kind: "asked", editable: true, key: `asked ${a.key}` }));
  const measured = (scripted ? t.events.map((e) => ({ ...e, key: e.id })) : addressed(t.events))
    .map((e) => ({ ...e, kind: "measured", editable: !scripted, key: `measured ${e.key}` }));
  const told = (e) => t.events.some((m) => m.name === e.name && Math.abs(m.start - e.start) < 0.3);
  const felt = t.emotion.filter((e) => !told(e)).map((e, k) => ({ ...e, label: e.name.replaceAll("_", " "), lane: "emotion", side: "both", kind: "felt", editable: false, key: `felt ${k}` }));
  return [...asked, ...measured, ...felt];
}

function draw() {
  const focused = document.activeElement?.closest?.(".bar")?.dataset.key;
  items = collect();
  if (state.selected && !items.some((i) => i.key === state.selected)) successor();
  const width = Math.max(parts.scroll.clientWidth - labels() - 14, 50);
  scale = (width / shownSeconds()) * zoom;
  parts.body.style.width = `${labels() + shownSeconds() * scale + 14}px`;
  parts.body.style.setProperty("--labels", `${labels()}px`);
  const lanes = state.about?.lanes ?? [];
  const named = new Set(lanes.map((l) => l.name));
  const rest = items.some((i) => !named.has(i.lane)) ? [{ name: "", label: "Other" }] : [];
  parts.list.replaceChildren(...[...lanes, ...rest].map((lane) => laneRow(lane, items.filter((i) => (named.has(i.lane) ? i.lane : "") === lane.name))), ...lost());
  const tab = parts.list.querySelector(`[data-key="${CSS.escape(state.selected ?? "")}"]`) ?? parts.list.querySelector(".bar");
  if (tab) tab.tabIndex = 0;
  if (focused) (parts.list.querySelector(`[data-key="${CSS.escape(focused)}"]`) ?? (state.selected ? tab : null))?.focus({ preventScroll: true });
  $("tl-key").hidden = !items.length;
  $("tl-note").textContent = state.clip ? state.timeline?.notes?.join(" ") ?? "" : "What is performed appears here, lane by lane.";
  drawRuler();
  drawCurves();
  playhead();
  emit("items", items);
}

/** After a change an event may be the k-th of its name for another k: the nearest one is selected then. */
function successor() {
  const [kind, key] = state.selected.split(" ");
  const like = items.filter((i) => i.key.startsWith(`${kind} ${(key ?? "").split("#")[0]}#`));
  state.selected = like[0]?.key ?? null;
  emit("selected", state.selected);
}

/** Puts events that overlap into rows of their own; returns the row of each. */
function packed(list) {
  const ends = [];
  return list.toSorted((a, b) => a.start - b.start).map((item) => {
    let row = ends.findIndex((e) => e <= item.start + 0.01);
    if (row < 0) row = ends.push(0) - 1;
    ends[row] = Math.max(item.end, item.start + 14 / scale);
    return { item, row };
  });
}

function laneRow(lane, own) {
  const track = el("div", { class: "track" });
  let top = GAP;
  for (const [kind, list] of [["asked", own.filter((i) => i.kind === "asked")], ["measured", own.filter((i) => i.kind !== "asked")]]) {
    const rows = packed(list);
    for (const { item, row } of rows) track.append(placed(item, top + row * ROW[kind]));
    top += ROW[kind] * (rows.length ? Math.max(...rows.map((r) => r.row)) + 1 : 0);
  }
  track.style.height = `${own.length ? top + GAP : EMPTY}px`;
  return el("div", { class: own.length ? "lane" : "lane still", role: own.length ? "group" : "presentation", "aria-label": own.length ? lane.label : null, data: { lane: lane.name } },
    el("div", { class: "lane-name", "aria-hidden": "true", text: lane.label }), track);
}

function placed(item, top) {
  const now = drafted(item);
  return bar(item, { left: now.start * scale, width: Math.max((now.end - now.start) * scale, 6), top, selected: item.key === state.selected });
}

function lost() {
  return (state.timeline?.lost ?? []).map(([start, end]) => {
    const node = el("div", { class: "lost", role: "presentation", title: `no face found, ${start.toFixed(1)} to ${end.toFixed(1)} s` });
    Object.assign(node.style, { left: `${labels() + start * scale}px`, width: `${Math.max((end - start) * scale, 3)}px` });
    return node;
  });
}

// -- ruler and playhead -------------------------------------------------------------------------------
function drawRuler() {
  const { ruler, scroll } = parts, width = Math.max(scroll.clientWidth - labels(), 1), ratio = devicePixelRatio || 1;
  ruler.width = width * ratio;
  ruler.height = RULER * ratio;
  ruler.style.width = `${width}px`;
  const g = ruler.getContext("2d"), style = getComputedStyle(ruler);
  g.scale(ratio, ratio);
  g.font = `11px ${style.fontFamily}`;
  g.fillStyle = style.color;
  g.strokeStyle = style.borderBottomColor;
  const step = [0.04, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120].find((s) => s * scale >= 56) ?? 300;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0, minor = step / 5, left = scroll.scrollLeft;
  for (let k = Math.floor(left / scale / minor); k * minor * scale < left + width; k++) {
    const x = k * minor * scale - left, t = k * minor, major = k % 5 === 0;
    if (t > shownSeconds() + 1e-6) break;
    g.beginPath();
    g.moveTo(x + 0.5, RULER);
    g.lineTo(x + 0.5, RULER - (major ? 8 : 4));
    g.stroke();
    if (major) g.fillText(t >= 60 ? `${Math.floor(t / 60)}:${String(Math.round(t % 60)).padStart(2, "0")}` : t.toFixed(digits), x + 4, 12);
  }
}

function playhead() {
  if (!parts.head) return;
  const x = player.time * scale;
  parts.head.hidden = !player.motion || x < parts.scroll.scrollLeft - 1;
  parts.head.style.transform = `translateX(${labels() + x}px)`;
  const { scroll } = parts, width = scroll.clientWidth - labels();
  if (player.playing && zoom > 1 && (x < scroll.scrollLeft || x > scroll.scrollLeft + width)) scroll.scrollLeft = x - width * 0.1;
}

function timeAt(event) {
  return (event.clientX - parts.scroll.getBoundingClientRect().left - labels() + parts.scroll.scrollLeft) / scale;
}

function scrub(event) {
  const target = event.currentTarget;
  target.setPointerCapture(event.pointerId);
  player.seek(timeAt(event));
  const move = (e) => player.seek(timeAt(e));
  target.addEventListener("pointermove", move);
  target.addEventListener("lostpointercapture", () => target.removeEventListener("pointermove", move), { once: true });
}

function zoomed(by, event = null) {
  const { scroll } = parts, middle = labels() + (scroll.clientWidth - labels()) / 2;
  const x = event ? event.clientX - scroll.getBoundingClientRect().left : middle;
  const t = (x - labels() + scroll.scrollLeft) / scale;
  zoom = Math.min(Math.max(zoom * by, 1), Math.max(1, (MOST * shownSeconds()) / Math.max(scroll.clientWidth - labels(), 1)));
  draw();
  scroll.scrollLeft = t * scale - x + labels();
}

function wheel(event) {
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    zoomed(Math.exp(-event.deltaY * 0.003), event);
    return;
  }
  const node = event.target.closest(".bar.editable"), item = node && find(node.dataset.key);
  if (!item || item.key !== state.selected || document.activeElement !== node) return;
  event.preventDefault();
  strengthen(item, event.deltaY < 0 ? 0.05 : -0.05);
}

// -- choosing and changing ----------------------------------------------------------------------------
const find = (key) => items.find((i) => i.key === key);

export function choose(key) {
  if (state.selected === key) return;
  state.selected = key;
  emit("selected", key);
}

function marked(key) {
  for (const node of parts.list.querySelectorAll(".bar")) {
    node.setAttribute("aria-selected", String(node.dataset.key === key));
    node.tabIndex = node.dataset.key === key ? 0 : -1;
  }
  if (!key) parts.list.querySelector(".bar")?.setAttribute("tabindex", "0");
}

/** Puts the focus back on the selected event. */
export function focusSelected() {
  parts.list.querySelector("[aria-selected=true]")?.focus();
}

function grab(event) {
  if (event.button !== 0) return;
  const node = event.target.closest(".bar");
  if (!node) {
    if (event.target.closest(".track")) { player.seek(timeAt(event)); choose(null); }
    return;
  }
  const item = find(node.dataset.key), was = state.selected === item.key;
  node.focus({ preventScroll: true });
  // with a finger the first touch selects, so that the page can be scrolled over the bars
  if (!item.editable || event.pointerType === "touch" && !was) return;
  dragging = true;
  const stopped = () => { dragging = false; redraw(); };
  node.addEventListener("lostpointercapture", stopped, { once: true });
  drag(event, node, item, scale, (becomes) => {
    const now = becomes ?? drafted(item);
    node.style.left = `${now.start * scale}px`;
    node.style.width = `${Math.max((now.end - now.start) * scale, 6)}px`;
    emit("dragging", becomes ? { ...item, ...becomes } : item);
  });
}

function key(event) {
  const node = event.target.closest?.(".bar");
  if (!node || takesKeys(event.target)) return;
  const item = find(node.dataset.key);
  if (!item) return;
  const order = items.toSorted((a, b) => a.start - b.start || a.key.localeCompare(b.key)), at = order.indexOf(item);
  const goal = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: order.length - 1 }[event.key];
  if (goal !== undefined && !event.altKey && !event.ctrlKey) {
    event.preventDefault();
    parts.list.querySelector(`[data-key="${CSS.escape(order[Math.min(Math.max(goal, 0), order.length - 1)].key)}"]`)?.focus();
  } else if (event.key === "Enter") {
    event.preventDefault();
    emit("inspect");
  } else if (event.key === "Escape") choose(null);
  else if (keyed(event, item)) event.preventDefault();
  else if (!item.editable && /^(Arrow(Left|Right)|Delete|[+=dDsS-])$/.test(event.key) && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    notice("Only what was asked for can be changed here; what is measured follows from it.");
  }
}
