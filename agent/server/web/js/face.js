// The 3D view: camera, light, one head or two side by side.
import { NeutralToneMapping, PerspectiveCamera, Scene, Spherical, Vector3, WebGLRenderer } from "../vendor/three.module.min.js";
import { OrbitControls } from "../vendor/addons/controls/OrbitControls.js";
import { GLTFLoader } from "../vendor/addons/loaders/GLTFLoader.js";
import { Head } from "./head.js";
import { calm } from "./dom.js";
import { Quality } from "./quality.js";
import { emit } from "./state.js";
import { Studio } from "./studio.js";

const VIEW_ANGLE = 22;
/** Height and width in metres that have to fit, height of the centre over the eyes, and the camera's direction in degrees. */
const FRAMES = {
  face: { tall: 0.238, wide: 0.19, up: -0.008, turn: 0, tilt: 1 },
  head: { tall: 0.305, wide: 0.26, up: -0.04, turn: 0, tilt: 3 },
  quarter: { tall: 0.262, wide: 0.25, up: -0.012, turn: 36, tilt: 4 },
  left: { tall: 0.262, wide: 0.27, up: -0.012, turn: 90, tilt: 0 },
  right: { tall: 0.262, wide: 0.27, up: -0.012, turn: -90, tilt: 0 },
};
/** Metres from the middle of the head to the marks of its sides. */
const BESIDE = 0.13;

export class Face {
  constructor(place) {
    Object.assign(this, { place, heads: [], frame: "face", split: false, mirrored: false, flight: null, eyes: new Vector3(), quality: new Quality() });
    this.renderer = new WebGLRenderer({ antialias: true, alpha: true, powerPreference: "high-performance" });
    this.renderer.toneMapping = NeutralToneMapping;
    const canvas = this.renderer.domElement;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "3D face. Arrow keys turn the view, plus and minus zoom.");
    place.prepend(canvas);
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(VIEW_ANGLE, 1, 0.05, 10);
    this.studio = new Studio(this.renderer, this.scene);
    this.controls = new OrbitControls(this.camera, canvas);
    Object.assign(this.controls, { enablePan: false, enableDamping: !calm(), dampingFactor: 0.12, minDistance: 0.25, maxDistance: 2.5 });
    this.controls.addEventListener("change", () => emit("wake"));
    this.controls.addEventListener("start", () => { this.flight = null; this.freed(); });
    canvas.addEventListener("keydown", (e) => this.key(e));
    new ResizeObserver(() => this.resize()).observe(place);
    this.light("studio");
  }

  async load(url) {
    const { scene } = await new GLTFLoader().loadAsync(url);
    const head = new Head(scene);
    this.scene.add(scene);
    this.heads = [head];
    scene.updateMatrixWorld(true);
    this.eyes.copy(head.eyes());
    this.framed(this.frame, true);
    return head;
  }

  /** Turns the camera to where a clip begins: a filmed face may be anywhere. A second head stands at the same place. */
  centre(pose, second) {
    const [head, other] = this.heads;
    head.pose(pose);
    const eyes = head.eyes(), moved = eyes.distanceTo(this.eyes) > 0.004;
    this.eyes.copy(eyes);
    this.studio.aim(this.eyes);
    if (other) {
      other.pose(second);
      other.root.position.set(0, 0, 0);
      other.root.position.copy(eyes).sub(other.eyes());
    }
    if (moved && this.frame) this.framed(this.frame);
    emit("wake");
  }

  resize() {
    const { clientWidth: w, clientHeight: h } = this.place;
    if (!w || !h) return;
    this.renderer.setSize(w, h, false);
    this.camera.aspect = (this.split ? w / 2 : w) / h;
    this.camera.updateProjectionMatrix();
    if (this.frame) this.framed(this.frame, true);
    emit("wake");
  }

  /** Moves the camera to a preset. */
  framed(name, now = calm()) {
    const f = FRAMES[name];
    this.frame = name;
    const half = Math.tan((VIEW_ANGLE * Math.PI) / 360);
    const distance = Math.max(f.tall / (2 * half), f.wide / (2 * half * this.camera.aspect)) + 0.07;
    const target = this.eyes.clone().add(new Vector3(0, f.up, 0));
    // turned, the middle of the head is centred, not the eyes
    target.z -= 0.07 * Math.abs(Math.sin((f.turn * Math.PI) / 180));
    const turn = (this.mirrored ? -f.turn : f.turn) * (Math.PI / 180);
    const to = new Spherical(distance, Math.PI / 2 - (f.tilt * Math.PI) / 180, turn);
    const from = new Spherical().setFromVector3(this.camera.position.clone().sub(this.controls.target));
    if (to.theta - from.theta > Math.PI) from.theta += 2 * Math.PI;
    if (from.theta - to.theta > Math.PI) from.theta -= 2 * Math.PI;
    this.flight = { from, to, start: this.controls.target.clone(), target, since: performance.now(), last: now ? 1 : 420 };
    if (now) this.fly(Infinity);
    emit("frame", name);
    emit("wake");
  }

  freed() {
    if (!this.frame) return;
    this.frame = null;
    emit("frame", null);
  }

  /** One step of the camera's way; false when it has arrived. */
  fly(time) {
    if (!this.flight) return false;
    const { from, to, start, target, since, last } = this.flight;
    const share = Math.min((time - since) / last, 1), s = share < 0 ? 0 : 1 - (1 - share) ** 3;
    const mix = (a, b) => a + (b - a) * s;
    const at = new Spherical(mix(from.radius, to.radius), mix(from.phi, to.phi), mix(from.theta, to.theta));
    this.controls.target.lerpVectors(start, target, s);
    this.camera.position.setFromSpherical(at).add(this.controls.target);
    this.camera.lookAt(this.controls.target);
    if (share >= 1) this.flight = null;
    return this.flight !== null;
  }

  key(event) {
    const turn = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const zoom = { "+": 0.9, "=": 0.9, "-": 1.1 }[event.key];
    if (!turn && !zoom || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.freed();
    const at = new Spherical().setFromVector3(this.camera.position.clone().sub(this.controls.target));
    at.theta += (turn?.[0] ?? 0) * 0.1;
    at.phi = Math.min(Math.max(at.phi + (turn?.[1] ?? 0) * 0.1, 0.2), Math.PI - 0.2);
    at.radius = Math.min(Math.max(at.radius * (zoom ?? 1), this.controls.minDistance), this.controls.maxDistance);
    this.camera.position.setFromSpherical(at).add(this.controls.target);
    emit("wake");
  }

  light(name) {
    this.studio.set(name);
    emit("wake");
  }

  each(run) {
    this.heads.forEach(run);
    emit("wake");
  }

  mirror(on) {
    if (on !== this.mirrored) this.eyes.x *= -1;
    this.mirrored = on;
    this.each((h) => { h.root.scale.x = on ? -1 : 1; });
    if (this.frame) this.framed(this.frame, true);
  }

  /** Shows a second head beside the first one. */
  compare(on) {
    if (on && this.heads.length === 1) {
      const head = this.heads[0].twin();
      head.root.scale.copy(this.heads[0].root.scale);
      this.heads.push(head);
      this.scene.add(head.root);
    }
    this.split = on && this.heads.length > 1;
    this.resize();
  }

  draw(time, playing) {
    const moving = this.fly(time) | this.controls.update();
    const { clientWidth: w, clientHeight: h } = this.place;
    if (!w || !h) return false;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2) * this.quality.share(time, playing || moving));
    const wide = this.split ? w / 2 : w;
    this.renderer.setScissorTest(this.split);
    for (let k = 0; k < (this.split ? 2 : 1); k++) {
      this.heads.forEach((head, n) => { head.root.visible = n === k; });
      this.renderer.setViewport(k * wide, 0, wide, h);
      this.renderer.setScissor(k * wide, 0, wide, h);
      this.renderer.render(this.scene, this.camera);
    }
    return Boolean(moving);
  }

  /** Where the marks of the subject's left and right go, in pixels of the view; null for a side that is turned away. */
  marks() {
    const w = this.place.clientWidth / (this.split ? 2 : 1), h = this.place.clientHeight;
    const middle = this.eyes.clone().add(new Vector3(0, -0.075, -0.07));
    const across = new Vector3(1, 0, 0).transformDirection(this.camera.matrixWorld), sideways = across.x * (this.mirrored ? -1 : 1);
    const profile = Math.abs(sideways) < 0.4, nearer = Math.sign(this.camera.position.x - this.controls.target.x) * (this.mirrored ? -1 : 1);
    return [1, -1].map((side) => {
      if (profile && side !== nearer) return null;
      const out = profile ? 0 : BESIDE * side * Math.sign(sideways);
      const at = middle.clone().addScaledVector(across, out).project(this.camera);
      return { x: Math.min(Math.max(((at.x + 1) / 2) * w, 22), w - 22), y: Math.min(Math.max(((1 - at.y) / 2) * h, 22), h - 22) };
    });
  }
}
