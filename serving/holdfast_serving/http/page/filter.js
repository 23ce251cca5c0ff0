// A filter by attributes, filled in as rows: {"color": "red", "price": {"gte": 1}}.

import { element } from "./dom.js";
import { button } from "./parts.js";

const OPERATORS = [["is", "is"], ["in", "is one of"], ["not", "is not"], ["gte", "is at least"], ["lte", "is at most"], ["exists", "is there"], ["missing", "is not there"]];
const WITHOUT_VALUE = new Set(["exists", "missing"]);

// 5, true and null are what they look like; "5" in quotation marks is text.
function value(text) {
  const trimmed = text.trim();
  if (/^(-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|".*")$/.test(trimmed)) {
    try {
      return JSON.parse(trimmed);
    } catch {
      return trimmed;
    }
  }
  return trimmed;
}

function condition({ operator, text }) {
  if (operator === "exists") return { exists: true };
  if (operator === "missing") return { exists: false };
  if (operator === "in") return { in: text.split(",").map(value) };
  return operator === "is" ? value(text) : { [operator]: value(text) };
}

// The filter of rows, null for none. Two rows of one attribute, such as a lower and an upper bound, must both hold.
export function toFilter(rows) {
  const told = rows.filter((row) => row.name.trim() && (WITHOUT_VALUE.has(row.operator) || row.text.trim()));
  if (told.length === 0) return null;
  const names = told.map((row) => row.name.trim());
  const isPlain = new Set(names).size === names.length && told.filter((row) => row.operator === "not").length < 2;
  if (isPlain) {
    return Object.fromEntries(told.map((row) => (row.operator === "not" ? ["not", { [row.name.trim()]: value(row.text) }] : [row.name.trim(), condition(row)])));
  }
  return { and: told.map((row) => toFilter([row])) };
}

export const fromText = (text) => {
  try {
    return JSON.parse(text || "[]").map(([name, operator, given]) => ({ name, operator, text: given }));
  } catch {
    return [];
  }
};
export const toText = (rows) => (rows.length ? JSON.stringify(rows.map(({ name, operator, text }) => [name, operator, text])) : "");

// The rows as controls; `changed` is called with the rows after each change. `known`: names to choose from.
export function filterRows(rows, known, changed) {
  const change = (position, name) => (event) => {
    rows[position][name] = event.currentTarget.value;
    changed(rows);
  };
  return element("fieldset", { className: "filter" }, element("legend", {}, "Filter by attributes"),
    element("datalist", { id: "attribute-names" }, known.map((name) => element("option", { value: name }))),
    rows.map((row, position) => element("div", { className: "condition", key: `condition-${position}` },
      element("input", { list: "attribute-names", value: row.name, placeholder: "attribute", "aria-label": "attribute", onchange: change(position, "name") }),
      element("select", { value: row.operator, "aria-label": "condition", onchange: change(position, "operator") }, OPERATORS.map(([name, words]) => element("option", { value: name }, words))),
      WITHOUT_VALUE.has(row.operator) ? element("span", {}) : element("input", { value: row.text, placeholder: row.operator === "in" ? "red, blue" : "value", "aria-label": "value", onchange: change(position, "text") }),
      button("remove", () => { rows.splice(position, 1); changed(rows); }, { kind: "quiet small", "aria-label": `remove the condition on ${row.name || "nothing yet"}` }))),
    button("Add a condition", () => { rows.push({ name: "", operator: "is", text: "" }); changed(rows); }, { kind: "quiet small" }));
}
