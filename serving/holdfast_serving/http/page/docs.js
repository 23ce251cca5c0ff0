"use strict";

// The API as openapi.json describes it, with every field, and a form to try each operation. Nothing from elsewhere.

const METHODS = ["get", "put", "post", "delete"];

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null));
  return node;
}

const resolve = (document_, schema) =>
  schema?.$ref ? document_.components.schemas[schema.$ref.split("/").pop()] : schema ?? {};

function kind(document_, schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (schema.anyOf) return [...new Set(schema.anyOf.map((each) => kind(document_, each)))].join(" | ");
  if (schema.type === "array") return `list of ${kind(document_, schema.items) || "anything"}`;
  if (schema.type === "object" && schema.additionalProperties) {
    return `object of ${kind(document_, schema.additionalProperties) || "anything"}`;
  }
  return schema.type ?? "anything";
}

const BOUNDS = {
  minimum: "≥", maximum: "≤", exclusiveMinimum: ">", exclusiveMaximum: "<", minLength: "length ≥", maxLength: "length ≤",
  minItems: "items ≥", maxItems: "items ≤",
};

function remarks(schema) {
  const parts = Object.entries(BOUNDS).filter(([name]) => schema[name] !== undefined)
    .map(([name, sign]) => `${sign} ${schema[name]}`);
  for (const each of schema.anyOf ?? []) if (each.type !== "null") parts.push(...remarks(each));
  if (schema.default !== undefined && schema.default !== null) parts.push(`default ${JSON.stringify(schema.default)}`);
  return [...new Set(parts)];
}

// The content that is JSON, where it is among the types; else the first of them.
const shownContent = (content = {}) => (content["application/json"] ?? Object.values(content)[0])?.schema;

// The shapes that an answer may have, each with its fields.
const shapes = (schema) => schema?.anyOf?.filter((each) => each.$ref) ?? (schema ? [schema] : []);

// One row a field, those of nested objects below the field that holds them.
function rows(document_, schema, required, prefix = "", seen = []) {
  const whole = resolve(document_, schema);
  return Object.entries(whole.properties ?? {}).flatMap(([name, field]) => {
    const needed = (whole.required ?? []).includes(name) && required ? "required" : "";
    const words = [needed, ...remarks(field)].filter(Boolean).join(", ");
    const row = element("tr", {},
      element("td", {}, element("code", {}, prefix + name)),
      element("td", {}, kind(document_, field)),
      element("td", {}, [words, field.description].filter(Boolean).join(". ")));
    const inner = [field, field.items, ...(field.anyOf ?? [])].find((each) => each?.$ref);
    if (!inner || seen.includes(inner.$ref)) return [row];
    const below = field.items ? `${prefix}${name}[].` : `${prefix}${name}.`;
    return [row, ...rows(document_, inner, required, below, [...seen, inner.$ref])];
  });
}

const table = (...body) => element("table", {}, element("tbody", {}, ...body));

function example(document_, schema) {
  const whole = resolve(document_, schema);
  const needed = (whole.required ?? []).map((name) => {
    const field = resolve(document_, whole.properties[name]);
    if (field.type === "array") return [name, [example(document_, field.items ?? {})]];
    return [name, { string: "", integer: 0, number: 0, boolean: false, object: {} }[field.type] ?? ""];
  });
  return whole.type === "object" || whole.properties ? Object.fromEntries(needed) : "";
}

function form(document_, path, method, operation) {
  const parameters = operation.parameters ?? [];
  const inputs = parameters.map((each) => element("input", { name: each.name }));
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  const body = schema
    ? element("textarea", { value: JSON.stringify(example(document_, schema), null, 2), spellcheck: false }) : null;
  const said = element("pre", { hidden: true });
  const node = element("form", {},
    ...inputs.map((input, index) => element("label", {}, `${parameters[index].in} ${parameters[index].name}`, input)),
    body, element("button", { className: "quiet", type: "submit" }, "Try it"), said);
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams();
    let address = path.slice(1);
    parameters.forEach((each, index) => {
      const value = inputs[index].value;
      if (each.in === "path") address = address.replace(`{${each.name}}`, encodeURIComponent(value));
      else if (value !== "") query.set(each.name, value);
    });
    sessionStorage.setItem("holdfast-key", document.getElementById("key").value.trim());
    const headers = { Authorization: `Bearer ${sessionStorage.getItem("holdfast-key")}` };
    if (body && body.value.trim()) headers["Content-Type"] = "application/json";
    said.hidden = false;
    try {
      const response = await fetch(query.size ? `${address}?${query}` : address,
        { method: method.toUpperCase(), headers, body: body?.value.trim() || undefined });
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it is */ }
      said.textContent = `${response.status} ${response.statusText}\n${shown}`;
    } catch {
      said.textContent = "The server does not answer.";
    }
  });
  return node;
}

function operationCard(document_, path, method, operation) {
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  const parameters = (operation.parameters ?? []).map((each) => element("tr", {},
    element("td", {}, element("code", {}, each.name)), element("td", {}, `${each.in}, ${kind(document_, each.schema)}`),
    element("td", {}, [each.required ? "required" : "", each.description ?? ""].filter(Boolean).join(". "))));
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    const types = Object.keys(response.content ?? {}).filter((type) => type !== "application/json");
    const also = status.startsWith("2") && types.length ? `By Accept also ${types.join(", ")}.` : "";
    return element("tr", {}, element("td", {}, element("code", {}, status)),
      element("td", {}, kind(document_, shownContent(response.content))),
      element("td", {}, [response.description, also].filter(Boolean).join(". ")));
  });
  const good = Object.entries(operation.responses).find(([status]) => status.startsWith("2"));
  const answered = shapes(good?.[1].content?.["application/json"]?.schema);
  const types = Object.keys(operation.requestBody?.content ?? {}).filter((type) => type !== "application/json");
  const node = element("details", { className: "card operation", id: operation.operationId },
    element("summary", {}, element("span", { className: "method" }, method.toUpperCase()),
      element("span", { className: "path" }, path), element("span", { className: "muted" }, operation.summary ?? "")),
    element("p", {}, operation.description ?? ""));
  if (parameters.length) node.append(element("h3", {}, "Parameters"), table(...parameters));
  if (schema) node.append(element("h3", {}, "Body"), table(...rows(document_, schema, true)));
  if (types.length) node.append(element("p", {}, `By Content-Type also ${types.join(" or ")}, with the image in it.`));
  for (const each of answered) {
    const fields = rows(document_, each, false);
    const name = answered.length > 1 ? `: ${kind(document_, each)}` : "";
    if (fields.length) node.append(element("h3", {}, `Answer, ${good[0]}${name}`), table(...fields));
  }
  node.append(element("h3", {}, "Statuses"), table(...answers), form(document_, path, method, operation));
  return node;
}

async function main() {
  document.getElementById("key").value = sessionStorage.getItem("holdfast-key") ?? "";
  const place = document.getElementById("operations");
  try {
    const document_ = await (await fetch("openapi.json")).json();
    place.replaceChildren(...Object.entries(document_.paths).flatMap(([path, operations]) =>
      METHODS.filter((method) => operations[method]).map((method) =>
        operationCard(document_, path, method, operations[method]))));
  } catch {
    place.replaceChildren(element("p", { className: "notice" }, "openapi.json cannot be read from this server."));
  }
}

main();
