// Finds notes by their words, and keeps the part of the queue that the person works through.

export const REASONS = {
  UNCERTAIN: "the model was not sure", DRIFT: "changed recently", AUDIT: "random audit", LEAD: "two validators disagree",
};
const NAMES = ["city", "specialty", "reason"];

export class Finding {
  constructor(dialog, bar, server, { onSelection, onOpen }) {
    this._dialog = dialog;
    this._bar = bar;
    this._server = server;
    this._form = dialog.querySelector("form");
    this._onSelection = onSelection;
    this._onOpen = onOpen;
    this.selection = {};
    this._form.addEventListener("submit", (event) => this._submit(event));
    dialog.querySelector("[data-work]").addEventListener("click", () => this._work());
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
    bar.querySelector("button").addEventListener("click", () => this._select({}));
  }

  async open() {
    this._dialog.showModal();
    const { cities, specialties } = await this._server.get("/api/places");
    this._options("#cities", cities);
    this._options("#specialties", specialties);
  }

  _options(selector, names) {
    this._dialog.querySelector(selector).replaceChildren(...names.map((name) => new Option(name, name)));
  }

  _asked() {
    const asked = NAMES.map((name) => [name, this._form[name].value.trim()]);
    return Object.fromEntries(asked.filter(([, value]) => value));
  }

  _work() {
    this._dialog.close();
    this._select(this._asked());
  }

  _select(selection) {
    this.selection = selection;
    const parts = NAMES.map((name) => (name === "reason" ? REASONS[selection.reason] : selection[name])).filter(Boolean);
    this._bar.hidden = !parts.length;
    this._bar.querySelector("span").textContent = `Only: ${parts.join(", ")}`;
    this._onSelection();
  }

  async _submit(event) {
    event.preventDefault();
    const text = this._form.text.value.trim();
    if (text.length < 2) return this._tell("Type two letters or more to look for, or work through a part of the queue.");
    this._tell("Searching the notes that wait");
    try {
      this._show(await this._server.get(`/api/find?${new URLSearchParams({ ...this._asked(), text })}`));
    } catch (error) {
      this._tell(`Not searched: ${error.message}.`);
    }
  }

  _show({ found, read, whole }) {
    const count = found.length === 1 ? "1 note" : `${found.length} notes`;
    const looked = `${read.toLocaleString("en-IN")} requests searched`;
    this._tell(whole ? `${count} waiting for you, ${looked}.` : `${count} so far, ${looked}, the newest first: ask more precisely for older ones.`);
    this._dialog.querySelector(".found").replaceChildren(...found.map((one) => this._row(one)));
  }

  _row(one) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Open";
    button.setAttribute("aria-label", `Open ${one.note_id}`);
    button.addEventListener("click", () => {
      this._dialog.close();
      this._onOpen({ source: one.source, note_id: one.note_id, revision: 0 });
    });
    const where = document.createElement("small");
    where.textContent = [one.city, one.specialty, one.why].filter(Boolean).join(" · ");
    const words = document.createElement("span");
    words.textContent = one.excerpt;
    item.append(button, words, where);
    return item;
  }

  _tell(words) {
    this._dialog.querySelector("[data-result]").textContent = words;
    this._dialog.querySelector(".found").replaceChildren();
  }
}
