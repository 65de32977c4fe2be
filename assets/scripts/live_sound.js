// Plays 16-bit mono samples while the server is still making them.
//
// Web Audio instead of <audio>: starts with the first chunk, needs no container format and keeps levels exact.

(() => {
  const SCHEDULE_AHEAD_S = 4; // background tabs run timers once a second
  const PUMP_INTERVAL_MS = 100;
  const FIRST_LEAD_S = 0.01; // what is scheduled in the past would lose its beginning
  const LEAD_S = 0.06; // after a gap: covers the jitter between chunks

  let audioContext = null;
  const context = () => (audioContext ??= new AudioContext({ latencyHint: "interactive" }));
  let isPaused = false;
  // Browsers let a page make sound only after a gesture; unlocking on any gesture makes Generate count as one.
  const unlock = () => context().state === "suspended" && !isPaused && context().resume();
  for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, unlock, { capture: true });

  // When the loudspeaker gets what is due at `time` of the context, as a time of the page in milliseconds.
  const heardAt = (audio, time) => {
    const { contextTime, performanceTime } = audio.getOutputTimestamp?.() ?? {};
    if (performanceTime) return performanceTime + 1000 * (time - contextTime);
    return performance.now() + 1000 * (time - audio.currentTime + (audio.outputLatency || audio.baseLatency || 0));
  };

  class LiveSound {
    // `listener`: started(milliseconds of the page), changed(), ended(). `changed` comes several times a second.
    constructor(rate, listener) {
      this.rate = rate;
      this.listener = listener;
      this.queue = []; // Float32Array chunks not yet scheduled
      this.nodes = new Set();
      this.receivedS = 0;
      this.nextTime = 0;
      this.startTime = null;
      this.isComplete = false;
      this.isOver = false;
      isPaused = false;
      unlock();
      this.timer = setInterval(() => this.pump(), PUMP_INTERVAL_MS);
    }

    get isPaused() {
      return isPaused;
    }

    get isBlocked() {
      return !isPaused && this.queue.length > 0 && context().state !== "running";
    }

    get positionS() {
      return this.startTime === null ? 0 : Math.max(0, Math.min(context().currentTime - this.startTime, this.receivedS));
    }

    add(samples) {
      if (this.isOver) return;
      this.queue.push(samples);
      this.receivedS += samples.length / this.rate;
      this.pump();
    }

    complete() {
      this.isComplete = true;
      this.pump();
    }

    pause() {
      isPaused = true;
      context().suspend();
    }

    resume() {
      isPaused = false;
      return context().resume().then(() => this.pump());
    }

    stop() {
      this.isOver = true;
      clearInterval(this.timer);
      for (const node of this.nodes) node.stop();
      if (isPaused) this.resume(); // the context is there for the next sound, too
    }

    pump() {
      if (this.isOver) return;
      const audio = context();
      if (audio.state === "running") {
        while (this.queue.length && this.nextTime < audio.currentTime + SCHEDULE_AHEAD_S) this.schedule(audio, this.queue.shift());
        const isPlayed = this.startTime === null || audio.currentTime >= this.nextTime;
        if (this.isComplete && !this.queue.length && isPlayed) {
          this.stop();
          this.listener.ended();
          return;
        }
      }
      this.listener.changed();
    }

    schedule(audio, samples) {
      const buffer = audio.createBuffer(1, samples.length, this.rate);
      buffer.copyToChannel(samples, 0);
      const node = new AudioBufferSourceNode(audio, { buffer });
      node.connect(audio.destination);
      const isFirst = this.startTime === null;
      const lateS = audio.currentTime - this.nextTime;
      if (isFirst) this.nextTime = this.startTime = audio.currentTime + FIRST_LEAD_S;
      else if (lateS > 0) {
        this.nextTime = audio.currentTime + LEAD_S;
        this.startTime += lateS + LEAD_S; // silence is no part of the sound
      }
      node.start(this.nextTime);
      if (isFirst) this.listener.started(heardAt(audio, this.nextTime));
      this.nextTime += buffer.duration;
      this.nodes.add(node);
      node.addEventListener("ended", () => this.nodes.delete(node));
    }
  }

  window.studioLiveSound = LiveSound;
})();
