// Notes that this tab holds: the next ones are fetched ahead, so that the network is never waited for between two notes.

import { keyOf, Refusal } from "./server.js";

const AHEAD = 2;
const LOOK_AGAIN_MS = 2_000;

export class Tasks {
  constructor(server, { asked, others, onArrival, onNothing, onFailure }) {
    this._server = server;
    this._asked = asked; // the part of the queue that the person works through
    this._others = others; // keys of notes that are on the screen or on their way, not to be given again
    this._onArrival = onArrival;
    this._onNothing = onNothing;
    this._onFailure = onFailure;
    this._ready = [];
    this._elsewhere = new Set();
    this._unlock = new Map();
    this._busy = false;
  }

  // The next note. Whoever takes it fills up again once it is on the screen: until then nobody names it as held.
  take() {
    return this._ready.shift() ?? null;
  }

  get ready() {
    return this._ready;
  }

  // Give up notes that are not this person's any more; gives those that were here.
  drop(keys) {
    const gone = this._ready.filter((task) => keys.includes(keyOf(task)));
    this._ready = this._ready.filter((task) => !gone.includes(task));
    gone.forEach((task) => this.release(keyOf(task)));
    return gone;
  }

  // What was fetched ahead is not what the person asks for any more: others may have it.
  async clear() {
    const notes = this._ready.map(({ source, note_id, revision, lease }) => ({ source, note_id, revision, lease }));
    this.drop(this._ready.map(keyOf));
    if (notes.length) await this._server.post("/api/give-back", { notes });
  }

  putBack(task) {
    this._ready.unshift(task);
  }

  // The note is decided: another tab may have it when it comes back.
  release(key) {
    this._unlock.get(key)?.();
    this._unlock.delete(key);
  }

  async fill() {
    if (this._busy) return;
    this._busy = true;
    clearTimeout(this._timer);
    try {
      while (this._ready.length < AHEAD && (await this._fetch()));
      if (!this._ready.length) this._onNothing();
    } catch (error) {
      if (error instanceof Refusal) throw error;
      this._onFailure(error);
    } finally {
      this._busy = false;
      if (this._ready.length < AHEAD) this._timer = setTimeout(() => this.fill(), LOOK_AGAIN_MS);
    }
  }

  async _fetch() {
    const holding = [...this._others(), ...this._ready.map(keyOf), ...this._elsewhere];
    const query = new URLSearchParams([...holding.map((key) => ["holding", key]), ...Object.entries(this._asked())]);
    const task = await this._server.get(`/api/next?${query}`);
    if (task === null) {
      this._elsewhere.clear();
      return false;
    }
    if (await this._lock(keyOf(task))) {
      this._ready.push(task);
      this._onArrival();
    } else {
      this._elsewhere.add(keyOf(task));
    }
    return true;
  }

  // A person's two tabs never show one note: a lock of the browser is held as long as this tab lives.
  _lock(key) {
    if (!navigator.locks || this._unlock.has(key)) return Promise.resolve(true); // plain http from afar has no locks
    return new Promise((got) => {
      navigator.locks.request(`rxtract-note ${key}`, { ifAvailable: true }, (lock) => {
        got(lock !== null);
        return lock && new Promise((unlock) => this._unlock.set(key, unlock));
      });
    });
  }
}
