// Resumable uploads (tus 1.0): pieces that are kept, so that a lost connection, a pause or a reload costs one piece.

import { PREFIX, Refused, ask, pausing } from "./api.mjs";

const PIECE = 8 * 1024 * 1024;
const TRIES = 6;
const KEPT = "videoannotator.uploads";

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) || {};
  } catch {
    return {};
  }
}

function keep(print, place) {
  const all = kept();
  if (place) all[print] = place;
  else delete all[print];
  localStorage.setItem(KEPT, JSON.stringify(all));
}

/** What tells a file from others when the page was loaded again; its content is checked by the server. */
const printOf = (file) => [file.name, file.size, file.lastModified].join("/");

const text64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** One file on its way. `changed()` is called whenever `state`, `sent` or `problem` is another. */
export class Upload {
  constructor(file, changed) {
    this.file = file;
    this.changed = changed;
    this.state = "waiting"; // uploading, paused, checking, done, failed
    this.sent = 0;
    this.problem = "";
    this.video = null;
    this.place = null;
    this.resumed = false;
  }

  /** Start, or go on where it was. Resolves to the video's id, or null when paused, given up or failed. */
  async run() {
    const stopper = (this.stopper = new AbortController()); // its own: an earlier run may still be on its way out
    this.turn("uploading");
    try {
      this.sent = await this.begin(stopper.signal);
      this.changed();
      while (this.sent < this.file.size) await this.piece(stopper.signal);
      return await this.finish(stopper.signal);
    } catch (error) {
      if (stopper.signal.aborted) return null;
      this.problem = error.told || error.message;
      if (error instanceof Refused && error.status >= 400 && error.status < 500) keep(printOf(this.file), null);
      this.turn("failed");
      return null;
    }
  }

  pause() {
    this.stopper?.abort();
    this.turn("paused");
  }

  /** Give it up, here and on the server. */
  async end() {
    this.pause();
    keep(printOf(this.file), null);
    if (this.place && !this.video) await ask("DELETE", this.place, { headers: { "Tus-Resumable": "1.0.0" }, raw: true }).catch(() => null);
  }

  turn(state) {
    this.state = state;
    this.changed();
  }

  async begin(signal) {
    this.place ||= kept()[printOf(this.file)] || null;
    if (this.place) {
      try {
        const offset = await this.offset(signal);
        this.resumed = true;
        return offset;
      } catch (error) {
        if (![403, 404, 410].includes(error.status)) throw error;
        this.place = null; // it waited too long, or belongs to somebody else
      }
    }
    const answer = await this.send("POST", `${PREFIX}/uploads`, signal, {
      "Upload-Length": String(this.file.size),
      "Upload-Metadata": `filename ${text64(this.file.name)}`,
    });
    this.place = new URL(answer.headers.get("Location"), location.href).pathname;
    keep(printOf(this.file), this.place);
    return 0;
  }

  /** Where the server is. It may still be busy with a piece that was broken off. */
  async offset(signal) {
    for (let tries = 0; ; tries += 1) {
      try {
        return Number((await this.send("HEAD", this.place, signal)).headers.get("Upload-Offset"));
      } catch (error) {
        if (![409, 423].includes(error.status) || tries >= TRIES) throw error;
        await pausing(500, signal);
      }
    }
  }

  /** Send what comes next; more than once when the line breaks, each time from where the server is. */
  async piece(signal) {
    for (let tries = 0; this.sent < this.file.size; tries += 1) {
      try {
        const answer = await this.send("PATCH", this.place, signal, {
          "Upload-Offset": String(this.sent),
          "Content-Type": "application/offset+octet-stream",
        }, this.file.slice(this.sent, this.sent + PIECE));
        this.sent = Number(answer.headers.get("Upload-Offset"));
        this.changed();
        return;
      } catch (error) {
        const passes = error.status === 0 || error.status >= 500 || [409, 423, 429].includes(error.status);
        if (!passes || tries >= TRIES) throw error;
      }
      await pausing(500 * 2 ** tries, signal);
      try {
        this.sent = await this.offset(signal);
      } catch (error) {
        if (error.status !== 0) throw error; // no line yet: the next try, after a longer wait, finds out
      }
    }
  }

  async finish(signal) {
    this.turn("checking");
    for (;;) {
      const told = await ask("GET", this.place, { signal });
      if (told.video_id) {
        keep(printOf(this.file), null);
        this.video = told.video_id;
        this.turn("done");
        return this.video;
      }
      if (told.error) throw new Refused(422, { detail: told.error });
      await pausing(500, signal);
    }
  }

  send(method, path, signal, headers = {}, body = undefined) {
    return ask(method, path, { headers: { "Tus-Resumable": "1.0.0", ...headers }, body, raw: true, signal });
  }
}
