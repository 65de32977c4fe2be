// The rows of a page: number, text, length and state. Only one page is ever in the document, whatever the project's size.

import { clock } from "./api.js";
import { h, menuButton } from "./dom.js";

const SHAPES = { waiting: "○", making: "◌", ready: "✓", flagged: "⚑", stale: "◐", failed: "✕", skipped: "–", empty: "·" };

export function createRows(work) {
  const { t } = work.studio;
  const list = h("ol.project-rows", { "aria-label": t("segments") });
  const pager = h("nav.project-pages", { "aria-label": t("pages") });
  const nothing = h("p.project-empty", { hidden: true }, t("no_rows"));
  const element = h("div", {}, list, nothing, pager);
  let editing = null;

  const find = (id) => list.querySelector(`[data-id="${CSS.escape(id)}"]`);

  function update() {
    const { rows } = work.page;
    const focused = document.activeElement?.closest(".project-row")?.dataset.id;
    const kept = editing && rows.some((row) => row.id === editing.id) ? find(editing.id) : null;
    list.replaceChildren(...rows.map((row) => (kept?.dataset.id === row.id ? kept : rowElement(work, row, api))));
    if (!kept) editing = null;
    nothing.hidden = rows.length > 0;
    pager.replaceChildren(...pages(work));
    mark();
    if (focused && !kept && list.isConnected && document.activeElement === document.body) find(focused)?.focus();
  }

  function mark() {
    for (const row of list.children) {
      const isCurrent = row.dataset.id === work.current;
      row.toggleAttribute("data-current", isCurrent);
      row.tabIndex = isCurrent ? 0 : -1;
    }
  }

  function edit(id) {
    const row = work.row(id);
    const place = find(id);
    if (!row || !place || editing) return;
    editing = { id };
    const box = h("textarea", { "aria-label": t("text_of", { number: row.number }), rows: Math.min(12, Math.ceil(row.text.length / 60) + 1) });
    box.value = row.text;
    const end = (focus = true) => {
      editing = null;
      update();
      if (focus) find(id)?.focus();
    };
    const save = async () => {
      if (box.value === row.text) return end();
      const kept = box.value;
      const done = await work.patch(id, { text: kept });
      if (done === undefined) return box.focus(); // what was typed stays in the box
      return end();
    };
    const split = async () => {
      const place = [...box.value.slice(0, box.selectionStart)].length;
      if (box.value !== row.text && (await work.patch(id, { text: box.value })) === undefined) return;
      editing = null;
      await work.change(() => work.studio.api.post(`${work.path}/segments/${id}/split`, { place }));
    };
    box.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") end();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        save();
      }
    });
    place.querySelector(".project-text").replaceWith(
      h(
        "div.project-edit",
        {},
        box,
        h(
          "div",
          {},
          h("button.studio-button.studio-primary", { type: "button", onclick: save }, t("save")),
          h("button.studio-button", { type: "button", onclick: split }, t("split_here")),
          h("button.studio-button", { type: "button", onclick: () => end() }, t("cancel")),
        ),
      ),
    );
    box.focus();
  }

  const api = {
    element,
    update,
    mark,
    edit,
    isEditing: () => Boolean(editing),
    focus(id) {
      const row = find(id);
      row?.focus();
      row?.scrollIntoView({ block: "nearest" });
    },
    play(id, isOn) {
      for (const row of list.querySelectorAll("[data-playing]")) row.removeAttribute("data-playing");
      if (isOn) find(id)?.setAttribute("data-playing", "");
      if (isOn) find(id)?.scrollIntoView({ block: "nearest" });
    },
  };
  return api;
}

function rowElement(work, row, rows) {
  const { t } = work.studio;
  const tick = h("input", { type: "checkbox", checked: work.ticked.has(row.id), "aria-label": t("tick", { number: row.number }) });
  tick.addEventListener("change", () => work.ticked[tick.checked ? "add" : "delete"](row.id));
  const play = h("button.project-icon", { type: "button", "aria-label": t("play_row", { number: row.number }), disabled: !row.take, onclick: () => work.player.playRow(row.id) }, "▶");
  const element = h(
    "li.project-row",
    { "data-id": row.id, "data-state": row.state, tabindex: "-1", "aria-label": `${row.number}. ${t(`state_${row.state}`)}` },
    tick,
    h("span.project-number", { "aria-hidden": "true" }, row.number),
    play,
    h("p.project-text", {}, row.speaker ? h("b", {}, `${row.speaker}: `) : "", row.text),
    h("span.project-length", {}, row.take ? clock(row.take.duration_s) : ""),
    h("span.project-state", {}, h("i", { "aria-hidden": "true" }, SHAPES[row.state]), ` ${t(`state_${row.state}`)}`),
    menuButton(t("more_of", { title: row.number }), "⋯", () => rowMenu(work, row, rows)),
  );
  element.addEventListener("click", (event) => {
    if (event.target.closest("button, input, textarea")) return;
    const was = work.current === row.id;
    work.select(row.id);
    if (was && event.target.closest(".project-text")) rows.edit(row.id);
    else if (!was) work.inspector.openOnPhone();
  });
  element.addEventListener("dblclick", (event) => event.target.closest(".project-text") && rows.edit(row.id));
  element.addEventListener("focus", () => work.current === row.id || work.select(row.id));
  return element;
}

function rowMenu(work, row, rows) {
  const { api, t } = work.studio;
  const path = `${work.path}/segments/${row.id}`;
  const send = (act, body) => () => work.change(() => api.post(`${path}/${act}`, body));
  const before = neighbour(work, row, -2);
  return [
    [t("edit"), () => rows.edit(row.id)],
    [t("make_again"), () => work.make("segments", [row.id])],
    [row.is_skipped ? t("unskip") : t("skip"), () => work.patch(row.id, { is_skipped: !row.is_skipped })],
    null,
    [t("merge"), send("merge")],
    [t("insert"), () => insertAfter(work, row)],
    [t("move_up"), send("move", { chapter: row.chapter, after: before }), before === null],
    [t("move_down"), send("move", { chapter: row.chapter, after: neighbour(work, row, 1) }), neighbour(work, row, 1) === null],
    [t("new_chapter"), send("chapter")],
    null,
    [t("remove_row"), () => work.change(() => api.remove(path))],
  ];
}

/** The id of the row that a moved one goes behind: "" is the chapter's start, null that there is nowhere to go. */
function neighbour(work, row, step) {
  const siblings = work.page.rows.filter((one) => one.chapter === row.chapter);
  const place = siblings.findIndex((one) => one.id === row.id);
  if (step < 0) return place === 0 ? null : (siblings[place - 2]?.id ?? "");
  return siblings[place + 1]?.id ?? null;
}

async function insertAfter(work, row) {
  const { api, t } = work.studio;
  const made = await work.change(() => api.post(`${work.path}/segments/${row.id}/insert`, { text: t("new_row_text") }));
  if (made !== undefined) work.select(neighbour(work, row, 1) ?? work.current, { focus: true });
}

function pages(work) {
  const { t } = work.studio;
  const { page, pages: count, total } = work.page;
  if (count < 2) return [];
  const go = (to, label, text) => h("button.studio-button", { type: "button", "aria-label": label, disabled: to < 1 || to > count, onclick: () => work.show({ page: to }) }, text);
  const box = h("input", { type: "number", min: 1, max: count, value: page, "aria-label": t("page") });
  box.addEventListener("change", () => work.show({ page: Math.min(count, Math.max(1, Number(box.value) || 1)) }));
  return [go(page - 1, t("page_before"), "‹"), h("span", {}, box, ` / ${count}`), go(page + 1, t("page_next"), "›"), h("small", {}, t("rows_count", { count: total }))];
}
