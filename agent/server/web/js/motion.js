// Motion frames: the binary format of the protocol, kept as they arrive, read at any time between frames.

const HEADER = 16;
export const JOINTS = 5;
const TAIL = JOINTS * 7;

/** A clip's motion. `total` is null while nobody knows how long it will be. */
export class Motion {
  constructor(fps, total = null) {
    Object.assign(this, { fps, total, channels: 0, frames: 0, complete: false, data: new Float32Array(0) });
  }

  static read(buffer, fps) {
    const motion = new Motion(fps);
    motion.append(buffer);
    return motion.end();
  }

  static stream(buffer) {
    return new DataView(buffer).getUint32(0, true);
  }

  /** Takes in one binary message. */
  append(buffer) {
    const view = new DataView(buffer);
    const first = view.getUint32(4, true), count = view.getUint32(8, true), channels = view.getUint32(12, true);
    const row = channels + TAIL;
    if (buffer.byteLength < HEADER + 4 * row * count) throw new Error("A piece of motion is shorter than it says.");
    if (first > this.frames) throw new Error("A piece of motion is missing.");
    if (this.channels && this.channels !== channels) throw new Error("The motion changed its channels.");
    this.channels = channels;
    const needed = (first + count) * row;
    if (this.data.length < needed) {
      const larger = new Float32Array(Math.max(needed, this.data.length * 2, (this.total ?? 0) * row));
      larger.set(this.data.subarray(0, this.frames * row));
      this.data = larger;
    }
    // little-endian, as every machine that runs a browser is
    this.data.set(new Float32Array(buffer, HEADER, count * row), first * row);
    this.frames = Math.max(this.frames, first + count);
  }

  end() {
    this.complete = true;
    this.total = this.frames;
    return this;
  }

  get length() { return Math.max(this.total ?? 0, this.frames); }
  get seconds() { return this.length / this.fps; }
  get buffered() { return this.frames / this.fps; }

  row(frame) {
    const size = this.channels + TAIL;
    return this.data.subarray(frame * size, (frame + 1) * size);
  }

  /** Fills `pose` with the pose at a time, s, and with how fast each weight and joint moves there. */
  sample(time, pose) {
    const at = Math.min(Math.max(time * this.fps, 0), Math.max(this.frames - 1, 0));
    const low = Math.floor(at), high = Math.min(low + 1, this.frames - 1), mix = at - low;
    const a = this.row(low), b = this.row(high), n = this.channels;
    pose.fit(n);
    for (let i = 0; i < n; i++) pose.weights[i] = a[i] + (b[i] - a[i]) * mix;
    for (let j = 0; j < JOINTS; j++) slerp(a, b, n + 4 * j, mix, pose.turns, 4 * j);
    const places = n + 4 * JOINTS;
    for (let i = 0; i < 3 * JOINTS; i++) pose.places[i] = a[places + i] + (b[places + i] - a[places + i]) * mix;
    this.rates(low, pose);
    return pose;
  }

  rates(frame, pose) {
    const before = Math.max(frame - 1, 0), after = Math.min(frame + 2, this.frames - 1), span = (after - before) / this.fps || 1;
    const a = this.row(before), b = this.row(after), n = this.channels;
    for (let i = 0; i < n; i++) pose.speeds[i] = Math.abs(b[i] - a[i]) / span;
    for (let j = 0; j < JOINTS; j++) {
      let dot = 0;
      for (let k = 0; k < 4; k++) dot += a[n + 4 * j + k] * b[n + 4 * j + k];
      pose.spins[j] = 2 * Math.acos(Math.min(Math.abs(dot), 1)) / span;
    }
  }
}

/** Spherical interpolation of unit quaternions, the short way round. */
function slerp(a, b, from, mix, out, to) {
  let dot = 0;
  for (let k = 0; k < 4; k++) dot += a[from + k] * b[from + k];
  const sign = dot < 0 ? -1 : 1;
  dot = Math.min(Math.abs(dot), 1);
  let wa = 1 - mix, wb = mix * sign;
  if (dot < 0.9995) {
    const angle = Math.acos(dot), s = Math.sin(angle);
    wa = Math.sin(wa * angle) / s;
    wb = sign * Math.sin(mix * angle) / s;
  }
  let norm = 0;
  for (let k = 0; k < 4; k++) {
    const q = wa * a[from + k] + wb * b[from + k];
    out[to + k] = q;
    norm += q * q;
  }
  norm = 1 / Math.sqrt(norm || 1);
  for (let k = 0; k < 4; k++) out[to + k] *= norm;
}

/** One pose: weights, quaternions x, y, z, w, places in metres, and speeds a second. */
export class Pose {
  constructor() {
    Object.assign(this, {
      weights: new Float32Array(0), speeds: new Float32Array(0), turns: new Float32Array(4 * JOINTS),
      places: new Float32Array(3 * JOINTS), spins: new Float32Array(JOINTS),
    });
  }

  fit(channels) {
    if (this.weights.length !== channels) [this.weights, this.speeds] = [new Float32Array(channels), new Float32Array(channels)];
  }
}
