// The player of a notebook's cell: one head, one clip, play and a slider. `agent/notebook.py` hands it its modules.
import { NeutralToneMapping, PerspectiveCamera, Scene, WebGLRenderer } from "../vendor/three.module.min.js";
import { OrbitControls } from "../vendor/addons/controls/OrbitControls.js";
import { GLTFLoader } from "../vendor/addons/loaders/GLTFLoader.js";
import { Head } from "./head.js";
import { Motion, Pose } from "./motion.js";
import { Studio } from "./studio.js";

const DISTANCE = 0.68, ANGLE = 22, STEP = 1 / 25;

const buffer = (view) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);

function make(tag, properties = {}, style = "") {
  const node = Object.assign(document.createElement(tag), properties);
  node.style.cssText = style;
  return node;
}

/** Fills `el` with the player of `model`'s clip; returns what takes it away again. */
export async function render({ model, el }) {
  const motion = Motion.read(buffer(model.get("motion")), model.get("fps"));
  const { scene: root } = await new GLTFLoader().parseAsync(buffer(model.get("head")), "");
  const height = model.get("height"), name = model.get("label");
  const renderer = new WebGLRenderer({ antialias: true, alpha: true });
  renderer.toneMapping = NeutralToneMapping;
  renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
  const canvas = renderer.domElement;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `3D face: ${name}`);
  const scene = new Scene(), camera = new PerspectiveCamera(ANGLE, 1, 0.05, 10), head = new Head(root), pose = new Pose();
  const studio = new Studio(renderer, scene);
  scene.add(root);
  head.pose(motion.sample(0, pose));
  const eyes = head.eyes(), controls = new OrbitControls(camera, canvas);
  controls.enablePan = false;
  controls.target.copy(eyes).y -= 0.01;
  camera.position.copy(controls.target).z += DISTANCE;
  controls.update();
  studio.aim(eyes);

  const button = make("button", { type: "button", textContent: "▶", title: "Play or pause" }, "width: 2.4em; height: 2em; cursor: pointer");
  const slider = make("input", { type: "range", min: 0, max: motion.seconds, step: STEP, value: 0 }, "flex: 1");
  slider.setAttribute("aria-label", "Time");
  const clock = make("output", {}, "min-width: 7em; font-variant-numeric: tabular-nums; text-align: right");
  const bar = make("div", {}, "display: flex; gap: 0.5em; align-items: center; font: 13px system-ui, sans-serif");
  const box = make("figure", {}, `margin: 0; width: ${height}px; max-width: 100%`);
  bar.append(button, slider, clock);
  box.append(canvas, bar, make("figcaption", { textContent: name }, "font: 13px system-ui, sans-serif; opacity: 0.75"));
  el.append(box);
  renderer.setSize(height, height, false);
  canvas.style.cssText = "width: 100%; display: block; background: linear-gradient(#e9edf2, #cfd6df); border-radius: 6px";

  let playing = false, began = 0, at = 0, request = 0;
  const show = () => {
    head.pose(motion.sample(at, pose));
    clock.textContent = `${at.toFixed(2)} / ${motion.seconds.toFixed(2)} s`;
    slider.value = at;
    renderer.render(scene, camera);
  };
  const play = (on) => {
    playing = on;
    button.textContent = on ? "⏸" : "▶";
    button.setAttribute("aria-pressed", String(on));
    if (on && at >= motion.seconds - STEP) at = 0;
    began = performance.now() / 1000 - at;
    cancelAnimationFrame(request);
    if (on) request = requestAnimationFrame(tick);
  };
  function tick() {
    at = performance.now() / 1000 - began;
    if (at >= motion.seconds) {
      at = motion.seconds;
      play(false);
    }
    show();
    if (playing) request = requestAnimationFrame(tick);
  }
  button.addEventListener("click", () => play(!playing));
  slider.addEventListener("input", () => {
    const goesOn = playing;
    play(false);
    at = Number(slider.value);
    show();
    if (goesOn) play(true);
  });
  controls.addEventListener("change", () => { if (!playing) show(); });
  show();
  return () => {
    play(false);
    controls.dispose();
    renderer.dispose();
  };
}
