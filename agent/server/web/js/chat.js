// The conversation: what was said, what was answered, what is being done.
import { $, announce, button, calm, el } from "./dom.js";
import { callList, checkList, valueChip } from "./checks.js";
import { call, cancel, requests, say, select } from "./session.js";
import { clipLabel, clipOf, emit, on, percent, state } from "./state.js";

const rows = new Map(); // request id -> {item, request}
let known = 0; // turns of the session that are shown
const WAITS = ["sent", "queued", "running"];
const DOING = { reading: "Reading the words", performing: "Performing", checking: "Checking the result", fitting: "Fitting the face to the video" };

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
  on("timeline", hints);
  on("about", hints);
  on("clip", hints);
}

function grow() {
  const text = $("say");
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 140)}px`;
}

function send() {
  const words = $("say").value.trim();
  if (!words || !state.session) return;
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
  for (const turn of session.turns.slice(known)) {
    const own = [...rows.values()].find((r) => !r.turn && !["error", "cancelled"].includes(r.request.state) && matches(r.request, turn));
    if (own) own.turn = turn;
    else $("log").append(row({ kind: turn.said.startsWith("/open ") ? "job" : byHand(turn) ? "call" : "say", said: turn.said, state: "done",
      reply: { answer: turn.reply, calls: turn.calls, clip: turn.clip ? { id: turn.clip } : null } }));
    if (own && own.request.state === "lost") {
      Object.assign(own.request, { state: "done", reply: { answer: turn.reply, calls: turn.calls, clip: turn.clip ? { id: turn.clip } : null } });
      paint(own);
    }
  }
  const first = known === 0 && session.turns.length > 0;
  known = session.turns.length;
  for (const r of rows.values()) if (r.request.state === "lost") paint(r);
  empty();
  if (first) toEnd(true);
}

const byHand = (turn) => turn.calls?.length === 1 && (turn.said === turn.calls[0].tool || / by hand$/.test(turn.said));

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
    if (request.kind === "other" && !request.reply && !request.error) {
      if (request.state === "sent") return;
    }
    own = { request, item: row(request) };
    rows.set(request.id, own);
    $("log").querySelector(".welcome")?.remove();
    $("log").append(own.item);
    toEnd();
    return;
  }
  const box = $("log-scroll"), near = box.scrollHeight - box.scrollTop - box.clientHeight < 120;
  paint(own);
  if (near) toEnd(true);
  if (request.told || !["done", "error"].includes(request.state)) return;
  request.told = true;
  announce(request.reply?.answer ?? request.error);
  emit("answered", request);
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
  const small = request.kind === "call";
  return el("li", { class: `turn ${request.kind} ${request.state}` },
    request.said ? el("p", { class: "said", text: saidText(request) }) : null,
    el("div", { class: small ? "reply brief" : "reply" }, body(request)));
}

function saidText({ kind, said, tool, arguments: given }) {
  if (kind === "call" && tool === "edit") return `${given.wish}: ${given.plan}`;
  if (kind === "call" && tool === "again") return "another take";
  return said.startsWith("/open ") ? said.slice(6).split(/[\\/]/).at(-1) : said;
}

function body(request) {
  if (WAITS.includes(request.state)) return [request.words ? el("p", { class: "answer", text: request.words }) : null, waiting(request)];
  if (request.state === "error") return el("p", { class: "trouble", text: request.error });
  if (request.state === "cancelled") return el("p", { class: "aside", text: "Cancelled." });
  if (request.state === "lost") {
    return [el("p", { class: "trouble", text: "The connection broke before an answer came." }),
      request.kind === "say" ? button("Send again", () => { requests.delete(request.id); say(request.said); }, { kind: "small" }) : null];
  }
  return answer(request.reply);
}

function doing(request) {
  const share = request.state === "running" ? request.part ?? null : null;
  const words = request.state === "running" ? DOING[request.what] ?? (request.words ? "" : "Working")
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

function answer(reply) {
  if (!reply) return null;
  const made = reply.clip?.id && reply.calls?.some((c) => ["perform", "edit", "again", "transition", "join", "open"].includes(c.tool));
  const clip = made ? clipOf(reply.clip.id) ?? reply.clip : null;
  return [el("p", { class: reply.refused ? "answer refused" : "answer", text: withoutPaths(reply.answer) }),
    el("div", { class: "extras" }, valueChip(reply.value, reply.query),
      clip?.number ? button(clipLabel(clip), () => select(clip.id).catch(() => {}), { kind: "chip", title: "Show this version" }) : null),
    checkList(reply.check), callList(reply.calls)];
}

/** Folders of the server mean nothing to a reader of the page. */
function withoutPaths(text) {
  return text.replace(/, (?:\/|[A-Za-z]:\\|[\w.-]+\/)[^\s,;()]*\.npz\)/g, ")");
}

// -- suggestions --------------------------------------------------------------------------------------
function hints() {
  const chips = [];
  const add = (words, run, name = "") => chips.push(button(words, run, { kind: "chip", name }));
  if (state.clip?.script) add("Another take", () => call("again", {}, { said: "another take" }), "again");
  for (const words of state.clip ? about(state.timeline) : state.about?.suggestions?.slice(0, 4) ?? []) add(words, () => say(words));
  $("hints").replaceChildren(...chips);
}

/** Things to say about what the clip shows. */
function about(timeline) {
  const names = [...new Set((timeline?.asked.length ? timeline.asked : timeline?.events ?? []).map((c) => c.name.replace(/_(left|right)$/, "").replaceAll("_", " ")))];
  if (!names.length) return [];
  const last = names.at(-1);
  return [`make the ${names[0]} stronger`, names.length > 1 ? `without the ${last}` : "and a nod at the end", `when does the ${last} start?`];
}
