// One session at a time: its socket, what was asked of it, the motion that streams in, and the clip at hand.
import { api, Socket } from "./api.js";
import { notice, remember } from "./dom.js";
import { Motion } from "./motion.js";
import { clipOf, emit, state } from "./state.js";

const KEPT = 8; // motions in memory
const motions = new Map(); // clip id -> Motion
const timelines = new Map(); // clip id -> timeline
let socket = null;
let player = null;
let incoming = null; // {id, stream, motion, shown, keep}
let shown = null; // id of the clip whose motion is wanted
let count = 0;

/** What was asked and is not answered yet, and what was answered since the page was opened; by id. */
export const requests = new Map();

export function useSession(thePlayer) {
  player = thePlayer;
  addEventListener("hashchange", () => {
    const name = hashName();
    if (name && name !== state.session?.name) openSession(name).catch((e) => {
      notice(e.message, { error: true });
      if (state.session) history.replaceState(null, "", `#${encodeURIComponent(state.session.name)}`);
    });
  });
}

export function hashName() {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
}

/** Takes up a session, or begins one; without a name the last one that changed. */
export async function openSession(name) {
  const session = await api.session(name);
  adopt(session);
}

export function adopt(session) {
  const place = `#${encodeURIComponent(session.name)}`, another = state.session && place !== location.hash;
  socket?.close();
  requests.clear();
  motions.clear();
  timelines.clear();
  Object.assign(state, { session: null, clip: null, timeline: null, selected: null });
  incoming = shown = null;
  player.compare(null);
  player.set(null);
  emit("reset");
  remember("session", session.name);
  history[another ? "pushState" : "replaceState"](null, "", place); // back goes to the session before
  onSession(session);
  socket = new Socket(session.name, { message, binary, status });
}

function status(connected) {
  const again = connected && !state.connected;
  state.connected = connected;
  emit("connection", connected);
  if (!connected) return;
  for (const r of requests.values()) {
    if (again && r.delivered && ["sent", "queued", "running"].includes(r.state)) r.doubtful = true;
    r.delivered = true; // what waited for the connection goes out now
  }
}

// -- asking -------------------------------------------------------------------------------------------
/** Sends a request; resolves with its reply. `from` says where it came from: chat or timeline. */
function ask(body, about) {
  const id = `r${Date.now().toString(36)}${(++count).toString(36)}`;
  const request = { id, state: "sent", words: "", reply: null, ...about };
  request.done = new Promise((resolve, reject) => Object.assign(request, { resolve, reject }));
  request.done.catch(() => {});
  requests.set(id, request);
  emit("request", request);
  request.delivered = socket.send({ ...body, id });
  return request;
}

export const say = (text) => ask({ do: "say", text }, { kind: "say", said: text });

export const call = (tool, args = {}, about = {}) =>
  ask({ do: "call", tool, arguments: args }, { kind: "call", tool, arguments: args, said: about.said ?? tool, ...about });

export function cancel(request) {
  socket.send({ do: "cancel", id: request.id });
  request.cancelling = true;
  emit("request", request);
}

/** A file's job: messages about it come with the job's id, maybe before its upload has been answered. */
export function jobRequest(id, said) {
  const request = found(id);
  Object.assign(request, { kind: "job", said });
  emit("request", request);
  return request;
}

function found(id) {
  if (!requests.has(id)) {
    const request = { id, kind: "other", state: "sent", words: "", said: "", reply: null };
    request.done = new Promise((resolve, reject) => Object.assign(request, { resolve, reject }));
    request.done.catch(() => {});
    requests.set(id, request);
  }
  return requests.get(id);
}

// -- hearing ------------------------------------------------------------------------------------------
const HEARD = {
  queued: (r, m) => { Object.assign(r, { state: "queued", ahead: m.ahead }); },
  started: (r) => { Object.assign(r, { state: "running", what: "", part: null }); },
  progress: (r, m) => { Object.assign(r, { state: "running", what: m.what, part: m.of ? m.done / m.of : null }); },
  words: (r, m) => { r.state = "running"; r.words += m.text; },
  reply: (r, m) => finish(r, "done", m.reply),
  cancelled: (r) => { abandon(r); finish(r, "cancelled", null, "cancelled"); },
};

function message(m) {
  if (m.type === "session") return onSession(m.session);
  if (m.type === "motion") return begin(m);
  if (m.type === "motion_end") return streamed(m);
  if (m.type === "error") return failed(m);
  if (!HEARD[m.type] || !m.id) return undefined;
  const request = found(m.id);
  request.doubtful = false;
  HEARD[m.type](request, m);
  return emit("request", request);
}

function failed(m) {
  if (!m.id) return notice(m.error, { error: true });
  const request = found(m.id);
  request.error = m.error;
  abandon(request);
  finish(request, "error", null, m.error);
  return emit("request", request);
}

function finish(request, how, reply, error = "") {
  Object.assign(request, { state: how, reply, words: "" });
  if (how === "done") {
    const id = reply.clip?.id;
    if (incoming?.id === request.id) {
      if (incoming.motion.complete && id) keep(motions, id, incoming.motion);
      incoming.claimed = id ?? "none";
    }
    request.resolve(reply);
  } else request.reject(new Error(error));
}

function begin(m) {
  const request = found(m.id);
  // an edit by hand does not throw the viewer back to the start
  incoming = { id: m.id, stream: m.stream, motion: new Motion(m.fps, m.frames), shown: false, keep: request.from === "timeline" };
}

function binary(buffer) {
  if (!incoming || Motion.stream(buffer) !== incoming.stream) return;
  try { incoming.motion.append(buffer); } catch (error) {
    notice(error.message, { error: true });
    incoming = null;
    return;
  }
  const enough = !incoming.keep || incoming.motion.buffered > player.time + 0.5;
  if (!incoming.shown && enough) show();
  else if (incoming.shown) emit("wake");
  emit("buffer", incoming.motion);
}

function show() {
  incoming.shown = true;
  if (incoming.keep) player.set(incoming.motion, { time: null });
  else player.set(incoming.motion, { time: 0, play: true });
}

function streamed(m) {
  if (!incoming || m.stream !== incoming.stream) return;
  const whole = incoming.motion.frames >= m.frames;
  incoming.motion.end();
  if (!incoming.shown && incoming.motion.frames) show();
  // a piece was lost, or what was shown is still repaired and gets its idle motion: the clip is fetched when the session names it
  if (!whole || m.final === false) incoming = null;
  player.changed();
}

/** What streamed for a request that came to nothing is taken away again. */
function abandon(request) {
  if (incoming?.id !== request.id) return;
  const was = incoming.shown;
  incoming = null;
  if (was) player.set(motions.get(state.clip?.id) ?? null, { time: 0, play: false });
}

// -- the clip at hand ---------------------------------------------------------------------------------
function onSession(session) {
  if (state.session && session.name !== state.session.name) return;
  state.session = session;
  for (const r of requests.values()) if (r.doubtful) doubt(r);
  const clip = clipOf(session.current);
  const changed = clip?.id !== state.clip?.id;
  const sameClip = clip && state.clip && clip.number === state.clip.number;
  state.clip = clip;
  emit("session", session);
  if (changed) take(clip, sameClip);
}

/** The connection broke while this was being done: a job can be asked for, of a line the session's turns tell. */
function doubt(request) {
  request.doubtful = false;
  request.state = "lost";
  if (request.kind !== "job") { request.reject(new Error("The connection broke before an answer came.")); return; }
  request.state = "running";
  api.job(request.id).then(({ reply, error }) => {
    if (reply) message({ type: "reply", id: request.id, reply });
    else if (error) message({ type: "error", id: request.id, error });
  }).catch(() => { request.state = "lost"; emit("request", request); });
}

async function take(clip, sameClip) {
  shown = clip?.id ?? null;
  if (!clip) {
    state.timeline = null;
    player.set(null);
    emit("clip", null);
    return;
  }
  adoptStream(clip);
  emit("clip", clip);
  const [motion, timeline] = await Promise.all([motionOf(clip), timelineOf(clip)].map((p) => p.catch((error) => {
    notice(error.message, { error: true });
    return null;
  })));
  if (shown !== clip.id) return;
  state.timeline = timeline;
  if (motion && motion !== player.motion && incoming?.motion !== motion) player.set(motion, { time: sameClip ? null : 0 });
  else if (motion && player.motion !== motion) show();
  emit("timeline", timeline);
}

/** What just streamed in is the motion of the clip that the session now names. */
function adoptStream(clip) {
  if (incoming && !motions.has(clip.id) && incoming.motion.total === clip.frames && !incoming.claimed) {
    incoming.claimed = clip.id;
    keep(motions, clip.id, incoming.motion);
  }
}

function keep(map, id, value) {
  map.delete(id);
  map.set(id, value);
  while (map.size > KEPT) map.delete(map.keys().next().value);
  return value;
}

export async function motionOf(clip) {
  const had = motions.get(clip.id);
  if (had) return keep(motions, clip.id, had);
  return keep(motions, clip.id, Motion.read(await api.motion(state.session.name, clip.id), clip.fps));
}

export async function timelineOf(clip) {
  const had = timelines.get(clip.id);
  return had ?? keep(timelines, clip.id, { ...await api.timeline(state.session.name, clip.id), clip: clip.id });
}

export async function select(id) {
  onSession(await api.select(state.session.name, id));
}
