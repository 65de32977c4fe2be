// The chosen row's takes and settings; on a phone a sheet that a tap on a row opens.

import { bytes, clock } from "./api.js";
import { field, h, select } from "./dom.js";
import { voiceSelect } from "./new_project.js";

export function createInspector(work) {
  const { t } = work.studio;
  const close = h("button.project-close", { type: "button", "aria-label": t("close"), onclick: () => element.removeAttribute("data-open") }, "✕");
  const body = h("div");
  const element = h("aside.project-inspector", { "aria-label": t("inspector") }, close, body);
  let shown = "";

  function update() {
    const row = work.row(work.current);
    const form = body.querySelector("form");
    const isTyping = shown === row?.id && form?.contains(document.activeElement);
    shown = row?.id ?? "";
    if (!row) return body.replaceChildren(h("p.studio-hint", {}, t("choose_row")));
    const takes = takeList(work, row);
    if (isTyping) return body.querySelector(".project-takes").replaceWith(takes);
    return body.replaceChildren(h("h3", {}, t("row_title", { number: row.number })), takes, settings(work, row));
  }

  return {
    element,
    update,
    openOnPhone: () => matchMedia("(max-width: 860px)").matches && element.setAttribute("data-open", ""),
  };
}

function takeList(work, row) {
  const { t } = work.studio;
  const again = h("button.studio-button", { type: "button", disabled: Boolean(work.run), onclick: () => work.makeOne(row) }, row.takes.length ? t("make_again") : t("make_this"));
  const own = h("input", { type: "file", accept: "audio/*", hidden: true });
  own.addEventListener("change", () => {
    const form = new FormData();
    form.append("file", own.files[0]);
    work.change(() => work.studio.api.send(`${work.path}/segments/${row.id}/takes`, form));
  });
  return h(
    "section.project-takes",
    {},
    row.failure ? h("p.project-failure", {}, `! ${t("failed_because", { reason: work.studio.explain({ code: row.failure }) })}`) : "",
    h("ol", { "aria-label": t("takes") }, row.takes.map((take) => takeElement(work, row, take))),
    h("div.project-acts", {}, again, h("button.studio-button", { type: "button", onclick: () => own.click() }, t("own_recording")), own),
  );
}

function takeElement(work, row, take) {
  const { api, t } = work.studio;
  const path = `${work.path}/segments/${row.id}/takes/${take.id}`;
  const isHeard = take.heard;
  const patch = (changes) => work.change(() => api.patch(path, changes));
  const button = (label, text, act, attributes = {}) =>
    h("button.project-icon", { type: "button", "aria-label": `${label}: ${t("take", { number: take.number })}`, title: label, onclick: act, ...attributes }, text);
  const facts = [
    clock(take.duration_seconds),
    t(`origin_${take.origin}`),
    take.seed === null ? "" : t("seed_value", { seed: take.seed }),
    take.errors === null ? "" : t("heard_wrong", { errors: take.errors, units: take.units }),
    take.fits ? "" : t("of_earlier_text"),
  ];
  return h(
    "li.project-take",
    { "data-heard": isHeard },
    h(
      "div",
      {},
      button(t("play"), "▶", () => work.player.playTake(row.id, take)),
      h("label", {}, h("input", { type: "radio", name: "take", checked: isHeard, onchange: () => work.choose(row.id, take.id) }), t("take", { number: take.number })),
      button(t("star"), take.starred ? "★" : "☆", () => patch({ starred: !take.starred }), { "aria-pressed": String(take.starred) }),
      button(t("delete"), "✕", () => work.change(() => api.remove(path))),
    ),
    h("small", {}, facts.filter(Boolean).join(" · ")),
    take.flagged ? reasons(work, row, take) : "",
  );
}

function reasons(work, row, take) {
  const { api, t } = work.studio;
  const right = h("button.studio-button", { type: "button", onclick: () => work.change(() => api.post(`${work.path}/segments/${row.id}/accept`, { take: take.id })) }, t("accept"));
  const differences = take.differences.slice(0, 8).map((one) => h("li", {}, h("del", {}, one.expected || "∅"), " → ", h("ins", {}, one.actual || "∅")));
  return h("div.project-flags", {}, h("p", {}, `⚑ ${take.flags.map((flag) => t(`flag_${flag}`)).join(" · ")}`), differences.length ? h("ul", {}, differences) : "", right);
}

function settings(work, row) {
  const { t } = work.studio;
  const own = row.own;
  const patch = (changes) => work.patch(row.id, changes);
  /** What is emptied is the project's again. */
  const set = (name, value) => patch(value === "" ? { reset: [name] } : { [name]: value });
  const voice = voiceSelect(work.studio, own.voice ?? "", t("as_project"));
  voice.addEventListener("change", () => set("voice", voice.value));
  const style = h("input", { type: "text", value: own.style ?? "", placeholder: t("as_project"), maxlength: 500 });
  style.addEventListener("change", () => set("style", style.value));
  const speeds = ["", "0.8", "0.9", "1", "1.1", "1.2", "1.4"];
  const speed = select({}, speeds.map((value) => [value, value ? `${value}×` : t("as_project")]), own.speed ? String(own.speed) : "");
  speed.addEventListener("change", () => set("speed", speed.value && Number(speed.value)));
  const pause = h("input", { type: "number", min: 0, max: 60, step: 0.1, value: row.pause_seconds ?? "", placeholder: t("pause_usual") });
  pause.addEventListener("change", () => set("pause_seconds", pause.value && Number(pause.value)));
  const note = h("input", { type: "text", value: row.note, maxlength: 500 });
  note.addEventListener("change", () => patch({ note: note.value }));
  const form = h("form.project-settings", {}, field(t("voice"), voice), field(t("style"), style), field(t("speed"), speed), field(t("pause_after"), pause), field(t("note"), note));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    document.activeElement?.blur();
  });
  return form;
}

export const sizes = (space) => ({
  all: bytes(space.total_bytes),
  takes: bytes(space.takes_bytes),
  unchosen: bytes(space.unchosen_bytes),
});
