// What the desk would not take: decisions, and corrections of notes that were taken off the desk. Nothing of it is thrown away but by
// the person: it stays in this browser, by offsets and never by text, with the reason.

import { keptUnder } from "./kept.js";
import { placeOf } from "./server.js";

export class Refusals {
  constructor(owner, onChange) {
    this._prefix = `rxtract-refused ${owner} `;
    this._onChange = onChange;
    window.addEventListener("storage", () => onChange()); // another tab of the same person
  }

  get items() {
    return keptUnder(this._prefix);
  }

  add(item, reason) {
    const kept = { ...item, reason, kept_at: item.kept_at ?? Date.now(), refusal: crypto.getRandomValues(new Uint32Array(2)).join("-") };
    localStorage.setItem(this._prefix + kept.refusal, JSON.stringify(kept));
    this._onChange();
  }

  remove(item) {
    localStorage.removeItem(this._prefix + item.refusal);
    this._onChange();
  }
}

export function showRefusals(list, items, { onApply, onDiscard }) {
  list.replaceChildren(...items.map((item) => row(item, onApply, onDiscard)));
}

function row(item, onApply, onDiscard) {
  const li = document.createElement("li");
  const link = document.createElement("a");
  link.href = placeOf(item);
  link.target = "_blank";
  link.textContent = item.note_id;
  const time = new Date(item.kept_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  li.append(
    line("what", inWords(item), " on ", link, ` of ${item.source}, revision ${item.revision}, ${time}`),
    line("problem", `Not taken: ${item.reason}.`),
    button("Apply again", () => onApply(item)),
    button("Discard", () => onDiscard(item)),
  );
  return li;
}

function inWords({ action, body, unfinished }) {
  if (action === "skip") return "Skip";
  if (action === "unreadable") return "Flag as unreadable";
  const count = (things, one, more) => `${things.length} ${things.length === 1 ? one : more}`;
  const marked = `${count(body.entities, "entity", "entities")}, ${count(body.pairs, "pair", "pairs")}`;
  return `${unfinished ? "Unfinished correction" : "Decision"} with ${marked}`;
}

function line(name, ...parts) {
  const p = document.createElement("p");
  p.className = name;
  p.append(...parts);
  return p;
}

function button(words, onClick) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = words;
  element.addEventListener("click", onClick);
  return element;
}
