// What a shadow has shown: how its answers differ from the live version's.

import { get, ifThere } from "./api.js";
import { card, empty, facts, missing, muted } from "./parts.js";
import { ago, number, percent } from "./words.js";

export const loadShadow = (traffic) => (traffic.shadow_version ? ifThere(get("v1/traffic/shadow"), null) : undefined);

// `figures`: null where the server has none, undefined where there is no shadow.
export function shadowCard(figures, context) {
  if (figures === undefined) return null;
  const name = context.common.traffic.shadow_version;
  const title = `Shadow: ${name}`;
  if (figures === null) return card(title, missing("what a shadow has shown"));
  if (!figures.queries) return card(title, empty("No query was answered by the shadow yet."));
  return card(title, facts([
    ["queries", number(figures.queries), figures.since ? muted(` since ${ago(figures.since)}`) : ""],
    ["errors", number(figures.errors ?? 0)],
  ]), muted(percent(1)));
}
