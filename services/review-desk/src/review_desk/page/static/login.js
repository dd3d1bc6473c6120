// The door: a token in, the desk open.

import { Server } from "./server.js";

const form = document.querySelector("#login");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await new Server("").login(form.token.value);
    location.assign("/");
  } catch (error) {
    form.querySelector(".problem").textContent = error.message;
    form.token.select();
  }
});
