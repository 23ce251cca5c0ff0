// What several views are made of.

import { titleOf } from "./api.js";
import { element } from "./dom.js";
import { number, sentence, tone } from "./words.js";

const CLAMPED = 160; // characters of an attribute that are shown at once

export const badge = (version, note = "") =>
  element("span", { className: "badge", style: { "--tone": tone(version) } }, note ? `${version} · ${note}` : version);

export const link = (hash, ...words) => element("a", { href: hash }, ...words);
export const muted = (...words) => element("span", { className: "muted" }, ...words);
export const code = (text) => element("code", { className: "command" }, text);

export function button(words, onclick, { kind = "", ...others } = {}) {
  return element("button", { type: "button", className: kind, onclick, ...others }, words);
}

export function card(title, ...children) {
  return element("section", { className: "card", key: title, "aria-label": title }, element("h2", {}, title), ...children);
}

export function field(words, control, hint = "") {
  return element("label", { className: "field" }, element("span", {}, words), control, hint ? element("small", {}, hint) : null);
}

export function pick(name, choices, value, onchange) {
  return element("select", { name, value, onchange }, choices.map(([each, words]) => element("option", { value: each }, words)));
}

export function facts(pairs) {
  return element("dl", { className: "facts" }, pairs.filter(Boolean).flatMap(([name, ...values]) => [
    element("dt", {}, name), element("dd", {}, ...values)]));
}

export const empty = (...words) => element("p", { className: "empty" }, ...words);

export function problem(error) {
  return element("div", { className: "problem", role: "alert" },
    element("strong", {}, titleOf(error)), element("span", {}, sentence(error.message)));
}

// Something that a server without this part has to do without.
export const missing = (what) => empty(`This server does not answer ${what}: it may be older than this page.`);

// How many entries each version embedded, as a bar with its legend; `note` says more of a version.
export function entriesBar(entries, note = () => "") {
  const parts = Object.entries(entries).filter(([, count]) => count > 0);
  if (parts.length === 0) return empty("The gallery holds no entries yet.");
  return [
    element("div", { className: "bar", "aria-hidden": "true" }, parts.map(([version, count]) =>
      element("span", { style: { "--tone": tone(version), "--share": String(count) } }))),
    element("ul", { className: "legend" }, parts.map(([version, count]) =>
      element("li", { key: version }, badge(version), ` ${number(count)} `, note(version)))),
  ];
}

export const isPicture = (value) => typeof value === "string" && /^data:image\/(png|jpeg|webp|gif|avif|bmp)[;,]/.test(value);
const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// The first attribute that holds a picture; the thumbnail, if there is one.
export function pictureOf(attributes) {
  return isPicture(attributes.thumbnail) ? attributes.thumbnail : Object.values(attributes).find(isPicture);
}

// Attributes in one line, for lists; pictures are left out.
export function inWords(attributes) {
  const said = Object.entries(attributes).filter(([, value]) => !isPicture(value)).map(([name, value]) => `${name}: ${asText(value)}`);
  const line = said.join("  ·  ");
  return line.length > CLAMPED ? `${line.slice(0, CLAMPED)}…` : line;
}

// One attribute, clamped until it is opened.
export function longText(value) {
  const text = asText(value);
  if (text.length <= CLAMPED) return element("span", { className: "value" }, text);
  return element("details", { className: "long" },
    element("summary", {}, element("span", { className: "head" }, `${text.slice(0, CLAMPED)}…`), muted(` ${number(text.length)} characters`)),
    element("span", { className: "value" }, text));
}
