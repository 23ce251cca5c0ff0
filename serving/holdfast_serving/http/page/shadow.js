// What a shadow has shown: how its answers differ from the live version's, with intervals.

import { get, ifThere } from "./api.js";
import { element, svg } from "./dom.js";
import { badge, card, empty, facts, missing, muted } from "./parts.js";
import { ago, number, percent, plural } from "./words.js";

const WIDTH = 120;

export const loadShadow = (traffic) => (traffic.shadow_version ? ifThere(get("v1/traffic/shadow"), null) : undefined);

// `figures`: null where the server has none, undefined where there is no shadow.
export function shadowCard(figures, context) {
  if (figures === undefined) return null;
  const { shadow_version: name, query_version: live } = context.common.traffic;
  if (figures === null) return card("Shadow", missing("what a shadow has shown"));
  const { queries, judged } = figures;
  const codes = Object.entries(figures.failed_by_code).map(([each, count]) => `${number(count)} ${each}`);
  const begun = figures.since ? ` since ${ago(figures.since)}` : "";
  if (!queries && !figures.failed) return card("Shadow", element("p", {}, badge(name), " beside ", badge(live ?? "none")), empty(`No query was answered by both${begun} yet.`));
  return card("Shadow",
    element("p", {}, badge(name), " beside ", badge(live), muted(` · ${plural(queries, "query", "queries")} answered by both${begun}`)),
    element("div", { className: "shares" },
      figures.overlap && share("overlap@10", figures.overlap, "of the first ten hits that both have; higher is closer"),
      judged ? [share("negative flips", figures.negative_flips, `of ${plural(judged, "query", "queries")} with a known answer, only ${live} put it first; lower is better`),
        share("positive flips", figures.positive_flips, `only ${name} put it first; higher is better`)] : muted("Flips: no query with a known relevant entry yet."),
      figures.errors && share("errors", figures.errors, `of the queries ${name} did not answer; lower is better`)),
    facts([
      figures.latency_ratio && ["latency", `${times(figures.latency_ratio)} that of ${live}`],
      figures.live_seconds && [`ms of ${live}`, milliseconds(figures.live_seconds)],
      figures.shadow_seconds && [`ms of ${name}`, milliseconds(figures.shadow_seconds)],
      figures.failed > 0 && ["failed", `${number(figures.failed)} (${codes.join(", ")})`],
      figures.last_error && ["last error", figures.last_error],
      (figures.dropped > 0 || figures.not_comparable > 0) && ["not compared", `${number(figures.dropped)} for load, ${number(figures.not_comparable)} without an image or text`],
    ]));
}

const times = ({ value, low, high }) => `${value.toFixed(2)} times (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)})`;
const milliseconds = (each) => ["p50", "p95", "p99"].map((name) => `${name} ${(1000 * each[name]).toFixed(each[name] < 0.01 ? 1 : 0)}`).join(" · ");

// A share with its interval, on an axis from 0 to 100 %.
function share(name, { value, low, high }, says) {
  const x = (each) => (WIDTH * each).toFixed(1);
  return element("div", { className: "share", key: name },
    element("b", {}, name), element("span", {}, `${percent(value)} `, muted(`(${percent(low)} to ${percent(high)})`)),
    svg("svg", { class: "interval", viewBox: `-3 0 ${WIDTH + 6} 14`, width: WIDTH + 6, height: 14, "aria-hidden": "true" },
      svg("path", { class: "axis-line", d: `M0 7H${WIDTH}M0 3v8M${WIDTH} 3v8` }),
      svg("path", { class: "span", d: `M${x(low)} 7H${x(Math.max(high, low + 0.01))}` }),
      svg("circle", { cx: x(value), cy: 7, r: 3 })),
    muted(says));
}
