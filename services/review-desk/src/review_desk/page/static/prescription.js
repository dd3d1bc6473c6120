// The form of a prescription: opened on a treatment, a letter goes to each attribute, Enter keeps all of them.

const FREQUENCY = /^(\d{1,3})\s*\/\s*(\d{0,3})\s*(h|d|wk|mo)$/;
const DURATION = /^(\d{1,3})\s*(d|wk|mo)$/;

export class PrescriptionForm {
  constructor(dialog) {
    this._dialog = dialog;
    this._form = dialog.querySelector("form");
    dialog.addEventListener("keydown", (event) => this._key(event));
    this._form.addEventListener("submit", (event) => this._keep(event));
    dialog.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
  }

  open(words, prescription, onKept) {
    const { elements } = this._form;
    const found = prescription ?? {};
    this._onKept = onKept;
    this._dialog.querySelector("[data-treatment]").textContent = words;
    for (const name of ["form", "strength", "dose", "when", "route"]) elements[name].value = found[name] ?? "";
    elements.as_needed.checked = found.as_needed === true;
    elements.frequency.value = found.frequency && found.period ? `${found.frequency}/${found.period}${found.period_unit}` : "";
    elements.duration.value = found.duration ? `${found.duration} ${found.duration_unit}` : "";
    this._dialog.showModal();
    this._dialog.focus();
  }

  // A letter goes to its attribute while no field is being filled in.
  _key(event) {
    event.stopPropagation(); // the form may be closed when the desk would hear of it
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const field = event.target.closest("input, select");
    if (field) return;
    if (event.key === "Enter" && !event.target.closest("button")) {
      event.preventDefault();
      return this._form.requestSubmit();
    }
    const wanted = this._form.querySelector(`[data-key="${event.key.toLowerCase()}"]`);
    if (!wanted) return;
    event.preventDefault();
    if (wanted.type === "checkbox") wanted.checked = !wanted.checked;
    else {
      wanted.focus();
      wanted.select?.();
    }
  }

  _keep(event) {
    event.preventDefault();
    this._dialog.close();
    this._onKept(this._read());
  }

  // Null when nothing is written at all.
  _read() {
    const { elements } = this._form;
    const words = (name) => elements[name].value.trim().replace(/\s+/g, " ") || null;
    const times = FREQUENCY.exec(elements.frequency.value.trim());
    const length = DURATION.exec(elements.duration.value.trim());
    const found = {
      form: words("form"), strength: words("strength"), dose: words("dose"),
      frequency: times ? Number(times[1]) : null,
      period: times ? Number(times[2] || 1) : null,
      period_unit: times ? times[3] : null,
      when: words("when"), as_needed: elements.as_needed.checked || null,
      duration: length ? Number(length[1]) : null,
      duration_unit: length ? length[2] : null,
      route: words("route"),
    };
    return Object.values(found).some((value) => value !== null) ? found : null;
  }
}
