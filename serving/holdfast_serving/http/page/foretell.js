// What a change of the traffic will do, said before it is done: by the measured compatibility, and by the same rules
// that the server applies (the server has the last word). Nothing here touches the page.

import { number, percent, plural } from "./words.js";

const VISIBLE = ["query_version", "write_version", "canary_version", "canary_share", "canary_keys"]; // what a rollback brings back
const ROLLBACK = /^roll back to (\d{1,18})\b/;
const order = (name) => Number.parseInt(name.replace(/\D+/g, ""), 10);
const key = (record) => JSON.stringify(VISIBLE.map((field) => record[field] ?? null));

// How a version meets the entries that there are, by who embedded them.
export function reach(query, entries, pairs) {
  return Object.entries(entries).filter(([, count]) => count > 0).map(([version, count]) => {
    const pair = pairs?.get(`${query} ${version}`);
    const way = version === query ? "own" : pair?.searches ? pair.way : pairs ? "excluded" : "unknown";
    return { version, count, way, pair };
  });
}

const WAYS = {
  own: (query) => `are ${query}'s own`,
  as_they_are: () => "are searched as they are",
  exact: () => "are searched exactly",
  adapter: () => "are searched through an adapter",
  cascade: () => "are searched in a cascade, which embeds the images of the best",
};

// Sentences on what a version finds.
function reachSentences(query, entries, pairs) {
  const found = reach(query, entries, pairs);
  if (found.length === 0) return [{ tone: "plain", text: "The gallery holds no entries yet." }];
  const said = Object.entries(WAYS).flatMap(([way, words]) => {
    const those = found.filter((each) => each.way === way);
    const count = those.reduce((sum, each) => sum + each.count, 0);
    const of = way === "own" ? "" : ` of ${those.map((each) => each.version).join(", ")}`;
    return count ? [{ tone: "good", text: `${plural(count, "entry", "entries")}${of} ${words(query)}.` }] : [];
  });
  const excluded = found.filter((each) => each.way === "excluded");
  for (const { version, count, pair } of excluded) {
    said.push({ tone: "bad", text: `${plural(count, "entry", "entries")} of ${version} will be left out of its answers${pair?.why ? `: ${pair.why}` : ""}.` });
  }
  return said;
}

// What the server would refuse, as it checks it: every version that answers queries, against all versions with
// entries, the one that embeds new entries, and the older one that it takes over from.
export function problemsOf(current, wanted, entries, pairs) {
  if (!pairs) return [];
  const searched = new Set(Object.entries(entries).filter(([, count]) => count > 0).map(([version]) => version));
  if (wanted.write_version) searched.add(wanted.write_version);
  const found = [];
  for (const query of new Set([wanted.query_version, wanted.canary_version].filter(Boolean))) {
    const needed = new Set(searched);
    if (current.query_version && order(current.query_version) < order(query)) needed.add(current.query_version);
    for (const gallery of needed) {
      const pair = pairs.get(`${query} ${gallery}`);
      if (pair && !pair.promotes) found.push(pair);
    }
  }
  return found;
}

// The record that a rollback brings back, as the server finds it; null where there is none. `records`: newest first.
export function before(records) {
  if (records.length === 0) return null;
  const byEpoch = new Map(records.map((record) => [record.epoch, record]));
  let at = records[0];
  for (let mark = ROLLBACK.exec(at.note); mark; mark = ROLLBACK.exec(at.note)) {
    const earlier = byEpoch.get(Number(mark[1]));
    if (!earlier || earlier.epoch >= at.epoch || key(earlier) !== key(at)) break;
    at = earlier;
  }
  return records.find((record) => record.epoch < at.epoch && key(record) !== key(at)) ?? null;
}

// The record that a change leads to: a canary or a shadow that answers all queries is none any more.
export function applied(current, changes) {
  const wanted = { ...current, ...changes };
  const isNow = (name) => !(name in changes) && wanted[name] === wanted.query_version;
  if (!wanted.canary_version || (isNow("canary_version") && wanted.query_version !== current.query_version)) {
    Object.assign(wanted, { canary_version: null, canary_share: 0, canary_keys: [] });
  }
  if (!wanted.shadow_version || isNow("shadow_version")) Object.assign(wanted, { shadow_version: null, shadow_share: 1 });
  return wanted;
}

const canaryWords = (record) => {
  const keys = record.canary_keys?.length ? ` and those of the keys ${record.canary_keys.join(", ")}` : "";
  return `${percent(record.canary_share)} of the queries${keys}`;
};

// From what to what, a sentence for each part that differs.
export function differences(current, wanted) {
  const said = [];
  if (current.query_version !== wanted.query_version) said.push(`Queries: ${current.query_version ?? "no version"} → ${wanted.query_version ?? "no version"}.`);
  if (current.write_version !== wanted.write_version) said.push(`New entries: ${current.write_version ?? "no version"} → ${wanted.write_version ?? "no version"}.`);
  const isCanaryOther = ["canary_version", "canary_share"].some((name) => (current[name] ?? null) !== (wanted[name] ?? null))
    || JSON.stringify(current.canary_keys ?? []) !== JSON.stringify(wanted.canary_keys ?? []);
  if (isCanaryOther) {
    said.push(wanted.canary_version
      ? `Canary: ${canaryWords(wanted)} go to ${wanted.canary_version}, always the same users; all others stay with ${wanted.query_version}.`
      : `No canary any more: all queries go to ${wanted.query_version}.`);
  }
  const isShadowOther = (current.shadow_version ?? null) !== (wanted.shadow_version ?? null)
    || (wanted.shadow_version && current.shadow_share !== wanted.shadow_share);
  if (isShadowOther) {
    said.push(wanted.shadow_version
      ? `Shadow: ${wanted.shadow_version} answers ${percent(wanted.shadow_share ?? 1)} of the live queries beside ${wanted.query_version}; no answer changes.`
      : `No shadow any more: ${current.shadow_version} answers nothing beside the live version.`);
  }
  return said;
}

// What of the bounds that are required of the shadow it has shown; by the worse ends of the intervals, as the server
// judges them. `figures`: of GET /v1/traffic/shadow.
export function gateLines(require, figures, version) {
  if (!require) return [];
  if (figures?.shadow !== version) return [{ tone: "bad", text: `${version} is required to have been the shadow, and is not: the server refuses this.` }];
  const judge = (isGood, text) => ({ tone: isGood ? "good" : "bad", text: `${text}${isGood ? "" : ": the server refuses this"}.` });
  return [
    require.queries !== undefined && judge(figures.queries >= require.queries, `The shadow answered ${plural(figures.queries, "query", "queries")} of the ${number(require.queries)} that are required`),
    require.overlap !== undefined && judge((figures.overlap?.low ?? -1) >= require.overlap, `Overlap@10 of at least ${percent(require.overlap)} is required; surely it is ${figures.overlap ? percent(figures.overlap.low) : "not known"}`),
    require.errors !== undefined && judge((figures.errors?.high ?? 2) <= require.errors, `Errors of at most ${percent(require.errors)} are required; surely they are below ${figures.errors ? percent(figures.errors.high) : "nothing known"}`),
    require.negative_flips !== undefined && judge((figures.negative_flips?.high ?? 2) <= require.negative_flips, `Negative flips of at most ${percent(require.negative_flips)} are required; surely they are below ${figures.negative_flips ? percent(figures.negative_flips.high) : "nothing known"}`),
  ].filter(Boolean);
}

// All that will happen, and what the server would refuse. `who` will be recorded.
export function foretell({ current, wanted, entries, pairs, who }) {
  const changed = differences(current, wanted);
  if (changed.length === 0) return { lines: [], problems: [], isNothing: true };
  const lines = changed.map((text) => ({ tone: "plain", text }));
  const asking = [...new Set([wanted.query_version, wanted.canary_version, wanted.shadow_version].filter(Boolean))];
  const isNew = (name) => ["query_version", "canary_version", "shadow_version"].some((role) => wanted[role] === name && current[role] !== name);
  for (const name of asking.filter(isNew)) {
    lines.push(...reachSentences(name, entries, pairs).map((line) => ({ ...line, text: asking.length > 1 ? `${name}: ${line.text}` : line.text })));
  }
  if (current.write_version !== wanted.write_version && wanted.write_version) {
    const back = pairs?.get(`${current.query_version} ${wanted.write_version}`);
    if (current.query_version && current.query_version !== wanted.write_version) {
      lines.push(back?.searches
        ? { tone: "good", text: `A way back stays open: ${current.query_version} may search the new entries of ${wanted.write_version}.` }
        : { tone: "bad", text: `After a rollback of the queries, ${current.query_version} would not find what ${wanted.write_version} embedded meanwhile.` });
    }
  }
  const problems = problemsOf(current, wanted, entries, pairs);
  const undecided = pairs ? asking.filter(isNew).flatMap((name) => Object.keys(entries).map((each) => pairs.get(`${name} ${each}`)))
    .filter((pair) => pair?.verdict === "undecided" && pair.promotes) : [];
  for (const pair of undecided) {
    lines.push({ tone: "warn", text: `Whether ${pair.query} searches entries of ${pair.gallery} better than the older of the two by itself is within chance.` });
  }
  lines.push({ tone: "plain", text: `Recorded: ${who}, when it is done, with your reason.` });
  return { lines, problems, isNothing: false };
}
