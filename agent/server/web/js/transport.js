// Play, step, seek, loop and speed, and the uploaded video beside the face.
import { $, press, recall, remember, setIcon } from "./dom.js";
import { api } from "./api.js";
import { clipOf, on, state } from "./state.js";

const FILM = /\.(mp4|m4v|mov|webm|mkv|avi|mpe?g|ogv|3gp|wmv|flv)$/i;
const APART = 0.09; // s that the video may be away from the face
let player = null;
let film = null; // the video element
let source = ""; // its clip
let hidden = false;

export function startTransport(thePlayer) {
  player = thePlayer;
  film = $("video").querySelector("video");
  player.loop = recall("loop", true);
  player.speed = recall("speed", 1);
  $("speed").value = String(player.speed);
  if (!$("speed").value) $("speed").value = "1";
  $("play").addEventListener("click", () => player.play());
  $("step-back").addEventListener("click", () => player.step(-1));
  $("step-on").addEventListener("click", () => player.step(1));
  $("seek").addEventListener("input", (e) => player.seek(Number(e.target.value) / (player.motion?.fps ?? 25)));
  $("loop").addEventListener("click", () => { player.loop = !player.loop; remember("loop", player.loop); player.changed(); });
  $("speed").addEventListener("change", (e) => { player.speed = Number(e.target.value); remember("speed", player.speed); player.changed(); });
  on("player", show);
  on("time", show);
  on("buffer", show);
  on("clip", video);
  startVideo();
  show();
}

function show() {
  const { motion, time, playing, frame } = player, there = Boolean(motion);
  for (const id of ["play", "step-back", "step-on", "seek"]) $(id).disabled = !there;
  const button = $("play");
  if (button.dataset.on !== String(playing)) {
    button.dataset.on = String(playing);
    setIcon(button, playing ? "pause" : "play");
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
  }
  press($("loop"), player.loop);
  const seek = $("seek");
  seek.max = Math.max((motion?.length ?? 1) - 1, 0);
  seek.value = frame;
  seek.setAttribute("aria-valuetext", `${time.toFixed(2)} s`);
  $("clock").textContent = there ? `${time.toFixed(2)} / ${player.seconds.toFixed(2)} s` : "0.00 s";
  $("clock").title = there ? `frame ${frame + 1} of ${motion.length}, ${motion.fps} a second` : "";
  follow();
}

// -- the video ----------------------------------------------------------------------------------------
function startVideo() {
  $("video-hide").addEventListener("click", () => { hidden = true; panel(); $("video-show").focus(); });
  $("video-show").addEventListener("click", () => { hidden = false; panel(); $("video-hide").focus(); });
  $("video-size").addEventListener("click", () => {
    const large = $("video").classList.toggle("large");
    press($("video-size"), large);
    $("video-size").setAttribute("aria-label", large ? "Smaller" : "Larger");
    setIcon($("video-size"), large ? "minus" : "plus");
  });
  film.addEventListener("error", () => { if (film.getAttribute("src")) { source = ""; panel(); } });
  film.addEventListener("loadeddata", follow);
}

/** The film that a clip was opened from, also of its later versions. */
function video(clip) {
  let first = clip;
  while (first && first.how !== "opened" && first.parent !== null) first = clipOf(first.parent);
  const there = first?.how === "opened" && FILM.test(first.said);
  const wanted = there ? api.video(state.session.name, first.id) : "";
  if (wanted === source) return;
  source = wanted;
  hidden = false;
  if (wanted) film.src = wanted;
  else { film.removeAttribute("src"); film.load(); }
  $("video-name").textContent = there ? first.said.split(/[\\/]/).at(-1) : "";
  panel();
}

function panel() {
  $("video").hidden = !source || hidden;
  $("video-show").hidden = !source || !hidden;
  follow();
}

/** Keeps the video with the face. */
function follow() {
  if (!source || hidden || !film.readyState) return;
  const there = player.time < film.duration - 0.02;
  film.playbackRate = Math.min(Math.max(player.speed, 0.0625), 16);
  if (player.playing && there && film.paused) film.play().catch(() => {});
  if ((!player.playing || !there || player.waiting) && !film.paused) film.pause();
  const apart = Math.abs(film.currentTime - player.time);
  if (apart > (player.playing ? APART : 0.004) && !film.seeking) film.currentTime = Math.min(player.time, film.duration || 0);
}
