// What an OpenAPI document says, in a form that can be shown: routes, fields in words, examples, commands. No DOM.

const DEEPEST = 6;
const WORDS = { string: "text", integer: "whole number", number: "number", boolean: "true or false", object: "object", null: "null" };

/** Every route, as `{id, method, path, tag, summary, about, parameters, bodies, answers, open}`. */
export function routesOf(document) {
  const routes = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, told] of Object.entries(methods)) {
      routes.push({
        id: told.operationId,
        method: method.toUpperCase(),
        path,
        tag: told.tags?.[0] || "other",
        summary: told.summary || "",
        about: told.description || "",
        parameters: told.parameters || [],
        bodies: Object.entries(told.requestBody?.content || {}).map(([type, body]) => ({ type, schema: body.schema || {}, required: told.requestBody.required })),
        answers: Object.entries(told.responses || {}).map(([status, answer]) => ({ status, about: answer.description, bodies: Object.entries(answer.content || {}).map(([type, body]) => ({ type, schema: body.schema || {} })) })),
        open: told.security?.length === 0,
      });
    }
  }
  return routes;
}

/** The schema that a reference stands for. */
export function resolved(document, schema) {
  for (let deep = 0; schema?.$ref && deep < DEEPEST; deep += 1) {
    schema = schema.$ref.slice(2).split("/").reduce((at, name) => at?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], document);
  }
  return schema || {};
}

const parts = (schema) => schema.anyOf || schema.oneOf || schema.allOf || null;
const isNull = (schema) => schema.type === "null";

/** A schema in words: "list of whole number, or null". */
export function inWords(document, given, deep = 0) {
  const schema = resolved(document, given);
  const several = parts(schema);
  if (several) return [...new Set(several.map((one) => inWords(document, one, deep)))].join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.type === "array") return deep < DEEPEST && schema.items ? `list of ${inWords(document, schema.items, deep + 1)}` : "list";
  if (schema.format === "binary") return "bytes";
  const told = limits(schema);
  return `${WORDS[schema.type] || "anything"}${told.length ? ` (${told.join(", ")})` : ""}`;
}

function limits(schema) {
  return [["minimum", "at least"], ["exclusiveMinimum", "more than"], ["maximum", "at most"], ["exclusiveMaximum", "less than"], ["maxLength", "letters at most"], ["pattern", "like"]]
    .filter(([name]) => schema[name] !== undefined).map(([name, words]) => (name === "maxLength" ? `${schema[name]} ${words}` : `${words} ${schema[name]}`));
}

/** The fields of an object: `{name, words, about, required}`; of a list, those of its entries. */
export function fieldsOf(document, given) {
  let schema = resolved(document, given);
  const several = parts(schema)?.map((one) => resolved(document, one)).filter((one) => !isNull(one));
  if (several?.length === 1) [schema] = several;
  if (schema.type === "array" && schema.items) return fieldsOf(document, schema.items);
  return Object.entries(schema.properties || {}).map(([name, told]) => ({
    name,
    words: inWords(document, told),
    about: told.description || resolved(document, told).description || "",
    required: (schema.required || []).includes(name),
    standard: told.default,
  }));
}

/** A value that fits. `asked`: of what one sends, only what is needed, or has an example. */
export function example(document, given, asked = false, deep = 0) {
  const told = given.example ?? given.examples?.[0];
  if (told !== undefined) return told;
  const schema = resolved(document, given);
  const own = schema.example ?? schema.examples?.[0] ?? schema.const ?? schema.enum?.[0];
  if (own !== undefined) return own;
  if (deep > DEEPEST) return null;
  const several = parts(schema);
  if (several) return example(document, several.find((one) => !isNull(resolved(document, one))) || {}, asked, deep + 1);
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  if (schema.type === "array") return schema.prefixItems ? schema.prefixItems.map((one) => example(document, one, asked, deep + 1)) : schema.items ? [example(document, schema.items, asked, deep + 1)] : [];
  if (schema.properties) return fieldsExample(document, schema, asked, deep);
  return { string: schema.format === "binary" ? "…" : "text", integer: schema.minimum ?? 1, number: schema.minimum ?? 1.5, boolean: true, object: {} }[schema.type] ?? null;
}

function fieldsExample(document, schema, asked, deep) {
  const hasOwn = (told) => told.example !== undefined || told.examples?.length;
  return Object.fromEntries(Object.entries(schema.properties)
    .filter(([name, told]) => !asked || (schema.required || []).includes(name) || hasOwn(told))
    .map(([name, told]) => [name, example(document, told, asked, deep + 1)]));
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
const variable = (name) => name.replaceAll(/\W/g, "_").toUpperCase();

/** A command that makes the request; `$KEY` and what stands in the path are variables of the shell. */
export function curl(document, route, origin) {
  const path = route.path.replaceAll(/\{([^}:]+)[^}]*\}/g, (_, name) => `$${variable(name)}`);
  const fits = (one) => one.required || one.schema?.examples?.length;
  const value = (one) => one.example ?? example(document, one.schema || {}, true);
  const query = route.parameters.filter((one) => one.in === "query" && one.required).map((one) => `${one.name}=${encodeURIComponent(value(one))}`);
  const lines = [`curl -sS${{ GET: "", HEAD: " -I" }[route.method] ?? ` -X ${route.method}`} "${origin}${path}${query.length ? `?${query.join("&")}` : ""}"`];
  if (!route.open) lines.push('-H "Authorization: Bearer $KEY"');
  for (const one of route.parameters.filter((other) => other.in === "header" && fits(other) && other.name.toLowerCase() !== "content-type")) lines.push(`-H ${quoted(`${one.name}: ${value(one)}`)}`);
  const body = route.bodies.find((one) => one.required || one.type === "application/json");
  if (body?.type === "application/json") lines.push(`--json ${quoted(JSON.stringify(example(document, body.schema, true)))}`);
  else if (body?.type === "multipart/form-data") lines.push("-F video=@session01.mp4");
  else if (body) lines.push(`-H ${quoted(`Content-Type: ${body.type}`)}`, "--data-binary @session01.mp4");
  return lines.join(" \\\n  ");
}
