// The Studio: long texts as projects. It talks to the routes below /api/studio and keeps nothing but the place where
// the person was.

import { createApi, createWords, Failure } from "./api.js";
import { h } from "./dom.js";
import { sizes } from "./inspector.js";
import { showProjects } from "./projects.js";
import { openWorkspace } from "./workspace.js";

const OPEN_KEY = "tts-studio-project";

/** `place` holds the page; its data: the routes' address, the page's words as JSON. */
export function start(place) {
  const t = createWords(JSON.parse(place.dataset.words));
  const root = h("div.project-root");
  const alarm = h("p.project-alarm", { role: "alert", hidden: true });
  place.append(alarm, root);
  let quiet = null;

  const studio = {
    t,
    root,
    sizes,
    api: createApi(place.dataset.api, t),
    voices: [],
    leave: () => {},
    /** The sentence of a code in the page's language, else the server's. */
    explain({ code, message }) {
      const known = t(`error_${code}`);
      return known === `error_${code}` ? (message ?? code) : known;
    },
    complain(message) {
      alarm.textContent = `! ${message}`;
      alarm.hidden = false;
      clearTimeout(quiet);
      quiet = setTimeout(() => (alarm.hidden = true), 12000);
    },
    /** What `work` answers, null for nothing; undefined once its failure has been shown. */
    async attempt(work) {
      try {
        const answer = (await work()) ?? null;
        alarm.hidden = true;
        return answer;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        studio.complain(error.message);
        return undefined;
      }
    },
    async open(id) {
      localStorage.setItem(OPEN_KEY, id);
      await enter(() => openWorkspace(studio, id));
    },
    async close() {
      localStorage.removeItem(OPEN_KEY);
      await enter(() => showProjects(studio));
    },
  };

  async function enter(show) {
    studio.leave();
    studio.leave = () => {};
    try {
      studio.voices = await studio.attempt(() => loadVoices(place.dataset.voices)) ?? [];
      await show();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      studio.complain(error.message);
      if (localStorage.getItem(OPEN_KEY)) await studio.close();
    }
  }

  const asked = new URL(location.href).searchParams.get("project") ?? localStorage.getItem(OPEN_KEY);
  return asked ? studio.open(asked) : studio.close();
}

async function loadVoices(address) {
  const answer = await fetch(address);
  if (!answer.ok) return [];
  const { data } = await answer.json();
  return data.map((voice) => ({ id: voice.voice_id, name: voice.speaker, group: voice.model_key }));
}
