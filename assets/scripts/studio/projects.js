// The list of projects: open, rename, delete and bring back.

import { clock, tally } from "./api.js";
import { askTitle, h, menuButton, openDialog } from "./dom.js";
import { newProject } from "./new_project.js";

export async function showProjects(studio) {
  const { api, t, root } = studio;
  root.replaceChildren(h("p.project-status", { role: "status" }, t("loading")));
  const [projects, gone] = await Promise.all([api.get(""), api.get("", { deleted: true })]);
  const begin = h("button.studio-button.studio-primary", { type: "button", onclick: () => newProject(studio) }, t("new"));
  const list = h("ul.project-cards", { "aria-label": t("projects") }, projects.map((one) => card(studio, one)));
  const empty = h("div.project-empty", {}, h("p", {}, h("strong", {}, t("empty_title"))), h("p", {}, t("empty_info")));
  root.replaceChildren(
    h("header.project-bar", {}, h("h2", {}, t("projects")), begin),
    h("p.studio-hint", {}, t("intro")),
    projects.length ? list : empty,
    gone.length ? deletedFold(studio, gone) : "",
  );
}

function card(studio, project) {
  const { t } = studio;
  if (project.problem) return brokenCard(studio, project);
  const counts = tally(project.counts);
  const { done, all } = counts;
  const facts = [
    t("of_ready", { ready: done, all }),
    counts.seconds ? t("made", { time: clock(counts.seconds) }) : "",
    counts.flagged ? t("flagged_count", { count: counts.flagged }) : "",
    counts.stale ? t("stale_count", { count: counts.stale }) : "",
  ].filter(Boolean);
  const open = () => studio.open(project.id);
  const menu = menuButton(t("more_of", { title: project.title }), "⋯", () => [
    [t("open"), open],
    [t("rename"), () => rename(studio, project)],
    null,
    [t("delete"), () => remove(studio, project)],
  ]);
  return h(
    "li.project-card",
    { onclick: (event) => event.target.closest("button") || open() },
    h("h3", {}, h("button.project-title", { type: "button", onclick: open }, project.title)),
    menu,
    h("p", {}, facts.join(" · ")),
    bar(all ? done / all : 1, t("progress_of", { title: project.title })),
    counts.making ? h("span.project-running", {}, t("run_running")) : "",
  );
}

function brokenCard(studio, project) {
  const { t } = studio;
  return h(
    "li.project-card",
    { "data-state": "failed" },
    h("h3", {}, project.title),
    h("p.project-failure", {}, `! ${project.problem.message}`),
    h("button.studio-button", { type: "button", onclick: () => remove(studio, project) }, t("delete")),
  );
}

export function bar(share, label) {
  const percent = Math.round(100 * Math.min(1, share));
  const inner = h("i", { style: `width:${percent}%` });
  return h("div.project-progress", { role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": percent }, inner);
}

function deletedFold(studio, projects) {
  const { api, t } = studio;
  const rows = projects.map((project) =>
    h(
      "li",
      {},
      h("span", {}, project.title),
      h(
        "button.studio-button",
        {
          type: "button",
          "aria-label": `${t("restore")}: ${project.title}`,
          onclick: () => studio.attempt(async () => {
            await api.post(`/${project.id}/restore`);
            await showProjects(studio);
          }),
        },
        t("restore"),
      ),
    ),
  );
  return h("details.project-gone", {}, h("summary", {}, t("deleted", { count: projects.length })), h("p.studio-hint", {}, t("deleted_info")), h("ul", {}, rows));
}

function rename(studio, project) {
  const { api, t } = studio;
  askTitle(t, t("title"), project.title, (title) =>
    studio.attempt(async () => {
      await api.patch(`/${project.id}`, { title });
      await showProjects(studio);
    }),
  );
}

function remove(studio, project) {
  const { api, t } = studio;
  const yes = h("button.studio-button.studio-primary", { type: "button" }, t("delete"));
  const dialog = openDialog(t("delete_title", { title: project.title }), t("close"), h("p", {}, t("delete_info")), h("footer", {}, yes));
  yes.addEventListener("click", () =>
    studio.attempt(async () => {
      await api.remove(`/${project.id}`);
      dialog.close();
      await showProjects(studio);
    }),
  );
}
