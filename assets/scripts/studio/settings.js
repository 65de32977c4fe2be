// The settings of the whole project: voice, style, speed, pauses, seed and how takes are checked.

import { field, h, openDialog, select } from "./dom.js";
import { voiceSelect } from "./new_project.js";

export function openSettings(work) {
  const { api, t } = work.studio;
  const { project } = work;
  const { defaults } = project;
  const title = h("input", { type: "text", value: project.title, maxlength: 300, required: true });
  const author = h("input", { type: "text", value: project.author, maxlength: 300 });
  const voice = voiceSelect(work.studio, defaults.voice ?? "");
  const style = h("input", { type: "text", value: defaults.style ?? "", maxlength: 500 });
  const speed = h("input", { type: "number", min: 0.5, max: 2, step: 0.05, value: defaults.speed ?? 1 });
  const pauses = select({}, ["shorter", "normal", "longer"].map((name) => [name, t(`pauses_${name}`)]), project.pauses);
  const check = select({}, ["", "off", "flagged", "all"].map((name) => [name, t(`check_${name || "auto"}`)]), project.check ?? "");
  const seed = h("input", { type: "number", min: 0, max: 4294967295, step: 1, value: project.seed });
  const form = h(
    "form",
    {},
    h(
      "div.project-fields",
      {},
      field(t("title"), title),
      field(t("author"), author),
      field(t("voice"), voice, t("voice_change_info")),
      field(t("style"), style),
      field(t("speed"), speed),
      field(t("pauses"), pauses),
      field(t("check"), check, t("check_info")),
      field(t("seed"), seed),
    ),
    h("footer", {}, h("button.studio-button.studio-primary", {}, t("save"))),
  );
  const dialog = openDialog(t("settings"), t("close"), form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const changes = {
      title: title.value,
      author: author.value,
      voice: voice.value || null,
      style: style.value,
      speed: Number(speed.value),
      pauses: pauses.value,
      check: check.value || "auto",
      seed: Number(seed.value),
      revision: project.revision,
    };
    const done = await work.change(() => api.patch(work.path, changes));
    if (done !== undefined) dialog.close();
  });
}
