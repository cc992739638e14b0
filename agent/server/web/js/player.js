// The clock: plays a motion, waits where frames have not arrived yet, and keeps a second clip in step.
import { emit } from "./state.js";
import { Pose } from "./motion.js";

const LONGEST = 0.6; // s that a slow frame may skip

export class Player {
  constructor() {
    Object.assign(this, {
      motion: null, second: null, time: 0, playing: false, loop: true, speed: 1, range: null, last: 0, waiting: false,
      pose: new Pose(), secondPose: new Pose(),
    });
  }

  get seconds() { return Math.max(this.motion?.seconds ?? 0, this.second?.seconds ?? 0); }
  get frame() { return this.motion ? Math.min(Math.floor(this.time * this.motion.fps + 1e-6), Math.max(this.motion.frames - 1, 0)) : 0; }

  /** Another motion; `time` null keeps the position. */
  set(motion, { time = 0, play = null } = {}) {
    this.motion = motion;
    this.range = null;
    this.time = motion ? Math.min(time ?? this.time, Math.max(motion.seconds - 1 / motion.fps, 0)) : 0;
    if (play !== null) this.playing = play && motion !== null;
    if (!motion) this.playing = false;
    this.changed();
  }

  compare(motion) {
    this.second = motion;
    this.changed();
  }

  play(on = !this.playing) {
    this.playing = on && this.motion !== null;
    this.range = null;
    if (this.playing && !this.loop && this.motion.complete && this.time >= this.end - 1e-3) this.time = 0;
    this.changed();
  }

  /** Plays a stretch once. */
  part(start, end) {
    if (!this.motion) return;
    this.time = Math.max(0, start);
    this.playing = true;
    this.range = Math.min(end, this.seconds);
    this.changed();
  }

  seek(time) {
    if (!this.motion) return;
    this.range = null;
    this.time = Math.min(Math.max(time, 0), this.end);
    this.changed();
  }

  step(frames) {
    if (!this.motion) return;
    this.playing = false;
    this.seek((this.frame + frames) / this.motion.fps);
  }

  /** The last frame's time. */
  get end() { return this.motion ? Math.max(this.seconds - 1 / this.motion.fps, 0) : 0; }

  changed() {
    this.last = performance.now();
    emit("player", this);
    emit("wake");
  }

  /** Moves on to `now`, ms; true while it has to be called again. */
  tick(now) {
    const passed = Math.min(Math.max((now - this.last) / 1000, 0), LONGEST);
    this.last = now;
    if (!this.playing || !this.motion) return false;
    const next = this.time + passed * this.speed;
    const there = this.motion.complete ? Infinity : this.motion.buffered - 1 / this.motion.fps;
    this.waiting = next > there;
    this.time = Math.max(this.time, Math.min(next, there));
    if (this.range !== null && this.time >= this.range) this.stop(this.range);
    else if (this.motion.complete && this.time >= this.seconds) this.ended();
    emit("time", this);
    return true;
  }

  ended() {
    if (this.loop && this.seconds > 0) this.time %= this.seconds;
    else this.stop(this.end);
  }

  stop(time) {
    Object.assign(this, { time: Math.min(time, this.end), playing: false, range: null });
    this.changed();
  }

  /** The pose with which the first clip (or the second one) begins. */
  first(second = false) {
    const motion = second ? this.second : this.motion;
    return motion?.frames ? motion.sample(0, new Pose()) : null;
  }

  /** The pose of the first clip (or the second one) now; null where there is none yet. */
  now(second = false) {
    const motion = second ? this.second : this.motion;
    return motion?.frames ? motion.sample(this.time, second ? this.secondPose : this.pose) : null;
  }
}
