// Changes of the traffic that are to happen later, and what came of earlier ones.

import { get, ifThere, remove } from "./api.js";
import { ask } from "./dialog.js";
import { element } from "./dom.js";
import { button, card, muted } from "./parts.js";
import { may, percent, plural, sentence, when } from "./words.js";

const PAST = 20;
const STATES = {
  done: "✓ done", failed: "✗ refused", missed: "✗ missed: no server ran then", stopped: "– stopped: one before it was not made", cancelled: "– taken back",
};

export const loadSchedule = () => ifThere(get("v1/traffic/schedule"), null);

// `schedule`: null where the server makes no changes by itself.
export function scheduleCard(schedule, context) {
  if (schedule === null || schedule.scheduled.length === 0) return null;
  const waiting = schedule.scheduled.filter((each) => each.status === "waiting");
  const past = schedule.scheduled.filter((each) => each.status !== "waiting").reverse().slice(0, PAST);
  return card("Schedule",
    waiting.length ? element("ul", { className: "history" }, waiting.map((each) => row(each, waiting, context))) : muted("Nothing waits for its moment."),
    past.length ? element("details", { key: "past" }, element("summary", {}, `${plural(past.length, "earlier change")}`),
      element("ul", { className: "history" }, past.map((each) => row(each, waiting, context)))) : null);
}

// What a change says, by the fields that it names.
export function inWords(changes) {
  const said = [];
  if ("query_version" in changes) said.push(`queries by ${changes.query_version ?? "no version"}`);
  if ("write_version" in changes) said.push(`new entries by ${changes.write_version ?? "no version"}`);
  if ("canary_version" in changes) said.push(changes.canary_version ? `canary ${changes.canary_version}` : "no canary");
  if (changes.canary_share > 0) said.push(`${percent(changes.canary_share)} of the queries`);
  if (changes.canary_keys?.length) said.push(`keys ${changes.canary_keys.join(", ")}`);
  if ("shadow_version" in changes) said.push(changes.shadow_version ? `shadow ${changes.shadow_version}` : "no shadow");
  if (changes.require) said.push("only if the shadow has shown what is required");
  if (changes.force) said.push("forced");
  return said.join(", ");
}

function row(each, waiting, context) {
  const isWaiting = each.status === "waiting";
  return element("li", { key: each.id },
    element("div", { className: "row" }, element("b", {}, when(each.at)), isWaiting ? null : element("span", { className: "role" }, STATES[each.status] ?? each.status),
      isWaiting && may(context.me, "admin") ? button("take back", () => takeBack(each, waiting, context), { kind: "quiet small", "aria-label": `take ${each.id} back` }) : null),
    element("p", {}, sentence(inWords(each.changes))),
    each.error ? element("p", { className: "wrong" }, sentence(each.error)) : null,
    element("p", { className: "why" }, `${each.why ? `“${each.why}” ` : ""}by ${each.made_by || "nobody named"}`));
}

async function takeBack(each, waiting, context) {
  const after = waiting.filter((other) => other.series && other.series === each.series && Date.parse(other.at) > Date.parse(each.at));
  const answer = await ask({
    title: `Take ${each.id} back?`, confirm: "Take it back", isGrave: true,
    body: element("p", {}, `${when(each.at)}: ${sentence(inWords(each.changes))}${after.length ? ` The ${plural(after.length, "step")} after it will not be made, either.` : ""} What was made already stays.`),
  });
  if (answer !== null) await context.act(() => remove(`v1/traffic/schedule/${encodeURIComponent(each.id)}`), (done) => `${done.id} is taken back.`);
}
