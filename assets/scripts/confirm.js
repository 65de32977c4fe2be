// Runs once, with Gradio's `element`, `trigger` and `watch`: a question that the server asks is a dialog; a yes goes back.

watch("value", () => {
  const dialog = element.querySelector("dialog");
  if (!dialog || dialog.open) return;
  dialog.returnValue = "";
  dialog.addEventListener(
    "close",
    () => dialog.returnValue === "yes" && trigger("click", { action: dialog.dataset.action, key: dialog.dataset.key }),
    { once: true },
  );
  dialog.showModal();
});
