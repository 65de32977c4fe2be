// What Gradio's own fields lack: drop-down lists that close when the keyboard leaves them, are searched by typing and say
// when nothing fits; players whose labels are in the page's language and in whole seconds. studioTexts: page_head.py.

(() => {
  const early = { capture: true };
  const isList = (target) => target.matches?.("input[role=combobox]");

  // Gradio opens the list again at each key, also at those that lead away from it.
  const PASSING = ["Tab", "Shift", "Control", "Alt", "Meta"];
  addEventListener("keydown", (event) => isList(event.target) && PASSING.includes(event.key) && event.stopPropagation(), early);

  // What is typed replaces the chosen entry's name. Gradio would append it, and find nothing of that name.
  let isFresh = false;
  addEventListener("focusin", ({ target }) => {
    isFresh = isList(target);
    if (isFresh) target.select();
  });
  addEventListener("mouseup", (event) => {
    if (isFresh && isList(event.target)) event.preventDefault(); // it would unselect
    isFresh = false;
  });

  // An empty list says so: to eyes by a style, to a screen reader here.
  const status = Object.assign(document.createElement("p"), { className: "studio-unseen" });
  status.setAttribute("role", "status");
  addEventListener("input", ({ target }) => {
    if (!isList(target)) return;
    const container = target.closest(".gradio-container");
    if (status.parentElement !== container) container.append(status);
    setTimeout(() => {
      const list = document.getElementById(target.getAttribute("aria-controls"));
      const isEmpty = list !== null && !list.querySelector("li");
      if (isEmpty) list.dataset.nothing = studioTexts.nothing_fits;
      else delete list?.dataset.nothing;
      status.textContent = isEmpty ? studioTexts.nothing_fits : "";
    }, 100); // Gradio has filtered by then
  });

  // Gradio gives each radio button a name of its own; those of one name are one stop of Tab, and arrows go between them.
  const unite = (radio) => {
    const [first, ...others] = radio.closest(".wrap")?.querySelectorAll("input[type=radio]") ?? [];
    for (const other of others) if (other.name !== first.name) other.name = first.name;
  };

  const seconds = (text) => Math.max(1, Math.round(Number(text) || 0));
  const LABELS = [
    [/^play$/i, () => studioTexts.audio_play],
    [/^pause$/i, () => studioTexts.audio_pause],
    [/^Skip forward by (.+) seconds$/, (by) => studioTexts.audio_forward.replace("{seconds}", seconds(by))],
    [/^Skip backwards? by (.+) seconds$/, (by) => studioTexts.audio_back.replace("{seconds}", seconds(by))],
    [/^Adjust volume$/, () => studioTexts.audio_volume],
    [/^Adjust playback speed to (.+)x$/, (speed) => studioTexts.audio_speed.replace("{speed}", speed)],
    [/^Reset audio$/, () => studioTexts.audio_reset],
    [/^Trim audio to selection$/, () => studioTexts.audio_trim],
    [/^Drag to adjust start time$/, () => studioTexts.audio_start],
    [/^Drag to adjust end time$/, () => studioTexts.audio_end],
    [/^Select input device$/, () => studioTexts.audio_device],
    [/^(?:number input|range slider) for (.+)$/, (name) => name],
    [/^File upload$/, () => studioTexts.file_upload],
  ];
  const label = (element) => {
    const english = element.getAttribute("aria-label") ?? "";
    for (const [pattern, inPageLanguage] of LABELS) {
      const found = pattern.exec(english);
      if (!found) continue;
      const text = inPageLanguage(found[1]);
      if (text !== english) element.setAttribute("aria-label", text);
      return;
    }
  };
  const PARTS = ".block [aria-label], input[type=file][aria-label], input[type=radio]";
  const mend = (element) => (element.type === "radio" ? unite(element) : label(element));
  const follow = (changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type === "attributes" && target.matches(PARTS)) mend(target);
      for (const node of addedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        if (node.matches(PARTS)) mend(node);
        node.querySelectorAll(PARTS).forEach(mend);
      }
    }
  };
  addEventListener("DOMContentLoaded", () =>
    new MutationObserver(follow).observe(document.body, { subtree: true, childList: true, attributeFilter: ["aria-label", "name"] }),
  );
})();
