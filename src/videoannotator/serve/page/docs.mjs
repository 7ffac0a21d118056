// The page of the API, made from /openapi.json: routes by what they are about, each with what it takes and gives.

import { fill, h, say } from "./dom.mjs";
import { curl, example, fieldsOf, inWords, routesOf } from "./openapi.mjs";

const main = document.getElementById("main");

/** Text with `code` in it. */
function prose(text) {
  return text.split(/(``[^`]+``|`[^`]+`)/).map((part, at) => (at % 2 ? h("code", {}, part.replaceAll("`", "")) : part));
}

function paragraphs(text) {
  return text.split(/\n\s*\n/).filter(Boolean).map((one) => h("p", {}, prose(one.replaceAll("\n", " "))));
}

function fieldList(fields) {
  return h("dl", { class: "fields" }, fields.map((one) => [
    h("dt", {}, h("code", {}, one.name), one.required ? " needed" : null),
    h("dd", {}, prose(one.about), h("span", { class: "hint" }, ` ${one.words}`,
      one.standard === undefined || one.standard === null ? "" : `; ${JSON.stringify(one.standard)} if left out`)),
  ]));
}

function sample(title, text) {
  return h("figure", {}, h("figcaption", {}, title), h("pre", { tabindex: "0", "aria-label": title }, text));
}

const json = (value) => JSON.stringify(value, null, 2);

function body(api, one, asked) {
  const fields = fieldsOf(api, one.schema);
  const isJson = one.type.endsWith("json");
  const known = fields.length || Object.keys(one.schema).length;
  return [h("p", {}, h("code", {}, one.type), fields.length || !known ? null : ` ${inWords(api, one.schema)}`),
    fields.length ? fieldList(fields) : null,
    isJson && known ? sample("Example", json(example(api, one.schema, asked))) : null];
}

function answers(api, route) {
  const good = route.answers.filter((one) => Number(one.status) < 400);
  const bad = route.answers.filter((one) => Number(one.status) >= 400);
  return [
    h("h3", {}, "It answers"),
    good.map((one) => [h("p", {}, h("strong", {}, one.status), ` ${one.about === "Successful Response" ? "it worked" : one.about}`), one.bodies.map((told) => body(api, told, false))]),
    bad.length ? h("details", {}, h("summary", {}, "Or refuses, with a problem document"),
      h("dl", { class: "fields" }, bad.map((one) => [h("dt", {}, h("code", {}, one.status)), h("dd", {}, prose(one.about))]))) : null,
  ];
}

function told(api, route) {
  const command = curl(api, route, location.origin);
  const copy = () => navigator.clipboard.writeText(command).then(() => say("Copied"), () => say("The browser does not let this page copy: select the text", true));
  const fields = route.parameters.map((one) => ({ name: one.name, required: one.required, standard: one.schema?.default,
    about: one.description || "", words: `${inWords(api, one.schema || {})}; in the ${one.in}` }));
  return [
    paragraphs(route.about),
    route.open ? h("p", { class: "hint" }, "Needs no key.") : null,
    fields.length ? [h("h3", {}, "It takes"), fieldList(fields)] : null,
    route.bodies.length ? [h("h3", {}, route.bodies.length > 1 ? "Its body, one of these" : "Its body"), route.bodies.map((one) => body(api, one, true))] : null,
    sample("As a command", command),
    // a page that came by plain HTTP from elsewhere has no clipboard
    navigator.clipboard ? h("button", { type: "button", "aria-label": `Copy the command of ${route.method} ${route.path}`, onclick: copy }, "Copy") : null,
    answers(api, route),
  ];
}

function entry(api, route) {
  const inside = h("div", { class: "route-told" });
  const element = h("details", { class: "route", id: route.id, ontoggle: () => {
    if (element.open && !inside.firstChild) fill(inside, told(api, route));
  } }, h("summary", {}, h("span", { class: `method ${route.method.toLowerCase()}` }, route.method), " ",
    h("span", { class: "path" }, route.path), " ", h("span", { class: "hint" }, route.summary)), inside);
  return { element, text: [route.method, route.path, route.summary, route.about, route.tag, ...route.parameters.map((one) => `${one.name} ${one.description || ""}`),
    ...route.bodies.flatMap((one) => fieldsOf(api, one.schema).map((field) => field.name))].join(" ").toLowerCase() };
}

function show(api) {
  const routes = routesOf(api);
  const groups = [...new Set(routes.map((one) => one.tag))].map((tag) => {
    const entries = routes.filter((one) => one.tag === tag).map((one) => entry(api, one));
    return { tag, entries, element: h("section", { class: "card", "aria-labelledby": `tag-${tag}` },
      h("h2", { id: `tag-${tag}` }, tag), entries.map((one) => one.element)) };
  });
  const count = h("p", { class: "hint", role: "status" });
  const search = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const group of groups) {
      for (const one of group.entries) one.element.hidden = !words.every((word) => one.text.includes(word));
      const left = group.entries.filter((one) => !one.element.hidden).length;
      group.element.hidden = !left;
      found += left;
    }
    count.textContent = words.length ? `${found} of ${routes.length} routes` : `${routes.length} routes`;
  };
  const box = h("input", { id: "search", type: "search", autocomplete: "off", oninput: search });
  fill(main, h("h1", {}, `The API of ${api.info.title} ${api.info.version}`), paragraphs(api.info.description || ""),
    h("p", {}, "A key comes with each request: ", h("code", {}, "Authorization: Bearer va_…"), ". The commands take it from ", h("code", {}, "$KEY"),
      ". For programs: ", h("a", { href: "/openapi.json" }, "openapi.json"), "."),
    h("search", {}, h("label", { for: "search" }, "Search "), box, count),
    groups.map((one) => one.element));
  search();
}

/** Open the route that the address names. */
function aim() {
  const element = document.getElementById(location.hash.slice(1));
  if (element?.localName !== "details") return;
  element.open = true;
  element.scrollIntoView();
  element.querySelector("summary").focus();
}

try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  show(await answer.json());
  aim();
  window.addEventListener("hashchange", aim);
} catch (error) {
  fill(main, h("h1", {}, "API"), h("p", { role: "alert", class: "problem" }, `The description of the API cannot be read: ${error.message}`));
}
