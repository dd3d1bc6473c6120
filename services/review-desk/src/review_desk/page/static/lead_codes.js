// Codes on the page of leads: what validators propose, accepted or refused, and the accepted ones as files.

import { named } from "./codes.js";
import { Server } from "./server.js";

const find = (selector) => document.querySelector(selector);
const server = new Server(find('meta[name="csrf"]').content);

async function show() {
  const { tables, waiting, more, accepted } = await server.get("/api/lead/codes");
  find("#codes").hidden = tables === null;
  if (tables === null) return;
  find("#code-proposals").replaceChildren(...waiting.map(row));
  find("#no-proposals").hidden = waiting.length > 0;
  find("#more-proposals").textContent = more ? `${more} more wait: these are the newest.` : "";
  find("#code-files").replaceChildren(...Object.entries(accepted).map(([system, count]) => {
    const link = document.createElement("a");
    link.className = "button";
    link.download = "";
    link.href = `/api/lead/codes.csv?${new URLSearchParams({ system })}`;
    link.textContent = `${system}: ${count} accepted`;
    return link;
  }));
}

function row({ subject, mention, label, now, proposed }) {
  const item = document.createElement("li");
  const words = `${mention} (${label.toLowerCase()}): ${named(proposed)}, now ${now.map(named).join("; ") || "no code"} `;
  const { system, code } = proposed;
  const decide = (accept) => change({ subject, system, code, accept }, `${mention}: ${accept ? "accepted" : "refused"}.`);
  item.append(words, button("Accept", mention, () => decide(true)), " ", button("Refuse", mention, () => decide(false)));
  return item;
}

function button(words, mention, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.setAttribute("aria-label", `${words} the code of ${mention}`);
  made.addEventListener("click", onClick);
  return made;
}

async function change(decision, words) {
  const state = find("#code-state");
  try {
    await server.post("/api/lead/codes", decision);
    state.textContent = words;
  } catch (error) {
    state.textContent = `Not done: ${error.message}.`;
  }
  await show();
}

show().catch((error) => { find("#code-state").textContent = `Codes could not be loaded: ${error.message}.`; });
