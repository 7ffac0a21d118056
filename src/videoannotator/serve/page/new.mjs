// A new job, or many: which videos, which pipelines, with which settings.

import { all, get, pausing, post } from "./api.mjs";
import { bytes, fill, h, lasting, say } from "./dom.mjs";
import { Settings, settingsOf, showWrong } from "./settings.mjs";
import { drawFiles, drop, folder } from "./videos.mjs";

const FIRST = ["scene_detection", "face_analysis", "voice_activity"];

/** What somebody has begun: it outlives the view, so that uploads go on, and are found again. */
const begun = { user: null, state: null };

function stateOf(me, pipelines) {
  if (begun.user !== me.user.id) {
    const ready = FIRST.filter((name) => pipelines.some((one) => one.name === name && one.available));
    begun.user = me.user.id;
    begun.state = { uploads: [], videos: new Map(), chosen: new Set(ready), settings: new Settings(), key: null, changed: () => {} };
  }
  return Object.assign(begun.state, { pipelines });
}

/** The view. */
export async function newView(main, parts, me, signal) {
  const [told, folders, templates] = await Promise.all([
    get("pipelines", { signal }), get("folders", { signal }), all("templates", "templates"),
  ]);
  const state = stateOf(me, told.pipelines);
  const files = h("ul", { class: "plain", id: "files" });
  const cost = h("p", { id: "cost", "aria-live": "polite" });
  const wrong = h("div", { role: "alert" });
  const go = h("button", { class: "main", disabled: true }, "Start");
  const choices = h("div", { class: "choices" });
  state.changed = () => {
    state.key = null;
    drawFiles(files, state);
    go.disabled = !state.videos.size || !state.chosen.size;
    go.textContent = state.videos.size > 1 ? `Start ${state.videos.size} jobs` : "Start";
    estimate(state, cost, signal).catch((error) => fill(cost, error.told || error.message));
  };
  signal.addEventListener("abort", () => (state.changed = () => {}));
  const pick = () => {
    fill(choices, state.pipelines.map((one) => choice(one, state, pick)));
    state.changed();
  };
  fill(main, h("form", { novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    fill(wrong);
    if (!showWrong(choices)) submit(state, wrong);
  } },
  h("h1", {}, "New job"),
  h("section", { class: "card", "aria-labelledby": "h-videos" }, h("h2", { id: "h-videos" }, "Videos"),
    drop(state), folders.roots.length ? folder(folders.roots, state) : null, files),
  h("section", { class: "card", "aria-labelledby": "h-what" }, h("h2", { id: "h-what" }, "What to look for"),
    templates.length ? template(templates, state, pick) : null, choices),
  h("section", { class: "card", "aria-labelledby": "h-go" }, h("h2", { id: "h-go" }, "Start"), cost, wrong,
    h("div", { class: "actions" }, go, h("button", { type: "button", onclick: () => save(state) }, "Keep these choices as a template")))));
  pick();
}

/** A need in plain words: "rows of person_tracking, if it runs" -> "person tracking (better with it)". */
function plainly(need) {
  const told = need.match(/^rows of (\w+)(, if it runs)?$/);
  return told ? `${told[1].replaceAll("_", " ")}${told[2] ? " (better with it)" : ""}` : need;
}

function choice(one, state, pick) {
  const id = `pipeline-${one.name}`;
  const licences = [one.licence, ...one.models.map((model) => model.licence)];
  const licence = licences.filter((text, at) => text && licences.indexOf(text) === at);
  const box = h("input", { type: "checkbox", id, checked: state.chosen.has(one.name), disabled: !one.enabled, onchange: () => {
    if (box.checked) state.chosen.add(one.name);
    else state.chosen.delete(one.name);
    pick();
  }, "aria-describedby": `${id}-more` });
  return h("div", { class: one.enabled ? "choice" : "choice off" },
    h("label", { for: id, class: "name" }, box, ` ${one.display_name}`),
    h("div", { id: `${id}-more` },
      h("p", {}, one.description),
      h("p", { class: "hint" }, [one.needs.length ? `needs ${one.needs.map(plainly).join(", ")}` : null, licence.length ? `licence ${licence.join(", ")}` : null].filter(Boolean).join(" · ")),
      one.enabled && one.fetches.length ? h("p", { class: "hint" }, `Fetches its weights first: ${one.fetches.join("; ")}`) : null,
      one.enabled ? null : h("p", { class: "hint" }, [one.missing, one.get].filter(Boolean).join("; "))),
    state.chosen.has(one.name) && Object.keys(one.config_schema?.properties || {}).length ? settingsOf(one, state.settings, () => state.changed()) : null);
}

function request(state) {
  return { pipelines: [...state.chosen], config: state.settings.of(state.chosen) };
}

/** Say what it will take, and beside their fields which settings the server would refuse. */
async function estimate(state, place, signal) {
  const turn = (state.turn = (state.turn || 0) + 1);
  const videos = [...state.videos.values()];
  if (!videos.length || !state.chosen.size) fill(place, "Choose a video, and what to look for.");
  if (!state.chosen.size) return;
  try {
    await pausing(400, signal);
    if (turn !== state.turn) return;
    const told = videos.length ? await post("jobs/estimate", { video_id: videos[0].id, ...request(state) }, { signal })
      : await post("config/validate", request(state), { signal });
    if (turn !== state.turn) return;
    if (videos.length) fill(place, inWords(told, videos));
    else state.settings.tell(told.errors);
  } catch (error) {
    if (turn !== state.turn || error.name === "AbortError") return;
    const rest = state.settings.tell(error.errors || []);
    fill(place, error.errors?.length && !rest.length ? "One of the settings is not right yet." : error.told || error.message);
  }
}

function inWords(told, videos) {
  const share = told.media_seconds || videos[0].duration || 1;
  const whole = videos.reduce((sum, one) => sum + one.duration, 0);
  const memory = Object.entries(told.memory).filter(([, size]) => size).map(([device, size]) => `${bytes(size)} on ${device}`);
  return [
    told.seconds === null ? "How long it takes is not known before it has run here once." : `It takes about ${lasting((told.seconds * whole) / share)}.`,
    memory.length ? ` Memory: up to ${memory.join(", ")}.` : "",
    told.to_fetch.length ? ` Fetched first: ${told.download_bytes ? bytes(told.download_bytes) : "weights of a size that is not told"}.` : "",
    told.warnings.map((one) => h("span", { class: "hint" }, ` ${one.message}`)),
  ];
}

async function submit(state, wrong) {
  const ids = [...state.videos.keys()];
  state.key ||= crypto.randomUUID?.() || String(Math.random()).slice(2) + Date.now(); // pressed twice: once done
  const more = { headers: { "Idempotency-Key": state.key } };
  try {
    const made = ids.length === 1 ? await post("jobs", { video_id: ids[0], ...request(state) }, more)
      : await post("batches", { video_ids: ids, ...request(state) }, more);
    for (const id of ids) state.videos.delete(id); // what is still on its way stays, for the next time
    state.key = null;
    location.hash = ids.length === 1 ? `#/job/${made.id}` : `#/batch/${made.id}`;
  } catch (error) {
    if (error.status) state.key = null; // no answer at all: it may have arrived, so the next try is the same request
    const rest = state.settings.tell(error.errors || []);
    if (error.errors?.length) fill(wrong, rest.length ? h("ul", {}, rest.map((one) => h("li", { class: "problem" }, one.message))) : null);
    else fill(wrong, h("p", { class: "problem" }, error.told || error.message));
    showWrong(document.querySelector(".choices"));
  }
}

function template(templates, state, pick) {
  const choose = h("select", { id: "template", onchange: () => {
    const one = templates.find((other) => other.id === choose.value);
    if (!one) return;
    state.chosen = new Set((one.request.pipelines || []).filter((name) => state.pipelines.some((other) => other.name === name && other.enabled)));
    state.settings.replace(one.request.config || {});
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
