// The compatibility matrix: a cell for every ordered pair, with its verdict by sign, word and colour.

import { element } from "./dom.js";
import { badge, code, facts } from "./parts.js";
import { write } from "./place.js";
import { signed, when } from "./words.js";

export const VERDICTS = {
  self: { sign: "•", word: "itself", says: "a version and its own entries" },
  exact: { sign: "=", word: "exact", says: "both read the vectors of one base: nothing is lost" },
  compatible: { sign: "✓", word: "compatible", says: "better than the older of the two by itself, by more than chance" },
  undecided: { sign: "≈", word: "undecided", says: "the 95 % interval of the difference includes zero" },
  incompatible: { sign: "✗", word: "incompatible", says: "worse, by more than chance" },
  unmeasured: { sign: "?", word: "not measured", says: "nobody has measured the pair" },
};
const WAYS = {
  as_they_are: "as they are",
  exact: "through the projection itself, exactly",
  adapter: "through an adapter",
  cascade: "in a cascade: the best candidates are ranked by their images",
};
const TRUTHS = {
  labels: "class labels",
  pairs: "relevance pairs",
  views: "distorted views of entries (provisional)",
  agreement: "agreement with the new version's own ranking (provisional)",
};

export const wayOf = (pair) => (pair.way === "cascade" ? `in a cascade of ${pair.candidates}` : WAYS[pair.way] ?? "");
const id = (query, gallery) => `pair-${query}-${gallery}`;

// `chosen`: the pair whose details are shown, as "query gallery".
export function matrix(names, pairs, chosen, choose) {
  const kinds = [...new Set([...pairs.values()].map((pair) => pair.verdict))];
  return element("div", { className: "matrix" },
    element("p", { id: "reading" }, "Rows ask entries of columns: below the diagonal a newer version searches older entries."),
    element("div", { className: "scroll" }, element("table", { className: "pairs", "aria-describedby": "reading", onkeydown: walk },
      element("thead", {},
        element("tr", {}, element("th", { scope: "col", className: "corner" }, "queries by ↓  entries of →"),
          names.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, names.map((query) => element("tr", { key: query }, element("th", { scope: "row" }, query),
        names.map((gallery) => cell(pairs.get(`${query} ${gallery}`), chosen, choose))))))),
    element("ul", { className: "signs" }, Object.entries(VERDICTS).filter(([name]) => kinds.includes(name)).map(([name, verdict]) =>
      element("li", {}, element("span", { className: `sign ${name}` }, verdict.sign), `${verdict.word}: ${verdict.says}`))));
}

function cell(pair, chosen, choose) {
  if (!pair) return element("td", {});
  const { sign, word } = VERDICTS[pair.verdict];
  const name = `${pair.query} ${pair.gallery}`;
  const figure = pair.value === null || pair.verdict === "self" && !pair.value ? "" : pair.value.toFixed(1);
  const words = `${pair.query} asks entries of ${pair.gallery}: ${word}${figure && `, ${figure} %`}${pair.provisional ? ", provisional" : ""}`;
  return element("td", { className: pair.verdict }, element("button", {
    type: "button", className: `pair ${pair.verdict}`, id: id(pair.query, pair.gallery), "aria-label": words,
    title: pair.why ? `${words}. ${pair.why}.` : words, "aria-pressed": String(chosen === name), onclick: () => choose(name),
    onfocus: () => choose(name), tabIndex: chosen === name || !chosen && pair.query === pair.gallery ? 0 : -1,
  },
  element("span", { className: "sign" }, sign), element("b", {}, figure || "\u00a0"),
  element("small", {}, pair.provisional ? `${word}*` : word)));
}

// Arrows go from cell to cell, as in a grid.
function walk(event) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const step = steps[event.key];
  const at = event.target.closest("td");
  if (!step || !at) return;
  const row = at.parentElement;
  const next = row.parentElement.rows[row.sectionRowIndex + step[0]]?.cells[at.cellIndex + step[1]]?.querySelector("button");
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

// All that is known of one pair, and what to do next.
export function details(pair) {
  const verdict = VERDICTS[pair.verdict];
  const measured = pair.value !== null && pair.verdict !== "self";
  const next = pair.promotes ? null : pair.command;
  return element("div", { className: "details", role: "status", key: "details" },
    element("h3", {}, badge(pair.query), " asks entries of ", badge(pair.gallery)),
    element("p", { className: `told ${pair.verdict}` }, element("span", { className: "sign" }, verdict.sign), " ",
      element("strong", {}, verdict.word), `: ${verdict.says}.`),
    pair.why ? element("p", {}, `${pair.why}.`) : null,
    facts([
      measured && ["Recall@1", `${pair.value.toFixed(1)} %`],
      measured && ["has to beat", `${pair.reference.toFixed(1)} %, the older of the two by itself`],
      measured && ["difference", `${signed(pair.value - pair.reference)} points (95 % interval ${signed(pair.low)} to ${signed(pair.high)})`],
      pair.way && pair.verdict !== "self" && ["they meet", wayOf(pair)],
      pair.truth && pair.verdict !== "self" && ["told right by", TRUTHS[pair.truth] ?? pair.truth],
      ["searches", pair.searches ? `${pair.query} searches entries of ${pair.gallery} now` : `entries of ${pair.gallery} are left out of searches by ${pair.query}`],
      pair.verdict !== "self" && ["promotion", pair.promotes ? "nothing in the way" : "refused while such entries are in the gallery, unless forced"],
      pair.measured_at && measured && ["measured", when(pair.measured_at)],
    ]),
    pair.remedy && !pair.promotes ? element("p", {}, `${pair.remedy}.`) : null,
    next ? element("p", {}, "Next: ", code(next)) : null,
    pair.promotes && pair.verdict !== "self" ? element("p", {}, "Next: ", element("a", { href: write("traffic", [], { do: "promote", version: pair.query }) }, `see what promoting ${pair.query} would do`)) : null);
}
