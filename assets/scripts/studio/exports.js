// Joined files of a project: make one, see how far it is, fetch it.

import { bytes, clock, tally } from "./api.js";
import { field, h, openDialog, select } from "./dom.js";

const FORMATS = ["mp3", "m4a", "wav", "flac", "ogg", "opus"];

export async function openExports(work) {
  const { api, t } = work.studio;
  const counts = tally(work.project.counts);
  const format = select({}, FORMATS.map((name) => [name, name.toUpperCase()]), "mp3");
  const absent = counts.waiting + counts.failed;
  const missing = select({}, ["skip", "silence", "stop"].map((name) => [name, t(`missing_${name}`)]), "skip");
  const list = h("ul.project-exports");
  const go = h("button.studio-button.studio-primary", {}, t("export_make"));
  const form = h(
    "form",
    {},
    h("div.project-fields", {}, field(t("format"), format), absent ? field(t("missing", { count: absent }), missing) : ""),
    counts.stale ? h("p.studio-hint", {}, t("export_stale", { count: counts.stale })) : "",
    h("footer", {}, go),
  );
  const dialog = openDialog(t("export"), t("close"), form, list);
  let timer = null;
  const update = async () => {
    const made = await work.studio.attempt(() => api.get(`${work.path}/exports`));
    if (!made || !dialog.isConnected) return;
    list.replaceChildren(...made.map((one) => exportRow(work, one)));
    clearTimeout(timer);
    if (made.some((one) => one.state === "making")) timer = setTimeout(update, 700);
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    await work.studio.attempt(() => api.post(`${work.path}/exports`, { format: format.value, missing: missing.value }));
    go.disabled = false;
    await update();
  });
  await update();
}

function exportRow(work, one) {
  const { t } = work.studio;
  const facts = { making: t("export_making", { percent: Math.round(one.percent) }), failed: `! ${work.studio.explain(one)}`, stopped: t("export_stopped") }[one.state] ?? [clock(one.duration_seconds), bytes(one.size_bytes)].join(" · ");
  const get = h("a.studio-button", { href: one.url, download: one.name }, t("download"));
  return h("li", {}, h("div", {}, h("strong", {}, one.name), h("small", { role: "status" }, facts)), one.state === "done" ? get : "");
}
