// A recording with the camera: asked for only on a click, sent only when the person says so.
import { $, button, calm, el, notice } from "./dom.js";
import { upload } from "./files.js";
import { state } from "./state.js";

const COUNT = 3; // s before it begins
const KINDS = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];
let open = null; // {dialog, stream, recorder, pieces, blob, timer}

export function startWebcam() {
  const there = Boolean(navigator.mediaDevices?.getUserMedia && window.MediaRecorder);
  $("camera-button").hidden = !there;
  $("camera-button").addEventListener("click", begin);
}

async function begin() {
  const video = el("video", { muted: true, playsinline: true, "aria-label": "Camera" });
  video.muted = true;
  const box = { video, pieces: [], timer: 0, buttons: el("div", { class: "dialog-buttons" }), text: el("p", { class: "record-text", role: "status", text: "Asking for the camera …" }),
    count: el("span", { class: "countdown", "aria-hidden": "true" }) };
  box.dialog = el("dialog", { class: "dialog record", "aria-labelledby": "record-title" }, el("h2", { id: "record-title", text: "Record with the camera" }),
    el("div", { class: "record-view" }, video, box.count), box.text, box.buttons);
  open = box;
  box.dialog.addEventListener("close", () => end(box));
  document.body.append(box.dialog);
  box.dialog.showModal();
  offer(box, []);
  try {
    box.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 }, facingMode: "user" }, audio: false });
  } catch (error) {
    box.text.textContent = error.name === "NotAllowedError" ? "The browser does not allow the camera for this page." : "No camera was found.";
    return;
  }
  if (open !== box) { stopped(box); return; }
  ready(box);
}

function offer(box, buttons) {
  box.buttons.replaceChildren(button("Close", () => box.dialog.close(), { kind: "quiet" }), ...buttons);
}

function ready(box) {
  const { video } = box;
  video.classList.add("mirrored");
  video.controls = false;
  video.removeAttribute("src");
  video.srcObject = box.stream;
  video.play().catch(() => {});
  box.text.textContent = "Nothing is recorded yet. Hold still for a moment at the start, with a face at rest.";
  const start = button("Start", () => countdown(box, COUNT), { kind: "primary" });
  offer(box, [start]);
  start.focus();
}

function countdown(box, left) {
  if (!box.dialog.open) return;
  if (left === 0) { box.count.textContent = ""; record(box); return; }
  box.count.textContent = String(left);
  if (!calm()) box.count.animate([{ opacity: 0, transform: "scale(1.4)" }, { opacity: 1, transform: "none" }], 250);
  box.text.textContent = `Recording begins in ${left} s.`;
  offer(box, []);
  box.timer = setTimeout(() => countdown(box, left - 1), 1000);
}

function record(box) {
  const kind = KINDS.find((k) => MediaRecorder.isTypeSupported(k));
  box.pieces = [];
  box.recorder = new MediaRecorder(box.stream, kind ? { mimeType: kind, videoBitsPerSecond: 4e6 } : {});
  box.recorder.ondataavailable = (e) => { if (e.data.size) box.pieces.push(e.data); };
  box.recorder.onstop = () => recorded(box);
  box.recorder.start(500);
  const began = performance.now(), most = state.about?.limits?.upload_seconds ?? 60;
  const stop = button("Stop", () => box.recorder.stop(), { kind: "primary" });
  offer(box, [stop]);
  stop.focus();
  const tick = () => {
    const passed = (performance.now() - began) / 1000;
    box.text.textContent = `Recording, ${passed.toFixed(0)} s of at most ${most} s.`;
    if (box.recorder.state !== "recording") return;
    if (passed >= most) box.recorder.stop();
    else box.timer = setTimeout(tick, 250);
  };
  tick();
}

function recorded(box) {
  clearTimeout(box.timer);
  if (!box.dialog.open || open !== box) return;
  box.blob = new Blob(box.pieces, { type: box.recorder.mimeType || "video/webm" });
  const { video } = box;
  video.srcObject = null;
  URL.revokeObjectURL(box.url);
  box.url = URL.createObjectURL(box.blob);
  video.src = box.url;
  video.controls = true;
  video.loop = true;
  video.play().catch(() => {});
  box.text.textContent = "This is what was recorded. It leaves this device only if you use it.";
  const use = button("Use this recording", () => {
    const ending = box.blob.type.includes("mp4") ? "mp4" : "webm";
    upload(box.blob, `recording.${ending}`);
    box.dialog.close();
  }, { kind: "primary" });
  offer(box, [button("Record again", () => ready(box)), use]);
  use.focus();
}

function stopped(box) {
  for (const track of box.stream?.getTracks() ?? []) track.stop();
}

function end(box) {
  clearTimeout(box.timer);
  if (box.recorder?.state === "recording") box.recorder.stop();
  stopped(box);
  URL.revokeObjectURL(box.url);
  box.dialog.remove();
  open = null;
  $("camera-button").focus();
  if (!state.connected) notice("There is no connection at the moment.");
}
