// The menu of sessions: which one it is, another one, a new one, sharing.
import { $, button, el, notice, placeMenu } from "./dom.js";
import { api } from "./api.js";
import { chooseShared, shareSession } from "./files.js";
import { openSession } from "./session.js";
import { on, state } from "./state.js";

export function startSessions() {
  placeMenu($("session-button"), $("session-menu"), fill);
  on("session", (session) => {
    $("session-name").textContent = session.name;
    $("session-button").setAttribute("aria-label", `Session ${session.name}`);
    document.title = `${session.name} – facelm`;
  });
  on("connection", (there) => { $("link").hidden = there; $("link").textContent = "The connection is lost; trying again"; });
}

async function fill() {
  const menu = $("session-menu");
  const name = el("input", { id: "new-session", type: "text", maxlength: "40", pattern: "[\\w][\\w \\-]*", placeholder: "Name (optional)", autocomplete: "off" });
  const form = el("form", { class: "new-session", on: { submit: (e) => { e.preventDefault(); go(name.value.trim().replace(/\s+/g, "-") || null); } } },
    el("label", { class: "hidden", for: "new-session", text: "Name of a new session" }), name, el("button", { class: "button primary", type: "submit", text: "Begin" }));
  const list = el("ul", { class: "menu-list" });
  menu.replaceChildren(el("p", { class: "menu-title", text: "New session" }), form, el("p", { class: "menu-title", text: "Sessions" }), list,
    el("div", { class: "menu-foot" }, button("Share as .zip", () => { menu.hidePopover(); shareSession(); }, { kind: "small" }),
      button("Import …", () => { menu.hidePopover(); chooseShared(); }, { kind: "small" })));
  try {
    const all = await api.sessions();
    list.replaceChildren(...all.map((s) => el("li", {}, el("button", { type: "button", class: "menu-item", "aria-current": s.name === state.session?.name ? "true" : null,
      on: { click: () => go(s.name) } }, el("b", { text: s.name }), el("span", { text: counted(s) })))));
  } catch (error) { list.replaceChildren(el("li", { text: error.message })); }
}

/** How much is in a session; the server tells it only of those that are open. */
function counted({ turns, clips }) {
  const many = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;
  return turns === null ? "" : `${many(turns, "line")}, ${many(clips, "clip")}`;
}

async function go(name) {
  $("session-menu").hidePopover();
  if (name === state.session?.name) return;
  try {
    await openSession(name);
    $("say").focus();
  } catch (error) { notice(error.message, { error: true }); }
}
