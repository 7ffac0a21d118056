// A new job, or many: which videos, which pipelines, with which settings.

import { all, get, post } from "./api.mjs";
import { bytes, clock, fill, h, lasting, say } from "./dom.mjs";
import { Upload } from "./uploads.mjs";

/** The view. State lives here while it is shown; uploads go on when another view comes, and are found again. */
export async function newView(main, parts, me, signal) {
  const [told, folders, templates] = await Promise.all([
    get("pipelines", { signal }), get("folders", { signal }), all("templates", "templates").catch(() => []),
  ]);
  const state = { uploads: [], videos: new Map(), chosen: new Set(), config: {}, pipelines: told.pipelines };
  for (const name of ["scene_detection", "face_analysis", "voice_activity"]) {
    if (told.pipelines.some((one) => one.name === name && one.available)) state.chosen.add(name);
  }
  const files = h("ul", { class: "plain", id: "files" });
  const cost = h("p", { id: "cost", "aria-live": "polite" });
  const wrong = h("div", { role: "alert" });
  const go = h("button", { class: "main", disabled: true }, "Start");
  const changed = () => {
    drawFiles(files, state, changed);
    go.disabled = !state.videos.size || !state.chosen.size;
    go.textContent = state.videos.size > 1 ? `Start ${state.videos.size} jobs` : "Start";
    estimate(state, cost, signal);
  };
  const choices = h("div", { class: "choices" });
  const pick = () => {
    fill(choices, state.pipelines.map((one) => choice(one, state, pick, changed)));
    changed();
  };
  fill(main, h("form", { onsubmit: (event) => submit(event, state, me, wrong) },
    h("h1", {}, "New job"),
    h("section", { class: "card", "aria-labelledby": "h-videos" }, h("h2", { id: "h-videos" }, "Videos"),
      drop(state, changed), folders.roots.length ? folder(folders.roots, state, changed) : null, files),
    h("section", { class: "card", "aria-labelledby": "h-what" }, h("h2", { id: "h-what" }, "What to look for"),
      templates.length ? template(templates, state, pick) : null, choices),
    h("section", { class: "card", "aria-labelledby": "h-go" }, h("h2", { id: "h-go" }, "Start"), cost, wrong,
      h("div", { class: "actions" }, go, h("button", { type: "button", onclick: () => save(state) }, "Keep these choices as a template")))));
  pick();
}

function drop(state, changed) {
  const input = h("input", { type: "file", id: "pick", multiple: true, accept: "video/*,audio/*,.mkv,.mts,.m2ts,.mxf", onchange: () => {
    add(input.files, state, changed);
    input.value = "";
  } });
  const zone = h("div", { class: "drop",
    ondragover: (event) => { event.preventDefault(); zone.classList.add("over"); },
    ondragleave: () => zone.classList.remove("over"),
    ondrop: (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      add(event.dataTransfer.files, state, changed);
    } },
  h("label", { for: "pick" }, "Drop files here, or choose them: "), input,
  h("p", { class: "hint" }, "An upload that was interrupted goes on where it was: choose the same file again."));
  return zone;
}

async function add(list, state, changed) {
  for (const file of list) {
    if (!file.size) {
      say(`${file.name} is empty`, true);
      continue;
    }
    const upload = new Upload(file, changed);
    state.uploads.push(upload);
    changed();
    run(upload, state, changed);
  }
}

async function run(upload, state, changed) {
  const id = await upload.run();
  if (!id) return;
  state.videos.set(id, await get(`videos/${id}/info`));
  state.uploads = state.uploads.filter((one) => one !== upload);
  say(`${upload.file.name} is uploaded`);
  changed();
}

function drawFiles(place, state, changed) {
  const focused = document.activeElement?.getAttribute("data-key");
  fill(place,
    state.uploads.map((upload) => {
      const percent = Math.floor((100 * upload.sent) / upload.file.size);
      const words = { waiting: "waits", uploading: upload.resumed ? "goes on" : "uploading", paused: "paused", checking: "being checked", failed: upload.problem }[upload.state];
      const key = `${upload.file.name}/${upload.file.size}`;
      return h("li", { class: "line" }, h("span", { class: "name" }, upload.file.name),
        h("progress", { max: 100, value: percent, "aria-label": `${upload.file.name}: ${percent} percent uploaded` }),
        h("span", { class: upload.state === "failed" ? "problem" : "hint" }, `${percent} % of ${bytes(upload.file.size)} · ${words}`),
        upload.state === "uploading" ? h("button", { type: "button", "data-key": `p${key}`, onclick: () => upload.pause() }, "Pause") : null,
        ["paused", "failed"].includes(upload.state)
          ? h("button", { type: "button", "data-key": `p${key}`, onclick: () => run(upload, state, changed) }, "Go on") : null,
        h("button", { type: "button", class: "quiet", "data-key": `x${key}`, "aria-label": `Remove ${upload.file.name}`, onclick: () => {
          state.uploads = state.uploads.filter((one) => one !== upload);
          upload.end();
          changed();
        } }, "Remove"));
    }),
    [...state.videos.values()].map((video) => {
      const { video: pictures, audio } = video.media;
      return h("li", { class: "line" }, h("span", { class: "name" }, video.name),
        h("span", { class: "hint" }, [clock(video.duration), bytes(video.bytes),
          pictures ? `${pictures.width} × ${pictures.height}` : "no pictures", audio ? "with sound" : "no sound"].join(" · ")),
        (video.media.notices || []).map((notice) => h("span", { class: "hint" }, notice)),
        h("button", { type: "button", class: "quiet", "aria-label": `Leave ${video.name} out`, onclick: () => {
          state.videos.delete(video.id);
          changed();
        } }, "Leave out"));
    }));
  if (focused) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function folder(roots, state, changed) {
  const list = h("ul", { class: "plain entries" });
  const open = async (path) => {
    const told = await get(`folders/look?path=${encodeURIComponent(path)}`).catch((error) => say(error.told, true));
    if (!told) return;
    const root = roots.find((one) => path === one);
    fill(list,
      h("li", { class: "hint" }, path),
      root ? null : h("li", {}, h("button", { type: "button", class: "quiet", onclick: () => open(path.replace(/[/\\][^/\\]*$/, "")) }, "‹ one up")),
      told.entries.map((entry) => h("li", { class: "line" }, entry.kind === "folder"
        ? h("button", { type: "button", class: "quiet", onclick: () => open(entry.path) }, `${entry.name}/`)
        : [h("span", { class: "name" }, entry.name), h("span", { class: "hint" }, bytes(entry.bytes)),
          h("button", { type: "button", "aria-label": `Take ${entry.name}`, onclick: () => take([entry.path]) }, "Take")])),
      told.truncated ? h("li", { class: "hint" }, "There is more than is listed here.") : null,
      told.entries.some((entry) => entry.kind === "file")
        ? h("li", {}, h("button", { type: "button", onclick: () => take(told.entries.filter((entry) => entry.kind === "file").map((entry) => entry.path)) }, "Take all files of this folder")) : null);
  };
  const take = async (paths) => {
    try {
      const made = await post("videos/from-folder", { paths });
      for (const video of made.videos) state.videos.set(video.id, video);
      for (const one of made.refused || []) say(`${one.path}: ${one.message}`, true);
      changed();
    } catch (error) {
      say(error.told, true);
    }
  };
  return h("details", {}, h("summary", {}, "Or take files of a folder on the server"),
    h("div", { class: "actions" }, roots.map((root) => h("button", { type: "button", onclick: () => open(root) }, root))), list);
}

/** A need in plain words: "rows of person_tracking, if it runs" -> "person tracking (better with it)". */
function plainly(need) {
  const told = need.match(/^rows of (\w+)(, if it runs)?$/);
  return told ? `${told[1].replaceAll("_", " ")}${told[2] ? " (better with it)" : ""}` : need;
}

function choice(one, state, pick, changed) {
  const id = `pipeline-${one.name}`;
  const licences = [one.licence, ...one.models.map((model) => model.licence)];
  const licence = licences.filter((text, at) => text && licences.indexOf(text) === at);
  const box = h("input", { type: "checkbox", id, checked: state.chosen.has(one.name), disabled: !one.enabled, onchange: () => {
    if (box.checked) state.chosen.add(one.name);
    else state.chosen.delete(one.name);
    pick();
    document.getElementById(id)?.focus();
  }, "aria-describedby": `${id}-more` });
  return h("div", { class: one.enabled ? "choice" : "choice off" },
    h("label", { for: id, class: "name" }, box, ` ${one.display_name}`),
    h("div", { id: `${id}-more` },
      h("p", {}, one.description),
      h("p", { class: "hint" }, [one.needs.length ? `needs ${one.needs.map(plainly).join(", ")}` : null, licence.length ? `licence ${licence.join(", ")}` : null].filter(Boolean).join(" · ")),
      one.enabled && one.fetches.length ? h("p", { class: "hint" }, `Fetches its weights first: ${one.fetches.join("; ")}`) : null,
      one.enabled ? null : h("p", { class: "hint" }, [one.missing, one.get].filter(Boolean).join("; "))),
    state.chosen.has(one.name) && Object.keys(one.config_schema?.properties || {}).length ? settings(one, state, changed) : null);
}

/** A form made from the settings' JSON Schema. What is left as it is is not sent: the pipeline's default stands. */
function settings(one, state, changed) {
  const given = (state.config[one.name] ||= {});
  const set = (name, value, standard) => {
    if (value === undefined || JSON.stringify(value) === JSON.stringify(standard)) delete given[name];
    else given[name] = value;
    changed();
  };
  const fields = Object.entries(one.config_schema.properties).map(([name, told]) => {
    const id = `set-${one.name}-${name}`;
    const plain = (told.anyOf || []).find((part) => part.type !== "null") || told;
    const now = name in given ? given[name] : told.default;
    const help = told.description ? h("span", { class: "hint", id: `${id}-help` }, told.description) : null;
    const more = help ? { "aria-describedby": `${id}-help` } : {};
    let input;
    if (plain.enum) {
      input = h("select", { id, ...more, onchange: () => set(name, input.value === "" ? undefined : JSON.parse(input.value), told.default) },
        plain.enum.map((value) => h("option", { value: JSON.stringify(value) }, String(value))));
      input.value = JSON.stringify(now);
    } else if (plain.type === "boolean") {
      input = h("input", { id, type: "checkbox", checked: now === true, ...more, onchange: () => set(name, input.checked, told.default) });
    } else if (["number", "integer"].includes(plain.type)) {
      input = h("input", { id, type: "number", step: plain.type === "integer" ? 1 : "any", min: plain.minimum ?? plain.exclusiveMinimum, max: plain.maximum ?? plain.exclusiveMaximum,
        value: now ?? "", ...more, onchange: () => set(name, input.value === "" ? undefined : Number(input.value), told.default) });
    } else if (plain.type === "string") {
      input = h("input", { id, type: "text", value: now ?? "", ...more, onchange: () => set(name, input.value === "" ? undefined : input.value, told.default) });
    } else {
      input = h("input", { id, type: "text", value: now === undefined || now === null ? "" : JSON.stringify(now), ...more, onchange: () => {
        try {
          set(name, input.value === "" ? undefined : JSON.parse(input.value), told.default);
          input.setCustomValidity("");
        } catch {
          input.setCustomValidity("write it as JSON, for example [\"kitchen\", \"garden\"]");
          input.reportValidity();
        }
      } });
    }
    return h("div", { class: "field" }, h("label", { for: id }, name.replaceAll("_", " ")), input, help);
  });
  return h("details", { class: "settings" }, h("summary", {}, `Settings of ${one.display_name}`), fields);
}

function request(state) {
  const config = Object.fromEntries(Object.entries(state.config).filter(([name, values]) => state.chosen.has(name) && Object.keys(values).length));
  return { pipelines: [...state.chosen], config };
}

async function estimate(state, place, signal) {
  const turn = (state.turn = (state.turn || 0) + 1);
  if (!state.videos.size || !state.chosen.size) {
    fill(place, "Choose a video, and what to look for.");
    return;
  }
  await new Promise((go) => setTimeout(go, 400));
  if (turn !== state.turn || signal.aborted) return;
  const videos = [...state.videos.values()];
  try {
    const told = await post("jobs/estimate", { video_id: videos[0].id, ...request(state) }, { signal });
    if (turn !== state.turn) return;
    const share = told.media_seconds || videos[0].duration || 1;
    const whole = videos.reduce((sum, one) => sum + one.duration, 0);
    const memory = Object.entries(told.memory).filter(([, size]) => size).map(([device, size]) => `${bytes(size)} on ${device}`);
    fill(place, told.seconds === null ? "How long it takes is not known before it has run here once." : `It takes about ${lasting((told.seconds * whole) / share)}.`,
      memory.length ? ` Memory: up to ${memory.join(", ")}.` : "",
      told.to_fetch.length ? ` Fetched first: ${told.download_bytes ? bytes(told.download_bytes) : "weights of a size that is not told"}.` : "",
      told.warnings.map((one) => h("span", { class: "hint" }, ` ${one.message}`)));
  } catch (error) {
    if (turn === state.turn && error.name !== "AbortError") fill(place, error.told || "");
  }
}

async function submit(event, state, me, wrong) {
  event.preventDefault();
  fill(wrong);
  const ids = [...state.videos.keys()];
  const key = (state.key ||= crypto.randomUUID?.() || String(Math.random()).slice(2) + Date.now()); // pressed twice: once done
  try {
    if (ids.length === 1) {
      const job = await post("jobs", { video_id: ids[0], ...request(state) }, { headers: { "Idempotency-Key": key } });
      location.hash = `#/job/${job.id}`;
    } else {
      const batch = await post("batches", { video_ids: ids, ...request(state) }, { headers: { "Idempotency-Key": key } });
      location.hash = `#/batch/${batch.id}`;
    }
  } catch (error) {
    state.key = null;
    fill(wrong, h("p", { class: "problem" }, error.told || error.message),
      error.errors?.length ? h("ul", {}, error.errors.map((one) => h("li", {}, `${one.field}: ${one.message}`))) : null);
  }
}

function template(templates, state, pick) {
  const choose = h("select", { id: "template", onchange: () => {
    const one = templates.find((other) => other.id === choose.value);
    if (!one) return;
    state.chosen = new Set((one.request.pipelines || []).filter((name) => state.pipelines.some((other) => other.name === name && other.enabled)));
    state.config = structuredClone(one.request.config || {});
    pick();
  } }, h("option", { value: "" }, "choose one"), templates.map((one) => h("option", { value: one.id }, one.shared ? `${one.name} (shared)` : one.name)));
  return h("p", {}, h("label", { for: "template" }, "Template "), choose);
}

function save(state) {
  const name = h("input", { id: "template-name", required: true, maxlength: 100 });
  const dialog = h("dialog", { "aria-labelledby": "save-title" });
  const keep = async (event) => {
    event.preventDefault();
    await post("templates", { name: name.value, request: request(state) }).then(
      () => { dialog.close(); say(`Kept as ${name.value}`); }, (error) => say(error.told, true));
  };
  dialog.append(h("form", { onsubmit: keep }, h("h2", { id: "save-title" }, "Keep these choices"), h("label", { for: "template-name" }, "Name"), name,
    h("div", { class: "actions" }, h("button", { type: "button", onclick: () => dialog.close() }, "Not now"), h("button", { class: "main" }, "Keep"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
