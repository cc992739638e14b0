// What a reply says beside its words: checks as ticks and crosses, and the calls.
import { el, icon } from "./dom.js";

export function mark(ok, said = true) {
  const known = ok !== null && ok !== undefined;
  return el("span", { class: `mark-${known ? (ok ? "ok" : "bad") : "none"}` }, known ? icon(ok ? "check" : "cross") : "–",
    said && el("span", { class: "hidden", text: known ? (ok ? "as asked: " : "not as asked: ") : "not checked: " }));
}

/** What the checks say of the asked cues, one line each. */
export function checksOf(asked) {
  return asked.filter((a) => a.sentence).map(({ sentence, ok }) => {
    const [first, ...more] = sentence.split("; "), name = first.slice(0, first.indexOf(": ") + 2);
    return { ok, sentence: [first, ...more.map((m) => (name && m.startsWith(name) ? m.slice(name.length) : m))].join(", ") };
  });
}

/** Checks, with those that failed first. */
export function checkList(items) {
  if (!items?.length) return null;
  const good = items.filter((i) => i.ok).length;
  const rows = [...items].sort((a, b) => Number(a.ok) - Number(b.ok)).map((i) => el("li", {}, mark(i.ok), el("span", { text: i.sentence })));
  const list = el("ul", { class: "checks" }, rows);
  const words = good === items.length ? "All as asked" : `${good} of ${items.length} as asked`;
  return el("details", { class: "fold", open: true }, el("summary", {}, mark(good === items.length, false), el("span", { text: words })), list);
}

function argument(value) {
  return typeof value === "string" ? `“${value}”` : JSON.stringify(value);
}

/** The calls, folded; with them an answer that is not worth a line of its own. */
export function callList(calls, answer = null) {
  if (!calls?.length) return null;
  const rows = calls.map((c) => el("li", {}, el("b", { text: c.tool }),
    Object.entries(c.arguments ?? {}).map(([k, v]) => el("span", { class: "arg" }, ` ${k} `, el("code", { text: argument(v) })))));
  const names = calls.map((c) => c.tool).join(", ");
  return el("details", { class: "fold" }, el("summary", { text: names }), answer ? el("p", { class: "calls", text: answer }) : null, el("ul", { class: "calls" }, rows));
}
