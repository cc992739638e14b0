// Begins everything, and draws when there is something to draw.
import { $, notice, press, recall, setIcon } from "./dom.js";
import { api } from "./api.js";
import { startChat } from "./chat.js";
import { startEdits } from "./edits.js";
import { Face } from "./face.js";
import { startFiles } from "./files.js";
import { startHelp } from "./help.js";
import { startInspector } from "./inspector.js";
import { Player } from "./player.js";
import { hashName, openSession, useSession } from "./session.js";
import { startSessions } from "./sessions.js";
import { showFace, startStage } from "./stage.js";
import { emit, on, state } from "./state.js";
import { startTimeline } from "./timeline.js";
import { startTransport } from "./transport.js";
import { startVersions } from "./versions.js";
import { startWebcam } from "./webcam.js";

const player = new Player();
let face = null;
let asleep = true;

function wake() {
  if (!asleep) return;
  asleep = false;
  requestAnimationFrame(frame);
}

/** One frame of the display; sleeps when nothing moves. */
function frame(now) {
  asleep = true;
  const playing = player.tick(now);
  let moving = false;
  if (face?.heads.length) {
    face.heads[0].pose(player.now());
    face.heads[1]?.pose(player.now(true));
    moving = face.draw(now, playing);
    emit("drawn");
  }
  if (playing || moving) wake();
}

/** On a narrow screen the conversation and the timeline take turns below the face. */
function startPanes() {
  const buttons = [...document.querySelectorAll("[data-pane].pane")];
  for (const b of buttons) {
    b.addEventListener("click", () => {
      $("work").dataset.pane = b.dataset.pane;
      for (const other of buttons) press(other, other === b);
    });
  }
}

/** What tests read. */
function probe() {
  const head = face?.heads[0];
  return { frame: player.frame, time: player.time, playing: player.playing, frames: player.motion?.frames ?? 0, clip: state.clip?.id ?? null,
    weights: head?.weights() ?? {}, joints: head?.joints() ?? [] };
}

function startTheme() {
  const root = document.documentElement, button = $("theme");
  const show = () => {
    const dark = root.dataset.theme === "dark";
    setIcon(button, dark ? "sun" : "moon");
    button.setAttribute("aria-label", dark ? "Light theme" : "Dark theme");
    emit("theme");
  };
  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("facelm.theme", root.dataset.theme); } catch { /* kept for this visit only */ }
    show();
  });
  addEventListener("theme", show);
  show();
}

async function startFace() {
  try {
    face = new Face($("view"));
  } catch {
    document.querySelector(".framing").hidden = document.querySelector(".view-tools").hidden = true;
    $("view-note").textContent = "This browser shows no 3D (WebGL 2 is missing). Everything else works.";
    return;
  }
  try {
    await face.load("/api/head.glb");
    $("view-note").hidden = true;
    showFace(face);
  } catch {
    $("view-note").textContent = "The head could not be loaded.";
  }
  wake();
}

/** Calls until the server answers. */
async function patiently(run) {
  for (let pause = 800; ; pause = Math.min(pause * 1.6, 8000)) {
    try { return await run(); } catch (error) {
      $("link").hidden = false;
      $("link").textContent = error.message;
      await new Promise((done) => setTimeout(done, pause));
    }
  }
}

async function firstSession() {
  const wanted = hashName() || recall("session", "");
  if (wanted) {
    try { return await openSession(wanted); } catch (error) { notice(error.message, { error: true }); }
  }
  const all = await api.sessions();
  const latest = all.toSorted((a, b) => String(b.changed).localeCompare(String(a.changed), undefined, { numeric: true }))[0];
  return openSession(latest?.name);
}

on("wake", wake);
on("session", (session) => {
  $("undo").disabled = !session.can_undo;
  $("redo").disabled = !session.can_redo;
});
window.facelm = { probe };
startTheme();
startPanes();
useSession(player);
startStage(player);
startTransport(player);
startTimeline(player);
startInspector(player);
startEdits();
startChat();
startVersions();
startFiles();
startWebcam();
startSessions();
startHelp(player);
patiently(api.about).then(async (about) => {
  state.about = about;
  emit("about", about);
  await patiently(firstSession);
  $("link").hidden = true;
  if (matchMedia("(min-width: 900px)").matches) $("say").focus({ preventScroll: true });
});
requestAnimationFrame(() => setTimeout(startFace)); // the page is painted first
