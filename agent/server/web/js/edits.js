// Changes by hand as plans: collected while they are made, sent one call at a time.
import { notice } from "./dom.js";
import { call } from "./session.js";
import { emit, on, state } from "./state.js";

/** Names that a script knows without their side, which measurements append. */
const SIDED = new Set(["wink", "gaze", "tilt", "mouth_shift", "turn", "jaw"]);
const PAUSE = 450; // ms after the last key before a change is sent

export const drafts = new Map(); // key of an event -> what it is going to be
const steps = new Map(); // "key verb" -> {plan, key}
let wish = "";
let running = false;
let timer = 0;

export function startEdits() {
  on("clip", () => { if (!running) forget(); });
  on("reset", forget);
}

function forget() {
  drafts.clear();
  steps.clear();
  clearTimeout(timer);
}

/** The name that plans call an event by. */
function planName(name) {
  const stem = name.replace(/_(left|right)$/, "");
  return stem !== name && SIDED.has(stem) ? stem : name;
}

/** Marks what can be changed: each item gets `plan` (its name in plans) and `key`. */
export function addressed(items) {
  const total = new Map(), seen = new Map();
  for (const i of items) total.set(planName(i.name), (total.get(planName(i.name)) ?? 0) + 1);
  return items.map((i) => {
    const name = planName(i.name), k = (seen.get(name) ?? 0) + 1;
    seen.set(name, k);
    return { ...i, plan: total.get(name) > 1 ? `${name}#${k}` : name, key: `${name}#${k}` };
  });
}

const number = (value, digits = 2) => String(Number(value.toFixed(digits)));

/** Changes an event: {start, end, strength} as it should be. With `soon` it waits for more of the same kind. */
export function change(item, becomes, words, soon = false) {
  const draft = { ...drafts.get(item.key), ...becomes };
  drafts.set(item.key, draft);
  const start = draft.start ?? item.start, end = draft.end ?? item.end;
  if (Math.abs(start - item.start) > 0.004) step(item, "starts", `starts ${item.plan} ${number(start)}s`);
  else steps.delete(`${item.key} starts`);
  if (Math.abs(end - start - (item.end - item.start)) > 0.004) step(item, "lasts", `lasts ${item.plan} ${number(end - start)}s`);
  else steps.delete(`${item.key} lasts`);
  if (draft.strength !== undefined) step(item, "strength", `strength ${item.plan} ${number(draft.strength * 100, 0)}%`);
  later(words, soon);
}

/** Any other plan about an event; `becomes` is what can be shown of it at once. */
function command(item, plan, words, becomes = {}) {
  drafts.set(item.key, { ...drafts.get(item.key), ...becomes });
  step(item, "other", plan);
  later(words, false);
}

export const remove = (item) => command(item, `remove ${item.plan}`, "removed by hand", { gone: true });
export const once = (item, more) => command(item, `${more ? "more" : "fewer"} ${item.plan}`, more ? "once more by hand" : "once less by hand");
export const side = (item, to) => command(item, `side ${item.plan} ${to}`, "other side by hand", { side: to });

export function duplicate(given) {
  const item = { ...given, ...drafts.get(given.key) };
  const line = [planName(item.name), item.side !== "both" ? item.side : "", item.strength ? `${number(item.strength * 100, 0)}%` : "",
    item.count > 1 ? `x${item.count}` : "", `for ${number(item.end - item.start)} s`].filter(Boolean).join(" ");
  command(item, `add-after ${item.plan}: ${line}`, "doubled by hand");
}

function step(item, verb, plan) {
  steps.set(`${item.key} ${verb}`, plan);
}

function later(words, soon) {
  wish = words;
  emit("draft");
  clearTimeout(timer);
  if (!running) timer = setTimeout(send, soon ? PAUSE : 0);
}

async function send() {
  if (running || !state.clip) return;
  if (!steps.size) {
    drafts.clear();
    emit("draft");
    return;
  }
  const plan = [...steps.values()].join("; ");
  steps.clear();
  running = true;
  const from = state.clip.id, before = state.timeline;
  try {
    const reply = await call("edit", { wish, plan }, { from: "timeline", said: wish }).done;
    if (reply.refused) notice(reply.answer, { error: true });
    if (!reply.refused && reply.clip?.id !== from) await settled(before);
  } catch (error) {
    if (error.message !== "cancelled") notice(error.message, { error: true });
    steps.clear();
  }
  running = false;
  // what was changed meanwhile stays as it is going to be
  for (const [key, draft] of drafts) {
    if (![...steps.keys()].some((k) => k.startsWith(`${key} `))) drafts.delete(key);
    else drafts.set(key, { ...draft, gone: false });
  }
  if (steps.size) timer = setTimeout(send, 0);
  emit("draft");
}

/** Until the new version's timeline is there; at most 5 s. */
function settled(before) {
  return new Promise((resolve) => {
    const began = Date.now();
    const look = () => (state.timeline !== before || Date.now() - began > 5000 ? resolve() : setTimeout(look, 40));
    look();
  });
}
