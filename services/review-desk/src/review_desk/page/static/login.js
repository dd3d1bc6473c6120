// The door: a token in, the desk open.

import { Server } from "./server.js";

const form = document.querySelector("#login");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await new Server("").login(form.token.value);
    location.assign(wanted());
  } catch (error) {
    form.querySelector(".problem").textContent = error.message;
    form.token.select();
  }
});

// Back to the note whose link led here; to nowhere but this desk.
function wanted() {
  const to = new URLSearchParams(location.search).get("to") ?? "";
  return /^\/notes\?source=[a-z0-9-]+&note_id=[^&/\\]+$/.test(to) ? to : "/";
}
