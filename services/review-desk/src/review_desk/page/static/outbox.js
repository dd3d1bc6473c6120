// Decisions on their way. Each is kept in this browser, by offsets and, but for a comment, never by text, until the desk has acknowledged it.

import { keptUnder } from "./kept.js";
import { Away, keyOf, LoginNeeded, pathOf } from "./server.js";

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 8_000;

export class Outbox {
  // `owner` keeps what one person decided from being sent by the next one at the same browser.
  constructor(server, owner, { onChange, onRefusal, onSent, onLogin }) {
    this._server = server;
    this._prefix = `rxtract-outbox ${owner} `;
    // What an earlier page left behind. Another tab may be sending the same: the desk takes the same words twice as once.
    this._items = keptUnder(this._prefix);
    this._tell = { onChange, onRefusal, onSent, onLogin };
    this._busy = false;
    this._wait_ms = FIRST_WAIT_MS;
    this.away = false;
    this.failing = false;
    window.addEventListener("online", () => this.send());
  }

  get size() {
    return this._items.length;
  }

  keys() {
    return this._items.map(keyOf);
  }

  add(item) {
    this._items.push({ ...item, kept_at: Date.now() });
    localStorage.setItem(this._placeOf(item), JSON.stringify(this._items.at(-1)));
    this.send();
  }

  // Take a decision back that has not gone yet; false when it has.
  takeBack(key) {
    const place = this._items.findIndex((item) => keyOf(item) === key);
    if (place < 0 || (place === 0 && this._busy)) return false;
    this._drop(this._items[place]);
    return true;
  }

  async send() {
    if (this._busy) return;
    this._busy = true;
    clearTimeout(this._timer);
    this._tell.onChange();
    try {
      while (this._items.length) await this._sendFirst();
      this._wait_ms = FIRST_WAIT_MS;
    } catch (error) {
      if (!(error instanceof Away) && !(error instanceof LoginNeeded)) throw error;
      this.away = error instanceof Away && !error.answered;
      this.failing = error.answered === true;
      if (error instanceof Away) this._items.push(this._items.shift()); // no decision waits for one that may never go
      if (error instanceof LoginNeeded) this._tell.onLogin();
      this._timer = setTimeout(() => this.send(), this._wait_ms);
      this._wait_ms = Math.min(2 * this._wait_ms, LONGEST_WAIT_MS);
    } finally {
      this._busy = false;
      this._tell.onChange();
    }
  }

  async _sendFirst() {
    const item = this._items[0];
    try {
      const answer = await this._server.post(pathOf(item, item.action), item.body);
      this.away = this.failing = false;
      this._drop(item);
      this._tell.onSent(item, answer);
    } catch (error) {
      if (error instanceof Away || error instanceof LoginNeeded) throw error;
      this._tell.onRefusal(item, error); // kept there before it is dropped here
      this._drop(item);
    }
  }

  _drop(item) {
    this._items = this._items.filter((other) => other !== item);
    localStorage.removeItem(this._placeOf(item));
  }

  _placeOf(item) {
    return `${this._prefix}${item.revision} ${keyOf(item)}`;
  }
}
