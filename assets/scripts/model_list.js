// Runs once, with Gradio's `element` (the list) and `trigger`: clicks on a row's buttons become events with their data.

let focused = null;

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button || event.detail > 1) return; // after a double click's first half, Download may have become Pause
  const { action, key } = button.dataset;
  trigger("click", { action, key });
  if (action === "details") document.getElementById("models-closer")?.focus();
});

// A button that goes away under the keyboard hands its focus to its row's first one.
element.addEventListener("focusin", (event) => {
  focused = event.target.closest("button");
});
new MutationObserver(() => {
  if (focused?.hidden && (document.activeElement === document.body || document.activeElement === focused)) {
    focused.closest("li")?.querySelector(".studio-model-buttons button:not([hidden])")?.focus();
  }
}).observe(element, { subtree: true, attributes: true, attributeFilter: ["hidden"] });
