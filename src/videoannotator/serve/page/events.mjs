// Server-sent events through fetch: the browser's EventSource, but told why it ended, and ended by a signal.

import { ask, pausing } from "./api.mjs";

const SHORTEST = 500;
const LONGEST = 5000;
const GONE = "The server does not answer. What is shown here may be old; this page goes on by itself when it is back.";

/** Read one stream until it ends. `on.opened()` when it begins, `on.tell(name, data, id)` with each event. */
async function once(path, last, on, signal) {
  const headers = { Accept: "text/event-stream" };
  if (last) headers["Last-Event-ID"] = last;
  const answer = await ask("GET", path, { headers, signal, raw: true });
  on.opened();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parse(block);
      if (event.data) on.tell(event.name, JSON.parse(event.data), event.id);
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

/** Follow a stream for good: after a break it goes on behind the last event. Ends with `signal`.
 *
 * `opened()` is called each time it is open: what happened before, or while there was no line, is to be looked up.
 * Whether there is a line at all is told to the document (`line`, with the reason when there is none).
 */
export async function follow(path, tell, opened, signal) {
  let last = null;
  let wait = SHORTEST;
  const line = (problem) => document.dispatchEvent(new CustomEvent("line", { detail: { path, problem } }));
  signal.addEventListener("abort", () => line(""));
  while (!signal.aborted) {
    let problem = "";
    try {
      await once(path, last, {
        opened: () => {
          wait = SHORTEST;
          line("");
          opened();
        },
        tell: (name, data, id) => {
          if (id) last = id;
          tell(name, data);
        },
      }, signal);
    } catch (error) {
      if (error.name === "AbortError" || error.status === 401 || error.status === 404) return;
      problem = error.status ? error.told : GONE;
    }
    if (signal.aborted) return;
    line(problem);
    await pausing(wait, signal).catch(() => null);
    wait = Math.min(wait * 2, LONGEST);
  }
}
