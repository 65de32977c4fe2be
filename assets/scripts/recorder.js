// <studio-recorder>: while the Clone tab records, how loud it is and how long the recording has become.
//
// data-state is idle, short, good or enough; data-paused is there while the recording pauses.

(() => {
  const GOOD_S = 5;
  const ENOUGH_S = 15;
  const SILENCE_DB = -60;

  class Recorder extends HTMLElement {
    connectedCallback() {
      if (this.firstChild) return;
      this.dataset.state = "idle";
      this.innerHTML = `
        <svg viewBox="0 0 64 64" width="64" height="64" aria-hidden="true">
          <circle cx="32" cy="32" r="27" pathLength="${ENOUGH_S}"/>
          <circle class="recorder-done" cx="32" cy="32" r="27" pathLength="${ENOUGH_S}" stroke-dasharray="0 ${ENOUGH_S}"/>
          <path d="M32 1v9" transform="rotate(${(360 * GOOD_S) / ENOUGH_S} 32 32)"/>
          <text x="32" y="37"></text>
        </svg>
        <div><strong role="status"></strong><span class="recorder-level" aria-hidden="true"><i></i></span></div>`;
      this.ring = this.querySelector(".recorder-done");
      this.clock = this.querySelector("text");
      this.message = this.querySelector("strong");
      this.bar = this.querySelector("i");
    }

    // Follow a MediaRecorder to its end.
    follow(recorder) {
      const context = new AudioContext();
      const meter = context.createAnalyser();
      context.createMediaStreamSource(recorder.stream).connect(meter);
      const samples = new Float32Array(meter.fftSize);
      let seconds = 0;
      let before = performance.now();
      const draw = (now) => {
        if (recorder.state === "inactive") return;
        const isPaused = recorder.state === "paused";
        seconds += isPaused ? 0 : Math.max(0, now - before) / 1000;
        before = now;
        meter.getFloatTimeDomainData(samples);
        const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
        const level = isPaused ? 0 : 1 - (10 * Math.log10(power + 1e-9)) / SILENCE_DB;
        this.show(seconds, Math.min(1, Math.max(0, level)), isPaused);
        requestAnimationFrame(draw);
      };
      recorder.addEventListener("stop", () => {
        this.dataset.state = "idle";
        context.close();
      });
      draw(before);
    }

    show(seconds, level, isPaused) {
      const state = seconds < GOOD_S ? "short" : seconds < ENOUGH_S ? "good" : "enough";
      if (this.dataset.state !== state) {
        this.dataset.state = state;
        this.message.textContent = this.dataset[state];
      }
      this.toggleAttribute("data-paused", isPaused);
      this.ring.setAttribute("stroke-dasharray", `${Math.min(seconds, ENOUGH_S)} ${ENOUGH_S}`);
      this.clock.textContent = Math.floor(seconds);
      this.bar.style.width = `${100 * level}%`;
    }
  }

  customElements.define("studio-recorder", Recorder);
  if (!window.MediaRecorder) return;
  const start = MediaRecorder.prototype.start;
  MediaRecorder.prototype.start = function (...values) {
    start.apply(this, values);
    const recorder = document.querySelector("studio-recorder");
    if (recorder?.closest(".tabitem, [role=tabpanel]")?.offsetParent) recorder.follow(this);
  };
})();
