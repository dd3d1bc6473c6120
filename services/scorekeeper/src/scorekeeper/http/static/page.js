// Live numbers: the server says that something changed, we fetch the part of the page that changes and put it in place.
"use strict";

const LEAST_MS = 2000; // between two fetches: charts that flicker cannot be read
const numbers = document.getElementById("numbers");
const live = document.getElementById("live");
const liveWords = document.getElementById("live-words");
let fetching = false;
let wanted = false;
let fetchedAt = 0;

function say(state, words) {
  live.dataset.state = state;
  if (liveWords.textContent !== words) liveWords.textContent = words;
}

function place(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").body;
  const focused = document.activeElement && numbers.contains(document.activeElement) ? document.activeElement.id : "";
  numbers.replaceChildren(...fresh.childNodes);
  choose();
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

// Cities and versions that came after the page was opened can be chosen too.
function choose() {
  const known = document.getElementById("choices").dataset;
  for (const [name, prefix] of [["city", ""], ["version", "version "]]) {
    const select = document.querySelector(`select[name=${name}]`);
    const there = new Set(Array.from(select.options, (option) => option.value));
    for (const value of JSON.parse(known[name])) {
      if (!there.has(value)) select.add(new Option(prefix + value, value));
    }
  }
}

async function refresh() {
  wanted = true;
  if (fetching || document.hidden) return;
  fetching = true;
  try {
    while (wanted && !document.hidden) {
      wanted = false;
      const wait = fetchedAt + LEAST_MS - Date.now();
      if (wait > 0) await new Promise((go) => setTimeout(go, wait));
      const answer = await fetch("/numbers" + location.search);
      fetchedAt = Date.now();
      if (!answer.ok) throw new Error(String(answer.status));
      place(await answer.text());
    }
    say("on", "live");
  } catch {
    say("off", "connection lost, trying again");
  } finally {
    fetching = false;
  }
}

const events = new EventSource("/events");
events.addEventListener("open", () => say("on", "live"));
events.addEventListener("changed", refresh);
events.addEventListener("error", () => say("off", "connection lost, trying again"));
document.addEventListener("visibilitychange", () => wanted && refresh());
document.getElementById("filter").addEventListener("change", (event) => event.currentTarget.submit());
