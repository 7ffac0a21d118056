// A plain look at a result: the video with boxes, and a lane of time for each table. Small, and easily replaced: a
// host calls `lookAt(element, job, pipelines, signal)` and nothing else.

import { get } from "./api.mjs";
import { clock, h } from "./dom.mjs";

const MOST = 200000;
const COLOURS = ["#e6550d", "#3182bd", "#31a354", "#756bb1", "#c51b8a", "#b8860b", "#008080", "#8c564b"];
const BONES = [[5, 7], [7, 9], [6, 8], [8, 10], [5, 6], [11, 12], [5, 11], [6, 12], [11, 13], [13, 15], [12, 14], [14, 16]];

/** Rows with boxes, sorted by time, and where the rows of a moment are. */
export class Boxes {
  constructor(columns, rate) {
    this.columns = columns;
    this.time = columns.time;
    this.order = Array.from(this.time.keys()).sort((a, b) => this.time[a] - this.time[b]);
    this.sorted = Float64Array.from(this.order, (row) => this.time[row]);
    this.near = rate ? 0.75 / rate : this.usualGap() * 0.75;
  }

  /** Seconds between two pictures that were looked at, where nobody told the rate. */
  usualGap() {
    const gaps = [];
    for (let at = 1; at < this.sorted.length && gaps.length < 500; at += 1) {
      const gap = this.sorted[at] - this.sorted[at - 1];
      if (gap > 1e-6) gaps.push(gap);
    }
    gaps.sort((a, b) => a - b);
    return gaps.length ? gaps[Math.floor(gaps.length / 2)] : 0.04;
  }

  /** Rows of the last picture at or before `now`; none when that is too long ago to be what is seen. */
  at(now) {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle] <= now + 1e-4) low = middle + 1;
      else high = middle;
    }
    const rows = [];
    const moment = this.sorted[low - 1];
    if (moment === undefined || now - moment > this.near + 0.02) return rows;
    for (let at = low - 1; at >= 0 && this.sorted[at] === moment; at -= 1) rows.push(this.order[at]);
    return rows;
  }
}

/** Load the rows and show them in `place`. */
export async function lookAt(place, job, pipelines, signal) {
  const wait = h("p", { class: "hint" }, "Loading the rows …");
  place.append(wait);
  const parts = await Promise.all(pipelines.map(([name]) => get(`jobs/${job.id}/results/${encodeURIComponent(name)}?format=json&limit=${MOST}`, { signal })));
  wait.remove();
  const media = parts[0]?.media || {};
  const lanes = [];
  const boxes = [];
  const cut = [];
  for (const part of parts) {
    for (const [table, told] of Object.entries(part.tables)) {
      const lane = { pipeline: part.pipeline, table, told, colour: COLOURS[lanes.length % COLOURS.length], coverage: part.coverage };
      if (told.total > told.rows) cut.push(`${table}: the first ${told.rows} of ${told.total} rows`);
      if (told.columns.x1 && told.columns.time) boxes.push({ ...lane, boxes: new Boxes(told.columns, part.coverage.rate), shown: true });
      if (told.rows && (told.columns.time || told.columns.start)) lanes.push(lane);
    }
  }
  const video = media.width ? h("video", { src: `/api/v1/videos/${job.video_id}`, controls: true, preload: "metadata", "aria-label": job.video_filename })
    : h("audio", { src: `/api/v1/videos/${job.video_id}`, controls: true, preload: "metadata", "aria-label": job.video_filename });
  const duration = media.duration || job.video_duration_seconds;
  const stage = h("div", { class: "stage" }, video);
  if (media.width) {
    const canvas = h("canvas", { width: media.width, height: media.height, "aria-hidden": "true" });
    stage.append(canvas);
    overlay(video, canvas, boxes, signal);
  }
  video.addEventListener("error", () => stage.after(h("p", { class: "problem" }, "This browser cannot play this video; the rows below and the files are complete.")), { once: true });
  place.append(stage,
    boxes.length ? h("fieldset", { class: "line" }, h("legend", {}, "Show in the picture"), boxes.map((one) => {
      const box = h("input", { type: "checkbox", checked: true, onchange: () => {
        one.shown = box.checked;
        video.dispatchEvent(new Event("redraw"));
      } });
      return h("label", {}, box, h("span", { class: "swatch", "data-colour": one.colour }), ` ${one.table} (${one.pipeline.replaceAll("_", " ")})`);
    })) : null || "",
    h("div", { class: "lanes" }, lanes.map((lane) => laneOf(lane, duration, video, signal))),
    ...cut.map((text) => h("p", { class: "hint" }, `Shown here: ${text}. The files have all.`)));
  for (const swatch of place.querySelectorAll(".swatch")) swatch.style.background = swatch.dataset.colour;
}

function overlay(video, canvas, layers, signal) {
  const pen = canvas.getContext("2d");
  const draw = (now) => {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const thick = Math.max(2, canvas.width / 400);
    pen.lineWidth = thick;
    pen.font = `${Math.max(12, canvas.width / 50)}px system-ui, sans-serif`;
    for (const layer of layers) {
      if (!layer.shown) continue;
      const { columns } = layer.boxes;
      pen.strokeStyle = pen.fillStyle = layer.colour;
      for (const row of layer.boxes.at(now)) {
        const [x1, y1, x2, y2] = [columns.x1[row], columns.y1[row], columns.x2[row], columns.y2[row]];
        if (x1 === null) continue;
        pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
        const name = [columns.label?.[row], columns.track?.[row] ?? columns.person?.[row]].filter((part) => part !== null && part !== undefined).join(" ");
        if (name) pen.fillText(name, x1, y1 > 20 ? y1 - thick : y2 + 20);
        points(pen, columns.keypoints?.[row] || columns.landmarks?.[row], thick);
      }
    }
    canvas.dataset.time = now.toFixed(3);
  };
  let last = 0;
  if (video.requestVideoFrameCallback) {
    const next = (_, picture) => {
      last = picture.mediaTime;
      draw(last);
      if (!signal.aborted) video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  }
  for (const event of ["seeked", "loadeddata", "timeupdate"]) {
    video.addEventListener(event, () => {
      if (!video.requestVideoFrameCallback || video.paused) draw((last = video.currentTime));
    });
  }
  video.addEventListener("redraw", () => draw(last));
}

function points(pen, list, thick) {
  if (!list) return;
  const flat = Array.isArray(list[0]) ? list : Array.from({ length: Math.floor(list.length / 3) }, (_, at) => list.slice(3 * at, 3 * at + 3));
  const seen = (point) => point && point[0] !== null && (point.length < 3 || point[2] === null || point[2] > 0.3) && (point[0] || point[1]);
  for (const point of flat) {
    if (!seen(point)) continue;
    pen.beginPath();
    pen.arc(point[0], point[1], thick * 1.2, 0, 7);
    pen.fill();
  }
  if (flat.length !== 17) return;
  for (const [a, b] of BONES) {
    if (!seen(flat[a]) || !seen(flat[b])) continue;
    pen.beginPath();
    pen.moveTo(flat[a][0], flat[a][1]);
    pen.lineTo(flat[b][0], flat[b][1]);
    pen.stroke();
  }
}

function laneOf(lane, duration, video, signal) {
  const { columns, rows } = lane.told;
  const canvas = h("canvas", { width: 1200, height: 28 });
  const name = `${lane.table} (${lane.pipeline.replaceAll("_", " ")})`;
  const slider = h("div", { class: "lane", role: "slider", tabindex: "0", "aria-label": `${name}, ${rows} rows`, "aria-valuemin": "0", "aria-valuemax": String(Math.round(duration)), "aria-valuenow": "0", "aria-valuetext": "0:00" }, canvas);
  const tell = h("span", { class: "hint" });
  const words = (now) => {
    if (!columns.start) return "";
    for (let row = 0; row < rows; row += 1) {
      if (columns.start[row] <= now && now < columns.end[row]) {
        return [columns.speaker?.[row], columns.text?.[row] ?? columns.word?.[row] ?? columns.label?.[row]].filter((part) => part !== null && part !== undefined).join(": ");
      }
    }
    return "";
  };
  const draw = () => {
    const pen = canvas.getContext("2d");
    const scale = canvas.width / (duration || 1);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = "rgba(128, 128, 128, 0.25)";
    for (const [start, end] of lane.coverage.spans || []) pen.fillRect(start * scale, 12, (end - start) * scale, 4);
    pen.fillStyle = lane.colour;
    if (columns.start) for (let row = 0; row < rows; row += 1) pen.fillRect(columns.start[row] * scale, 5, Math.max(1, (columns.end[row] - columns.start[row]) * scale - 1), 18);
    else for (let row = 0; row < rows; row += 1) pen.fillRect(columns.time[row] * scale, 7, 1.5, 14);
    pen.fillStyle = "#d00";
    pen.fillRect(video.currentTime * scale - 1, 0, 2, canvas.height);
    slider.setAttribute("aria-valuenow", String(Math.round(video.currentTime)));
    const here = words(video.currentTime);
    slider.setAttribute("aria-valuetext", here ? `${clock(video.currentTime)}, ${here}` : clock(video.currentTime));
    tell.textContent = here;
  };
  const go = (time) => (video.currentTime = Math.min(duration, Math.max(0, time)));
  slider.addEventListener("click", (event) => {
    const place = canvas.getBoundingClientRect();
    go(((event.clientX - place.left) / place.width) * duration);
  });
  slider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
    if (step) go(video.currentTime + step);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(duration);
    else return;
    event.preventDefault();
  });
  for (const event of ["timeupdate", "seeked", "loadedmetadata"]) video.addEventListener(event, draw, { signal });
  draw();
  return h("div", { class: "row" }, h("div", { class: "line" }, h("span", { class: "name" }, name), tell), slider);
}
