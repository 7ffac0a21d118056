// Talking with the server. Signed in by a cookie that no script can read; what changes something carries a header
// that no other site's page can send.

export const PREFIX = "/api/v1";

/** What the server refuses: `message` says what is wrong, `hint` what to do next. */
export class Refused extends Error {
  constructor(status, told) {
    super(told.detail || `the server answered ${status}`);
    this.status = status;
    this.code = told.code || "";
    this.hint = told.hint || "";
    this.errors = told.errors || [];
  }

  /** In one text, for people. */
  get told() {
    return this.hint ? `${this.message}. ${this.hint}` : this.message;
  }
}

/** A request; the parsed answer, or null. Throws `Refused`. `signal`: of an AbortController. */
export async function ask(method, path, { json, body, headers = {}, signal, raw = false } = {}) {
  const sent = { "X-Requested-With": "videoannotator", ...headers };
  if (json !== undefined) sent["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path.startsWith("/") ? path : `${PREFIX}/${path}`, {
      method,
      headers: sent,
      body: json !== undefined ? JSON.stringify(json) : body,
      signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { detail: "the server cannot be reached", hint: "Is it running? Trying again may help" });
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    if (answer.status === 401 && path !== "session") document.dispatchEvent(new CustomEvent("signed-out"));
    throw new Refused(answer.status, told);
  }
  if (raw) return answer;
  return answer.status === 204 ? null : answer.json();
}

/** Wait for `milliseconds`; ends at once, as a request does, when `signal` does. */
export function pausing(milliseconds, signal) {
  return new Promise((go, stop) => {
    const stopped = () => {
      clearTimeout(timer);
      stop(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stopped);
      go();
    }, milliseconds);
    if (signal.aborted) stopped();
    else signal.addEventListener("abort", stopped, { once: true });
  });
}

export const get = (path, more) => ask("GET", path, more);
export const post = (path, json, more = {}) => ask("POST", path, { json, ...more });
export const remove = (path) => ask("DELETE", path);

/** All pages of a list, up to `most` entries. */
export async function all(path, name, most = 1000) {
  const found = [];
  let cursor = null;
  do {
    const page = await get(`${path}${path.includes("?") ? "&" : "?"}limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    found.push(...page[name]);
    cursor = page.next_cursor;
  } while (cursor && found.length < most);
  return found;
}
