// Toolbars are one stop of the Tab key each; arrows, Home and End go from button to button.

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

export function roving(toolbar) {
  const reachable = () => [...toolbar.querySelectorAll("button, a")].filter((one) => !one.disabled && one.offsetParent !== null);
  const only = (chosen) => {
    for (const one of toolbar.querySelectorAll("button, a")) one.tabIndex = one === chosen ? 0 : -1;
  };
  only(reachable()[0]);
  toolbar.addEventListener("focusin", (event) => only(event.target.closest("button, a")));
  toolbar.addEventListener("keydown", (event) => {
    const all = reachable();
    const at = all.indexOf(document.activeElement);
    const to = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : at + (STEPS[event.key] ?? 0);
    if (at < 0 || (to === at && !["Home", "End"].includes(event.key)) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // else the cursor in the note would move too
    all[(to + all.length) % all.length].focus();
  });
}
