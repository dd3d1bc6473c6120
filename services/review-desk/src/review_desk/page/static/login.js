// The door: a token in, the desk open.

import { Server } from "./server.js";

const form = document.querySelector("#login");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  logIn(form.token.value);
});

// A link may bring the token behind its #, which no server and no log sees; it does not stay in the address.
const brought = /^#token=(.+)$/.exec(location.hash);
if (brought) {
  history.replaceState(null, "", location.pathname + location.search);
  logIn(decodeURIComponent(brought[1]));
}

async function logIn(token) {
  try {
    await new Server("").login(token);
    location.assign(wanted());
  } catch (error) {
    form.querySelector(".problem").textContent = error.message;
    form.token.select();
  }
}

// Back to the page or the note whose link led here; to nowhere but this desk.
function wanted() {
  const to = new URLSearchParams(location.search).get("to") ?? "";
  if (to === "/training" || to === "/lead") return to;
  return /^\/notes\?source=[a-z0-9-]+&note_id=[^&/\\]+$/.test(to) ? to : "/";
}
