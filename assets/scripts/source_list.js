// Runs once, with Gradio's `element` (the list of sources) and `trigger`: Move up and Move down become events with their data.

let moved = null;

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button) return;
  moved = { ...button.dataset };
  trigger("click", { action: moved.action, key: moved.key });
});

// The rows change their content, not their place: focus goes along with the source that moved.
new MutationObserver(() => {
  if (!moved) return;
  const buttons = [...element.querySelectorAll(`button[data-key="${moved.key}"]:not([hidden])`)];
  (buttons.find((button) => button.dataset.action === moved.action) ?? buttons[0])?.focus();
  moved = null;
}).observe(element, { subtree: true, attributes: true, attributeFilter: ["data-key"] });
