// The code under an entity, and the dialog in which a person says what it should be: a lead decides.

export class Codes {
  constructor(server, dialog, onKnown) {
    this._server = server;
    this._dialog = dialog;
    this._onKnown = onKnown;
    this._known = new Map();
    this._off = false;
    this._list = dialog.querySelector("ul");
    this._result = dialog.querySelector("[data-result]");
    this._words = dialog.querySelector("input");
    dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this._search();
    });
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
  }

  // Ask for what is not known yet; the page is painted again when it is.
  async load(mentions) {
    const wanted = new Map(mentions.map((one) => [key(one), one]));
    const unknown = [...wanted].filter(([name]) => !this._known.has(name));
    if (this._off || !unknown.length) return;
    for (const [name] of unknown) this._known.set(name, null); // asked once
    try {
      const { tables, mentions: found } = await this._server.post("/api/codes", { mentions: unknown.map(([, one]) => one) });
      this._off = tables === null;
      found.forEach((one, at) => this._known.set(unknown[at][0], one));
      if (!this._off) this._onKnown();
    } catch {
      for (const [name] of unknown) this._known.delete(name); // the next painting asks again
    }
  }

  // What stands under an entity: a button that opens the dialog; null before anything is known.
  under(mention) {
    const found = this._known.get(key(mention));
    if (!found) return null;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "code";
    button.textContent = inWords(found);
    button.setAttribute("aria-label", `Code of ${mention.text}: ${button.textContent}. Change`);
    button.addEventListener("click", () => this._open(mention, found));
    return button;
  }

  _open(mention, found) {
    this._mention = mention;
    this._dialog.querySelector("[data-mention]").textContent = mention.text;
    this._dialog.querySelector("[data-now]").textContent = inWords(found);
    this._list.replaceChildren();
    this._result.textContent = "";
    this._words.value = "";
    this._dialog.showModal();
    this._words.focus();
  }

  async _search() {
    const words = this._words.value.trim();
    if (words.length < 2) return;
    const asked = this._mention;
    try {
      const { found } = await this._server.get(`/api/codes/search?${new URLSearchParams({ words, label: asked.label })}`);
      if (asked !== this._mention) return;
      this._list.replaceChildren(...found.map((code) => this._choice(code)));
      this._result.textContent = found.length ? `${found.length} found. Choose one to propose it to the lead.` : "Nothing found: try other words, or the beginning of a code.";
    } catch (error) {
      this._result.textContent = `Not searched: ${error.message}.`;
    }
  }

  _choice(code) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = named(code);
    button.addEventListener("click", () => this._propose(code));
    item.append(button);
    return item;
  }

  async _propose({ system, code, display }) {
    const { text, label } = this._mention;
    try {
      await this._server.post("/api/codes/proposals", { text, label, system, code, display });
    } catch (error) {
      this._result.textContent = `Not proposed: ${error.message}.`;
      return;
    }
    const name = key(this._mention);
    this._known.set(name, { ...this._known.get(name), proposed: { system, code, display } });
    this._dialog.close();
    this._onKnown();
  }
}

export function named({ code, display }) {
  return display ? `${code} ${display}` : code;
}

function inWords({ codes, proposed, accepted }) {
  const now = codes.map(named).join("; ") || "no code";
  const next = proposed ? ` (proposed: ${named(proposed)})` : "";
  return accepted ? `${now}, with the next tables ${named(accepted)}${next}` : now + next;
}

function key({ text, label }) {
  return `${label}|${text.toLowerCase()}`;
}
