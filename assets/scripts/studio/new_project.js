// A new project: a text is pasted or a file chosen, looked at as chapters before anything is made, and kept.

import { duration } from "./api.js";
import { field, h, openDialog, select } from "./dom.js";

const SPLITS = ["balanced", "sentences", "long", "paragraph"];

export function newProject(studio) {
  const { t } = studio;
  const file = h("input", { type: "file", accept: ".txt,.md,.markdown,text/plain,text/markdown", hidden: true });
  const text = h("textarea", { rows: 8, placeholder: t("paste_here"), "aria-label": t("text") });
  const chosen = h("p.project-file", { role: "status" });
  const choose = h("button.studio-button", { type: "button", onclick: () => file.click() }, t("choose_file"));
  const voice = voiceSelect(studio, "");
  const split = select({}, SPLITS.map((name) => [name, t(`split_${name}`)]), "balanced");
  const next = h("button.studio-button.studio-primary", {}, t("preview"));
  const message = h("p.project-failure", { role: "alert", hidden: true });
  const preview = h("div.project-preview", { hidden: true });
  const form = h(
    "form.project-new",
    {},
    text,
    h("div.project-or", {}, choose, file, chosen),
    h("div.project-fields", {}, field(t("voice"), voice), field(t("split"), split, t("split_info"))),
    message,
    preview,
    h("footer", {}, next),
  );
  const dialog = openDialog(t("new"), t("close"), form);
  let shown = null; // the preview as it is shown; a change of the text makes it void
  const forget = () => {
    shown = null;
    preview.hidden = true;
    next.textContent = t("preview");
  };
  for (const input of [text, file, split]) input.addEventListener("input", forget);
  file.addEventListener("change", () => {
    chosen.textContent = file.files[0]?.name ?? "";
  });
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    file.files = event.dataTransfer.files;
    file.dispatchEvent(new Event("change"));
    forget();
  });
  const sent = (dry) => {
    const data = new FormData();
    if (file.files[0]) data.append("file", file.files[0]);
    else data.append("text", text.value);
    data.append("split", split.value);
    data.append("voice", voice.value);
    if (shown && !dry) {
      data.append("title", shown.title.value);
      data.append("included", JSON.stringify(shown.chapters.map(({ tick }) => tick.checked)));
      data.append("titles", JSON.stringify(shown.chapters.map(({ title }) => title.value)));
    }
    data.append("dry_run", dry);
    return studio.api.send("/import", data);
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    message.hidden = true;
    next.disabled = true;
    try {
      if (shown) {
        const { project } = await sent(false);
        dialog.close();
        await studio.open(project.id);
      } else {
        shown = showPreview(t, preview, (await sent(true)).preview);
        next.textContent = t("create");
      }
    } catch (error) {
      message.textContent = `! ${error.message}`;
      message.hidden = false;
    } finally {
      next.disabled = false;
    }
  });
  text.focus();
}

function showPreview(t, place, found) {
  const title = h("input", { type: "text", value: found.title, maxlength: 300 });
  const chapters = found.chapters.map((chapter) => ({
    tick: h("input", { type: "checkbox", checked: chapter.included, "aria-label": t("include", { title: chapter.title }) }),
    title: h("input", { type: "text", value: chapter.title, maxlength: 300, "aria-label": t("chapter_title") }),
    chapter,
  }));
  const rows = chapters.map(({ tick, title: name, chapter }) =>
    h(
      "li",
      {},
      tick,
      h("div", {}, name, h("small", {}, chapter.first_line)),
      h("span", {}, `${t("segments_count", { count: chapter.segments })} · ${duration(t, chapter.expected_seconds)}`),
    ),
  );
  const warnings = [
    ...found.chapters.flatMap((chapter) => chapter.warnings.map((code) => t(`warning_${code}`, { title: chapter.title || t("chapter_untitled") }))),
    ...Object.entries(found.skipped).map(([kind, count]) => t(`skipped_${kind}`, { count })),
  ].map((warning) => h("li", {}, warning));
  place.replaceChildren(
    field(t("title"), title),
    h("p", { role: "status" }, t("preview_total", { chapters: chapters.length, segments: found.segments, time: duration(t, found.expected_seconds) })),
    warnings.length ? h("ul.project-warnings", {}, warnings) : "",
    h("ol.project-chapter-preview", {}, rows),
  );
  place.hidden = false;
  return { title, chapters };
}

/** The voices that can speak, by engine; `other` is the label of the choice that means none of them. */
export function voiceSelect(studio, value, other = "") {
  const { t } = studio;
  const groups = new Map();
  for (const voice of studio.voices) {
    if (!groups.has(voice.group)) groups.set(voice.group, []);
    groups.get(voice.group).push(voice);
  }
  const known = value === "" || studio.voices.some((voice) => voice.id === value);
  return h(
    "select",
    {},
    h("option", { value: "", selected: !value }, other || t("voice_usual")),
    known ? "" : h("option", { value, selected: true }, t("voice_missing", { voice: value })),
    [...groups].map(([label, voices]) =>
      h("optgroup", { label }, voices.map((voice) => h("option", { value: voice.id, selected: voice.id === value }, voice.name))),
    ),
  );
}
