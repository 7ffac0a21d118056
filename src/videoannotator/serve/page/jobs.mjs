// Lists: all jobs with what happens to them right now, and the jobs of one batch.

import { get, post, remove } from "./api.mjs";
import { clock, fill, h, lasting, moment, say, sure } from "./dom.mjs";
import { follow } from "./events.mjs";

const WORDS = {
  pending: "waiting",
  running: "running",
  completed: "done",
  partial: "done, something is missing",
  failed: "failed",
  cancelled: "cancelled",
};

/** A state in plain words, with a colour that is not the only sign. */
export function badge(state) {
  return h("span", { class: `badge ${state}` }, WORDS[state] || state);
}

/** How far a job is: a bar and words. `job`: as the API gives it. */
export function progress(job) {
  if (job.cancel_requested && !job.completed_at) return h("span", {}, "stopping …");
  if (job.state === "pending") {
    return h("span", {}, job.error_message ? `tried again soon: ${job.error_message}` : job.queue_position ? `number ${job.queue_position} in the queue` : "in the queue");
  }
  if (job.state !== "running") return null;
  const { fraction, stage, eta, media_seconds: done } = job.progress;
  const percent = Math.round(fraction * 100);
  return h("div", { class: "progress" },
    h("progress", { max: 100, value: percent, "aria-label": `${job.video_filename}: ${percent} percent` }),
    h("span", {}, `${percent} %`, stage ? ` · ${stage.replaceAll("_", " ")}` : "",
      done ? ` · ${clock(done)} of ${clock(job.video_duration_seconds)}` : "",
      eta ? ` · ${lasting(eta)} left` : ""));
}

/** Put what an event tells into a job. */
export function take(job, name, data) {
  if (job.completed_at) return false; // a stream tells from the beginning: how it once was
  if (data.status) job.state = data.state || data.status;
  for (const key of ["stage", "fraction", "frames", "media_seconds", "eta"]) if (key in data) job.progress[key] = data[key];
  if ("error_message" in data) job.error_message = data.error_message;
  return name === "job.complete";
}

/** Buttons that fit a job's state. `again`: called when something has changed. */
export function actions(job, me, again) {
  if (!me.scopes.includes("write")) return [];
  const act = (words, done) => async () => {
    try {
      await words();
      say(done);
      await again();
    } catch (error) {
      if (error.name !== "AbortError") say(error.told || error.message, true);
    }
  };
  const ended = !["pending", "running"].includes(job.state);
  const label = (verb) => `${verb} ${job.video_filename}`;
  return [
    ended || job.cancel_requested ? null : h("button", { type: "button", "aria-label": label("Cancel"), onclick: act(() => post(`jobs/${job.id}/cancel`), "It stops within seconds") }, "Cancel"),
    ["failed", "partial", "cancelled"].includes(job.state)
      ? h("button", { type: "button", "aria-label": label("Try again:"), onclick: act(async () => (location.hash = `#/job/${(await post(`jobs/${job.id}/retry`)).id}`), "A new job does it again") }, "Try again") : null,
    h("button", { type: "button", class: "quiet", "aria-label": label("Delete"), onclick: async () => {
      if (await sure(`Delete the job of ${job.video_filename}, with its result?`, "Delete it")) await act(() => remove(`jobs/${job.id}`), "Deleted")();
    } }, "Delete"),
  ];
}

function row(job, me, again) {
  return h("li", { class: "card job", id: `job-${job.id}` },
    h("div", { class: "line" },
      h("a", { class: "name", href: `#/job/${job.id}` }, job.video_filename), badge(job.state),
      h("span", { class: "hint" }, `${clock(job.video_duration_seconds)} · ${moment(job.created_at)}`)),
    h("p", { class: "hint" }, (job.selected_pipelines || ["every pipeline that is ready"]).join(", ").replaceAll("_", " "),
      job.batch_id ? [" · ", h("a", { href: `#/batch/${job.batch_id}` }, "batch")] : ""),
    progress(job),
    ["failed", "partial"].includes(job.state) ? h("p", { class: "problem" }, job.error_message || "") : null,
    h("div", { class: "actions" }, actions(job, me, again)));
}

/** A list that shows `path`'s jobs and keeps itself up to date. */
async function liveList(place, path, me, signal, onchange = () => {}) {
  let jobs = [];
  let cursor = null;
  let waiting = 0;
  let looking = 0;
  let pages = 1;
  const load = async () => {
    const found = [];
    let next = null;
    for (let number = 0; number < pages && (next || !number); number += 1) {
      const page = await get(next ? `${path}&cursor=${encodeURIComponent(next)}` : path, { signal });
      found.push(...page.jobs);
      next = page.next_cursor;
    }
    [jobs, cursor] = [found, next];
    draw();
    onchange();
  };
  const more = () => {
    pages += 1;
    load().catch((error) => say(error.told || error.message, true));
  };
  const draw = () => fill(place,
    jobs.length ? h("ul", { class: "plain" }, jobs.map((job) => row(job, me, load))) : h("p", {}, "Nothing here yet."),
    cursor ? h("button", { type: "button", onclick: more }, "Older ones") : null);
  const again = () => { // several events in a row cost one look
    clearTimeout(waiting);
    waiting = setTimeout(() => load().catch(() => null), 300);
  };
  const soon = () => { // how far the whole is costs a look, too: not one for each picture
    looking ||= setTimeout(() => {
      looking = 0;
      onchange();
    }, 1000);
  };
  signal.addEventListener("abort", () => {
    clearTimeout(waiting);
    clearTimeout(looking);
  });
  await load();
  follow("events/stream", (name, data) => {
    const job = jobs.find((one) => one.id === data.job_id);
    const before = job?.state;
    if (!job || take(job, name, data) || job.state !== before) return again();
    const shown = document.getElementById(`job-${job.id}`);
    const bar = shown?.querySelector(".progress");
    if (bar) bar.replaceWith(progress(job) || h("span"));
    soon();
  }, again, signal);
}

/** All jobs. */
export async function jobsView(main, parts, me, signal) {
  const list = h("div", { id: "list" });
  const choose = h("select", { id: "which", onchange: () => (location.hash = choose.value ? `#/jobs/${choose.value}` : "#/jobs") },
    h("option", { value: "" }, "all"),
    Object.entries(WORDS).map(([state, words]) => h("option", { value: state }, words)));
  choose.value = parts[0] || "";
  fill(main,
    h("div", { class: "line" }, h("h1", {}, "Jobs"),
      me.scopes.includes("write") ? h("a", { class: "button main", href: "#/new" }, "New job") : null,
      h("label", { class: "end" }, "Show ", choose)),
    list);
  await liveList(list, `jobs?limit=50${parts[0] ? `&state=${encodeURIComponent(parts[0])}` : ""}`, me, signal);
}

/** One batch: how far the whole is, and its jobs. */
export async function batchView(main, parts, me, signal) {
  const id = encodeURIComponent(parts[0] || "");
  const head = h("div", { class: "card" });
  const list = h("div");
  const look = async () => {
    const batch = await get(`batches/${id}`, { signal });
    const percent = Math.round(batch.fraction * 100);
    const stop = async () => {
      if (!(await sure("Cancel every job of this batch that has not ended?", "Cancel them"))) return;
      await post(`batches/${id}/cancel`).then(() => say("They stop within seconds"), (error) => say(error.told, true));
    };
    fill(head,
      h("div", { class: "line" }, h("h1", {}, batch.name || "Batch"), badge(batch.state)),
      h("div", { class: "progress" }, h("progress", { max: 100, value: percent, "aria-label": `the whole: ${percent} percent` }),
        h("span", {}, `${percent} % · ${batch.ended} of ${batch.jobs} jobs have ended`)),
      me.scopes.includes("write") && batch.ended < batch.jobs
        ? h("div", { class: "actions" }, h("button", { type: "button", onclick: stop }, "Cancel all")) : null);
  };
  fill(main, head, list);
  await look();
  await liveList(list, `jobs?limit=50&batch_id=${id}`, me, signal, () => look().catch(() => null));
}
