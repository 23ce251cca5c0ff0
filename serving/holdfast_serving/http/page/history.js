// The traffic's history: who changed what, when, and why.

import { element } from "./dom.js";
import { differences } from "./foretell.js";
import { card, empty, muted } from "./parts.js";
import { ago, number, when } from "./words.js";

const SHOWN = 50;
const NOTHING = { query_version: null, write_version: null, canary_version: null, canary_share: 0, canary_keys: [] };

export function historyCard({ total, records }) {
  if (records.length === 0) return card("History", empty("Nothing was promoted yet."));
  const shown = records.slice(0, SHOWN);
  return card("History",
    element("ol", { className: "history" }, shown.map((record, position) => entry(record, records[position + 1] ?? NOTHING))),
    total > shown.length ? muted(`The newest ${number(shown.length)} of ${number(total)}.`) : null);
}

function entry(record, earlier) {
  const said = differences(earlier, record);
  return element("li", { key: record.epoch },
    element("div", { className: "row" },
      element("b", {}, `Epoch ${record.epoch}`),
      element("time", { dateTime: record.created_at ?? "", title: record.created_at ? when(record.created_at) : "" }, ago(record.created_at)),
      muted(`by ${record.made_by || "nobody named"}`),
      record.forced ? element("span", { className: "role forced" }, "! forced") : null),
    element("ul", {}, (said.length ? said : ["Nothing changed."]).map((text) => element("li", {}, text))),
    record.note ? element("p", { className: "why" }, `“${record.note}”`) : null);
}
