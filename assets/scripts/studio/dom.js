// Small tools for building the Studio's page out of elements.

/** An element: h("button.studio-button", { onclick: go, hidden: true }, "Text", child). Names beginning with "on" are
 * listeners; true and false set and leave out an attribute. */
export function h(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" && "value" in element) element.value = value;
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A select with [value, label] choices. */
export function select(attributes, choices, chosen) {
  const options = choices.map(([value, label]) => h("option", { value, selected: value === chosen }, label));
  return h("select", attributes, ...options);
}

/** A field: its label above, a hint below. */
export function field(label, control, hint = "") {
  return h("label.project-field", {}, h("span", {}, label), control, hint && h("small", {}, hint));
}

/** A dialog that goes away when it is closed; the focus returns to where it was. */
export function openDialog(title, closeLabel, ...content) {
  const before = document.activeElement;
  const close = h("button.project-close", { type: "button", "aria-label": closeLabel, onclick: () => dialog.close() }, "✕");
  const dialog = h("dialog.project-dialog", { "aria-label": title }, h("header", {}, h("h3", {}, title), close), ...content);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
  });
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // the list's keys are not for dialogs
  document.querySelector(".gradio-container").append(dialog);
  dialog.showModal();
  return dialog;
}

/** Ask for another title in a dialog; `save` gets it, and the dialog closes unless it answers undefined. */
export function askTitle(t, label, title, save) {
  const input = h("input", { type: "text", value: title, maxlength: 300, "aria-label": label });
  const form = h("form", {}, input, h("footer", {}, h("button.studio-button.studio-primary", {}, t("save"))));
  const dialog = openDialog(t("rename"), t("close"), form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if ((await save(input.value)) !== undefined) dialog.close();
  });
}

/** A button that opens a menu of [label, act] pairs; null parts groups. */
export function menuButton(label, text, items, css = "project-icon") {
  const button = h(`button.${css}`, { type: "button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": label }, text);
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    if (button.getAttribute("aria-expanded") === "true") return;
    openMenu(button, items());
  });
  return button;
}

function openMenu(button, items) {
  const menu = h("div.project-menu", { role: "menu" });
  const close = (focus) => {
    menu.remove();
    button.setAttribute("aria-expanded", "false");
    removeEventListener("pointerdown", outside, true);
    if (focus && button.isConnected) button.focus();
  };
  const outside = (event) => menu.contains(event.target) || close(false);
  for (const item of items) {
    if (!item) menu.append(h("hr"));
    else {
      const [label, act, isOff] = item;
      const entry = h("button", { type: "button", role: "menuitem", disabled: Boolean(isOff) }, label);
      entry.addEventListener("click", (event) => {
        event.stopPropagation();
        close(true);
        act();
      });
      menu.append(entry);
    }
  }
  menu.addEventListener("keydown", (event) => {
    const entries = [...menu.querySelectorAll("button:enabled")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    event.stopPropagation();
    if (step) {
      event.preventDefault();
      entries[(entries.indexOf(document.activeElement) + step + entries.length) % entries.length]?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      close(true);
    }
  });
  document.querySelector(".gradio-container").append(menu);
  const box = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = box.bottom + height < innerHeight;
  menu.style.left = `${Math.max(8, Math.min(box.right - width, innerWidth - width - 8))}px`;
  menu.style.top = `${below ? box.bottom + 4 : Math.max(8, box.top - height - 4)}px`;
  button.setAttribute("aria-expanded", "true");
  addEventListener("pointerdown", outside, true);
  menu.querySelector("button:enabled")?.focus();
}

/** Runs at most once in so many milliseconds, the last call included. */
export function throttled(act, ms) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      act();
    }, ms);
  };
}
