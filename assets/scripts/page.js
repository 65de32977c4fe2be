// Page behaviour that needs no server: theme switch, language switch, shortcuts, jumps between tabs.

(() => {
  document.documentElement.style.scrollbarGutter = "stable"; // equally wide whether or not a tab needs scrolling

  const THEME_KEY = "tts-studio-theme";
  const stored = localStorage.getItem(THEME_KEY);
  const address = new URL(location.href);
  if (stored && !address.searchParams.has("__theme")) {
    // Gradio reads the theme from the address when it starts.
    address.searchParams.set("__theme", stored);
    history.replaceState(null, "", address);
  }

  // Browsers give the microphone to https and this machine only; elsewhere the Clone tab says so.
  if (!window.isSecureContext) {
    const style = document.createElement("style"); // the page's own rules reach only what is inside of Gradio's element
    style.textContent = `
      .gradio-container.gradio-container .studio-no-microphone { display: block !important; }
      .gradio-container .source-selection.source-selection button:last-of-type { display: none !important; }`;
    document.head.append(style);
  }

  // Sound may come in a file that browsers take for a film (WebM) or don't know. Gradio would refuse it unheard; the coach
  // listens to it, and says in the page's language where it hears nothing.
  const isUnheard = (file) => !file.type.startsWith("audio/");
  const asSound = (files) => {
    const kept = new DataTransfer();
    for (const file of files) kept.items.add(isUnheard(file) ? new File([file], file.name, { type: "audio/unknown" }) : file);
    return kept.files;
  };
  const soundInput = (target) => target.closest?.(".audio-container")?.querySelector("input[type=file]");
  const early = { capture: true };
  addEventListener("click", ({ target }) => {
    const isOpening = target === soundInput(target) && !target.accept.includes(".webm");
    if (isOpening) target.accept += ",.webm"; // its dialog offers them then
  }, early);
  addEventListener("change", ({ target }) => {
    if (target === soundInput(target) && [...target.files].some(isUnheard)) target.files = asSound(target.files);
  }, early);
  addEventListener("drop", (event) => {
    const input = soundInput(event.target);
    if (!input || ![...event.dataTransfer.files].some(isUnheard)) return;
    event.preventDefault();
    event.stopPropagation();
    event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true }));
    input.files = asSound(event.dataTransfer.files);
    input.dispatchEvent(new Event("change"));
  }, early);

  const shown = (selector) => [...document.querySelectorAll(selector)].find((element) => element.offsetParent);

  const actions = {
    theme() {
      const theme = document.body.classList.toggle("dark") ? "dark" : "light";
      localStorage.setItem(THEME_KEY, theme);
      address.searchParams.set("__theme", theme);
      history.replaceState(null, "", address);
    },
    tab(target) {
      const button = document.querySelector(`#${target.dataset.tab}-button`);
      button?.click();
      button?.focus();
    },
    async copy(target) {
      // Browsers give the clipboard to https and this machine only; elsewhere the text is selected for Ctrl + C.
      if (!navigator.clipboard) return getSelection().selectAllChildren(target.previousElementSibling);
      await navigator.clipboard.writeText(target.dataset.text);
      const label = target.textContent;
      target.textContent = target.dataset.done;
      return setTimeout(() => (target.textContent = label), 1500);
    },
    stop() {
      dispatchEvent(new Event("tts-stop"));
    },
    forget(target) {
      if (!confirm(target.dataset.question)) return;
      studioMemory.forget();
      location.reload();
    },
  };

  // Everything on the page that sounds, wherever it is: most of Gradio's players are not in the document.
  const sounding = new Set();
  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = function () {
    sounding.add(this);
    for (const over of ["pause", "ended"]) this.addEventListener(over, () => sounding.delete(this), { once: true });
    return play.call(this);
  };
  addEventListener("tts-stop", () => [...sounding, ...document.querySelectorAll("audio, video")].forEach((sound) => sound.pause()));

  addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-studio]");
    if (target) actions[target.dataset.studio]?.(target);
    if (event.target.closest?.(".studio-stop")) actions.stop();
    if (event.target.closest?.(".studio-sample")) setTimeout(recount, 100); // Gradio fills the box after the click
  });

  // The count follows each key: asking the server would trail behind.
  const recount = () => {
    const text = document.querySelector("#speak-text textarea");
    const count = document.querySelector(".studio-count");
    const length = [...text.value].length;
    count.querySelector("b").textContent = length.toLocaleString("en"); // thousands as in the limit beside it
    count.toggleAttribute("data-over", length > Number(count.dataset.limit));
  };
  addEventListener("input", (event) => event.target.closest?.("#speak-text") && recount());
  new MutationObserver((_changes, observer) => {
    if (!document.querySelector(".studio-count") || !document.querySelector("#speak-text textarea")) return;
    observer.disconnect();
    recount(); // a text that the browser has kept
  }).observe(document.documentElement, { childList: true, subtree: true });

  // A recording that no voice was made of is nowhere else.
  const isUnsaved = () =>
    document.querySelector("#clone-file audio") && !document.querySelector("#clone-saved [data-tab=tab-library]");
  addEventListener("beforeunload", (event) => isUnsaved() && event.preventDefault());

  // Who logs out leaves nothing behind for whoever logs in next.
  addEventListener("submit", (event) => event.target.matches("form[action$=logout]") && studioMemory.forget());

  addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        event.stopPropagation(); // the text box would add a line
        shown(".studio-run")?.click();
      } else if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
        actions.stop(); // what still plays, even if all is made
        shown(".studio-stop:not([disabled])")?.click();
      }
    },
    { capture: true },
  );
})();
