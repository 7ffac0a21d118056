// The form of a pipeline's settings, made from their JSON Schema. What is wrong with a value stands beside its field:
// what the schema tells at once, what only the server knows when it has said so.

import { h } from "./dom.mjs";

const idOf = (pipeline, name) => `set-${pipeline}-${name}`;

/** Settings by pipeline, as they are sent, and what is wrong with those that cannot be: `wrong[id] = {typed, message}`. */
export class Settings {
  constructor() {
    this.config = {};
    this.wrong = {};
    this.open = new Set();
  }

  /** Another set of values, in place of these. */
  replace(config) {
    this.config = structuredClone(config);
    this.wrong = {};
  }

  /** Of the chosen pipelines: the values that differ from the defaults. */
  of(chosen) {
    return Object.fromEntries(Object.entries(this.config).filter(([name, values]) => chosen.has(name) && Object.keys(values).length));
  }

  /** Put what the server has said beside the fields. Gives back what belongs to none. `errors`: of a refusal. */
  tell(errors) {
    return errors.filter((one) => {
      const [, pipeline, name] = one.field.match(/^config\.(\w+)\.(\w+)/) || [];
      const input = pipeline && document.getElementById(idOf(pipeline, name));
      if (input) mark(input, one.message.replace(`${pipeline}.`, "").replaceAll("_", " "));
      return !input;
    });
  }
}

/** Show the first field with a wrong value, if there is one. True when there is. */
export function showWrong(place) {
  const input = place.querySelector("[aria-invalid]");
  if (!input) return false;
  input.closest("details").open = true;
  input.focus();
  return true;
}

/** The form. `one`: a pipeline as the API tells it. What is left as it is, is not sent: the pipeline's default stands. */
export function settingsOf(one, settings, changed) {
  const fields = Object.entries(one.config_schema.properties).map(([name, told]) => field(one.name, name, told, settings, changed));
  const form = h("details", { class: "settings", open: settings.open.has(one.name), ontoggle: () => {
    if (form.open) settings.open.add(one.name);
    else settings.open.delete(one.name);
  } }, h("summary", {}, `Settings of ${one.display_name}`), fields);
  return form;
}

function field(pipeline, name, told, settings, changed) {
  const id = idOf(pipeline, name);
  const given = (settings.config[pipeline] ||= {});
  const plain = (told.anyOf || []).find((part) => part.type !== "null") || told;
  const kind = { ...plain, nullable: plain !== told, fallback: told.default };
  const now = name in given ? given[name] : told.default;
  const help = told.description ? h("span", { class: "hint", id: `${id}-help` }, told.description) : null;
  const shared = { id, "aria-describedby": `${help ? `${id}-help ` : ""}${id}-problem`, onchange: () => {
    const { value, problem } = read(input, kind);
    delete settings.wrong[id];
    if (problem) settings.wrong[id] = { typed: input.value, message: problem };
    if (problem || value === undefined || JSON.stringify(value) === JSON.stringify(told.default)) delete given[name];
    else given[name] = value;
    mark(input, problem);
    changed();
  } };
  const input = control(kind, settings.wrong[id] ? settings.wrong[id].typed : now, shared, settings.wrong[id]);
  const unit = plain.unit ? ` (${plain.unit})` : "";
  const line = h("div", { class: "field" }, h("label", { for: id }, `${name.replaceAll("_", " ")}${unit}`), input, help,
    h("span", { class: "problem", id: `${id}-problem` }));
  if (settings.wrong[id]) mark(input, settings.wrong[id].message, line);
  return line;
}

function mark(input, problem, place = document) {
  if (problem) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  place.querySelector(`#${CSS.escape(input.id)}-problem`).textContent = problem;
}

/** What is typed into: `now` is a value, or, when it was wrong, the text. */
function control(kind, now, shared, asTyped) {
  const choices = kind.enum || (kind.type === "boolean" && kind.nullable ? [true, false] : null);
  if (choices) {
    const every = kind.nullable ? [null, ...choices] : choices;
    const words = (value) => (value === null ? "none" : value === true ? "yes" : value === false ? "no" : String(value));
    return h("select", { ...shared }, every.map((value) => h("option", { value: JSON.stringify(value), selected: JSON.stringify(value) === JSON.stringify(now ?? null) }, words(value))));
  }
  if (kind.type === "boolean") return h("input", { ...shared, type: "checkbox", checked: now === true });
  const empty = kind.nullable ? "none" : kind.fallback;
  const placeholder = empty === undefined || empty === null ? null : typeof empty === "string" ? empty : JSON.stringify(empty);
  const text = now === undefined || now === null ? "" : asTyped || typeof now === "string" ? now : JSON.stringify(now);
  if (["number", "integer"].includes(kind.type)) {
    return h("input", { ...shared, type: "number", step: kind.type === "integer" ? 1 : "any", min: kind.minimum ?? kind.exclusiveMinimum, max: kind.maximum ?? kind.exclusiveMaximum, placeholder, value: text });
  }
  return h("input", { ...shared, type: "text", placeholder, value: text });
}

/** What was typed: `{value}` (undefined: the default stands), or `{problem}` in plain words. */
function read(input, kind) {
  if (input.type === "checkbox") return { value: input.checked };
  if (input.localName === "select") return { value: JSON.parse(input.value) };
  if (input.validity.badInput) return { problem: "this is no number" };
  if (input.value.trim() === "") return { value: kind.nullable ? null : undefined };
  if (kind.type === "string") return { value: input.value };
  if (["number", "integer"].includes(kind.type)) {
    const value = Number(input.value);
    const problem = outside(value, kind);
    return problem ? { problem } : { value };
  }
  try {
    return { value: JSON.parse(input.value) };
  } catch {
    return { problem: kind.type === "array" ? 'write it as JSON, for example ["kitchen", "garden"]' : "write it as JSON" };
  }
}

function outside(value, kind) {
  if (kind.type === "integer" && !Number.isInteger(value)) return "must be a whole number";
  const limits = [
    ["at least", kind.minimum, value >= kind.minimum], ["more than", kind.exclusiveMinimum, value > kind.exclusiveMinimum],
    ["at most", kind.maximum, value <= kind.maximum], ["less than", kind.exclusiveMaximum, value < kind.exclusiveMaximum],
  ].filter(([, limit]) => limit !== undefined);
  return limits.every(([, , holds]) => holds) ? "" : `must be ${limits.map(([words, limit]) => `${words} ${limit}`).join(" and ")}`;
}
