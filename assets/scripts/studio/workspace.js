// An open project: chapters on the left, rows in the middle, the chosen row's takes and settings on the right.

import { duration, Failure, tally } from "./api.js";
import { h, menuButton, openDialog, throttled } from "./dom.js";
import { showChapters } from "./chapters.js";
import { openExports } from "./exports.js";
import { createInspector } from "./inspector.js";
import { listenForKeys, showKeys } from "./keys.js";
import { createPlayer } from "./player.js";
import { createRows } from "./rows.js";
import { openReplace } from "./replace.js";
import { openSettings } from "./settings.js";

const RUNS = new Set(["waiting", "running", "stopping"]);
const STATES = ["waiting", "making", "ready", "flagged", "stale", "failed", "skipped", "empty"];

export async function openWorkspace(studio, id) {
  const { api, t, root } = studio;
  root.replaceChildren(h("p.project-status", { role: "status" }, t("loading")));
  const work = {
    studio,
    id,
    path: `/${id}`,
    project: null,
    page: null,
    /** What the rows are filtered by. */
    filter: { chapter: "", state: "", q: "", page: 1 },
    /** The id of the row that is looked at, and those that are ticked. */
    current: "",
    ticked: new Set(),
    run: null,
  };
  Object.assign(work, actionsOf(work));
  work.project = await api.get(work.path);
  work.filter.chapter = work.project.chapters.length > 1 ? work.project.chapters[0].id : "";
  const parts = layout(work);
  Object.assign(work, parts);
  root.replaceChildren(parts.element);
  await work.loadPage();
  work.select(work.page.rows[0]?.id ?? "");
  const unfollow = work.follow();
  const unkey = listenForKeys(work);
  studio.leave = () => {
    unfollow();
    unkey();
    work.player.stop();
  };
}

function layout(work) {
  const { studio } = work;
  const { t } = studio;
  const chapters = h("nav.project-chapters", { "aria-label": t("chapters") });
  const rows = createRows(work);
  const inspector = createInspector(work);
  const player = createPlayer(work);
  const head = header(work);
  const element = h(
    "div.project-workspace",
    {},
    head.element,
    h("div.project-columns", {}, chapters, h("div.project-middle", {}, toolbar(work), rows.element), inspector.element),
    player.element,
  );
  return { element, rows, inspector, player, head, chaptersElement: chapters };
}

function header(work) {
  const { studio } = work;
  const { t } = studio;
  const title = h("h2", { tabindex: "-1" });
  const undo = h("button.project-icon", { type: "button", "aria-label": t("undo"), title: t("undo"), onclick: () => work.again("undo") }, "↶");
  const redo = h("button.project-icon", { type: "button", "aria-label": t("redo"), title: t("redo"), onclick: () => work.again("redo") }, "↷");
  const make = h("button.studio-button.studio-primary", { type: "button", onclick: () => work.make("all") }, t("make_all"));
  const more = menuButton(t("make_more"), "▾", () => [
    [t("make_chapter"), () => work.make("chapters"), !work.filter.chapter],
    [t("make_ticked", { count: work.ticked.size }), () => work.make("segments", [...work.ticked]), !work.ticked.size],
    [t("make_flagged"), () => work.make("flagged")],
  ], "studio-button project-more");
  const stop = h("button.studio-button", { type: "button", onclick: () => work.stop(), disabled: true }, t("stop"));
  const menu = menuButton(t("more"), "⋯", () => [
    [t("settings"), () => openSettings(work)],
    [t("replace"), () => openReplace(work)],
    [t("export"), () => openExports(work)],
    null,
    [t("clear_takes"), () => work.clearTakes()],
    [t("keys"), () => showKeys(t)],
  ]);
  const status = h("p.project-run", { role: "status" });
  const message = h("p.project-failure", { role: "alert", hidden: true });
  const element = h(
    "header.project-head",
    {},
    h("div.project-bar", {}, h("button.studio-button", { type: "button", onclick: () => studio.close() }, `← ${t("projects")}`), title, h("div.project-acts", {}, undo, redo, menu)),
    h("div.project-bar", {}, h("div.project-split-button", {}, make, more), stop, h("button.studio-button", { type: "button", onclick: () => openExports(work) }, t("export")), status),
    message,
  );
  return {
    element,
    update() {
      const { project, run } = work;
      title.textContent = project.title;
      undo.disabled = !project.undo;
      redo.disabled = !project.redo;
      stop.disabled = !run;
      make.disabled = more.disabled = Boolean(run || project.read_only);
      status.textContent = statusText(work);
      const notes = [...project.notes, project.read_only].filter(Boolean);
      message.hidden = !notes.length;
      message.textContent = notes.map((note) => studio.explain(note)).join(" ");
    },
  };
}

function statusText({ project, run, studio: { t } }) {
  const counts = tally(project.counts);
  const parts = [t("of_ready", { ready: counts.done, all: counts.all })];
  if (run) parts.unshift(t(`run_${run.state}`, run));
  if (run?.eta_s) parts.push(t("left", { time: duration(t, run.eta_s) }));
  if (counts.flagged) parts.push(t("flagged_count", { count: counts.flagged }));
  if (counts.failed) parts.push(t("failed_count", { count: counts.failed }));
  return parts.join(" · ");
}

function toolbar(work) {
  const { t } = work.studio;
  const state = h("select", { "aria-label": t("filter_state") }, h("option", { value: "" }, t("all_states")), STATES.map((name) => h("option", { value: name }, t(`state_${name}`))));
  const search = h("input", { type: "search", placeholder: t("search"), "aria-label": t("search") });
  state.addEventListener("change", () => work.show({ state: state.value, page: 1 }));
  const find = throttled(() => work.show({ q: search.value, page: 1 }), 200);
  search.addEventListener("input", find);
  return h("div.project-filters", {}, state, search);
}

/** What can be done with the project; each shows a failure where the person looks. */
function actionsOf(work) {
  const { studio, path } = work;
  const { api, t } = studio;
  const refreshSoon = throttled(() => studio.attempt(() => work.refresh()), 250);

  async function refresh() {
    const [project] = await Promise.all([api.get(path), work.loadPage()]);
    work.project = project;
    work.head.update();
    showChapters(work);
    work.inspector.update();
  }

  return {
    refresh,
    refreshSoon,
    row: (id) => work.page?.rows.find((row) => row.id === id),
    async loadPage() {
      const { chapter, state, q, page } = work.filter;
      work.page = await api.get(`${path}/segments`, { chapter, state, q, page });
      for (const row of work.page.rows) row.take = row.takes.find((take) => take.heard) ?? null;
      work.filter.page = work.page.page;
      work.rows.update();
      work.head.update();
      showChapters(work);
    },
    async show(change) {
      Object.assign(work.filter, change);
      await studio.attempt(() => work.loadPage());
      if (!work.row(work.current)) work.select(work.page.rows[0]?.id ?? "");
    },
    select(id, { focus = false } = {}) {
      work.current = id;
      work.rows.mark();
      work.inspector.update();
      if (focus) work.rows.focus(id);
    },
    /** Send a change; the page shows the project as it is then. */
    change(send) {
      return studio.attempt(async () => {
        try {
          await send();
        } catch (error) {
          if (error instanceof Failure && error.status === 409) await refresh();
          throw error;
        }
        await refresh();
      });
    },
    choose: (id, take) => work.change(() => api.patch(`${path}/segments/${id}/takes/${take}`, { chosen: true })),
    async nextFlag() {
      const { rows } = work.page;
      const place = rows.findIndex((row) => row.id === work.current);
      const row = [...rows.slice(place + 1), ...rows.slice(0, place + 1)].find((one) => one.state === "flagged");
      if (row) work.select(row.id, { focus: true });
      else await work.show({ state: "flagged", chapter: "", page: 1 });
    },
    again: (way) => work.change(() => api.post(`${path}/${way}`)),
    patch: (id, changes) => work.change(() => api.patch(`${path}/segments/${id}`, { ...changes, revision: work.project.revision })),
    make(scope, segments = [], again = 0) {
      const chapters = scope === "chapters" ? [work.filter.chapter] : [];
      return work.change(async () => {
        work.run = await api.post(`${path}/render`, { scope, chapters, segments, again });
      });
    },
    /** One more take of a segment, or its first. */
    makeOne: (row) => work.make("segments", [row.id], row.takes.some((take) => take.fits) ? 1 : 0),
    stop: () => work.change(() => api.post(`${path}/stop`)),
    async clearTakes() {
      const space = await studio.attempt(() => api.get(`${path}/space`));
      if (!space) return;
      const yes = h("button.studio-button.studio-primary", { type: "button", disabled: !space.unchosen_bytes }, t("clear_takes"));
      const dialog = openDialog(t("clear_takes"), t("close"), h("p", {}, t("clear_takes_info", studio.sizes(space))), h("footer", {}, yes));
      yes.addEventListener("click", () => {
        dialog.close();
        work.change(() => api.post(`${path}/drop-takes`));
      });
    },
    follow() {
      return api.follow(`${path}/events`, (type, data) => {
        if (type !== "run") return refreshSoon();
        const was = work.run;
        work.run = RUNS.has(data.state) ? data : null;
        work.head.update();
        if (was && !work.run) refreshSoon();
        if (was && data.state === "failed") studio.complain(studio.explain(data));
        return undefined;
      });
    },
  };
}
