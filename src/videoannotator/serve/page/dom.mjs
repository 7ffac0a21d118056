// Making elements. Text only ever becomes text: nothing here reads HTML, so no name or transcript can become markup.

/** An element: `h("a", {href: "#/"}, "text", child)`. `on*` are listeners, `class`, `for` and `aria-*` as in HTML. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "checked" || name === "disabled" || name === "hidden") element[name] = true;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Put `children` in place of whatever is in `element`. What has the keyboard keeps it, where it is there again. */
export function fill(element, ...children) {
  const focused = element.contains(document.activeElement) ? selector(document.activeElement) : null;
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  if (focused) element.querySelector(focused)?.focus({ preventScroll: true });
}

/** What finds an element again that was made anew. */
function selector(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const name = ["data-key", "aria-label", "href"].find((one) => element.hasAttribute(one));
  return name ? `${element.localName}[${name}="${CSS.escape(element.getAttribute(name))}"]` : null;
}

/** Tell everybody, also those who do not see: shown for a while, and read out. */
export function say(text, bad = false) {
  const place = document.getElementById("said");
  place.textContent = text;
  place.classList.toggle("bad", bad);
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (place.textContent = ""), bad ? 12000 : 5000);
}

/** Ask before something that cannot be taken back. Resolves to true or false. */
export function sure(question, yes) {
  const dialog = h("dialog", { "aria-labelledby": "sure-text" });
  return new Promise((resolve) => {
    const answer = (value) => {
      dialog.close();
      dialog.remove();
      resolve(value);
    };
    dialog.append(
      h("p", { id: "sure-text" }, question),
      h("div", { class: "actions" },
        h("button", { type: "button", onclick: () => answer(false) }, "No, keep it"),
        h("button", { type: "button", class: "danger", onclick: () => answer(true) }, yes)));
    dialog.addEventListener("cancel", () => answer(false));
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** 754 -> "12:34". */
export function clock(seconds) {
  if (seconds === null || seconds === undefined || !isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** 90 -> "1.5 min": how long something takes. */
export function lasting(seconds) {
  if (seconds === null || seconds === undefined || !isFinite(seconds)) return "unknown";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** 1536000 -> "1.5 MB". */
export function bytes(count) {
  if (count === null || count === undefined) return "unknown";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) {
    count /= 1000;
    unit += 1;
  }
  return `${unit && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

/** "2026-11-28T09:30:00Z" -> the reader's own day and time. */
export function moment(text) {
  return text ? new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : "–";
}
