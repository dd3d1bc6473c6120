// What a person writes to the lead about the note on the paper. It goes with the decision.

export class CommentBox {
  constructor(dialog, button) {
    this._dialog = dialog;
    this._button = button;
    this._words = dialog.querySelector("textarea");
    dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this._keep(this._words.value.trim());
      dialog.close();
    });
    this._words.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      dialog.querySelector("form").requestSubmit();
    });
    dialog.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
  }

  open(words, onKeep) {
    this._words.value = words;
    this._keep = onKeep;
    this._dialog.showModal();
    this._words.focus();
  }

  // Tell on the button whether a comment goes with the note.
  show(words) {
    this._button.dataset.set = String(Boolean(words));
    this._button.querySelector("[data-words]").textContent = words ? "Comment ✓" : "Comment";
  }
}
