// The keys of an open project. They act while no field has the focus.

import { h, openDialog } from "./dom.js";

const KEYS = [
  ["J / ↓", "key_down"],
  ["K / ↑", "key_up"],
  ["Space", "key_play"],
  ["Enter", "key_edit"],
  ["R", "key_again"],
  ["1–9", "key_choose"],
  ["F", "key_flag"],
  ["X", "key_tick"],
  ["Ctrl + Z", "key_undo"],
  ["?", "key_help"],
];

export function showKeys(t) {
  const rows = KEYS.flatMap(([key, text]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, t(text))]);
  openDialog(t("keys"), t("close"), h("dl.project-keys", {}, rows));
}

export function listenForKeys(work) {
  const { t } = work.studio;
  const step = (by) => {
    const { rows } = work.page;
    const place = rows.findIndex((row) => row.id === work.current);
    const row = rows[place + by];
    if (row) work.select(row.id, { focus: true });
    else if (by > 0 && work.page.page < work.page.pages) work.show({ page: work.page.page + 1 }).then(() => work.select(work.page.rows[0].id, { focus: true }));
    else if (by < 0 && work.page.page > 1) work.show({ page: work.page.page - 1 }).then(() => work.select(work.page.rows.at(-1).id, { focus: true }));
  };
  const acts = {
    j: () => step(1),
    ArrowDown: () => step(1),
    k: () => step(-1),
    ArrowUp: () => step(-1),
    " ": () => work.player.playRow(work.current),
    Enter: () => work.rows.edit(work.current),
    r: () => work.makeOne(work.row(work.current)),
    f: () => work.nextFlag(),
    x: () => {
      work.ticked[work.ticked.has(work.current) ? "delete" : "add"](work.current);
      work.rows.update();
      work.select(work.current, { focus: true });
    },
    "?": () => showKeys(t),
  };
  const listen = (event) => {
    if (!work.element.isConnected || !work.element.offsetParent) return;
    const isField = event.target.closest?.("input, textarea, select, button, a, dialog, [role=menu], [role=tab]");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea")) {
      event.preventDefault();
      work.again(event.shiftKey ? "redo" : "undo");
      return;
    }
    if (isField || event.ctrlKey || event.metaKey || event.altKey || work.rows.isEditing()) return;
    const take = /^[1-9]$/.test(event.key) ? work.row(work.current)?.takes.find((one) => one.number === Number(event.key)) : null;
    const act = take ? () => work.choose(work.current, take.id) : acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  addEventListener("keydown", listen);
  return () => removeEventListener("keydown", listen);
}
