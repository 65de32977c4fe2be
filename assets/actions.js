// Runs once, with Gradio's `element` and `trigger`: clicks on buttons in our HTML become Gradio's events with their data.
// A button's data-event names the event; without one it is "click".

element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (!button || event.detail > 1) return; // the second half of a double click
  const { action, key, event: name } = button.dataset;
  trigger(name ?? "click", { action, key });
});

// When the HTML is replaced under the keyboard, the focus goes to the same button of the new HTML.
let focused = null;

element.addEventListener("focusin", (event) => {
  focused = event.target.closest("button[data-action]");
});
element.addEventListener("focusout", () => {
  queueMicrotask(() => {
    if (focused?.isConnected && document.activeElement !== focused) focused = null;
  });
});
new MutationObserver(() => {
  if (!focused || focused.isConnected || document.activeElement !== document.body) return;
  const { action, key } = focused.dataset;
  const buttons = [...element.querySelectorAll("button[data-action]")];
  const same = buttons.find((button) => button.dataset.action === action && button.dataset.key === key);
  same?.focus({ preventScroll: true });
}).observe(element, { childList: true, subtree: true });
