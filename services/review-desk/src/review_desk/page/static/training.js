// The training: what the desk says of an answer to a note whose answer is known.

export class Training {
  constructor(dialog, server) {
    this._dialog = dialog;
    this._server = server;
    dialog.querySelector("[data-again]").addEventListener("click", () => this._restart());
  }

  judged({ right, teaches, missing, extra, restated, pairs }) {
    this._told = false; // the end may be known before what is said of the last answer, which then stands in its place
    const lines = [
      ...named("Not marked", missing), ...named("Not to be marked", extra), ...named("To be stated", restated), ...named("Pairs", pairs),
    ];
    this._open(right ? "Right" : "Not quite", lines, teaches, false);
  }

  finished({ lessons, done, right }) {
    if (done < lessons || this._told || this._dialog.open) return; // what was said of the last answer is read first
    this._told = true;
    this._open("The training is done", [], `${right} of ${lessons} right at your last answer.`, true);
  }

  _open(title, lines, words, end) {
    this._dialog.querySelector("h2").textContent = title;
    this._dialog.querySelector("ul").replaceChildren(...lines);
    this._dialog.querySelector("[data-teaches]").textContent = words;
    const desk = this._dialog.querySelector("a"), further = this._dialog.querySelector(".primary");
    this._dialog.querySelector("[data-again]").hidden = desk.hidden = !end;
    further.hidden = end; // behind the last note lies nothing to go on to
    if (!this._dialog.open) this._dialog.showModal();
    if (end) desk.focus();
  }

  async _restart() {
    await this._server.post("/api/restart", {});
    location.reload();
  }
}

export function showProgress(root, { lessons, done, right }) {
  root.hidden = false;
  root.querySelector("[data-progress]").textContent = `${done} of ${lessons} notes done, ${right} right. Nothing of it is kept or used.`;
}

function named(what, things) {
  return things.map((thing) => {
    const item = document.createElement("li");
    item.textContent = `${what}: ${thing}`;
    return item;
  });
}
