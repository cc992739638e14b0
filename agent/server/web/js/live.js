// A face that is driven while it lives: shows what /api/live sends, and sends it words. The address says ?face=NAME.
import { el } from "./dom.js";
import { Face } from "./face.js";
import { JOINTS } from "./motion.js";

const view = document.getElementById("view"), note = document.getElementById("note"), input = document.getElementById("say");
const face = new Face(view);
const name = new URLSearchParams(location.search).get("face") ?? "live";
let socket = null, wished = null;

/** A frame as it comes: its number, how many values, morph weights, quaternions and places of the joints. */
function show(buffer) {
  const values = new Float32Array(buffer, 8), weights = values.length - 7 * JOINTS;
  face.heads[0].pose({
    weights: values.subarray(0, weights),
    turns: values.subarray(weights, weights + 4 * JOINTS),
    places: values.subarray(weights + 4 * JOINTS),
  });
  const frame = new DataView(buffer).getUint32(0, true);
  document.body.dataset.frame = frame;
  if (wished?.frame < frame) { // the first frame that moves: seconds since it was asked for
    document.body.dataset.waited = (performance.now() - wished.at) / 1000;
    wished = null;
  }
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/api/live?format=rig&face=${encodeURIComponent(name)}`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return show(data);
    const said = JSON.parse(data);
    note.textContent = said.type === "error" ? said.error : "";
    if (said.type === "began" && said.id) wished = { at: said.id, frame: said.frame };
  };
  socket.onclose = () => {
    note.textContent = "The server is not there; it is tried again.";
    setTimeout(connect, 2000);
  };
}

/** Sends a message; whether there is anybody to send it to. */
function send(message) {
  const there = socket?.readyState === WebSocket.OPEN;
  if (there) socket.send(JSON.stringify(message));
  return there;
}

/** Sends what is typed; `after` lets what goes on end first. */
function wish(after) {
  const words = input.value.trim();
  if (words && send({ words, after, id: performance.now() })) input.value = "";
}

document.getElementById("wish").addEventListener("submit", (event) => {
  event.preventDefault();
  wish(false);
});
document.getElementById("then").addEventListener("click", () => wish(true));

const amount = document.getElementById("amount");
amount.addEventListener("input", () => {
  document.getElementById("amount-is").textContent = Number(amount.value).toFixed(1);
  send({ amount: Number(amount.value) });
});

/** A slider for each emotion that the face wears all the time; wishes come on top. */
const shares = {};
for (const emotion of ["happiness", "sadness", "anger", "fear", "disgust", "surprise", "contempt"]) {
  const share = el("output", { text: "0.00" });
  const blend = ({ target }) => {
    shares[emotion] = Number(target.value);
    share.textContent = shares[emotion].toFixed(2);
    send({ mix: shares });
  };
  const slider = el("input", { type: "range", id: `mix-${emotion}`, min: 0, max: 1, step: 0.05, value: 0, on: { input: blend } });
  document.getElementById("mix").append(el("label", { class: "amount" }, el("span", { text: emotion }), slider, share));
}

await face.load("/api/head.glb");
connect();
(function draw(time) {
  face.draw(time ?? 0, true);
  requestAnimationFrame(draw);
})();
