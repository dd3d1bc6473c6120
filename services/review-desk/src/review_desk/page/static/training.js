// The training: what the desk says of an answer to a note whose answer is known.

export class Training {
  constructor(dialog, server) {
    this._dialog = dialog;
    this._server = server;
    dialog.querySelector("[data-again]").addEventListener("click", () => this._restart());
  }

  // By then the next note lies behind the dialog: it shows the one that it speaks of.
  judged({ right, teaches, text, missing, extra, restated, pairs }) {
    this._told = false; // the end may be known before what is said of the last answer, which then stands in its place
    const lines = [
      ...named("Not marked", missing), ...named("Not to be marked", extra), ...named("To be stated", restated), ...named("Pairs", pairs),
    ];
    this._open(right ? "Right" : "Not quite", lines, teaches, text);
  }

  finished({ lessons, done, right }) {
    if (done < lessons || this._told || this._dialog.open) return; // what was said of the last answer is read first
    this._told = true;
    this._open("The training is done", [], `${right} of ${lessons} right at your last answer.`, null);
  }

  _open(title, lines, words, note) {
    const end = note === null, judged = this._dialog.querySelector("[data-judged]");
    judged.hidden = end;
    judged.textContent = note ?? "";
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
