// <tts-player>: speaks a form by one request, plays the sound while it comes, and the finished file afterwards.
//
// A take is one value: {id, name, form, format, seconds, voice, engine, outcome, is_whole, details, created_at,
// first_sound_ms, peaks, is_starred}. `form` is what was asked for, so that it can be asked for again. Texts stay in the
// browser.
//
// data-state tells what it is doing: idle, waiting, playing, paused, blocked, ended, stopped, error. data-making is there
// while the server makes something, data-take (the id) once a take is finished.

(() => {
  const PEAK_WINDOW_S = 0.05;
  const MAX_PEAKS = 240; // kept of a finished take
  const PRESS_MS = 5000; // a press longer ago has another reason
  const ANNOUNCE_MS = 600; // Gradio's own work would hold up the first sound
  const QUIET = 0.1; // a level that fills no wave
  const SPEEDS = [0.75, 1, 1.25, 1.5, 2];
  const BAD_IN_NAMES = /[\u0000-\u001f<>:"/\\|?*\u007f]+/g; // what Windows allows in no name
  const MIN_NAME_CHARS = 8;
  const MAX_NAME_CHARS = 48;
  const PREPARED_MS = 240_000; // idle models stay a little longer

  const icon = (path) => `<svg viewBox="0 0 24 24" width="18" height="18" fill="currentColor" aria-hidden="true"><path d="${path}"/></svg>`;
  const PLAY_ICON = icon("M7 4.5v15l13-7.5z");
  const PAUSE_ICON = icon("M6 4.5h4v15H6zM14 4.5h4v15h-4z");
  const REPLAY_ICON = icon("M12 5V1.5L6.5 7 12 12.5V8a5 5 0 1 1-5 5H4.5A7.5 7.5 0 1 0 12 5z");
  const STATIC = new Set(["ended", "stopped", "error"]);

  const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const digits = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const SESSION = digits();

  // The time of the last press of Generate; a click that a key has caused comes later than the key.
  let pressedAt = -Infinity;
  addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) pressedAt = event.timeStamp;
  }, { capture: true });
  addEventListener("click", (event) => {
    const button = event.target.closest?.(".studio-run, .player-again");
    if (!button) return;
    if (event.isTrusted) pressedAt = event.timeStamp;
    const player = playerOf(button);
    if (player && !player.dataset.making) delete player.dataset.take;
  }, { capture: true });
  const playerOf = (element) => element.closest("tts-player") ?? document.querySelector(`#${element.id.replace(/-run$/, "-player")} tts-player`);

  // "Heart – The rain had stopped", safe in every file system.
  const fileName = (take) => {
    const text = take.form.text.trim();
    const first = text.split(/[.,;:!?。，、；：！？…\n]/u)[0];
    const clause = first.length >= MIN_NAME_CHARS ? first : text;
    const plain = (part) => part.replace(BAD_IN_NAMES, " ").replace(/\s+/g, " ").trim();
    let start = "";
    for (const word of plain(clause).split(" ")) {
      if (start && `${start} ${word}`.length > MAX_NAME_CHARS) break;
      start = `${start} ${word}`.trim();
    }
    const voice = plain(take.voice.replace(/[（(].*?[)）]/g, ""));
    return `${voice} – ${[...start].slice(0, MAX_NAME_CHARS).join("")}`.replace(/[\s.–-]+$/u, "");
  };

  const samplesOf = (base64) => {
    const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length >> 1 }, (_, i) => view.getInt16(2 * i, true) / 32768);
  };

  // The data of a stream's server-sent events, one after the other.
  async function* eventsOf(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (text + value).split("\n\n");
      text = parts.pop();
      for (const part of parts) yield JSON.parse(part.slice("data: ".length));
    }
  }

  class Player extends HTMLElement {
    connectedCallback() {
      if (this.isReady) return;
      this.isReady = true;
      this.texts = JSON.parse(this.dataset.texts);
      this.formats = JSON.parse(this.dataset.formats);
      this.take = null;
      this.live = null;
      this.file = null;
      this.peaks = [];
      this.receivedS = 0;
      this.render();
      this.setState("idle");
      this.list?.render();
      this.prepare();
    }

    // The list of takes, where the tab has one.
    get list() {
      return document.querySelector(`#${this.dataset.tab}-takes tts-takes`);
    }

    text(name, values = {}) {
      return (this.texts[name] ?? name).replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
    }

    part(name) {
      return this.querySelector(`.player-${name}`);
    }

    render() {
      const speeds = SPEEDS.map((speed) => `<option value="${speed}" ${speed === 1 ? "selected" : ""}>${speed}×</option>`);
      const label = (name) => escaped(this.text(name));
      this.innerHTML = `
        <div class="player-sound" role="group" aria-label="${label("live.title")}">
          <button type="button" class="player-toggle"></button>
          <div class="player-wave"><canvas aria-hidden="true"></canvas>
            <input type="range" class="player-seek" min="0" max="1" step="0.005" value="0" aria-label="${label("live.position")}"></div>
          <span class="player-time" aria-hidden="true"></span>
        </div>
        <div class="player-below">
          <div class="player-status" role="status" id="${this.dataset.tab}-status"></div>
          <div class="player-actions">
            <select class="player-speed" aria-label="${label("live.speed")}">${speeds.join("")}</select>
            <button type="button" class="player-again">${label("live.again")}</button>
            <details class="player-save"><summary>${label("live.download")}</summary><ul></ul></details>
            <button type="button" class="player-info" aria-expanded="false" aria-label="${label("live.facts")}" title="${label("live.facts")}">i</button>
          </div>
        </div>
        <div class="player-facts studio-facts" hidden></div>`;
      this.part("status").textContent = this.text("speak.empty");
      this.part("toggle").addEventListener("click", () => this.toggle());
      this.part("seek").addEventListener("input", (event) => this.seek(Number(event.target.value)));
      this.part("speed").addEventListener("change", () => this.useSpeed());
      this.part("again").addEventListener("click", () => this.speak(this.take.name, { ...this.take.form, seed: -1 }));
      this.part("info").addEventListener("click", () => this.showFacts(this.part("facts").hidden));
      const menu = this.part("save");
      menu.addEventListener("focusout", (event) => menu.contains(event.relatedTarget) || (menu.open = false));
      menu.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || !menu.open) return;
        event.stopPropagation();
        menu.open = false;
        menu.querySelector("summary").focus();
      });
      menu.querySelector("ul").addEventListener("click", () => (menu.open = false));
      const tab = this.closest("[role=tabpanel]");
      // A failure is forgotten as soon as something is asked for otherwise, or somebody comes back.
      for (const change of ["input", "change"]) tab?.addEventListener(change, () => this.forgetFailure());
      tab?.addEventListener("mousedown", ({ target }) => target.closest("[role=option]") && this.forgetFailure());
      document.querySelector(`#tab-${this.dataset.tab}-button`)?.addEventListener("click", () => this.forgetFailure());
    }

    // The built-in voice is loaded when somebody comes, and again when he comes back to it.
    prepare() {
      if (!("prepares" in this.dataset) || performance.now() - (this.preparedAt ?? -Infinity) < PREPARED_MS) return;
      if (this.preparedAt === undefined) this.closest("[role=tabpanel]")?.addEventListener("input", () => this.prepare());
      this.preparedAt = performance.now();
      fetch(`${this.dataset.speak}prepare`, { method: "POST" }).catch(() => {});
    }

    get button() {
      return document.querySelector(`#${this.dataset.tab}-run`);
    }

    get stopButton() {
      return document.querySelector(`#${this.dataset.tab}-stop`);
    }

    setState(state) {
      this.dataset.state = state;
      const isPlaying = state === "playing" || state === "waiting";
      const can = isPlaying ? "pause" : state === "ended" ? "replay" : "play";
      const toggle = this.part("toggle");
      toggle.innerHTML = { pause: PAUSE_ICON, replay: REPLAY_ICON, play: PLAY_ICON }[can];
      toggle.setAttribute("aria-label", this.text(`live.${can}`));
      toggle.disabled = state === "waiting" || (!this.take && !this.live);
      if (state === "blocked") this.say(this.text("live.blocked"));
      const isFinished = Boolean(this.take);
      this.part("seek").disabled = !isFinished;
      this.part("actions").hidden = !isFinished;
      this.part("again").disabled = Boolean(this.dataset.making);
      if (this.stopButton) this.stopButton.disabled = !this.dataset.making && !(isPlaying || state === "paused");
      this.draw();
      if (state === "playing" && !this.frame) this.follow();
    }

    follow() {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.draw();
        if (this.dataset.state === "playing") this.follow();
      });
    }

    setMaking(isMaking) {
      const hadFocus = document.activeElement === this.button;
      if (isMaking) this.dataset.making = "true";
      else delete this.dataset.making;
      this.button.disabled = isMaking;
      if (hadFocus) this.focused = true;
      else if (!isMaking && this.focused && document.activeElement === document.body) this.button.focus();
      if (!isMaking) this.focused = false;
      this.setState(this.dataset.state);
    }

    say(text, percent = null) {
      const status = this.part("status");
      status.innerHTML = `${this.dataset.making && !this.take ? '<span class="studio-pulse" aria-hidden="true"></span>' : ""}<span>${escaped(text)}</span>`;
      this.style.setProperty("--loaded", percent === null ? "0%" : `${percent}%`);
    }

    fail({ title, text }) {
      this.hasFailed = true;
      this.part("status").innerHTML = `<div class="studio-alert" role="alert"><strong>! ${escaped(title)}</strong><p>${escaped(text)}</p></div>`;
      this.setState("error");
    }

    forgetFailure() {
      if (!this.hasFailed) return;
      this.hasFailed = false;
      this.say(this.text("speak.empty"));
      this.setState("idle");
    }

    // One request speaks; its answer brings what goes on, the sound, and the finished take.
    async speak(name, form) {
      if (this.dataset.making) return;
      const now = performance.now();
      this.pressedAt = now - pressedAt < PRESS_MS ? pressedAt : now;
      this.clear();
      this.asked = { name, form };
      this.setMaking(true);
      this.setState("waiting");
      this.say(this.text("speak.starting"));
      this.announced = setTimeout(() => this.announce(null), ANNOUNCE_MS);
      try {
        const body = JSON.stringify({ session: SESSION, form });
        const headers = { "Content-Type": "application/json" };
        const response = await fetch(this.dataset.speak + name, { method: "POST", headers, body });
        if (!response.ok) throw new Error(response.statusText, { cause: await response.json().catch(() => null) });
        for await (const message of eventsOf(response)) this.take_in(message);
        if (!this.take && !this.hasFailed && this.dataset.state === "waiting") this.setState("stopped");
      } catch (error) {
        this.endSound();
        this.fail({ title: this.text("speak.error_title"), text: error.cause?.message ?? this.text("live.broken") });
      } finally {
        clearTimeout(this.announced);
        this.live?.complete();
        this.setMaking(false);
      }
    }

    take_in(message) {
      if (message.rate) this.begin(message.rate);
      else if (message.sound) this.hear(samplesOf(message.sound));
      else if (message.take) this.finish(message.take);
      else if (message.status) this.say(message.status, message.percent);
      else if (message.stopped) {
        this.say(message.stopped);
        this.setState("stopped");
      } else if (message.failure) {
        this.endSound();
        this.fail(message.failure);
      }
    }

    clear() {
      this.endSound();
      this.hasFailed = false;
      this.take = null;
      this.isStopped = false;
      this.receivedS = 0;
      this.peaks = [];
      for (const name of ["take", "firstAudioMs", "startedWhileMaking"]) delete this.dataset[name];
      this.showFacts(false);
    }

    endSound() {
      this.live?.stop();
      this.live = null;
      this.file?.pause();
      this.file = null;
    }

    begin(rate) {
      this.live?.stop();
      this.rate = rate;
      this.receivedS = 0;
      this.peaks = [];
      if (this.isStopped) return;
      this.live = new window.studioLiveSound(rate, {
        started: (at) => {
          this.dataset.firstAudioMs ??= Math.max(0, Math.round(at - this.pressedAt));
          this.dataset.startedWhileMaking ??= String(Boolean(this.dataset.making) && !this.take);
        },
        changed: () => this.showLive(),
        ended: () => this.goOn(),
      });
    }

    hear(samples) {
      const window = Math.round(this.rate * PEAK_WINDOW_S);
      for (let start = 0; start < samples.length; start += window) {
        let peak = 0;
        for (let i = start; i < Math.min(start + window, samples.length); i++) peak = Math.max(peak, Math.abs(samples[i]));
        this.peaks.push(peak);
      }
      this.receivedS += samples.length / this.rate;
      this.live?.add(samples);
      if (!this.live) this.draw();
    }

    showLive() {
      if (!this.live || this.isStopped) return;
      const state = this.live.isPaused ? "paused" : this.live.isBlocked ? "blocked" : this.live.startTime === null ? "waiting" : "playing";
      if (state !== this.dataset.state) this.setState(state);
    }

    // The sound that came is played. The file goes on where not all of it came.
    goOn() {
      const playedS = this.receivedS;
      this.live = null;
      if (this.take && this.take.seconds - playedS > 0.3) this.playFile(playedS);
      else this.setState("ended");
    }

    finish(take) {
      const peaks = this.peaks.length > MAX_PEAKS ? this.squeezed(MAX_PEAKS) : this.peaks;
      const kept = peaks.map((peak) => Math.round(peak * 100) / 100);
      const first_sound_ms = this.dataset.firstAudioMs === undefined ? null : Number(this.dataset.firstAudioMs);
      this.take = { ...take, ...this.asked, peaks: kept, first_sound_ms, is_starred: false };
      this.show(take.outcome);
      if (this.live === null) this.setState("stopped");
      clearTimeout(this.announced);
      this.announce(this.take);
      this.list?.add(this.take);
      this.useSpeed();
      if (first_sound_ms === null) this.addFirstSound(this.take);
    }

    // A short take may be finished before its first sound is on its way.
    addFirstSound(take) {
      const look = setInterval(() => {
        const isKnown = this.dataset.firstAudioMs !== undefined;
        if (!isKnown && this.take === take && this.live) return;
        clearInterval(look);
        if (!isKnown || this.take !== take) return;
        take.first_sound_ms = Number(this.dataset.firstAudioMs);
        this.list?.keep();
        this.fillFacts();
      }, 50);
    }

    announce(take) {
      const detail = take ? { id: take.id, details: take.details, form: take.form } : { id: "", details: {}, form: {} };
      this.dispatchEvent(new CustomEvent("tts-take", { detail, bubbles: true }));
    }

    // Shows a take that is finished; `outcome` in words.
    show(outcome) {
      const { take } = this;
      this.dataset.take = take.id;
      this.say(`${take.is_whole ? "✓" : "◼"} ${outcome}`);
      this.fillFacts();
      const names = Object.keys(this.formats).sort((one) => (one === take.format ? -1 : 1));
      const links = names.map((name) => {
        const file = `${fileName(take)}.${name}`;
        return `<li><a href="${this.address(take)}?format=${name}" download="${escaped(file)}">${name.toUpperCase()}</a></li>`;
      });
      this.part("save").querySelector("ul").innerHTML = links.join("");
    }

    address(take) {
      return this.dataset.takes + take.id;
    }

    fillFacts() {
      const { take } = this;
      if (!take) return;
      const { details } = take;
      const facts = {
        voice: take.voice,
        engine: take.engine,
        seconds: `${take.seconds.toFixed(1)} s`,
        first_sound: take.first_sound_ms === null ? null : `${take.first_sound_ms} ms`,
        first_audio: `${Math.round(1000 * details.first_audio_seconds)} ms`,
        rtf: this.text("speak.fact_rtf_value", { rtf: details.rtf }),
        seed: details.seed ?? this.text("speak.fact_seed_none"),
      };
      const rows = Object.entries(facts).filter(([, value]) => value !== null && value !== "");
      this.part("facts").innerHTML = `<dl>${rows.map(([name, value]) => `<div><dt>${escaped(this.text(`speak.fact_${name}`))}</dt><dd>${escaped(value)}</dd></div>`).join("")}</dl>`;
    }

    showFacts(isShown) {
      this.part("facts").hidden = !isShown;
      this.part("info").setAttribute("aria-expanded", String(isShown));
    }

    // Brings an earlier take back, and plays it.
    open(take) {
      if (this.dataset.making) return;
      this.clear();
      this.take = take;
      this.peaks = take.peaks;
      this.receivedS = take.seconds;
      this.show(take.outcome);
      this.announce(take);
      this.playFile(0);
    }

    close(take) {
      if (this.take?.id !== take.id) return;
      this.clear();
      this.say(this.text("speak.empty"));
      this.setState("idle");
      this.announce(null);
    }

    // The finished file at that second, in place of the sound that came while it was made.
    load(from) {
      this.live?.stop();
      this.live = null;
      if (!this.file) {
        const file = (this.file = new Audio(this.playable()));
        const own = (act) => () => this.file === file && act();
        file.addEventListener("ended", own(() => this.setState("ended")));
        file.addEventListener("playing", own(() => this.setState("playing")));
        file.addEventListener("error", own(() => this.fail({ title: this.text("live.lost"), text: this.text("live.gone") })));
        for (const change of ["timeupdate", "seeked"]) file.addEventListener(change, own(() => this.draw()));
      }
      this.file.playbackRate = Number(this.part("speed").value);
      this.file.currentTime = from;
    }

    playFile(from) {
      this.load(from);
      this.file.play().catch((error) => error.name === "NotAllowedError" && this.setState("blocked"));
    }

    // The file itself, or a copy that every browser plays.
    playable() {
      const plays = document.createElement("audio").canPlayType(this.formats[this.take.format] ?? "");
      return this.address(this.take) + (plays ? "" : "?format=mp3");
    }

    toggle() {
      const { state } = this.dataset;
      if (this.live) {
        if (state === "playing") this.live.pause();
        else this.live.resume();
        this.showLive();
      } else if (state === "playing") {
        this.file?.pause();
        this.setState("paused");
      } else this.playFile(STATIC.has(state) ? 0 : this.positionS);
    }

    seek(share) {
      if (!this.take) return;
      const from = share * this.take.seconds;
      if (this.dataset.state === "playing") this.playFile(from);
      else {
        this.load(from);
        this.setState("paused");
      }
    }

    // The sound that is played while it comes has its own speed; the finished file has the chosen one.
    useSpeed() {
      const speed = Number(this.part("speed").value);
      if (this.file) this.file.playbackRate = speed;
      else if (this.live && this.take && speed !== 1 && this.dataset.state === "playing") this.playFile(this.live.positionS);
    }

    stop() {
      const isBusy = this.dataset.making;
      if (isBusy) {
        this.isStopped = true;
        const body = JSON.stringify({ session: SESSION });
        fetch(`${this.dataset.speak}stop`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      }
      if (!isBusy && !["playing", "paused", "blocked"].includes(this.dataset.state)) return;
      this.endSound();
      this.setState("stopped");
    }

    get positionS() {
      return this.live ? this.live.positionS : this.file ? this.file.currentTime : this.dataset.state === "ended" ? this.receivedS : 0;
    }

    squeezed(bars) {
      const perBar = this.peaks.length / bars;
      return Array.from({ length: Math.min(bars, this.peaks.length) }, (_, bar) => {
        const from = Math.floor(bar * perBar);
        return Math.max(...this.peaks.slice(from, Math.max(from + 1, Math.floor((bar + 1) * perBar))));
      });
    }

    draw() {
      const canvas = this.querySelector("canvas");
      if (!canvas?.clientWidth) return;
      const scale = devicePixelRatio || 1;
      const width = (canvas.width = canvas.clientWidth * scale);
      const height = (canvas.height = canvas.clientHeight * scale);
      const pen = canvas.getContext("2d");
      const style = getComputedStyle(this);
      const step = 5 * scale;
      const seconds = this.take ? this.take.seconds : this.receivedS;
      const position = Math.min(this.positionS, seconds);
      const bars = Math.max(1, Math.floor(width / step));
      const peaks = this.peaks.length > bars || this.take ? this.stretched(bars) : this.peaks;
      const loudest = Math.max(QUIET, ...peaks);
      peaks.forEach((peak, bar) => {
        const tall = Math.max(2 * scale, (peak / loudest) * height);
        const at = this.peaks.length > bars || this.take ? (bar / bars) * seconds : bar * PEAK_WINDOW_S;
        pen.fillStyle = style.getPropertyValue(at < position ? "--color-accent" : "--studio-faint");
        pen.fillRect(bar * step, (height - tall) / 2, 3 * scale, tall);
      });
      const seek = this.part("seek");
      seek.value = seconds ? position / seconds : 0;
      seek.setAttribute("aria-valuetext", `${clock(position)} / ${clock(seconds)}`);
      this.part("time").textContent = seconds ? `${clock(position)} / ${clock(seconds)}` : "";
    }

    // The peaks over the whole width, however many there are.
    stretched(bars) {
      const { peaks } = this;
      if (!peaks.length) return [];
      if (peaks.length >= bars) return this.squeezed(bars);
      return Array.from({ length: bars }, (_, bar) => peaks[Math.floor((bar * peaks.length) / bars)]);
    }
  }

  customElements.define("tts-player", Player);
  addEventListener("tts-stop", () => document.querySelectorAll("tts-player").forEach((player) => player.stop()));
  // A sound that begins ends the one of another tab.
  window.studioSpeak = (id, name, fields, values) => {
    const own = document.querySelector(`#${id} tts-player`);
    document.querySelectorAll("tts-player").forEach((player) => player !== own && player.stop());
    own.speak(name, Object.fromEntries(fields.map((field, place) => [field, values[place] ?? null])));
  };
})();
