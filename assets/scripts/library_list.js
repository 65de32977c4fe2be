// Runs once, after actions.js, with Gradio's `element`, `trigger`, `props` and `watch`: the rows of the library.
//
// The server sends the list as HTML; here each row takes over what changed and stays the same element, so that focus, an
// open menu, what plays and what is typed in a row outlive every new list.

const root = element.querySelector(".studio-voices-root");
const rest = document.createElement("div");
let list = null;

// Makes a node like a fresh one, part by part.
const KEPT = new Set(["style", "aria-expanded"]);
const become = (node, fresh) => {
  if (node.nodeType !== fresh.nodeType || node.nodeName !== fresh.nodeName) return node.replaceWith(fresh.cloneNode(true));
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data !== fresh.data) node.data = fresh.data;
    return undefined;
  }
  for (const { name } of [...node.attributes]) if (!fresh.hasAttribute(name) && !KEPT.has(name)) node.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (!KEPT.has(name) && node.getAttribute(name) !== value) node.setAttribute(name, value);
  const [old, now] = [[...node.childNodes], [...fresh.childNodes]];
  now.forEach((child, place) => (old[place] ? become(old[place], child) : node.append(child.cloneNode(true))));
  old.slice(now.length).forEach((child) => child.remove());
  return undefined;
};

const body = (row) => row.querySelector(".studio-voice-body");
const form = (row) => row?.querySelector("form");

const update = () => {
  const page = document.createElement("template");
  page.innerHTML = props.value ?? "";
  const fresh = page.content.querySelector("ul");
  const wanted = fresh ? [...fresh.children] : [];
  fresh?.remove();
  const tail = document.createElement("div");
  tail.append(page.content);
  if (!list) {
    list = document.createElement("ul");
    list.className = "studio-voices";
    root.replaceChildren(list, rest);
  }
  if (fresh) list.setAttribute("aria-label", fresh.getAttribute("aria-label"));
  become(rest, tail);
  const known = new Map([...list.children].map((row) => [row.id, row]));
  const ids = new Set(wanted.map((row) => row.id));
  // Rows are moved only where the order changed: a moved element loses focus.
  const focused = document.activeElement;
  for (const row of known.values()) if (!ids.has(row.id) && !form(row)) row.remove();
  let place = list.firstElementChild;
  for (const row of wanted) {
    const own = known.get(row.id);
    while (place && !ids.has(place.id)) place = place.nextElementSibling; // written in, though no longer in the list
    if (own) {
      become(body(own), body(row));
      own.dataset.look = row.dataset.look;
    }
    if (own && own === place) place = place.nextElementSibling;
    else list.insertBefore(own ?? row, place);
  }
  list.hidden = !list.children.length;
  if (focused !== document.activeElement && focused?.isConnected && list.contains(focused)) focused.focus({ preventScroll: true });
};

// Sounds, in their rows.
const sound = (button) => {
  const row = button.closest("li");
  const { sound: kind, key, text, version } = button.dataset;
  const api = props.api;
  const source =
    kind === "listen"
      ? async () => `${api}/voices/${encodeURIComponent(key)}/audio?kind=reference&v=${encodeURIComponent(version)}`
      : studioSound.spoken(api, `library/${key}`, text, version);
  row.querySelector(".studio-voice-problem")?.remove();
  studioSound.play(`library ${kind} ${key}`, source, (state) => {
    row.dataset.sound = state;
    if (state !== "failed") return;
    const problem = document.createElement("p");
    problem.className = "studio-voice-failure studio-voice-problem";
    problem.setAttribute("role", "alert");
    problem.textContent = props.texts.failed;
    row.append(problem);
  });
};

// The menu of a row's other acts.
const items = (menu) => [...menu.querySelectorAll("[role=menuitem]:not([hidden])")];
const place = (menu) => {
  const { right, bottom, top } = menu.previousElementSibling.getBoundingClientRect();
  const isBelow = bottom + menu.offsetHeight + 8 < innerHeight;
  menu.style.left = `${Math.max(8, right - menu.offsetWidth)}px`;
  menu.style.top = `${isBelow ? bottom + 4 : Math.max(8, top - menu.offsetHeight - 4)}px`;
};
const open = (button) => {
  const menu = button.nextElementSibling;
  menu.showPopover();
  place(menu);
  items(menu)[0]?.focus({ preventScroll: true });
};
element.addEventListener(
  "toggle",
  ({ target, newState }) => target.matches?.(".studio-menu") && target.previousElementSibling.setAttribute("aria-expanded", newState === "open"),
  { capture: true },
);
const follow = () => element.querySelectorAll(".studio-menu:popover-open").forEach(place);
addEventListener("scroll", follow, { capture: true, passive: true });
addEventListener("resize", follow);

element.addEventListener(
  "click",
  ({ target }) => {
    const opener = target.closest("[data-menu]");
    if (opener) return open(opener);
    const button = target.closest("button[data-sound]");
    if (button) sound(button);
    return target.closest(".studio-menu")?.hidePopover();
  },
  { capture: true },
);

element.addEventListener("keydown", (event) => {
  const menu = event.target.closest(".studio-menu");
  if (!menu) {
    if (event.key === "ArrowDown" && event.target.matches("[data-menu]")) {
      event.preventDefault();
      open(event.target);
    }
    return;
  }
  const all = items(menu);
  const at = all.indexOf(event.target);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  all.at(to % all.length)?.focus();
});

// Editing in place.
const labelled = (text, field) => {
  const label = document.createElement("label");
  label.append(text, field);
  return label;
};
const field = (tag, name, value, attributes = {}) => {
  const made = Object.assign(document.createElement(tag), { name, ...attributes });
  made.value = value;
  return made;
};
const close = (row) => {
  form(row)?.remove();
  (row.querySelector("[data-menu]") ?? element.querySelector("[data-menu]"))?.focus();
};
const edit = ({ key, name, language, languages, notes }) => {
  const row = document.getElementById(`voice-${key}`);
  if (!row || form(row)) return form(row)?.elements.name.focus();
  const { texts } = props;
  const made = document.createElement("form");
  made.className = "studio-voice-form";
  const choice = document.createElement("select");
  choice.name = "language";
  choice.append(...languages.map(([text, code]) => new Option(text, code, false, code === language)));
  const buttons = document.createElement("div");
  buttons.className = "studio-model-buttons";
  for (const [kind, text] of Object.entries({ submit: texts.save, button: texts.cancel })) {
    const button = Object.assign(document.createElement("button"), { type: kind, textContent: text });
    button.className = `studio-button${kind === "submit" ? " studio-primary" : ""}`;
    if (kind === "button") button.addEventListener("click", () => close(row));
    buttons.append(button);
  }
  made.append(
    labelled(texts.name, field("input", "name", name, { maxLength: 100, required: true, autocomplete: "off" })),
    labelled(texts.language, choice),
    labelled(texts.notes, field("textarea", "notes", notes, { maxLength: 2000, rows: 2 })),
    buttons,
  );
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    trigger("submit", { key, ...Object.fromEntries(new FormData(made)) });
  });
  row.append(made);
  return made.elements.name.focus();
};

watch("value", update);
watch("editing", () => props.editing && edit(props.editing));
watch("saved", () => {
  const row = document.getElementById(`voice-${props.saved?.key}`);
  if (row) close(row);
});
update();
