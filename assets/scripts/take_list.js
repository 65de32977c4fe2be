// The newest takes of this visit below the player: to play, star, use again, delete. They are kept for as long as the
// browser's tab is open, so that a reload or the page in the other language has them; see player.js for a take's value.

(() => {
  const KEY = "tts-studio-takes";
  const MAX_TAKES = 20; // besides those with a star
  const MAX_STARRED = 30;
  const UNDO_MS = 6000;

  const STAR = '<svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true"><path d="M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9L12 16.9l-5.2 2.8 1-5.9L3.5 9.7l5.9-.8z"/></svg>';
  const PLAY = '<svg viewBox="0 0 24 24" width="16" height="16" fill="currentColor" aria-hidden="true"><path d="M7 4.5v15l13-7.5z"/></svg>';
  const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  const kept = () => {
    try {
      return JSON.parse(sessionStorage.getItem(KEY)) ?? [];
    } catch {
      return [];
    }
  };

  class TakeList extends HTMLElement {
    connectedCallback() {
      if (this.takes) return;
      this.takes = kept();
      this.addEventListener("click", (event) => this.act(event));
      this.render();
    }

    get player() {
      return document.querySelector(`#${this.dataset.tab}-player tts-player`);
    }

    add(take) {
      this.takes = [take, ...this.takes];
      this.keep();
    }

    keep() {
      const limits = { true: MAX_STARRED, false: MAX_TAKES };
      this.takes = this.takes.filter((take) => limits[take.is_starred]-- > 0);
      try {
        sessionStorage.setItem(KEY, JSON.stringify(this.takes));
      } catch {
        // The browser keeps nothing, or not so much: the list lasts as long as the page.
      }
      this.render();
    }

    act(event) {
      const button = event.target.closest("button[data-take-do]");
      if (!button) return;
      if (button.dataset.takeDo === "undo") return this.undo();
      const take = this.takes.find(({ id }) => id === button.closest("li").dataset.id);
      return this[button.dataset.takeDo](take);
    }

    play(take) {
      this.player.open(take);
    }

    star(take) {
      take.is_starred = !take.is_starred;
      this.keep();
      this.button(take, "star")?.focus();
    }

    use(take) {
      this.player.dispatchEvent(new CustomEvent("tts-use", { detail: { form: take.form }, bubbles: true }));
    }

    // The file goes a little later, so that it can be taken back.
    remove(take) {
      this.deleteNow();
      const at = this.takes.indexOf(take);
      this.deleted = { take, at, timer: setTimeout(() => this.deleteNow(), UNDO_MS) };
      this.takes = this.takes.filter((one) => one !== take);
      this.player.close(take);
      this.keep();
      this.querySelector("[data-take-do=undo]")?.focus();
    }

    undo() {
      const { take, at, timer } = this.deleted;
      clearTimeout(timer);
      this.deleted = null;
      this.takes.splice(at, 0, take);
      this.keep();
      this.button(take, "remove")?.focus();
    }

    deleteNow() {
      if (!this.deleted) return;
      const { take, timer } = this.deleted;
      clearTimeout(timer);
      this.deleted = null;
      fetch(this.player.address(take), { method: "DELETE", keepalive: true }).catch(() => {});
      this.render();
    }

    button(take, what) {
      return this.querySelector(`li[data-id="${take.id}"] [data-take-do=${what}]`);
    }

    render() {
      if (!this.player?.texts) return; // it asks again when it is there
      const label = (name) => escaped(this.player.text(name));
      const rows = this.takes.map((take) => this.row(take, label));
      const undo = this.deleted
        ? `<p class="take-deleted" role="status">${label("live.deleted")} <button type="button" class="studio-link" data-take-do="undo">${label("live.undo")}</button></p>`
        : "";
      const list = rows.length ? `<h2 id="take-list-title">${label("live.takes")}</h2>${undo}<ol aria-labelledby="take-list-title">${rows.join("")}</ol>` : undo;
      this.innerHTML = list;
    }

    row(take, label) {
      const text = take.form.text.trim().replace(/\s+/g, " ").slice(0, 160);
      const time = new Date(1000 * take.created_at).toLocaleTimeString(this.player.dataset.language, { hour: "2-digit", minute: "2-digit" });
      const button = (what, content, more = "") =>
        `<button type="button" class="take-${what}" data-take-do="${what}" aria-label="${label(`live.${what}_take`)}: ${escaped(text.slice(0, 60))}" title="${label(`live.${what}_take`)}" ${more}>${content}</button>`;
      return `<li data-id="${escaped(take.id)}">
        ${button("play", PLAY)}
        <div class="take-what"><span class="take-text" dir="auto">${escaped(text)}</span>
          <small>${escaped(take.voice)} · ${clock(take.seconds)} · ${escaped(time)}</small></div>
        ${button("star", STAR, `aria-pressed="${take.is_starred}"`)}
        ${button("use", `<i aria-hidden="true">↩</i><span>${label("live.use_take")}</span>`)}
        ${button("remove", "✕")}
      </li>`;
    }
  }

  customElements.define("tts-takes", TakeList);
  addEventListener("pagehide", () => document.querySelectorAll("tts-takes").forEach((list) => list.deleteNow()));
  // Somebody else may log in in this tab.
  addEventListener("submit", (event) => /logout$/.test(event.target.getAttribute("action") ?? "") && sessionStorage.removeItem(KEY), { capture: true });
})();
