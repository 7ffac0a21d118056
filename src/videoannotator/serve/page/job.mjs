// One job: how far it is, what happened, what came of it, and its files.

import { get } from "./api.mjs";
import { clock, fill, h, lasting, moment } from "./dom.mjs";
import { follow } from "./events.mjs";
import { actions, badge, progress, take } from "./jobs.mjs";
import { lookAt } from "./look.mjs";

/** The view. */
export async function jobView(main, parts, me, signal) {
  const id = encodeURIComponent(parts[0] || "");
  const head = h("section", { class: "card" });
  const body = h("div");
  const log = h("ol", { class: "log" });
  let job = await get(`jobs/${id}`, { signal });
  let drawn = false;
  const gone = () => (location.hash = "#/jobs");
  const draw = () => fill(head,
    h("div", { class: "line" }, h("h1", {}, job.video_filename), badge(job.state)),
    h("p", { class: "hint" }, `${clock(job.video_duration_seconds)} · asked for ${moment(job.created_at)}`,
      job.completed_at ? ` · ended ${moment(job.completed_at)}` : "", job.attempt > 1 ? ` · attempt ${job.attempt} of ${job.max_attempts}` : ""),
    progress(job),
    job.error_message && job.state !== "pending" ? h("p", { class: "problem", role: "alert" }, job.error_message) : null,
    h("div", { class: "actions" }, actions(job, me, again)));
  const again = async () => {
    try {
      job = await get(`jobs/${id}`, { signal });
    } catch (error) {
      if (error.status === 404) gone();
      return;
    }
    draw();
    if (job.completed_at && !drawn && ["completed", "partial", "failed"].includes(job.state)) {
      drawn = true; // at once: several events in a row come here
      try {
        await drawResults(body, job, await get(`jobs/${id}/results`, { signal }), signal);
      } catch (error) {
        drawn = false; // when the server is back
        throw error;
      }
    }
  };
  const look = () => again().catch(() => null);
  fill(main, h("p", {}, h("a", { href: "#/jobs" }, "‹ All jobs")), head, body,
    h("details", { class: "card" }, h("summary", {}, "What happened"), log));
  await again();
  follow(`events/stream?job_id=${id}`, (name, data) => {
    const text = data.message || data.reason || (name === "job.complete" ? data.error_message || data.status : data.stage && data.stage !== log.stage ? data.stage.replaceAll("_", " ") : "");
    log.stage = data.stage || log.stage;
    if (text) log.append(h("li", {}, text));
    if (job.completed_at) return;
    const before = job.state;
    if (take(job, name, data) || job.state !== before) look();
    else draw();
  }, look, signal);
}

async function drawResults(place, job, results, signal) {
  const found = Object.entries(results.pipeline_results);
  if (!found.length) {
    fill(place);
    return;
  }
  const look = h("section", { class: "card", "aria-labelledby": "h-look" }, h("h2", { id: "h-look" }, "A look at it"));
  fill(place, look, tables(job, found, results), downloads(job, found, await get("formats", { signal }), results));
  await lookAt(look, job, found, signal);
}

function tables(job, found, results) {
  const failures = [...results.failures.map((one) => ({ pipeline: "the file", ...one })), ...found.flatMap(([name, one]) => one.failures.map((failure) => ({ pipeline: name, ...failure })))];
  const covered = (one) => (one.coverage.spans || []).reduce((sum, [start, end]) => sum + end - start, 0);
  return h("section", { class: "card", "aria-labelledby": "h-found" }, h("h2", { id: "h-found" }, "What was found"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of pipelines" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Pipeline", "Rows", "Looked at", "Took", "Weights"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, found.map(([name, one]) => h("tr", {},
        h("th", { scope: "row" }, name.replaceAll("_", " ")),
        h("td", {}, Object.entries(one.rows).map(([table, rows]) => h("div", {}, `${rows} ${table}`))),
        h("td", {}, `${clock(covered(one))} of ${clock(job.video_duration_seconds)}`),
        h("td", {}, one.cached ? "from the cache" : one.processing_time === null ? "–" : lasting(one.processing_time)),
        h("td", {}, one.models.map((model) => h("div", {}, `${model.name} (${model.licence || "licence not told"})`)))))))),
    failures.length ? [h("h3", {}, "What is missing"), h("ul", {}, failures.map((one) => h("li", { class: "problem" },
      `${one.pipeline.replaceAll("_", " ")}: ${one.message}`, one.span ? ` (${clock(one.span.start ?? one.span[0])} to ${clock(one.span.end ?? one.span[1])})` : "")))] : null,
    Object.entries(results.left_out).length ? [h("h3", {}, "What did not run"), h("ul", {}, Object.entries(results.left_out).map(([name, why]) => h("li", {}, `${name.replaceAll("_", " ")}: ${why}`)))] : null,
    results.notices.length ? [h("h3", {}, "Good to know"), h("ul", {}, results.notices.map((text) => h("li", {}, text)))] : null);
}

function downloads(job, found, formats, results) {
  const one = h("select", { id: "which-format" }, formats.formats.map((format) => h("option", { value: format.name }, `${format.name}: ${format.summary}`)));
  const link = h("a", { class: "button", download: true }, "Get this format");
  const aim = () => link.setAttribute("href", `/api/v1/jobs/${job.id}/artifacts?video=false&format=${encodeURIComponent(one.value)}`);
  one.addEventListener("change", aim);
  aim();
  const failed = Object.entries(results.format_failures);
  return h("section", { class: "card", "aria-labelledby": "h-files" }, h("h2", { id: "h-files" }, "Files"),
    h("p", {}, h("a", { class: "button main", download: true, href: `/api/v1/jobs/${job.id}/artifacts` }, "Get all for the Video Annotation Viewer, with the video (ZIP)")),
    h("p", { class: "line" }, h("label", { for: "which-format" }, "Format "), one, link),
    failed.length ? h("ul", {}, failed.map(([name, why]) => h("li", { class: "problem" }, `${name}: ${why}`))) : null);
}
