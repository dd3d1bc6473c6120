// Calls to the desk's API. What is away is told apart from what is refused.

// What a browser or a proxy takes for a step, or leaves out.
const STEPS = new Set(["", ".", ".."]);

// Where an action on a note is sent. Many proxies refuse an escaped slash, so there is none but where an id has steps in it: then all of
// it is one segment.
export function pathOf({ source, note_id: noteId, revision }, action) {
  const parts = noteId.split("/");
  const hasSteps = parts.some((part) => STEPS.has(part));
  if (hasSteps) return `/api/tasks/${source}/${encodeURIComponent(`${noteId}/${revision}/${action}`)}`;
  return `/api/tasks/${source}/${parts.map(encodeURIComponent).join("/")}/${revision}/${action}`;
}

// Where a note can be looked at.
export function placeOf({ source, note_id: noteId }) {
  return `/notes?${new URLSearchParams({ source, note_id: noteId })}`;
}

// A note's identity as one string, as the desk writes it.
export function keyOf({ source, note_id: noteId }) {
  return `${source}|${noteId}`;
}

// What may be sent again. `answered`: the desk is there, and could not do it; others may have more luck.
export class Away extends Error {
  constructor(message, answered = false) {
    super(message);
    this.answered = answered;
  }
}

export class LoginNeeded extends Error {}

export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// What the desk itself will never take, however often it is sent.
const REFUSALS = new Set([400, 404, 409, 413, 422]);
const OF_NOTES = /^\/api\/(next|queue|keep|give-back|restart|tasks)\b/;
const PATIENCE_MS = 15_000;
const KEEPALIVE_LIMIT = 20_000; // browsers refuse more than 64 KiB in flight that outlive the page

export class Server {
  // `base`: where the notes come from, when it is not the desk itself.
  constructor(csrf, base = "") {
    this._csrf = csrf;
    this._base = base;
  }

  get(path) {
    return this._call("GET", path);
  }

  post(path, body) {
    return this._call("POST", path, body);
  }

  delete(path) {
    return this._call("DELETE", path);
  }

  put(path, body) {
    return this._call("PUT", path, body);
  }

  async login(token) {
    const who = await this._call("POST", "/api/login", { token });
    this._csrf = who.csrf;
    return who;
  }

  // Gives the JSON of the answer, or null when there is nothing (204).
  async _call(method, path, body, again = false) {
    const response = await this._fetch(method, path, body && JSON.stringify(body));
    if (response.status === 204) return null;
    const answer = await response.json().catch(() => null);
    // A proxy's login page or error is no answer of the desk: nothing is known, so nothing is dropped.
    if (answer === null) throw new Away(`something else than the desk answered (${response.status})`, true);
    if (response.ok) return answer;
    const reason = answer.error ?? `the answer was ${response.status}`;
    if (response.status === 401) throw new LoginNeeded(reason);
    if (response.status === 403 && !again) {
      // Another tab has logged in anew: the session, and with it this token, is another one.
      this._csrf = (await this._call("GET", "/api/session", undefined, true)).csrf;
      return this._call(method, path, body, true);
    }
    if (!REFUSALS.has(response.status)) throw new Away(reason, true);
    throw new Refusal(response.status, reason);
  }

  async _fetch(method, path, body) {
    const headers = { "X-CSRF-Token": this._csrf };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const keepalive = (body ?? "").length < KEEPALIVE_LIMIT;
    try {
      return await fetch((OF_NOTES.test(path) ? this._base : "") + path, { method, headers, body, keepalive, signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch {
      throw new Away("no connection");
    }
  }
}
