// Time at work on a note. A pause counts for a minute at most: nobody knows what a person did in a longer one.

export const LONGEST_PAUSE_S = 60;

const now = () => performance.now() / 1000;

export class Stopwatch {
  constructor(seconds = 0) {
    this._before = seconds;
    this._last = now();
  }

  // The person did something.
  touch() {
    this._before = this.seconds;
    this._last = now();
  }

  get seconds() {
    return this._before + Math.min(now() - this._last, LONGEST_PAUSE_S);
  }
}
