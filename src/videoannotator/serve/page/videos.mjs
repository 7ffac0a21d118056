// Which videos: files that are uploaded, and files of server folders.

import { get, post } from "./api.mjs";
import { bytes, clock, fill, h, say } from "./dom.mjs";
import { Upload } from "./uploads.mjs";

const AT_ONCE = 20;

/** A place for files. `state`: `uploads` on their way, `videos` that are there, `changed()` when either is another. */
export function drop(state) {
  const input = h("input", { type: "file", id: "pick", multiple: true, accept: "video/*,audio/*,.mkv,.mts,.m2ts,.mxf", onchange: () => {
    add(input.files, state);
    input.value = "";
  } });
  const zone = h("div", { class: "drop",
    ondragover: (event) => { event.preventDefault(); zone.classList.add("over"); },
    ondragleave: () => zone.classList.remove("over"),
    ondrop: (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      add(event.dataTransfer.files, state);
    } },
  h("label", { for: "pick" }, "Drop files here, or choose them: "), input,
  h("p", { class: "hint" }, "An upload that was interrupted goes on where it was: choose the same file again."));
  return zone;
}

function add(list, state) {
  for (const file of list) {
    if (!file.size) {
      say(`${file.name} is empty`, true);
      continue;
    }
    const upload = new Upload(file, () => state.changed());
    state.uploads.push(upload);
    run(upload, state);
  }
}

async function run(upload, state) {
  const id = await upload.run();
  if (!id) return;
  try {
    state.videos.set(id, await get(`videos/${id}/info`));
    state.uploads = state.uploads.filter((one) => one !== upload);
    say(`${upload.file.name} is uploaded`);
  } catch (error) {
    say(error.told || error.message, true);
  }
  state.changed();
}

/** What is on its way, and what is there. */
export function drawFiles(place, state) {
  fill(place,
    state.uploads.map((upload) => onItsWay(upload, state)),
    [...state.videos.values()].map((video) => {
      const { video: pictures, audio } = video.media;
      return h("li", { class: "line" }, h("span", { class: "name" }, video.name),
        h("span", { class: "hint" }, [clock(video.duration), bytes(video.bytes),
          pictures ? `${pictures.width} × ${pictures.height}` : "no pictures", audio ? "with sound" : "no sound"].join(" · ")),
        (video.media.notices || []).map((notice) => h("span", { class: "hint" }, notice)),
        h("button", { type: "button", class: "quiet", "aria-label": `Leave ${video.name} out`, onclick: () => {
          state.videos.delete(video.id);
          state.changed();
        } }, "Leave out"));
    }));
}

function onItsWay(upload, state) {
  const { name, size } = upload.file;
  const percent = Math.floor((100 * upload.sent) / size);
  const words = { waiting: "waits", uploading: upload.resumed ? "goes on" : "uploading", paused: "paused", checking: "being checked", done: "done", failed: upload.problem }[upload.state];
  const key = `${name}/${size}`;
  return h("li", { class: "line" }, h("span", { class: "name" }, name),
    h("progress", { max: 100, value: percent, "aria-label": `${name}: ${percent} percent uploaded` }),
    h("span", { class: upload.state === "failed" ? "problem" : "hint" }, `${percent} % of ${bytes(size)} · ${words}`),
    upload.state === "uploading" ? h("button", { type: "button", "data-key": `p${key}`, "aria-label": `Pause ${name}`, onclick: () => upload.pause() }, "Pause") : null,
    ["paused", "failed"].includes(upload.state)
      ? h("button", { type: "button", "data-key": `p${key}`, "aria-label": `Go on with ${name}`, onclick: () => run(upload, state) }, "Go on") : null,
    h("button", { type: "button", class: "quiet", "data-key": `x${key}`, "aria-label": `Remove ${name}`, onclick: () => {
      state.uploads = state.uploads.filter((one) => one !== upload);
      upload.end();
      state.changed();
    } }, "Remove"));
}

/** Folders of the server that are opened, to walk through and take files of. */
export function folder(roots, state) {
  const list = h("ul", { class: "plain" });
  const refused = h("div", { role: "alert" });
  const take = (paths) => taken(paths, state, refused);
  const open = async (path, above = []) => {
    fill(refused);
    const told = await get(`folders/look?path=${encodeURIComponent(path)}`).catch((error) => say(error.told, true));
    if (!told) return;
    const films = told.entries.filter((entry) => entry.kind === "file").map((entry) => entry.path);
    fill(list,
      h("li", { class: "hint" }, told.path),
      above.length ? h("li", {}, h("button", { type: "button", class: "quiet", onclick: () => open(above.at(-1), above.slice(0, -1)) }, "‹ one up")) : null,
      told.entries.length ? null : h("li", { class: "hint" }, "There are no videos here."),
      told.entries.map((entry) => h("li", { class: "line" }, entry.kind === "folder"
        ? h("button", { type: "button", class: "quiet", onclick: () => open(entry.path, [...above, path]) }, `${entry.name}/`)
        : [h("span", { class: "name" }, entry.name), h("span", { class: "hint" }, bytes(entry.bytes)),
          h("button", { type: "button", "aria-label": `Take ${entry.name}`, onclick: () => take([entry.path]) }, "Take")])),
      told.truncated ? h("li", { class: "hint" }, "There is more than is listed here.") : null,
      films.length ? h("li", {}, h("button", { type: "button", onclick: () => take(films) }, "Take all files of this folder")) : null);
  };
  return h("details", {}, h("summary", {}, "Or take files of a folder on the server"),
    h("div", { class: "actions" }, roots.map((root) => h("button", { type: "button", onclick: () => open(root) }, root))),
    h("div", { class: "entries" }, list, refused));
}

/** Take files as they lie there; each is read and hashed first, so many are asked for a few at a time. */
async function taken(paths, state, refused) {
  fill(refused);
  try {
    for (let at = 0; at < paths.length; at += AT_ONCE) {
      if (paths.length > 1) say(`Looking at ${Math.min(at + AT_ONCE, paths.length)} of ${paths.length} files …`);
      const made = await post("videos/from-folder", { paths: paths.slice(at, at + AT_ONCE) });
      for (const video of made.videos) state.videos.set(video.id, video);
      refused.append(...made.refused.map((one) => h("p", { class: "problem" }, refusal(one))));
      state.changed();
    }
  } catch (error) {
    refused.append(h("p", { class: "problem" }, error.told || error.message));
  }
}

/** Why a file was not taken; most reasons begin with its name. */
function refusal({ path, reason }) {
  const name = path.replace(/^.*[/\\]/, "");
  return reason.includes(name) ? reason : `${name}: ${reason}`;
}
