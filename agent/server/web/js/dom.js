// Small helpers around the DOM. What comes from outside only ever becomes text.

export const $ = (id) => document.getElementById(id);

/** An element. `on` holds listeners, `text` its text, `data` its data attributes; null and undefined are left out. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") node.textContent = value;
    else if (key === "class") node.className = value;
    else if (key === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (key === "data") Object.assign(node.dataset, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

/** An icon of the page's sprite. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

export function setIcon(button, name) {
  button.querySelector("use").setAttribute("href", `#i-${name}`);
}

export function press(button, on) {
  button.setAttribute("aria-pressed", String(on));
}

/** A button with words, an icon or both. */
export function button(words, run, { name = "", kind = "", label = null, title = null } = {}) {
  return el("button", { type: "button", class: `button ${kind}`.trim(), "aria-label": label, title, on: { click: run } },
    name ? icon(name) : null, words ? el("span", { text: words }) : null);
}

/** Places a popover menu under (or above) the button that opens it. */
export function placeMenu(opener, menu, before = () => {}) {
  menu.addEventListener("beforetoggle", (event) => {
    opener.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState === "open") before();
  });
  opener.setAttribute("aria-expanded", "false");
  const place = () => {
    if (!menu.matches(":popover-open")) return;
    const at = opener.getBoundingClientRect(), size = menu.getBoundingClientRect(), gap = 6;
    const left = Math.min(at.left, innerWidth - size.width - 8);
    const below = at.bottom + gap, above = at.top - gap - size.height;
    menu.style.left = `${Math.max(8, left)}px`;
    menu.style.top = `${below + size.height > innerHeight - 8 && above > 8 ? above : Math.max(8, Math.min(below, innerHeight - size.height - 8))}px`;
  };
  menu.addEventListener("toggle", place);
  addEventListener("resize", place);
  new ResizeObserver(place).observe(menu);
}

const notices = () => $("notices");

/** A line that goes away by itself; errors stay until they are closed or 12 s have passed. */
export function notice(text, { error = false, seconds = error ? 12 : 4 } = {}) {
  const line = el("div", { class: error ? "notice error" : "notice", role: error ? "alert" : "status" }, el("p", { text }),
    button("", () => line.remove(), { name: "close", kind: "icon small quiet", label: "Close" }));
  notices().append(line);
  while (notices().children.length > 4) notices().firstElementChild.remove();
  const set = (words) => { line.firstElementChild.textContent = words; };
  if (seconds) setTimeout(() => line.remove(), seconds * 1000);
  return { set, close: () => line.remove() };
}

export function announce(text) {
  $("live").textContent = "";
  setTimeout(() => { $("live").textContent = text; }, 60);
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

const FORM = /^(INPUT|TEXTAREA|SELECT)$/;

/** Whether keys that are typed there belong to the element itself. */
export function takesKeys(target) {
  return FORM.test(target.tagName) && target.type !== "range" || target.isContentEditable;
}

export function remember(key, value) {
  try { localStorage.setItem(`facelm.${key}`, JSON.stringify(value)); } catch { /* a private window keeps nothing */ }
}

export function recall(key, usual) {
  try { return JSON.parse(localStorage.getItem(`facelm.${key}`)) ?? usual; } catch { return usual; }
}
