// The chapter's player: plays row after row with the pauses between them, and shows which row is heard.

import { h } from "./dom.js";

export function createPlayer(work) {
  const { t } = work.studio;
  const sound = new Audio();
  const label = h("span", { role: "status" });
  const toggle = h("button.project-icon", { type: "button", "aria-label": t("play"), onclick: () => (isOn() ? stop() : playOn()) }, "▶");
  const element = h("div.project-player", { role: "group", "aria-label": t("player") }, toggle, label);
  let heard = "";
  let goesOn = false;
  let pausing = null;
  const isOn = () => Boolean(heard);

  function show() {
    toggle.textContent = heard ? "◼" : "▶";
    toggle.setAttribute("aria-label", heard ? t("stop_sound") : t("play_on"));
    const row = heard && work.row(heard);
    label.textContent = row ? t("playing_row", { number: row.number }) : t("player_hint");
    work.rows?.play(heard, Boolean(heard));
  }

  function stop() {
    clearTimeout(pausing);
    sound.pause();
    heard = "";
    show();
  }

  async function start(id, take) {
    clearTimeout(pausing);
    sound.src = take.url;
    heard = id;
    show();
    try {
      await sound.play();
    } catch (error) {
      if (error.name !== "AbortError") stop(); // another row was chosen meanwhile
    }
  }

  /** The next row with a take, from the page after this one where that is needed. */
  async function next() {
    const place = work.page.rows.findIndex((row) => row.id === heard);
    const after = work.page.rows.slice(place + 1).find((row) => row.take && row.state !== "skipped");
    if (after || work.page.page >= work.page.pages) return after;
    await work.show({ page: work.page.page + 1 });
    return work.page.rows.find((row) => row.take && row.state !== "skipped");
  }

  sound.addEventListener("ended", async () => {
    const row = work.row(heard);
    const following = goesOn ? await next() : null;
    if (!following) return stop();
    pausing = setTimeout(() => start(following.id, following.take), 1000 * (row?.pause_after_seconds ?? 0.5));
    return undefined;
  });
  addEventListener("tts-stop", stop);

  function playRow(id) {
    const row = work.row(id);
    if (heard === id) return stop();
    goesOn = false;
    return row?.take ? start(id, row.take) : undefined;
  }

  function playOn() {
    const from = work.page.rows.findIndex((row) => row.id === work.current);
    const row = work.page.rows.slice(Math.max(0, from)).find((one) => one.take);
    goesOn = true;
    return row ? start(row.id, row.take) : undefined;
  }

  show();
  return {
    element,
    stop: () => {
      removeEventListener("tts-stop", stop);
      stop();
    },
    playRow,
    playOn,
    playTake(id, take) {
      goesOn = false;
      start(id, take);
    },
  };
}
