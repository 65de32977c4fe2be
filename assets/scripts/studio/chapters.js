// The chapters of an open project, each with how far it is.

import { tally } from "./api.js";
import { bar } from "./projects.js";
import { askTitle, h, menuButton } from "./dom.js";

export function showChapters(work) {
  const { project, filter, chaptersElement: place } = work;
  const { t } = work.studio;
  const everything = project.chapters.length > 1 ? [row(work, { id: "", title: t("all_chapters"), counts: project.counts, included: true })] : [];
  const list = h("ul", {}, everything, project.chapters.map((chapter) => row(work, chapter)));
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.chapter : null;
  place.replaceChildren(list, narrow(work));
  if (focused !== null && focused !== undefined) place.querySelector(`[data-chapter="${CSS.escape(focused)}"]`)?.focus();
  place.hidden = project.chapters.length < 2 && filter.chapter === "";
}

function row(work, chapter) {
  const { t } = work.studio;
  const { done, all } = tally(chapter.counts);
  const title = chapter.title || t("chapter_untitled");
  const open = h(
    "button.project-chapter",
    { type: "button", "data-chapter": chapter.id, "aria-current": work.filter.chapter === chapter.id ? "true" : null, onclick: () => work.show({ chapter: chapter.id, page: 1 }) },
    h("span", {}, title),
    h("small", {}, chapter.included ? `${done}/${all}` : t("left_out")),
    bar(all ? done / all : 1, t("progress_of", { title })),
  );
  const menu = chapter.id
    ? menuButton(t("more_of", { title }), "⋯", () => [
        [t("rename"), () => askTitle(t, t("chapter_title"), chapter.title, (title) => patch(work, chapter, { title }))],
        [chapter.included ? t("leave_out") : t("take_in"), () => patch(work, chapter, { included: !chapter.included })],
      ])
    : "";
  return h("li", {}, open, menu);
}

/** On a phone the chapters are one field. */
function narrow(work) {
  const { t } = work.studio;
  const chapters = [["", t("all_chapters")], ...work.project.chapters.map((one) => [one.id, one.title || t("chapter_untitled")])];
  const field = h("select", { "aria-label": t("chapters") }, chapters.map(([value, label]) => h("option", { value, selected: value === work.filter.chapter }, label)));
  field.addEventListener("change", () => work.show({ chapter: field.value, page: 1 }));
  return field;
}

const patch = (work, chapter, changes) => work.change(() => work.studio.api.patch(`${work.path}/chapters/${chapter.id}`, changes));
