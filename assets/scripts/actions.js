// Runs once, with Gradio's `element` and `trigger`: clicks on buttons in our HTML become Gradio's events with their data.
// A button's data-event names the event; without one it is "click".

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button || event.detail > 1) return; // the second half of a double click
  const { action, key, event: name } = button.dataset;
  trigger(name ?? "click", { action, key });
});
