// The help dialog and the keys that hold for the whole page.
import { $, button, el, recall, remember, takesKeys } from "./dom.js";
import { call } from "./session.js";
import { state } from "./state.js";

const KEYS = [
  ["Everywhere", [["Space", "play or pause"], [", .", "one frame back or on"], ["Ctrl+Z", "undo"], ["Ctrl+Shift+Z", "redo"], ["?", "this help"]]],
  ["A selected event", [["← →", "0.1 s earlier or later; with Shift 0.5 s"], ["Alt+← →", "shorter or longer"], ["+ −", "stronger or weaker, also with the wheel"],
    ["S", "the other side"], ["D", "duplicate"], ["Delete", "remove"], ["↑ ↓", "the event before or after"], ["Enter", "to its panel"], ["Esc", "let go of it"]]],
  ["The view", [["Drag", "turn the head"], ["Wheel", "nearer or further"], ["← → ↑ ↓ + −", "the same, when the face has the focus"], ["Ctrl+wheel", "zoom the timeline"]]],
  ["The conversation", [["Enter", "send"], ["Shift+Enter", "a new line"], ["↑", "the last line again, in an empty field"]]],
];
let player = null;
let single = recall("keys", true); // keys without Ctrl

export function startHelp(thePlayer) {
  player = thePlayer;
  $("help-button").addEventListener("click", open);
  $("undo").addEventListener("click", () => step("undo"));
  $("redo").addEventListener("click", () => step("redo"));
  document.addEventListener("keydown", keys);
}

export function step(tool) {
  if (tool === "undo" ? state.session?.can_undo : state.session?.can_redo) call(tool, {}, { from: "timeline" });
}

function keys(event) {
  if (event.defaultPrevented || takesKeys(event.target) || document.querySelector("dialog[open], [popover]:popover-open")) return;
  const ctrl = event.ctrlKey || event.metaKey;
  if (ctrl && event.key.toLowerCase() === "z") {
    event.preventDefault();
    step(event.shiftKey ? "redo" : "undo");
  } else if (ctrl && event.key === "y") {
    event.preventDefault();
    step("redo");
  } else if (!ctrl && !event.altKey && single) plain(event);
}

function plain(event) {
  const onButton = event.target.closest("button, summary, a, input, select");
  const run = { " ": onButton ? null : () => player.play(), ",": () => player.step(-1), ".": () => player.step(1), "?": open }[event.key];
  if (!run) return;
  event.preventDefault();
  run();
}

function open() {
  if (document.querySelector("dialog[open]")) return;
  const before = document.activeElement;
  const box = el("label", { class: "check" }, el("input", { type: "checkbox", checked: single, on: { change: (e) => { single = e.target.checked; remember("keys", single); } } }),
    el("span", { text: "Single keys (Space, comma, point, ?) work everywhere" }));
  const dialog = el("dialog", { class: "dialog help", "aria-labelledby": "help-title" },
    el("h2", { id: "help-title", text: "How it works" }),
    el("p", { text: "Say what the face should do. What is performed is measured on the mesh and compared with what was asked: outlined bars are what was asked for, filled bars what is there. A tick says that it is as asked, a cross that it is not; “model”, “repaired” and “animator” say who performed it." }),
    el("p", { text: "Then change it in words or by hand: drag a bar, drag its ends, or use the keys. Ask about it: answers are computed from what is measured. Left and right are the face's own." }),
    el("div", { class: "keys" }, KEYS.map(([title, rows]) => el("section", {}, el("h3", { text: title }),
      el("dl", {}, rows.map(([k, what]) => [el("dt", {}, el("kbd", { text: k })), el("dd", { text: what })]))))),
    box, el("div", { class: "dialog-buttons" }, button("Close", () => dialog.close(), { kind: "primary" })));
  dialog.addEventListener("close", () => { dialog.remove(); before?.focus?.(); });
  dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  dialog.scrollTop = 0;
}
