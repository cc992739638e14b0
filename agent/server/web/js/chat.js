// The conversation: what was said, what was answered, what is being done.
import { $, announce, button, calm, el, notice } from "./dom.js";
import { callList, checkList, checksOf } from "./checks.js";
import { callWords } from "./plans.js";
import { call, cancel, requests, say, select, timelineOf } from "./session.js";
import { clipLabel, clipOf, on, percent, state } from "./state.js";

const rows = new Map(); // request id -> {item, request}
let known = 0; // turns of the session that are shown
/** Characters of a line that the server takes. */
const LONGEST = 4000;
const WAITS = ["sent", "queued", "running"];
/** Tools whose answer says it all. */
const STEPS = new Set(["undo", "redo", "go_to"]);
const MAKERS = new Set(["perform", "edit", "again", "transition", "join", "between", "open"]);
const DOING = { reading: "Reading the words", performing: "Performing", checking: "Checking the result", fitting: "Fitting the face",
  detect: "Finding the face", fit: "Fitting the face" };

export function startChat() {
  const text = $("say");
  $("form").addEventListener("submit", (e) => { e.preventDefault(); send(); });
  text.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); send(); }
    if (e.key === "ArrowUp" && !text.value) recallLast();
  });
  text.addEventListener("input", grow);
  on("reset", clear);
  on("session", turns);
  on("request", update);
  on("timeline", (timeline) => { hints(); if (timeline?.clip === state.clip?.id) checked(timeline); });
  on("about", hints);
  on("clip", () => { hints(); markTakes(); });
}

function grow() {
  const text = $("say");
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 140)}px`;
}

function send() {
  const words = $("say").value.trim();
  if (!words || !state.session) return;
  if (words.length > LONGEST) {
    notice(`Say it in up to ${LONGEST} characters; these are ${words.length}.`, { error: true });
    return;
  }
  $("say").value = "";
  grow();
  say(words);
}

function recallLast() {
  const said = [...$("log").querySelectorAll(".turn.say .said")].at(-1)?.textContent;
  if (said) { $("say").value = said; grow(); }
}

function clear() {
  rows.clear();
  known = 0;
  $("log").replaceChildren();
}

// -- turns --------------------------------------------------------------------------------------------
/** Brings the list up to the session's turns: those of this page are there already. */
function turns(session) {
  if (session.turns.length < known) clear();
  session.turns.slice(known).forEach((turn, k) => {
    const own = [...rows.values()].find((r) => !r.turn && !["error", "cancelled"].includes(r.request.state) && matches(r.request, turn));
    if (!own) tell(turn, `turn ${known + k}`);
    else own.turn = turn;
    if (own?.request.state === "lost") {
      Object.assign(own.request, { state: "done", reply: replyOf(turn) });
      paint(own);
    }
  });
  const first = known === 0 && session.turns.length > 0;
  known = session.turns.length;
  for (const r of rows.values()) if (r.request.state === "lost") paint(r);
  markTakes();
  empty();
  if (first) { toEnd(true); recheck(); }
}

/** Brings back the checks under earlier replies, the latest first. */
async function recheck() {
  for (const { request } of [...rows.values()].reverse()) {
    const clip = makes(request.reply) && !request.checks ? clipOf(request.reply.clip.id) : null;
    if (clip) checked(await timelineOf(clip).catch(() => null), clip.id);
  }
}

const replyOf = (turn) => ({ answer: turn.reply, calls: turn.calls, clip: turn.clip ? { id: turn.clip } : null });

/** Adds a turn that this page has not asked for. */
function tell(turn, id) {
  const [first] = turn.calls ?? [], byHand = turn.calls?.length === 1 && turn.said === first.tool;
  const request = { id, kind: turn.said.startsWith("/open ") ? "job" : byHand ? "call" : "say", said: turn.said, state: "done", reply: replyOf(turn),
    tool: first?.tool, arguments: first?.arguments };
  rows.set(id, { request, turn, item: $("log").appendChild(row(request)) });
}

function matches(request, turn) {
  if (request.kind === "say") return request.said === turn.said;
  if (request.kind === "call") return turn.calls?.some((c) => c.tool === request.tool);
  return request.kind === "job" && turn.said.includes(request.said) || turn.calls?.[0]?.tool === "open";
}

function empty() {
  $("log").querySelector(".welcome")?.remove();
  if ($("log").children.length) return;
  $("log").append(el("li", { class: "welcome" }, el("p", { class: "lead", text: "Say what the face should do." }),
    el("p", { text: "It is performed, measured and checked; then ask about it, or change it, in your own words." }),
    el("p", { text: "Or drop a video, a picture or a clip." })));
}

function toEnd(now = false) {
  const box = $("log-scroll");
  box.scrollTo({ top: box.scrollHeight, behavior: now || calm() ? "auto" : "smooth" });
}

// -- requests -----------------------------------------------------------------------------------------
function update(request) {
  let own = rows.get(request.id);
  if (!own) {
    if (request.kind === "other" || request.state === "done") return; // its turn is told
    own = { request, item: row(request) };
    rows.set(request.id, own);
    $("log").querySelector(".welcome")?.remove();
    $("log").append(own.item);
    toEnd();
    return;
  }
  keepingPlace(() => paint(own));
  markTakes();
  if (request.state === "done") checked(state.timeline);
  if (request.told || !["done", "error"].includes(request.state)) return;
  request.told = true;
  announce(request.reply?.answer ?? request.error);
}

/** Draws a row anew; while it waits only what changes, so that its button keeps the focus. */
function paint(own) {
  const wait = own.item.querySelector(".wait"), { request } = own;
  if (wait && WAITS.includes(request.state) && !request.words && !request.cancelling) {
    const [words, share] = doing(request);
    wait.querySelector(".doing").textContent = words;
    const bar = wait.querySelector("progress");
    bar.setAttribute("aria-label", words || "Working");
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    own.item.className = `turn ${request.kind} ${request.state}`;
    return;
  }
  const fresh = row(own.request);
  own.item.replaceChildren(...fresh.childNodes);
  own.item.className = fresh.className;
}

function row(request) {
  const brief = request.kind === "call";
  return el("li", { class: `turn ${request.kind} ${request.state}` },
    request.said ? el("p", { class: "said", text: saidText(request) }) : null,
    el("div", { class: "reply" }, brief && request.state === "done" && !request.reply.refused ? briefly(request) : body(request)));
}

function saidText({ kind, said, tool, arguments: given, state: at, reply }) {
  if (kind === "call") return at === "done" && STEPS.has(tool) ? reply.answer : callWords(tool, given);
  return said.startsWith("/open ") ? said.slice(6).split(/[\\/]/).at(-1) : said;
}

/** Of what was done by hand the version and what does not hold; the rest is folded. */
function briefly({ tool, reply, checks }) {
  if (STEPS.has(tool)) return null;
  return [takeChips(reply) ?? clipChip(reply), checkList(checks?.filter((c) => !c.ok)), callList(reply.calls, reply.answer)];
}

function body(request) {
  if (WAITS.includes(request.state)) return [request.words ? el("p", { class: "answer", text: request.words }) : null, waiting(request)];
  if (request.state === "error") return el("p", { class: "trouble", text: request.error });
  if (request.state === "cancelled") return el("p", { class: "aside", text: "Cancelled." });
  if (request.state === "lost") {
    return [el("p", { class: "trouble", text: "The connection broke before an answer came." }),
      request.kind === "say" ? button("Send again", () => { requests.delete(request.id); say(request.said); }, { kind: "small" }) : null];
  }
  return answer(request.reply, request.checks);
}

function doing(request) {
  const share = request.state === "running" ? request.part ?? null : null;
  const words = request.state === "running" ? DOING[request.what] ?? (request.words ? "" : request.kind === "say" ? DOING.reading : "Working")
    : request.state === "queued" ? (request.ahead ? `${request.ahead} ahead` : "Next")
    : state.connected ? "Sent" : "Waiting for the connection";
  return [share ? `${words}, ${percent(share)}` : words, share];
}

function waiting(request) {
  const [words, share] = doing(request);
  return el("div", { class: "wait" }, el("span", { class: "doing", text: words }),
    el("progress", { max: 1, value: share, "aria-label": words || "Working" }),
    button(request.cancelling ? "Stopping" : "Cancel", () => cancel(request), { kind: "small" }));
}

function clipChip(reply) {
  const clip = makes(reply) ? clipOf(reply.clip.id) ?? reply.clip : null;
  return clip?.number ? button(clipLabel(clip), () => select(clip.id).catch(() => {}), { kind: "chip", title: "Show this version" }) : null;
}

/** The takes of a reply: versions of one clip that were made together, the first of which it names. */
function takesOf(reply) {
  const several = reply?.calls?.findLast((c) => c.arguments?.takes > 1)?.arguments.takes, first = several && clipOf(reply.clip?.id);
  return first ? state.session.clips.filter((c) => c.number === first.number && c.version >= first.version && c.version < first.version + several) : [];
}

/** Takes to choose from; the one that is at hand is pressed. */
function takeChips(reply) {
  const takes = takesOf(reply);
  if (takes.length < 2) return null;
  return el("div", { class: "extras takes", role: "group", "aria-label": "Takes to choose from" }, takes.map((clip, k) => {
    const chip = button(`Take ${k + 1}`, () => select(clip.id).catch((e) => notice(e.message, { error: true })), { kind: "chip", title: `${clip.seconds.toFixed(1)} s` });
    chip.dataset.clip = clip.id;
    return chip;
  }));
}

/** Marks the take that is at hand, without drawing the row anew, so that its button keeps the focus. */
function markTakes() {
  for (const chip of $("log").querySelectorAll(".takes > button")) chip.setAttribute("aria-pressed", String(Number(chip.dataset.clip) === state.clip?.id));
}

const makes = (reply) => Boolean(reply?.clip?.id && reply.calls?.some((c) => MAKERS.has(c.tool)));

function answer(reply, checks) {
  if (!reply) return null;
  return [el("p", { class: reply.refused ? "answer refused" : "answer", text: withoutPaths(reply.answer) }),
    takeChips(reply) ?? el("div", { class: "extras" }, clipChip(reply)), checkList(checks ?? reply.check), callList(reply.calls)];
}

/** Puts the checks of a clip under the reply that made it. */
function checked(timeline, id = timeline?.clip) {
  if (!timeline?.asked.length) return;
  const own = [...rows.values()].findLast(({ request }) => makes(request.reply) && request.reply.clip.id === id);
  if (!own || own.request.checks) return;
  own.request.checks = checksOf(timeline.asked);
  keepingPlace(() => paint(own));
  markTakes();
}

function keepingPlace(run) {
  const box = $("log-scroll"), near = box.scrollHeight - box.scrollTop - box.clientHeight < 120;
  run();
  if (near) toEnd(true);
}

/** Folders of the server mean nothing to a reader of the page. */
function withoutPaths(text) {
  return text.replace(/, (?:\/|[A-Za-z]:\\|[\w.-]+\/)[^\s,;()]*\.npz\)/g, ")");
}

// -- suggestions --------------------------------------------------------------------------------------
function hints() {
  const chips = [];
  const add = (words, run, name = "") => chips.push(button(words, run, { kind: "chip", name }));
  if (state.clip?.script) {
    add("Another take", () => call("again", {}), "again");
    add("Three takes", () => call("again", { takes: 3 }), "again");
  }
  for (const words of state.clip ? about(state.timeline) : state.about?.suggestions?.slice(0, 4) ?? []) add(words, () => say(words));
  $("hints").replaceChildren(...chips);
}

/** Things to say about what the clip shows. */
function about(timeline) {
  const names = [...new Set((timeline?.asked.length ? timeline.asked : timeline?.events.filter((e) => e.lane !== "emotion") ?? []).map((c) => c.name.replace(/_(left|right)$/, "").replaceAll("_", " ")))];
  if (!names.length) return [];
  const last = names.at(-1);
  return [`make the ${names[0]} stronger`, names.length > 1 ? `without the ${last}` : "and a nod at the end", `when does the ${last} start?`];
}
