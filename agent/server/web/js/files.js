// Files in and out: choosing, dropping, uploading, downloads, sharing.
import { $, announce, el, notice, placeMenu } from "./dom.js";
import { api } from "./api.js";
import { adopt, jobRequest } from "./session.js";
import { on, state } from "./state.js";

const TAKES = "video/*,image/*,.npz,.npy,.csv,.json,.glb,.gltf,.bvh,.mp4,.mov,.webm,.mkv,.avi,.txt";
const WORDS = { ".npz": "facelm clip", ".glb": "3D scene (Blender, Unity, web)", ".gltf": "3D scene", ".mp4": "video", ".gif": "moving picture", ".png": "contact sheet",
  ".csv": "Live Link Face take", ".bvh": "joints", ".json": "ARKit weights", ".usda": "USD scene", ".usdc": "USD scene, binary",
  ".eaf": "ELAN tiers", ".TextGrid": "Praat tiers", ".vrma": "VRM avatar animation" };

export function startFiles() {
  $("file").accept = TAKES;
  $("file-button").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", (e) => { for (const f of e.target.files) take(f); e.target.value = ""; });
  $("zip").addEventListener("change", (e) => { if (e.target.files[0]) importShared(e.target.files[0]); e.target.value = ""; });
  placeMenu($("save-button"), $("save-menu"), downloads);
  on("clip", (clip) => { $("save-button").disabled = !clip; });
  on("reset", () => { $("save-button").disabled = true; });
  dropping();
}

function dropping() {
  let depth = 0;
  const files = (e) => e.dataTransfer?.types.includes("Files");
  const show = (on) => { $("drop").hidden = !on; if (!on) depth = 0; };
  addEventListener("dragenter", (e) => { if (files(e)) { depth++; show(true); } });
  addEventListener("dragleave", (e) => { if (files(e) && --depth <= 0) show(false); });
  addEventListener("dragover", (e) => { if (files(e)) e.preventDefault(); });
  addEventListener("drop", (e) => {
    if (!files(e)) return;
    e.preventDefault();
    show(false);
    for (const f of e.dataTransfer.files) take(f);
  });
}

function take(file) {
  if (/\.zip$/i.test(file.name)) importShared(file);
  else upload(file, file.name);
}

/** Uploads a file to the session at hand; its job is shown in the conversation. */
export async function upload(file, name) {
  const most = state.about?.limits?.upload_mb;
  if (!state.session) return;
  if (most && file.size > most * 2 ** 20) {
    notice(`${name} has ${(file.size / 2 ** 20).toFixed(0)} MB; at most ${most} MB are taken.`, { error: true });
    return;
  }
  const line = notice(`Sending ${name} …`, { seconds: 0 });
  try {
    const { job } = await api.upload(state.session.name, file, name, (share) => line.set(`Sending ${name}: ${Math.round(100 * share)} %`));
    line.close();
    announce(`${name} is sent`);
    jobRequest(job, name);
  } catch (error) {
    line.close();
    notice(error.message, { error: true });
  }
}

function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

async function fetched(words, name, get) {
  const line = notice(`${words} …`, { seconds: 0 });
  try {
    saveBlob(await get(), name);
    line.close();
    notice(`${name} is saved.`);
  } catch (error) {
    line.close();
    notice(error.message, { error: true });
  }
}

function fileName(clip) {
  const own = (clip.name || `clip-${clip.number}`).replace(/[^\w-]+/g, "-");
  return clip.version > 1 ? `${own}-v${clip.version}` : own;
}

function downloads() {
  const { clip, session } = state;
  if (!clip) return;
  const items = (state.about?.exports ?? []).map((ext) => el("li", {}, el("button", { type: "button", class: "menu-item", on: { click: () => {
    const name = fileName(clip) + ext;
    $("save-menu").hidePopover();
    fetched(`Making ${name}`, name, () => api.exported(session.name, clip.id, name));
  } } }, el("b", { text: ext }), el("span", { text: WORDS[ext] ?? "" }))));
  $("save-menu").replaceChildren(el("p", { class: "menu-title", text: fileName(clip) }), el("ul", { class: "menu-list" }, items));
}

export function shareSession() {
  const { name } = state.session;
  fetched("Packing the session", `${name}.zip`, () => api.shared(name));
}

export const chooseShared = () => $("zip").click();

async function importShared(file) {
  const line = notice(`Sending ${file.name} …`, { seconds: 0 });
  try {
    const session = await api.imported(file);
    adopt(session);
    notice(`${file.name} is session ${session.name}.`);
  } catch (error) { notice(error.message, { error: true }); }
  line.close();
}

