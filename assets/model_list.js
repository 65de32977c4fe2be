// Runs once, with Gradio's `element` (the list) and `trigger`: clicks on a row's buttons become events with their data.

const DOUBLE_CLICK_MS = 600;
let last = { button: null, at: 0 };
let focused = null;

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button) return;
  // Under the second half of a double click, Download may have become Pause.
  const again = button === last.button && event.timeStamp - last.at < DOUBLE_CLICK_MS;
  last = { button, at: event.timeStamp };
  if (again) return;
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
