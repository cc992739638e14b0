// What the page knows, and who wants to hear of changes.

export const state = {
  about: null, // GET /api/about
  session: null, // the session as the server tells it
  clip: null, // the clip at hand, one of session.clips
  timeline: null, // of the clip at hand
  selected: null, // key of the selected event
  connected: false,
};

const bus = new EventTarget();

export function on(name, run) {
  bus.addEventListener(name, (event) => run(event.detail));
}

export function emit(name, detail) {
  bus.dispatchEvent(new CustomEvent(name, { detail }));
}

export function clipOf(id) {
  return state.session?.clips.find((c) => c.id === id) ?? null;
}

export function clipLabel(clip) {
  return `${clip.name || `clip ${clip.number}`}${clip.version > 1 ? `, version ${clip.version}` : ""}`;
}

export const seconds = (value, digits = 1) => `${value.toFixed(digits)} s`;
export const percent = (value) => `${Math.round(value * 100)} %`;
