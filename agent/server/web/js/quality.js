// How finely the face is drawn while it moves: less where frames come too slowly. At rest it is always drawn in full.
const SHARES = [1, 0.75, 0.5];
const SLOW = 50; // ms between frames
const ENOUGH = 8; // frames that tell

export class Quality {
  constructor() {
    Object.assign(this, { level: 0, last: 0, passed: 0, frames: 0 });
  }

  /** The share of the full resolution for a frame at `time`, ms. */
  share(time, moving) {
    if (!moving) {
      Object.assign(this, { last: 0, passed: 0, frames: 0 });
      return 1;
    }
    if (this.last) this.count(time - this.last);
    this.last = time;
    return SHARES[this.level];
  }

  count(pause) {
    this.passed += pause;
    if (++this.frames < ENOUGH) return;
    if (this.passed / this.frames > SLOW && this.level < SHARES.length - 1) this.level++;
    Object.assign(this, { passed: 0, frames: 0 });
  }
}
