// The Studio's requests to the server, and the words of the page.

/** A failure that the server has explained; `message` is a sentence for people. */
export class Failure extends Error {
  constructor(code, message, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** The texts of the page: t("key", { name: value }). */
export function createWords(table) {
  return (key, values = {}) => (table[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function createApi(base, t) {
  async function request(method, path, { body, form, query } = {}) {
    const kept = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== "" && value !== null);
    const search = kept.length ? `?${new URLSearchParams(kept.flatMap(([name, value]) => [value].flat().map((one) => [name, one])))}` : "";
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    const options = { method, headers, body: form ?? (body === undefined ? undefined : JSON.stringify(body)) };
    let answer;
    try {
      answer = await fetch(base + path + search, options);
    } catch {
      throw new Failure("offline", t("error_offline"), 0);
    }
    const envelope = await answer.json().catch(() => ({}));
    if (answer.ok) return envelope.data;
    const key = `error_${envelope.detail}`;
    const known = t(key);
    throw new Failure(envelope.detail ?? "unknown", known === key ? (envelope.message ?? t("error_unknown")) : known, answer.status);
  }

  return {
    url: (path) => base + path,
    get: (path, query) => request("GET", path, { query }),
    post: (path, body = {}) => request("POST", path, { body }),
    patch: (path, body) => request("PATCH", path, { body }),
    remove: (path) => request("DELETE", path),
    send: (path, form, query) => request("POST", path, { form, query }),
    /** Calls `listen(type, data)` for each event until the returned function is called. */
    follow(path, listen) {
      const source = new EventSource(base + path);
      for (const type of ["run", "changed", "reload"]) {
        source.addEventListener(type, (event) => listen(type, JSON.parse(event.data)));
      }
      return () => source.close();
    },
  };
}

/** The numbers of segments by state, all of them there, with `all` that are spoken and `done` that have a take. */
export function tally({ states, seconds }) {
  const of = (name) => states[name] ?? 0;
  const names = ["waiting", "making", "ready", "flagged", "stale", "failed"];
  return {
    ...Object.fromEntries(names.map((name) => [name, of(name)])),
    all: names.reduce((sum, name) => sum + of(name), 0),
    done: of("ready") + of("flagged"),
    seconds,
  };
}

/** 75.4 as 1:15, 3700 as 1:01:40. */
export function clock(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

/** A length of time in words, such as "about 3 h 10 min". */
export function duration(t, seconds) {
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (seconds < 60) return t("seconds", { seconds: Math.max(1, Math.round(seconds)) });
  if (minutes < 60) return t("minutes", { minutes });
  return t("hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

export function bytes(size) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  let value = size;
  for (; value >= 1000 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${value >= 10 || !unit ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
