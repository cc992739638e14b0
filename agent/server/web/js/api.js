// The server: REST calls and the socket of a session.

const part = encodeURIComponent;
const at = (session, rest = "") => `/api/sessions/${part(session)}${rest}`;

async function failure(response) {
  const text = await response.text().catch(() => "");
  try { return JSON.parse(text).error || JSON.parse(text).detail || response.statusText; } catch { return text.slice(0, 200) || response.statusText; }
}

async function call(path, options = {}) {
  let response;
  try { response = await fetch(path, options); } catch { throw new Error("The server does not answer."); }
  if (!response.ok) throw new Error(String(await failure(response)) || `error ${response.status}`);
  return response;
}

const json = async (path, options) => (await call(path, options)).json();
const post = (path, body = {}) =>
  json(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

export const api = {
  about: () => json("/api/about"),
  sessions: () => json("/api/sessions"),
  session: (name) => post("/api/sessions", name ? { name } : {}),
  select: (session, clip) => post(at(session, `/clips/${part(clip)}/select`)),
  timeline: (session, clip) => json(at(session, `/clips/${part(clip)}/timeline`)),
  motion: async (session, clip) => (await call(at(session, `/clips/${part(clip)}/motion`))).arrayBuffer(),
  curves: (session, clip, names) =>
    json(at(session, `/clips/${part(clip)}/curves${names.length ? `?names=${names.map(part).join(",")}` : ""}`)),
  video: (session, clip) => at(session, `/clips/${part(clip)}/video`),
  exported: async (session, clip, file) => (await call(at(session, `/clips/${part(clip)}/export/${part(file)}`))).blob(),
  shared: async (session) => (await call(at(session, "/share"))).blob(),
  imported: (file) => json("/api/sessions/import", { method: "POST", body: file }),
  job: (id) => json(`/api/jobs/${part(id)}`),

  /** Sends a file; `progress` gets the share that has been sent. Resolves with {job}. */
  upload(session, file, name, progress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", `${at(session, "/upload")}?name=${part(name)}`);
      request.upload.onprogress = (e) => e.lengthComputable && progress(e.loaded / e.total);
      request.onerror = () => reject(new Error("The upload was interrupted."));
      request.onload = () => {
        let answer = {};
        try { answer = JSON.parse(request.responseText); } catch { /* told below */ }
        if (request.status < 300) resolve(answer);
        else reject(new Error(answer.error || `The server refused the file (${request.status}).`));
      };
      request.send(file);
    });
  },
};

/** The socket of one session: it comes back by itself, and sends what was said meanwhile. */
export class Socket {
  constructor(session, { message, binary, status }) {
    Object.assign(this, { session, message, binary, status, waiting: [], tries: 0, closed: false });
    this.connect();
    this.online = () => { if (!this.closed && this.socket.readyState > 1) this.connect(); };
    addEventListener("online", this.online);
  }

  connect() {
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${at(this.session, "/socket")}`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.tries = 0;
      this.status(true);
      for (const text of this.waiting.splice(0)) socket.send(text);
    };
    socket.onmessage = ({ data }) => {
      if (this.closed) return;
      if (typeof data === "string") this.message(JSON.parse(data));
      else this.binary(data);
    };
    socket.onclose = () => {
      if (this.closed || socket !== this.socket) return;
      this.status(false);
      const pause = Math.min(500 * 2 ** this.tries++, 10000) * (0.75 + Math.random() / 2);
      this.timer = setTimeout(() => this.connect(), pause);
    };
  }

  /** Sends now, or when the connection is there; true if now. */
  send(message) {
    const text = JSON.stringify(message), now = this.socket.readyState === WebSocket.OPEN;
    if (now) this.socket.send(text);
    else this.waiting.push(text);
    return now;
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    removeEventListener("online", this.online);
    this.socket.close();
  }
}
