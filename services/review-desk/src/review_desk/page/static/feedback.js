// What a lead changed of the person's own notes, and whether a lead looks at them before they count.

import { placeOf } from "./server.js";

export function showFeedback(root, { decided, changed }) {
  root.hidden = !decided;
  const one = changed.length === 1;
  root.querySelector("[data-summary]").textContent = changed.length
    ? `${changed.length} of your notes ${one ? "was" : "were"} changed by a lead (${decided} looked at)`
    : `A lead looked at ${decided} of your notes and changed none`;
  root.querySelector("ul").replaceChildren(...changed.map(row));
}

export function showWaits(root, { since, labels }) {
  root.hidden = since === null;
  if (root.hidden) return;
  const from = new Date(since).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const words = `A lead looks at your labels since ${from} (${labels.toLocaleString("en-IN")}) before they count. Nothing is lost, and you can go on.`;
  const told = root.querySelector("p");
  if (told.textContent !== words) told.textContent = words;
}

function row(change) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = placeOf(change);
  link.target = "_blank";
  link.textContent = change.note_id;
  item.append(link, `: ${inWords(change)}`);
  return item;
}

function inWords({ added, removed, restated }) {
  const parts = [...labels("added", added), ...labels("removed", removed)];
  if (restated) parts.push(`stated otherwise of ${restated}`);
  return parts.join(", ");
}

function labels(what, counts) {
  return Object.entries(counts).map(([label, n]) => `${what} ${n} ${label.toLowerCase()}${n === 1 ? "" : "s"}`);
}
