// What a lead changed of the person's own notes.

import { placeOf } from "./server.js";

export function showFeedback(root, { decided, changed }) {
  root.hidden = !decided;
  const one = changed.length === 1;
  root.querySelector("[data-summary]").textContent = changed.length
    ? `${changed.length} of your notes ${one ? "was" : "were"} changed by a lead (${decided} looked at)`
    : `A lead looked at ${decided} of your notes and changed none`;
  root.querySelector("ul").replaceChildren(...changed.map(row));
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
