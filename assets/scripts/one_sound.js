// Short sounds of the page, one at a time: previews of voices and recordings of the library.
//
// studioSound.play(key, source, changed): `source(signal)` answers the sound's address, or a Blob, once it is there;
// `changed(state)` is called with "busy", "playing", "failed" and, when it is over, "". The key names what plays: asking
// for it once more stops it. Other sounds of the page stop it, too, and are stopped by it.

(() => {
  let now = null; // { key, changed, abort, audio }

  const end = (state) => {
    const over = now;
    now = null;
    if (!over) return;
    over.abort.abort();
    over.audio?.pause();
    if (over.audio?.src.startsWith("blob:")) URL.revokeObjectURL(over.audio.src);
    over.changed(state);
  };

  const stop = () => end("");

  const play = async (key, source, changed) => {
    const isSame = now?.key === key;
    stop();
    if (isSame) return;
    const mine = (now = { key, changed, abort: new AbortController(), audio: null });
    dispatchEvent(new Event("tts-stop")); // the take that is playing
    if (now !== mine) now = mine;
    document.querySelectorAll("audio").forEach((audio) => audio.pause());
    changed("busy");
    try {
      const found = await source(mine.abort.signal);
      if (now !== mine) return;
      mine.audio = new Audio(found instanceof Blob ? URL.createObjectURL(found) : found);
      mine.audio.addEventListener("ended", () => now === mine && stop());
      await mine.audio.play();
      if (now === mine) changed("playing");
    } catch (error) {
      if (now === mine) end(error.name === "AbortError" ? "" : "failed");
    }
  };

  // A sentence that a voice speaks now: the same way as every other program asks for one. Leaving stops the work. The
  // newest ones are kept, so that voices can be compared; `version` changes when a voice does.
  const MOST_KEPT = 30;
  const kept = new Map();
  const spoken = (api, voice, text, version = "") => async (signal) => {
    const name = JSON.stringify([voice, text, version]);
    if (kept.has(name)) return kept.get(name);
    const body = JSON.stringify({ text, voice_id: voice, seed: 0, max_seconds: 20, read_as: "plain" });
    const headers = { "Content-Type": "application/json", Accept: "audio/wav" };
    const response = await fetch(`${api}/synthesize`, { method: "POST", headers, body, signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    kept.set(name, await response.blob());
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
    return kept.get(name);
  };

  window.studioSound = { play, stop, spoken, isPlaying: (key) => now?.key === key };
  addEventListener("tts-stop", () => now?.audio && stop());
  addEventListener("play", () => stop(), { capture: true }); // an <audio> of the page; ours is not in the document
  addEventListener("pagehide", stop);
  addEventListener("click", (event) => event.target.closest?.(".studio-run, [role=tab], tts-player") && stop(), { capture: true });
})();
