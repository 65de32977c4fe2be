// The choice of a voice: a button that shows the chosen one, and a sheet of all voices that it opens.
//
// studioVoices.attach(element, props, trigger, watch) makes the button of a gr.HTML whose value is the voice's id;
// studioVoices.place(element, id) is the place where a narrow page shows that button; studioVoices.choose(options) opens
// the sheet for any other part of the page and answers the id that was chosen, or null.

(() => {
  const KEPT = "tts-studio-favourites"; // { voice id: whether it is a favourite }, of this browser
  const FIRST = 60; // cards made at once; the others come as they are scrolled to

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in element && typeof value !== "string") element[name] = value;
      else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child != null));
    return element;
  };

  const favourites = () => {
    try {
      return JSON.parse(localStorage.getItem(KEPT)) ?? {};
    } catch {
      return {}; // another program wrote there, or the browser keeps nothing
    }
  };
  const isFavourite = (voice) => favourites()[voice.id] ?? voice.favourite ?? false;
  const setFavourite = (voice, isOne) => {
    try {
      localStorage.setItem(KEPT, JSON.stringify({ ...favourites(), [voice.id]: isOne }));
    } catch {
      // the browser keeps nothing
    }
  };

  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  class Sheet {
    constructor() {
      this.dialog = make("dialog", { class: "studio-voices-sheet", "aria-labelledby": "studio-voices-title" });
      this.filters = { mine: false, favourites: false, language: "", gender: "", engine: "" };
      this.dialog.addEventListener("keydown", (event) => this.key(event));
      this.dialog.addEventListener("close", () => this.closed());
      this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    }

    // options: texts, api, current (the chosen id), refresh() asks for the list, prepare(id) starts a saved voice's work
    open(options) {
      return new Promise((resolve) => {
        Object.assign(this, options, { resolve, picked: null, isAtCurrent: false });
        const container = document.querySelector(".gradio-container .contain") ?? document.body; // where styles reach it;
        if (this.dialog.parentElement !== container) container.append(this.dialog);
        this.build();
        this.dialog.showModal();
        this.search.focus();
        this.refresh();
        this.timer = setInterval(() => this.isWaiting && this.refresh(), 2000);
      });
    }

    closed() {
      clearInterval(this.timer);
      this.more?.disconnect();
      studioSound.stop();
      this.resolve?.(this.picked);
      this.resolve = null;
    }

    get isOpen() {
      return this.dialog.open;
    }

    build() {
      const { texts } = this;
      this.search = make("input", {
        type: "text",
        class: "studio-voices-search",
        placeholder: texts.search_placeholder,
        "aria-label": texts.search,
        autocomplete: "off",
        spellcheck: "false",
        enterkeyhint: "search",
      });
      this.search.addEventListener("input", () => this.show());
      const chip = (name) => {
        const button = make("button", { type: "button", class: "studio-voices-chip", "aria-pressed": String(this.filters[name]) });
        button.textContent = name === "favourites" ? `★ ${texts[name]}` : texts[name];
        button.addEventListener("click", () => {
          this.filters[name] = !this.filters[name];
          button.setAttribute("aria-pressed", this.filters[name]);
          this.show();
        });
        return button;
      };
      const select = (name) => {
        const box = make("select", { class: "studio-voices-chip", "aria-label": texts[`by_${name}`], "data-filter": name });
        box.addEventListener("change", () => {
          this.filters[name] = box.value;
          this.show();
        });
        return box;
      };
      this.selects = Object.fromEntries(["language", "gender", "engine"].map((name) => [name, select(name)]));
      this.chips = [chip("mine"), chip("favourites")];
      const close = make("button", { type: "button", class: "studio-voices-close", "aria-label": texts.close }, "✕");
      close.addEventListener("click", () => this.dialog.close());
      this.count = make("p", { class: "studio-voices-count", role: "status" }, texts.loading);
      this.list = make("div", { class: "studio-voices-list" });
      this.dialog.replaceChildren(
        make(
          "header",
          {},
          make("h2", { id: "studio-voices-title" }, texts.title),
          close,
          this.search,
          make("div", { class: "studio-voices-chips", role: "group", "aria-label": texts.filters }, ...this.chips, ...Object.values(this.selects)),
          this.count,
        ),
        this.list,
      );
      if (this.data) this.fill(this.data);
    }

    // The list as the server sent it.
    fill(data) {
      this.data = data;
      this.names = Object.fromEntries(data.languages.map(([code, ...names]) => [code, names]));
      this.voices = data.groups.flatMap((group) =>
        group.voices.map((voice) => {
          const names = voice.language ? (this.names[voice.language] ?? []) : [];
          return { ...voice, group, words: plain([voice.name, voice.line, group.name, voice.gender && this.texts[voice.gender], ...names].join(" ")) };
        }),
      );
      const { texts } = this;
      this.options("language", data.languages.map(([code, name]) => [code, name]));
      this.options("gender", ["female", "male"].map((name) => [name, texts[name]]));
      this.options("engine", data.groups.map((group) => [group.key, group.name]));
      this.show();
    }

    options(name, choices) {
      const box = this.selects[name];
      box.replaceChildren(...[["", this.texts[name]], ...choices].map(([value, text]) => make("option", { value }, text)));
      box.value = choices.some(([value]) => value === this.filters[name]) ? this.filters[name] : "";
      this.filters[name] = box.value;
    }

    get isWaiting() {
      return this.voices?.some((voice) => voice.reason && !voice.act && voice.group.key === "library");
    }

    found() {
      const { mine, favourites: starred, language, gender, engine } = this.filters;
      const words = plain(this.search.value).split(/\s+/).filter(Boolean);
      return this.voices.filter(
        (voice) =>
          (!mine || voice.group.key === "library") &&
          (!starred || isFavourite(voice)) &&
          (!language || voice.languages?.includes(language)) &&
          (!gender || voice.gender === gender) &&
          (!engine || voice.group.key === engine) &&
          words.every((word) => voice.words.includes(word)),
      );
    }

    show() {
      if (!this.voices) return;
      for (const [name, box] of Object.entries(this.selects)) box.toggleAttribute("data-on", Boolean(this.filters[name]));
      const at = document.activeElement?.closest?.(".studio-voices-list li")?.dataset.id;
      const button = document.activeElement?.className;
      const found = this.found();
      this.count.textContent = this.texts.count.replace("{count}", found.length);
      this.left = found;
      this.group = null;
      this.more?.disconnect();
      this.list.replaceChildren();
      const wanted = this.isAtCurrent ? at : this.current;
      if (found.length) this.add(Math.max(FIRST, 1 + found.findIndex((voice) => voice.id === wanted)));
      else this.list.append(this.nothing());
      if (at) (this.cardOf(at)?.querySelector(`.${button.split(" ")[0]}`) ?? this.search).focus();
      this.roving(this.list.querySelector("li[aria-current]") ?? this.list.querySelector("li"));
      if (!this.isAtCurrent && this.dialog.open) {
        this.isAtCurrent = true;
        this.cardOf(this.current)?.scrollIntoView({ block: "center" });
      }
    }

    nothing() {
      const clear = make("button", { type: "button", class: "studio-small" }, this.texts.clear);
      clear.addEventListener("click", () => {
        Object.assign(this.filters, { mine: false, favourites: false, language: "", gender: "", engine: "" });
        this.build();
        this.search.focus();
      });
      return make("p", { class: "studio-empty" }, this.texts.none, " ", clear);
    }

    // Makes the next cards; one that comes near to being seen asks for more.
    add(count) {
      for (const voice of this.left.splice(0, count)) {
        if (this.group !== voice.group) {
          this.group = voice.group;
          const id = `studio-voices-${voice.group.key}`;
          this.cards = make("ul", {});
          this.list.append(make("section", { "aria-labelledby": id }, make("h3", { id }, voice.group.name), this.cards));
        }
        this.cards.append(this.card(voice));
      }
      if (!this.left.length) return;
      this.more = new IntersectionObserver(
        ([seen]) => {
          if (!seen.isIntersecting) return;
          this.more.disconnect();
          this.add(FIRST);
        },
        { root: this.list, rootMargin: "400px" },
      );
      this.more.observe(this.cards.lastElementChild);
    }

    card(voice) {
      const { texts } = this;
      const isReady = !voice.reason;
      const item = make("li", { "data-id": voice.id, "data-ready": String(isReady), "aria-current": voice.id === this.current && "true" });
      const choose = make(
        "button",
        { type: "button", class: "studio-voices-choose", tabIndex: -1, "aria-disabled": !isReady && "true" },
        make("strong", {}, voice.name),
        make("span", {}, voice.line ?? "", ...(isReady ? [] : [" · ", make("em", {}, voice.reason)])),
      );
      choose.addEventListener("click", () => isReady && this.pick(voice.id));
      const star = this.small("studio-voices-star", texts.favourite, voice);
      const paint = () => {
        star.setAttribute("aria-pressed", isFavourite(voice));
        star.textContent = isFavourite(voice) ? "★" : "☆";
      };
      star.addEventListener("click", () => {
        setFavourite(voice, !isFavourite(voice));
        paint();
      });
      paint();
      item.append(choose, ...(isReady ? [this.preview(voice, item)] : []), star);
      if (voice.act) item.append(this.act(voice));
      return item;
    }

    small(name, label, voice) {
      return make("button", { type: "button", class: name, tabIndex: -1, "aria-label": `${label}: ${voice.name}` });
    }

    preview(voice, item) {
      const { texts } = this;
      const button = this.small("studio-voices-preview", texts.preview, voice);
      button.textContent = "▶";
      button.addEventListener("click", () => {
        const language = voice.language || this.filters.language || texts.speaks;
        const text = this.data.samples[language] ?? this.data.samples[texts.speaks];
        item.querySelector(".studio-voices-problem")?.remove();
        studioSound.play(`voice ${voice.id}`, studioSound.spoken(this.api, voice.id, text, voice.version), (state) => {
          item.dataset.sound = state;
          button.textContent = state && state !== "failed" ? "■" : "▶";
          button.setAttribute("aria-label", `${state && state !== "failed" ? texts.stop : texts.preview}: ${voice.name}`);
          if (state === "failed") item.append(make("p", { class: "studio-voices-problem", role: "alert" }, texts.failed));
        });
      });
      return button;
    }

    act(voice) {
      const isTab = voice.act !== "prepare";
      const button = make("button", { type: "button", class: "studio-small studio-voices-act", tabIndex: -1 }, this.texts[voice.act]);
      button.setAttribute("aria-label", `${this.texts[voice.act]}: ${voice.name}`);
      button.addEventListener("click", () => {
        if (!isTab) return this.prepare?.(voice.id);
        this.dialog.close();
        const tab = document.querySelector(`#${voice.act}-button`);
        tab?.click();
        return tab?.focus();
      });
      return button;
    }

    pick(id) {
      this.picked = id;
      this.dialog.close();
    }

    cardOf(id) {
      return [...this.list.querySelectorAll("li")].find((item) => item.dataset.id === id);
    }

    // Of all cards, Tab reaches the buttons of one.
    roving(item) {
      this.list.querySelectorAll('button[tabindex="0"]').forEach((button) => (button.tabIndex = -1));
      item?.querySelectorAll("button").forEach((button) => (button.tabIndex = 0));
    }

    go(item, name = ".studio-voices-choose") {
      if (!item) return;
      this.roving(item);
      (item.querySelector(name) ?? item.querySelector(".studio-voices-choose")).focus();
      item.scrollIntoView({ block: "nearest" });
    }

    key(event) {
      const { key, target } = event;
      const item = target.closest(".studio-voices-list li");
      const isTyping = target === this.search;
      if (target.matches("select") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (key === "ArrowDown" || key === "ArrowUp") {
        event.preventDefault();
        this.move(item, key === "ArrowDown" ? 1 : -1);
      } else if (isTyping && key === "Enter") {
        event.preventDefault();
        const first = this.found().find((voice) => !voice.reason);
        if (this.search.value.trim() && first) this.pick(first.id);
      } else if (item && (key === "ArrowRight" || key === "ArrowLeft")) {
        event.preventDefault();
        const buttons = [...item.querySelectorAll("button")];
        buttons[buttons.indexOf(target) + (key === "ArrowRight" ? 1 : -1)]?.focus();
      } else if (item && (key === "Home" || key === "End")) {
        event.preventDefault();
        if (key === "End") this.add(this.left.length);
        const items = [...this.list.querySelectorAll("li")];
        this.go(items.at(key === "Home" ? 0 : -1));
      } else if (!isTyping && key.length === 1 && key !== " ") {
        this.search.focus(); // the letter lands there
      }
    }

    move(item, step) {
      const items = [...this.list.querySelectorAll("li")];
      if (!item) return this.go(step > 0 ? (this.list.querySelector("li[aria-current]") ?? items[0]) : null);
      const next = items[items.indexOf(item) + step];
      if (next) return this.go(next);
      if (step < 0) return this.search.focus();
      if (!this.left.length) return undefined;
      this.add(FIRST);
      return this.move(item, step);
    }
  }

  let sheet = null;
  const theSheet = () => (sheet ??= new Sheet());

  const fields = new Map(); // by the component's id: { open, label, places, paint }
  const field = (id) => {
    if (!fields.has(id)) fields.set(id, { places: new Set(), open: null, label: "" });
    return fields.get(id);
  };

  const chip = (id, texts) => {
    const button = make("button", { type: "button", class: "studio-voice-chip", "aria-haspopup": "dialog" });
    button.addEventListener("click", () => field(id).open?.());
    button.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown") return;
      event.preventDefault();
      field(id).open?.();
    });
    return button;
  };

  const paint = (id) => {
    const { label, places, title } = field(id);
    const [name, line] = label.split("\n");
    for (const place of places) {
      const button = place.querySelector(".studio-voice-chip");
      button.replaceChildren(make("span", { class: "studio-voice-name" }, name), make("span", { class: "studio-voice-line" }, line ?? ""));
      button.setAttribute("aria-label", `${title}: ${name}${line ? `, ${line}` : ""}`);
    }
  };

  const place = (element, id) => {
    const box = element.querySelector(".studio-voice-field");
    box.append(chip(id));
    field(id).places.add(box);
    if (field(id).label) paint(id);
  };

  const attach = (element, props, trigger, watch) => {
    const id = element.closest("[id]:not([id^=html-])")?.id ?? element.id;
    const mine = field(id);
    let wanted = null;
    const label = () => {
      const known = props.choices?.find(([, value]) => value === props.value);
      if (known) return known[0];
      const listed = props.voices?.groups.flatMap((group) => group.voices).find((voice) => voice.id === props.value);
      return listed ? `${listed.name}\n${listed.line ?? ""}` : (props.value ?? "");
    };
    const fresh = () => {
      mine.label = label();
      element.dataset.value = props.value ?? "";
      paint(id);
    };
    mine.title = props.label;
    mine.open = async () => {
      const chosen = await choose({
        texts: props.texts,
        api: props.api,
        current: props.value,
        data: props.voices ?? theSheet().data,
        refresh: () => trigger("expand"),
        prepare: (voice) => trigger("submit", { key: voice }),
      });
      if (chosen === null || chosen === props.value) return;
      props.value = chosen;
      fresh();
      trigger("input");
      trigger("change");
    };
    place(element, id);
    fresh();
    watch(["value", "choices"], fresh);
    watch("voices", () => {
      if (props.voices && theSheet().isOpen) theSheet().fill(props.voices);
      fresh();
    });
    return wanted;
  };

  const choose = (options) => theSheet().open(options);

  window.studioVoices = { attach, place, choose };
})();
