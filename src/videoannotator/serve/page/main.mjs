// The page: who is signed in, which view is shown. Each view is `(main, parts, me, signal) => void | Promise<void>`;
// `signal` ends when another view comes.

import { get, post, remove } from "./api.mjs";
import { fill, h, say } from "./dom.mjs";
import { adminView } from "./admin.mjs";
import { jobView } from "./job.mjs";
import { batchView, jobsView } from "./jobs.mjs";
import { newView } from "./new.mjs";

const VIEWS = {
  jobs: { view: jobsView, title: "Jobs", scope: "read" },
  new: { view: newView, title: "New job", scope: "write" },
  job: { view: jobView, title: "Job", scope: "read", hidden: true },
  batch: { view: batchView, title: "Batch", scope: "read", hidden: true },
  admin: { view: adminView, title: "Admin", scope: "admin" },
};

const main = document.getElementById("main");
let me = null;
let leaving = new AbortController();

async function show() {
  leaving.abort();
  leaving = new AbortController();
  if (!me) return signIn();
  const [name, ...parts] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  const chosen = VIEWS[name] || VIEWS[me.scopes.includes("read") ? "jobs" : "new"];
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${name || "jobs"}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${chosen.title} – VideoAnnotator`;
  if (!me.scopes.includes(chosen.scope)) {
    fill(main, h("h1", {}, chosen.title), h("p", {}, `A ${me.user.role} cannot do this here. An admin can give you another role.`));
    return;
  }
  try {
    await chosen.view(main, parts, me, leaving.signal);
  } catch (error) {
    if (error.name === "AbortError" || error.status === 401) return;
    fill(main, h("h1", {}, chosen.title), h("p", { role: "alert", class: "problem" }, error.told || error.message));
  }
  if (show.before !== location.hash && show.before !== undefined) main.focus({ preventScroll: true });
  show.before = location.hash;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a % that means nothing: no view and no job has such a name
  }
}

function signIn(reason = "") {
  header();
  document.title = "Sign in – VideoAnnotator";
  const key = h("input", { id: "key", type: "password", autocomplete: "current-password", required: true, spellcheck: "false" });
  const wrong = h("p", { role: "alert", class: "problem" }, reason);
  const enter = async (event) => {
    event.preventDefault();
    wrong.textContent = "";
    try {
      me = await post("session", { key: key.value });
      header();
      await show();
    } catch (error) {
      wrong.textContent = error.told || error.message;
      key.focus();
    }
  };
  fill(main, h("form", { class: "card narrow", onsubmit: enter },
    h("h1", {}, "Sign in"),
    h("label", { for: "key" }, "API key"),
    key,
    h("p", { class: "hint" }, "It begins with va_. The server printed the first one when it was started; an admin can make you one."),
    wrong,
    h("button", { class: "main" }, "Sign in")));
  key.focus();
}

function header() {
  const nav = document.getElementById("nav");
  const who = document.getElementById("who");
  if (!me) {
    fill(nav);
    fill(who);
    return;
  }
  fill(nav, Object.entries(VIEWS)
    .filter(([, view]) => !view.hidden && me.scopes.includes(view.scope))
    .map(([name, view]) => h("a", { href: `#/${name}` }, view.title)));
  fill(who, h("span", {}, `${me.user.name} (${me.user.role})`),
    me.via === "local" ? null : h("button", { type: "button", class: "quiet", onclick: signOut }, "Sign out"));
}

async function signOut() {
  await remove("session").catch(() => null);
  me = null;
  leaving.abort();
  signIn();
}

async function start() {
  try {
    me = await get("users/me");
  } catch (error) {
    if (error.status !== 401) say(error.told, true);
    me = null;
  }
  header();
  await show();
}

document.addEventListener("signed-out", () => {
  if (!me) return;
  me = null;
  leaving.abort();
  signIn("You were signed out: sign in again.");
});
document.addEventListener("line", ({ detail }) => {
  const place = document.getElementById("line");
  if (place.textContent !== detail.problem) place.textContent = detail.problem;
});
window.addEventListener("hashchange", show);
start();
