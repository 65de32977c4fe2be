// Runs once, with Gradio's `element` (the list) and `trigger`: clicks on a row's buttons become events with their data.
// A button's data-event names the event; without one it is "click".

let focused = null;

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button || event.detail > 1) return; // the second half of a double click
  const { action, key, event: name } = button.dataset;
  trigger(name ?? "click", { action, key });
});

// A button that goes away under the keyboard hands its focus to its row's name: a second press does no other act.
element.addEventListener("focusin", (event) => {
  focused = event.target.closest("button");
});
new MutationObserver(() => {
  if (focused?.hidden && (document.activeElement === document.body || document.activeElement === focused)) {
    focused.closest("li")?.querySelector(".studio-unfold")?.focus();
  }
}).observe(element, { subtree: true, attributes: true, attributeFilter: ["hidden"] });
