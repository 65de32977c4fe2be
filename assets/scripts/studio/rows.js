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
    h("span.project-length", {}, row.take ? clock(row.take.duration_seconds) : ""),
    h("span.project-state", {}, h("i", { "aria-hidden": "true" }, SHAPES[row.state]), ` ${t(`state_${row.state}`)}`),
    menuButton(t("more_of", { title: row.number }), "⋯", () => rowMenu(work, row, rows)),
  );
  // A chosen row shows its whole text and moves what is below it, so a pointer chooses when it is lifted.
  let isPressed = false;
  element.addEventListener("pointerdown", () => {
    isPressed = true;
    addEventListener("pointerup", () => setTimeout(() => (isPressed = false)), { once: true });
  });
  element.addEventListener("click", (event) => {
    if (event.target.closest("button, input, textarea")) return;
    const wasCurrent = work.current === row.id;
    work.select(row.id);
    if (wasCurrent && event.target.closest(".project-text")) rows.edit(row.id);
    else if (!wasCurrent) work.inspector.openOnPhone();
  });
  element.addEventListener("dblclick", (event) => event.target.closest(".project-text") && rows.edit(row.id));
  element.addEventListener("focus", () => isPressed || work.current === row.id || work.select(row.id));
  return element;
}

function rowMenu(work, row, rows) {
  const { api, t } = work.studio;
  const path = `${work.path}/segments/${row.id}`;
  const send = (act, body) => () => work.change(() => api.post(`${path}/${act}`, body));
  const { isWhole, siblings, place } = siblingsOf(work, row);
  const up = async () => work.change(async () => api.post(`${path}/move`, { chapter: row.chapter, after: await beforeLast(work, siblings, place) }));
  return [
    [t("edit"), () => rows.edit(row.id)],
    [t("make_again"), () => work.makeOne(row), Boolean(work.run)],
    [row.skipped ? t("unskip") : t("skip"), () => work.patch(row.id, { skipped: !row.skipped })],
    null,
    [t("merge"), send("merge")],
    [t("insert"), () => insertAfter(work, row)],
    [t("move_up"), up, !isWhole || (place === 0 && work.page.page === 1)],
    [t("move_down"), send("move", { chapter: row.chapter, after: siblings[place + 1]?.id }), !isWhole || !siblings[place + 1]],
    [t("new_chapter"), () => work.change(() => api.post(`${work.path}/chapters`, { segment: row.id }))],
    null,
    [t("remove_row"), () => work.change(() => api.remove(path))],
  ];
}

/** The rows of the chapter on this page; `isWhole` says that no filter hides some of them. */
function siblingsOf(work, row) {
  const siblings = work.page.rows.filter((one) => one.chapter === row.chapter);
  const place = siblings.findIndex((one) => one.id === row.id);
  return { isWhole: !work.filter.state && !work.filter.q, siblings, place };
}

/** The id of the row that one goes behind when it moves up, which may be on the page before; null is the start. */
async function beforeLast(work, siblings, place) {
  if (place >= 2) return siblings[place - 2].id;
  if (work.page.page === 1) return null;
  const { rows } = await work.studio.api.get(`${work.path}/segments`, { chapter: work.filter.chapter, page: work.page.page - 1 });
  const before = [...rows.filter((row) => row.chapter === siblings[0].chapter), ...siblings.slice(0, place)];
  return before.at(-2)?.id ?? null;
}

async function insertAfter(work, row) {
  const { api, t } = work.studio;
  const made = await work.change(() => api.post(`${work.path}/segments/${row.id}/insert`, { text: t("new_row_text") }));
  const { siblings, place } = siblingsOf(work, row);
  if (made !== undefined) work.select(siblings[place + 1]?.id ?? work.current, { focus: true });
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
