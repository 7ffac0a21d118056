// Server-sent events through fetch: the browser's EventSource, but told why it ended, and ended by a signal.

import { ask } from "./api.mjs";

/** Read one stream until it ends. `tell(name, data, id)` gets each event. */
async function once(path, last, tell, signal) {
  const headers = { Accept: "text/event-stream" };
  if (last) headers["Last-Event-ID"] = last;
  const answer = await ask("GET", path, { headers, signal, raw: true });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return last;
    rest += value.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parse(block);
      if (event.id) last = event.id;
      if (event.data) tell(event.name, JSON.parse(event.data), event.id);
    }
  }
}

/** One event's lines, as the standard has them. */
export function parse(block) {
  const event = { name: "message", data: "", id: "" };
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith(":")) continue;
    const at = line.indexOf(":");
    const field = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (field === "event") event.name = value;
    else if (field === "data") data.push(value);
    else if (field === "id") event.id = value;
  }
  event.data = data.join("\n");
  return event;
}

/** Follow a stream for good: after a break it goes on behind the last event. Ends with `signal`. */
export async function follow(path, tell, signal) {
  let last = null;
  let wait = 500;
  const remember = (name, data, id) => {
    if (id) last = id;
    wait = 500;
    tell(name, data, id);
  };
  while (!signal.aborted) {
    try {
      last = await once(path, last, remember, signal);
    } catch (error) {
      if (error.name === "AbortError" || error.status === 401 || error.status === 404) return;
    }
    await new Promise((go) => setTimeout(go, wait));
    wait = Math.min(wait * 2, 15000);
  }
}
