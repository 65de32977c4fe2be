// <tts-live>: plays raw 16-bit mono PCM over fetch while the server is still making it.
//
// Attributes: data-src (stream URL), data-rate (Hz), data-text-* (labels in the page's language).
// data-state tells what it is doing: connecting, playing, paused, blocked, ended, stopped, error.
// Web Audio instead of <audio>: starts with the first chunk, needs no container format and keeps levels exact.

(() => {
  const SCHEDULE_AHEAD_S = 4; // background tabs run timers once a second
  const PUMP_INTERVAL_MS = 120;
  const START_DELAY_S = 0.06; // covers the jitter between the first chunks
  const PEAK_WINDOW_S = 0.05;

  const icon = (path) => `<svg viewBox="0 0 24 24" width="18" height="18" fill="currentColor" aria-hidden="true"><path d="${path}"/></svg>`;
  const PLAY_ICON = icon("M7 4.5v15l13-7.5z");
  const PAUSE_ICON = icon("M6 4.5h4v15H6zM14 4.5h4v15h-4z");

  let audioContext = null;
  const context = () => (audioContext ??= new AudioContext({ latencyHint: "playback" }));
  // Browsers let a page make sound only after a gesture; unlocking on any gesture makes Generate count as one.
  const unlock = () => context().state === "suspended" && !document.querySelector("tts-live[data-state=paused]") && context().resume();
  for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, unlock, { capture: true });

  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  class LivePlayer extends HTMLElement {
    static observedAttributes = ["data-src"];

    connectedCallback() {
      this.start();
    }

    // Gradio may turn one player into the next by changing its attributes and then its children.
    attributeChangedCallback(_name, before) {
      if (before === null || !this.isConnected) return;
      this.halt("stopped");
      setTimeout(() => this.start());
    }

    start() {
      if (!this.dataset.src || !this.isConnected) return;
      delete this.dataset.firstAudioMs;
      this.rate = Number(this.dataset.rate);
      this.queue = []; // Float32Array chunks not yet scheduled
      this.nodes = new Set();
      this.peaks = [];
      this.receivedS = 0;
      this.nextTime = 0;
      this.startTime = null;
      this.complete = false;
      this.abort = new AbortController();
      this.requestedAt = performance.now();
      this.render();
      this.setState("connecting");
      this.timer = setInterval(() => this.pump(), PUMP_INTERVAL_MS);
      this.receive();
    }

    disconnectedCallback() {
      this.halt("stopped");
    }

    render() {
      this.innerHTML = `
        <button type="button" class="live-toggle"></button>
        <canvas class="live-wave" aria-hidden="true"></canvas>
        <span class="live-time" aria-hidden="true"></span>
        <span class="live-state" role="status"></span>`;
      this.button = this.querySelector("button");
      this.canvas = this.querySelector("canvas");
      this.button.addEventListener("click", () => this.toggle());
    }

    setState(state) {
      if (this.dataset.state === state) return;
      this.dataset.state = state;
      const waiting = state === "paused" || state === "blocked";
      this.button.innerHTML = waiting ? PLAY_ICON : PAUSE_ICON;
      this.button.setAttribute("aria-label", waiting ? this.dataset.textPlay : this.dataset.textPause);
      this.button.disabled = ["ended", "stopped", "error"].includes(state);
      this.querySelector(".live-state").textContent = this.dataset[`text${state[0].toUpperCase()}${state.slice(1)}`] ?? "";
    }

    async receive() {
      try {
        const response = await fetch(this.dataset.src, { signal: this.abort.signal, cache: "no-store" });
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
        const reader = response.body.getReader();
        let rest = new Uint8Array(0);
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          rest = this.accept(rest, value);
        }
        this.complete = true;
      } catch (error) {
        if (error.name !== "AbortError") this.halt("error");
      }
    }

    // Turns whole samples into a chunk and returns the odd byte that is left.
    accept(rest, bytes) {
      const joined = new Uint8Array(rest.length + bytes.length);
      joined.set(rest);
      joined.set(bytes, rest.length);
      const count = joined.length >> 1;
      if (count) {
        const view = new DataView(joined.buffer);
        const samples = new Float32Array(count);
        for (let i = 0; i < count; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
        this.queue.push(samples);
        this.receivedS += count / this.rate;
        this.measure(samples);
        this.pump();
      }
      return joined.slice(2 * count);
    }

    measure(samples) {
      const window = Math.round(this.rate * PEAK_WINDOW_S);
      for (let start = 0; start < samples.length; start += window) {
        let peak = 0;
        for (let i = start; i < Math.min(start + window, samples.length); i++) peak = Math.max(peak, Math.abs(samples[i]));
        this.peaks.push(peak);
      }
    }

    pump() {
      if (!this.isConnected || this.button.disabled) return;
      const audio = context();
      if (audio.state !== "running") {
        if (this.dataset.state !== "paused" && this.queue.length) this.setState("blocked");
      } else {
        while (this.queue.length && this.nextTime < audio.currentTime + SCHEDULE_AHEAD_S) this.schedule(audio, this.queue.shift());
        if (this.startTime !== null) this.setState("playing");
        if (this.complete && !this.queue.length && this.startTime !== null && audio.currentTime >= this.nextTime) this.halt("ended");
        else if (this.complete && this.receivedS === 0) this.halt("ended");
      }
      this.draw();
    }

    schedule(audio, samples) {
      const buffer = audio.createBuffer(1, samples.length, this.rate);
      buffer.copyToChannel(samples, 0);
      const node = new AudioBufferSourceNode(audio, { buffer });
      node.connect(audio.destination);
      if (this.nextTime < audio.currentTime) this.nextTime = audio.currentTime + START_DELAY_S;
      if (this.startTime === null) {
        this.startTime = this.nextTime;
        this.dataset.firstAudioMs = Math.round(performance.now() - this.requestedAt);
        this.dataset.startedWhileMaking = String(!this.complete);
      }
      node.start(this.nextTime);
      this.nextTime += buffer.duration;
      this.nodes.add(node);
      node.addEventListener("ended", () => this.nodes.delete(node));
    }

    toggle() {
      const audio = context();
      if (this.dataset.state === "playing" || this.dataset.state === "connecting") {
        audio.suspend();
        this.setState("paused");
      } else {
        audio.resume().then(() => {
          this.setState(this.startTime === null ? "connecting" : "playing");
          this.pump();
        });
      }
    }

    halt(state) {
      clearInterval(this.timer);
      this.abort?.abort();
      for (const node of this.nodes ?? []) node.stop();
      if (this.dataset.state === "paused") context().resume();
      this.queue = [];
      if (this.button && !this.button.disabled) this.setState(state);
      if (this.canvas) this.draw();
    }

    get playedS() {
      return this.startTime === null ? 0 : Math.max(0, Math.min(context().currentTime - this.startTime, this.receivedS));
    }

    draw() {
      const { canvas } = this;
      const scale = devicePixelRatio || 1;
      const width = (canvas.width = canvas.clientWidth * scale);
      const height = (canvas.height = canvas.clientHeight * scale);
      const pen = canvas.getContext("2d");
      const style = getComputedStyle(this);
      const bar = 3 * scale;
      const bars = Math.floor(width / (bar + 2 * scale));
      const perBar = Math.max(1, this.peaks.length / bars);
      const played = this.dataset.state === "ended" ? Infinity : this.playedS / PEAK_WINDOW_S;
      for (let i = 0; i < bars && i * perBar < this.peaks.length; i++) {
        let peak = 0;
        for (let p = Math.floor(i * perBar); p < Math.max(Math.floor((i + 1) * perBar), Math.floor(i * perBar) + 1); p++) peak = Math.max(peak, this.peaks[p] ?? 0);
        const tall = Math.max(2 * scale, peak * height);
        pen.fillStyle = style.getPropertyValue(i * perBar < played ? "--color-accent" : "--studio-faint");
        pen.fillRect(i * (bar + 2 * scale), (height - tall) / 2, bar, tall);
      }
      this.querySelector(".live-time").textContent = `${clock(this.playedS)} / ${clock(this.receivedS)}`;
    }
  }

  customElements.define("tts-live", LivePlayer);
  addEventListener("tts-stop", () => document.querySelectorAll("tts-live").forEach((player) => player.halt("stopped")));
})();
