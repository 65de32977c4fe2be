// Find and replace over the whole project; the number of places is shown before anything changes.

import { field, h, openDialog } from "./dom.js";

export function openReplace(work) {
  const { api, t } = work.studio;
  const find = h("input", { type: "text", required: true, maxlength: 500 });
  const put = h("input", { type: "text", maxlength: 500 });
  const cased = h("input", { type: "checkbox" });
  const words = h("input", { type: "checkbox" });
  const count = h("p", { role: "status" });
  const go = h("button.studio-button.studio-primary", { disabled: true }, t("replace"));
  const form = h(
    "form",
    {},
    field(t("find"), find),
    field(t("replace_by"), put),
    h("div.project-checks", {}, h("label", {}, cased, t("match_case")), h("label", {}, words, t("whole_words"))),
    count,
    h("footer", {}, go),
  );
  const dialog = openDialog(t("replace"), t("close"), form);
  const search = () => ({ text: find.value, match_case: cased.checked, whole_words: words.checked });
  let asked = 0;
  const look = async () => {
    const mine = (asked += 1);
    const found = find.value ? await work.studio.attempt(() => api.post(`${work.path}/find`, search())) : { places: 0, segments: [] };
    if (mine !== asked || !found) return;
    count.textContent = find.value ? t("found_places", { places: found.places, segments: found.segments.length }) : "";
    go.disabled = !found.places;
  };
  for (const input of [find, cased, words]) input.addEventListener("input", look);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    work.change(() => api.post(`${work.path}/replace`, { ...search(), replacement: put.value }));
  });
  find.focus();
}
