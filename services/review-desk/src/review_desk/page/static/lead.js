// The page of leads: people and tokens, reservations, comments, labels, and the guideline.

import { percent } from "./paper.js";
import { placeOf, Server } from "./server.js";

const SEEN_EVERY_MS = 500, SEEN_TRIES = 40; // the desk reads its file of tokens again every few seconds
const find = (selector) => document.querySelector(selector);
const server = new Server(find('meta[name="csrf"]').content);
let basedOn = null;

async function showPeople() {
  const { people } = await server.get("/api/lead/people");
  find("#people tbody").replaceChildren(...people.map(personRow));
  const known = people.filter(({ role }) => role);
  find("#reserve [name=people]").replaceChildren(...known.map(({ name }) => new Option(name, name)));
}

function personRow(person) {
  const row = document.createElement("tr");
  const cells = [
    person.name, person.role || "no token", person.notes.toLocaleString("en-IN"), person.last_hour,
    person.median_seconds ?? "–", person.corrected === null ? "–" : percent(person.corrected),
    agreed(person.with_others), agreed(person.on_audit), agreed(person.with_leads),
  ];
  row.append(...cells.map((words, at) => cell(words, at === 0)), removal(person));
  return row;
}

function cell(words, isName) {
  const made = document.createElement(isName ? "th" : "td");
  if (isName) made.scope = "row";
  made.textContent = words;
  return made;
}

function removal({ name, role }) {
  const made = document.createElement("td");
  if (!role) return made;
  made.append(button("Remove", `Remove ${name}`, () => {
    if (confirm(`Take the token of ${name} away? The session ends at once; what was decided stays.`)) {
      change(() => server.delete(`/api/lead/people/${encodeURIComponent(name)}`), `${name} has no token any more.`, showPeople);
    }
  }));
  return made;
}

function agreed(labels) {
  const known = labels.filter(({ f1 }) => f1 !== null);
  return known.map(({ label, f1, notes }) => `${label[0]} ${percent(f1)} (${notes})`).join(", ") || "–";
}

const WHY = {
  TOO_FAST: "decides faster than anybody reads",
  NEVER_CHANGES: "leaves notes as they were far more often than the model's own doubt allows",
  ALWAYS_THE_SAME: "makes one and the same change, note after note",
  FAILED_CHECKS: "did not mend hidden checks, whose answer is known",
};
const LOOKED = { CLEARED: "counted", EXCLUDED: "left out" };

async function showHeld() {
  const { people } = await server.get("/api/trust");
  const held = people.filter((one) => one.held);
  find("#held tbody").replaceChildren(...held.map(heldRow));
  find("#held .wide").hidden = find("#held [data-why]").hidden = !held.length;
  find("#held [data-none]").hidden = held.length > 0;
  const before = people.filter((one) => !one.held && one.state in LOOKED);
  find("#held details").hidden = !before.length;
  find("#held ul").replaceChildren(...before.map(({ name, state, judged_at }) => {
    return Object.assign(document.createElement("li"), { textContent: `${name}: ${LOOKED[state]}, ${moment(judged_at)}` });
  }));
}

function heldRow(person) {
  const row = document.createElement("tr");
  const why = `${WHY[person.doubt] ?? person.doubt} (${person.decisions} decisions)`;
  row.append(...[person.name, why, moment(person.since), person.labels.toLocaleString("en-IN")].map((words, at) => cell(words, at === 0)));
  const notes = document.createElement("td");
  for (const note of person.notes.slice(0, 5)) {
    const href = `/notes?${new URLSearchParams({ ...note, of: person.annotator })}`;
    notes.append(Object.assign(document.createElement("a"), { href, target: "_blank", textContent: note.note_id }), " ");
  }
  const decide = Object.assign(document.createElement("td"), { className: "buttons" });
  if (person.own) decide.textContent = "another lead decides";
  else decide.append(looked(person, "CLEARED", "Count them"), " ", looked(person, "EXCLUDED", "Leave them out"));
  row.append(notes, decide);
  return row;
}

function looked({ annotator, name, labels }, state, words) {
  const call = () => server.post(`/api/trust/${encodeURIComponent(annotator)}`, { state });
  const done = `${labels.toLocaleString("en-IN")} labels of ${name} are ${LOOKED[state]}.`;
  return button(words, `${words}: labels of ${name}`, async () => {
    await change(call, done, showHeld);
    find("#held-title").focus(); // the button that was pressed is gone
  });
}

function moment(at) {
  return new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

async function showReservations() {
  const { reservations } = await server.get("/api/lead/reservations");
  find("#reservations").replaceChildren(...reservations.map(({ segment, people }) => {
    const named = Object.fromEntries(segment === "all" ? [] : segment.split("|").map((part) => part.split(/=(.*)/s)));
    const item = document.createElement("li");
    const words = Object.values(named).join(", ") || "all notes";
    const release = () => server.post("/api/lead/reservations", { city: named.city ?? "", specialty: named.specialty ?? "", people: [] });
    item.append(`${words}: ${people.join(", ")} `, button("Release", `Release ${words}`, () => change(release, `${words} goes to everybody again.`, showReservations)));
    return item;
  }));
}

async function showComments() {
  const { comments } = await server.get("/api/lead/comments");
  find("#comments").replaceChildren(...comments.map((comment) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = placeOf(comment);
    link.textContent = comment.note_id;
    item.append(`${comment.words} (${comment.by} on `, link, `, ${moment(comment.at)})`);
    return item;
  }));
  if (!comments.length) find("#comments").append(Object.assign(document.createElement("li"), { textContent: "None." }));
}

async function showText() {
  const { version, text, versions, shipped } = await server.get("/api/guideline");
  basedOn = version;
  find("#edit textarea").value = text;
  find("[data-versions]").textContent = `Now: ${version}; all: ${versions.join(", ")}; this release of Rxtract comes with ${shipped}.`;
}

async function showPlaces() {
  const { cities, specialties } = await server.get("/api/places");
  for (const [selector, names] of [["#cities", cities], ["#specialties", specialties]]) {
    find(selector).replaceChildren(...names.map((name) => new Option(name, name)));
  }
}

function button(words, label, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", onClick);
  return made;
}

async function change(call, words, show) {
  try {
    const answer = await call();
    tell(words, "saved");
    await show();
    return answer;
  } catch (error) {
    tell(`Not done: ${error.message}.`, "away");
    return null;
  }
}

function tell(words, state) {
  find("#state").textContent = words;
  find("#state").dataset.state = state;
}

find("#add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, role } = event.target;
  const asked = { name: name.value.trim(), role: role.value };
  const made = await change(() => server.post("/api/lead/people", asked), `${asked.name} has a token.`, showPeople);
  find("#token").hidden = made === null;
  if (made === null) return;
  find("#token b").textContent = asked.name;
  find("#token code").textContent = made.token;
  event.target.reset();
  await showWhoCame(asked.name);
});

// A token is in its file before the desk knows the person.
async function showWhoCame(name) {
  for (let left = SEEN_TRIES; left > 0; left -= 1) {
    if ([...find("#reserve [name=people]").options].some((one) => one.value === name)) return;
    await new Promise((resolve) => setTimeout(resolve, SEEN_EVERY_MS));
    await showPeople().catch(() => {}); // the next try asks again
  }
}

find("#reserve").addEventListener("submit", (event) => {
  event.preventDefault();
  const { city, specialty, people } = event.target;
  const chosen = [...people.selectedOptions].map((one) => one.value);
  const asked = { city: city.value.trim(), specialty: specialty.value.trim(), people: chosen };
  change(() => server.post("/api/lead/reservations", asked), "Reserved.", showReservations);
});

find("#edit").addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = { text: event.target.text.value, based_on: basedOn };
  change(() => server.post("/api/lead/guideline", asked), "Saved: everybody sees it within a minute.", showText);
});

for (const show of [showHeld, showPeople, showReservations, showComments, showText, showPlaces]) {
  show().catch((error) => tell(`Not all could be loaded: ${error.message}.`, "away"));
}
