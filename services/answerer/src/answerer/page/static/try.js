// The page: asks the door on this server, and shows what it answers. Offsets count code points, so texts are split into those.
import { paper, rows, relations } from "./show.js";

const at = (id) => document.getElementById(id);
const needsToken = document.body.dataset.token === "needed";
let examples = [];
let asked = 0;

function say(words) { at("state").textContent = words; }

function complain(words) {
  at("problem").textContent = words;
  at("problem").hidden = !words;
  if (words) say("");
}

// What is shown must not pass for the answer to what is being typed.
function outdate() {
  if (at("result").hidden || at("result").dataset.outdated) return;
  at("result").dataset.outdated = "true";
  say("The note has changed: press Extract to read it again.");
}

async function ask() {
  const text = at("note").value;
  const mine = ++asked;
  complain("");
  if (!text.trim()) return complain("The note is empty: paste or type one.");
  if (needsToken && !at("token").value.trim()) {
    at("token").focus();
    return complain("This server asks for a token.");
  }
  say("Reading …");
  const headers = { "Content-Type": "application/json" };
  if (needsToken) headers.Authorization = `Bearer ${at("token").value.trim()}`;
  let answer, found;
  const began = performance.now();
  try {
    answer = await fetch("/v1/extract", { method: "POST", headers, body: JSON.stringify({ text }) });
    found = await answer.json();
  } catch {
    if (mine === asked) complain("The server does not answer. Is it still running?");
    return;
  }
  if (mine !== asked) return;
  if (!answer.ok) return complain(why(found));
  show(found.normalised_text ?? text, found, performance.now() - began);
  delete at("result").dataset.outdated;
  if (at("note").value !== text) outdate();
}

function why(found) {
  return found.errors ? found.errors.map((one) => one.message).join(" ") : found.message;
}

function show(text, found, tookMs) {
  at("paper").replaceChildren(...paper(text, found.entities));
  at("entities").tBodies[0].replaceChildren(...rows(text, found.entities));
  at("relations").replaceChildren(...relations(found.relations));
  at("json").textContent = JSON.stringify(found, null, 2);
  at("model").textContent = `${found.model.source}, rules ${found.rules_version}`;
  at("result").hidden = false;
  const count = found.entities.length;
  const words = count === 0 ? "No disease or treatment found" : `${count} ${count === 1 ? "entity" : "entities"}`;
  say(`${words}, confidence of the whole note ${found.note_confidence.toFixed(2)}, ${Math.max(1, Math.round(tookMs))} ms.`);
}

function choose(index) {
  const number = (index + examples.length) % examples.length;
  at("example").selectedIndex = number;
  at("note").value = examples[number].text;
  if (!needsToken || at("token").value) ask();
  else outdate();
}

async function begin() {
  at("token-row").hidden = !needsToken;
  at("ask").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  at("note").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
  });
  at("note").addEventListener("input", outdate);
  at("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(at("json").textContent);
    say("JSON copied.");
  });
  examples = await (await fetch("/static/examples.json")).json();
  at("example").replaceChildren(...examples.map((one) => new Option(one.title)));
  at("example").addEventListener("change", () => choose(at("example").selectedIndex));
  at("before").addEventListener("click", () => choose(at("example").selectedIndex - 1));
  at("next").addEventListener("click", () => choose(at("example").selectedIndex + 1));
  if (at("note").value === "") choose(0);
}

begin();
