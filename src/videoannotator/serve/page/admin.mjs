// For admins: who may come in, with which keys, how much room is left, who is at work.

import { all, ask, get, post, remove } from "./api.mjs";
import { bytes, fill, h, lasting, moment, say, sure } from "./dom.mjs";

const ROLES = {
  researcher: "runs jobs on videos of their own",
  analyst: "reads everybody's results, changes nothing",
  guest: "looks around, sees no media",
  admin: "everything, of everybody",
};

/** The view. */
export async function adminView(main, parts, me, signal) {
  const users = h("section", { class: "card", "aria-labelledby": "h-users" });
  const keys = h("section", { class: "card", "aria-labelledby": "h-keys" });
  const machine = h("section", { class: "card", "aria-labelledby": "h-machine" });
  fill(main, h("h1", {}, "Admin"), users, keys, machine);
  const again = async () => {
    const everybody = await all("users", "users");
    drawUsers(users, everybody, me, again);
    drawKeys(keys, await all("keys?user_id=all", "keys"), everybody, again);
  };
  await again();
  const [health, storage, workers] = await Promise.all(["system/health", "system/storage", "system/workers"].map((path) => get(path, { signal }).catch((error) => ({ problem: error.told }))));
  drawMachine(machine, health, storage, workers);
}

function acting(work, done, again) {
  return async (event) => {
    event?.preventDefault();
    try {
      await work();
      if (done) say(done);
      await again();
    } catch (error) {
      say(error.told || error.message, true);
    }
  };
}

function drawUsers(place, users, me, again) {
  const change = (user, what) => ask("PATCH", `users/${user.id}`, { json: what });
  const name = h("input", { id: "new-user", required: true, maxlength: 100 });
  const role = h("select", { id: "new-role" }, Object.entries(ROLES).map(([key, words]) => h("option", { value: key }, `${key}: ${words}`)));
  fill(place, h("h2", { id: "h-users" }, "Users"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of users" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Name", "Role", "Since", "State"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, users.map((user) => {
        const pick = h("select", { "aria-label": `Role of ${user.name}`, onchange: (event) => acting(() => change(user, { role: pick.value }), `${user.name} is ${pick.value} now`, again)(event) },
          Object.keys(ROLES).map((key) => h("option", { value: key }, key)));
        pick.value = user.role;
        return h("tr", {}, h("th", { scope: "row" }, user.name), h("td", {}, pick), h("td", {}, moment(user.created_at)),
          h("td", {}, user.active ? "active " : "put aside ", user.id === me.user.id ? null
            : h("button", { type: "button", "aria-label": `${user.active ? "Put aside" : "Let in again"}: ${user.name}`, onclick: acting(() => change(user, { active: !user.active }), "Changed", again) }, user.active ? "Put aside" : "Let in again")));
      })))),
    h("form", { class: "line", onsubmit: acting(() => post("users", { name: name.value, role: role.value }), "Added: now make a key for them", again) },
      h("label", { for: "new-user" }, "Name "), name, h("label", { for: "new-role" }, "Role "), role, h("button", {}, "Add")));
}

function drawKeys(place, keys, users, again) {
  const nameOf = Object.fromEntries(users.map((user) => [user.id, user.name]));
  const name = h("input", { id: "new-key", required: true, maxlength: 100 });
  const whose = h("select", { id: "key-owner" }, users.filter((user) => user.active).map((user) => h("option", { value: user.id }, user.name)));
  const shown = h("div", { "aria-live": "polite" });
  fill(place, h("h2", { id: "h-keys" }, "Keys"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of keys" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Key", "Name", "Whose", "Scopes", "Used last", "Until", ""].map((text) => h("th", { scope: "col" }, text || h("span", { class: "unseen" }, "Actions"))))),
      h("tbody", {}, keys.map((key) => h("tr", {}, h("th", { scope: "row" }, `va_${key.id}_…`), h("td", {}, key.name), h("td", {}, nameOf[key.user_id] || ""),
        h("td", {}, key.scopes.join(", ")), h("td", {}, key.last_used_at ? moment(key.last_used_at) : "never"),
        h("td", {}, key.revoked_at ? "revoked" : key.expires_at ? moment(key.expires_at) : "for good"),
        h("td", {}, key.revoked_at ? null : h("button", { type: "button", "aria-label": `Revoke ${key.name}`, onclick: async (event) => {
          if (await sure(`Revoke the key ${key.name}? Whoever uses it is shut out at once.`, "Revoke it")) await acting(() => remove(`keys/${key.id}`), "Revoked", again)(event);
        } }, "Revoke"))))))),
    h("form", { class: "line", onsubmit: async (event) => {
      event.preventDefault();
      try {
        const made = await post("keys", { name: name.value, user_id: whose.value });
        await again();
        const place = document.getElementById("made-key");
        fill(place, h("p", {}, "The new key, shown this once: "), h("code", {}, made.key));
      } catch (error) {
        say(error.told || error.message, true);
      }
    } }, h("label", { for: "new-key" }, "Name "), name, h("label", { for: "key-owner" }, "For "), whose, h("button", {}, "Make a key")),
    shown);
  shown.id = "made-key";
}

const IN_WORDS = { healthy: "well", unhealthy: "not well" };

function drawMachine(place, health, storage, workers) {
  fill(place, h("h2", { id: "h-machine" }, "This server"),
    [health, storage, workers].map((one) => (one.problem ? h("p", { class: "problem" }, one.problem) : null)),
    health.problem ? null : facts([
      ["Version", health.videoannotator_version],
      ["Running for", lasting(health.uptime_seconds)],
      ["State", IN_WORDS[health.status] || health.status],
      ...["database", "workers"].filter((name) => health[name].status !== "healthy").map((name) => [`The ${name}`, health[name].message]),
    ]),
    storage.problem ? null : room(storage),
    workers.problem ? null : atWork(workers.workers));
}

function facts(lines) {
  return h("dl", {}, lines.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
}

function room({ disk, videos, results, uploads, users }) {
  const counted = ({ count, bytes: size }, one, many) => `${bytes(size)} in ${count} ${count === 1 ? one : many}`;
  return [h("h3", {}, "Room on the disk"),
    facts([
      ["Free", `${bytes(disk.free)} of ${bytes(disk.total)} (${disk.percent} % in use)`],
      ["Uploaded videos", counted(videos, "file", "files")],
      ["Results", counted(results, "job", "jobs")],
      ["Unfinished uploads", counted(uploads, "file", "files")],
    ]),
    users.length ? table("Table of what takes room", ["Whose", "Videos", "Results"],
      users.map((user) => [user.name, bytes(user.videos), bytes(user.results)])) : null];
}

function atWork(workers) {
  return [h("h3", {}, "Who is at work"), workers.length ? table("Table of workers", ["Worker", "Where jobs run", "Since", "Seen", "Has"],
    workers.map((one) => [`${one.host}, process ${one.pid}`, one.executor, moment(one.started_at),
      one.there ? "just now" : `${lasting(one.age_seconds)} ago: it seems to be gone`,
      one.jobs.length ? one.jobs.map((job, at) => h("div", {}, h("a", { href: `#/job/${job}` }, one.jobs.length > 1 ? `job ${at + 1}` : "a job"))) : "nothing to do"]))
    : h("p", { class: "problem" }, "Nobody: jobs wait until a server or a worker is started.")];
}

function table(name, columns, rows) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, h("table", {},
    h("thead", {}, h("tr", {}, columns.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), rest.map((cell) => h("td", {}, cell)))))));
}
