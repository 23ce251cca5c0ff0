// The traffic: which version answers, and how that is changed, with what will happen said before it happens.

import { get, post, put, titleOf } from "./api.js";
import { CHANGES, growth, offered, requirement } from "./changes.js";
import { ask } from "./dialog.js";
import { element } from "./dom.js";
import { applied, before, foretell, gateLines, reach } from "./foretell.js";
import { historyCard } from "./history.js";
import { badge, card, code, empty, entriesBar, facts, field, muted } from "./parts.js";
import { note } from "./place.js";
import { loadSchedule, scheduleCard } from "./schedules.js";
import { loadShadow, shadowCard } from "./shadow.js";
import { loadMatrix } from "./shared.js";
import { ago, duration, listed, may, percent, plural, sentence, when } from "./words.js";

const RECORDS = 1000;
const SIGNS = { own: "•", as_they_are: "✓", exact: "=", adapter: "↦", cascade: "⇶", excluded: "✗", unknown: "?" };
const HOW = { own: "its own", as_they_are: "as they are", exact: "exactly", adapter: "through an adapter", cascade: "in a cascade", excluded: "left out of searches", unknown: "not known" };

// What is filled in, kept over refreshes.
const form = {
  kind: "promote", version: "", writes: false, share: "5", keys: "", ramp: "", every: "60", why: "", at: "",
  gate: false, gateQueries: "1000", gateOverlap: "80", gateErrors: "1",
};

export const view = {
  name: "Traffic",
  title: () => "Traffic",

  async load({ common }) {
    const [pairs, history, shadow, schedule] = await Promise.all([
      loadMatrix(common.models), get(`v1/traffic/history?limit=${RECORDS}`), loadShadow(common.traffic), loadSchedule(),
    ]);
    return { pairs, history, shadow, schedule };
  },

  draw(data, context) {
    return [
      element("div", { className: "two", key: "now" }, element("div", { className: "view" }, nowCard(data, context), shadowCard(data.shadow, context), scheduleCard(data.schedule, context)), may(context.me, "admin") ? changeCard(data, context)
        : card("Change", empty(`Your key (role ${context.me.role}) may look at the traffic; changing it needs the role admin.`))),
      historyCard(data.history),
    ];
  },
};

function nowCard({ pairs }, context) {
  const { traffic, gallery } = context.common;
  // A node of its own in each row: one that is put into two places is in the last.
  const none = () => muted("none");
  const how = new Map(traffic.query_version ? reach(traffic.query_version, gallery.entries, pairs).map((each) => [each.version, each.way]) : []);
  return card("Now",
    facts([
      ["queries", "answered by ", traffic.query_version ? badge(traffic.query_version) : none()],
      ["new entries", "embedded by ", traffic.write_version ? badge(traffic.write_version) : none()],
      ["canary", traffic.canary_version ? badge(traffic.canary_version, percent(traffic.canary_share)) : none(), traffic.canary_keys.length ? ` and keys ${listed(traffic.canary_keys)}` : ""],
      "shadow_version" in traffic && ["shadow", traffic.shadow_version ? badge(traffic.shadow_version, percent(traffic.shadow_share ?? 1)) : none()],
      ["since", traffic.created_at ? `${ago(traffic.created_at)}, by ${traffic.made_by || "nobody named"}` : muted("never promoted")],
      traffic.note && ["why", traffic.note],
      ["epoch", String(traffic.epoch), traffic.applied_epoch === traffic.epoch ? "" : ` (this replica is at ${traffic.applied_epoch})`, traffic.forced ? " · forced" : ""],
    ]),
    element("h3", {}, traffic.query_version ? `What ${traffic.query_version} finds` : "Entries"),
    entriesBar(gallery.entries, (version) => (how.has(version) ? muted(`${SIGNS[how.get(version)]} ${HOW[how.get(version)]}`) : null)),
    traffic.query_version ? null : element("p", {}, "No version answers yet. Promote one here, or with ", code("holdfast promote VERSION"), "."));
}

// ---- changing it

function changeCard({ pairs, history, shadow, schedule }, context) {
  const { traffic, gallery, models, me } = context.common;
  const earlier = before(history.records);
  const kinds = offered(traffic, earlier);
  takeFromAddress(context.place, kinds);
  if (!kinds.some(([name]) => name === form.kind)) form.kind = "promote";
  if (models.length === 0) return card("Change", empty("There is no version to promote yet."));
  if (!models.some((model) => model.id === form.version)) form.version = models.at(-1).id;
  if (form.kind === "shadow" && form.version === traffic.query_version) form.version = models.findLast((model) => model.id !== traffic.query_version)?.id ?? form.version;
  const kind = CHANGES[form.kind];
  const wish = { kind, changes: kind.changes(form, traffic, models, earlier), require: requirement(form, traffic), ramp: growth(form), at: kind.isNowOnly ? "" : form.at };
  const told = foretell({ current: traffic, wanted: applied(traffic, wish.changes), entries: gallery.entries, pairs, who: `key ${me.name}` });
  told.lines.splice(-1, 0, ...gateLines(wish.require, shadow, form.version), ...laterLines(wish));
  const edit = (event) => {
    const { name, type, checked, value } = event.currentTarget;
    form[name] = type === "checkbox" ? checked : value;
    context.redraw();
  };
  return card("Change",
    element("form", { className: "changing", onsubmit: (event) => { event.preventDefault(); carryOut(wish, told, context); } },
      element("fieldset", { className: "kinds" }, element("legend", {}, "What do you want to do?"),
        kinds.map(([name, each]) => element("label", { key: name, className: "kind" },
          element("input", { type: "radio", name: "kind", value: name, checked: name === form.kind, onchange: (event) => { edit(event); note("traffic", [], { do: name }); } }),
          element("span", {}, element("b", {}, each.word), " ", muted(each.says))))),
      element("div", { className: "fields", key: `fields-${form.kind}` }, kind.fields({ models, form, edit, traffic })),
      schedule && !kind.isNowOnly ? field("When", element("input", { name: "at", type: "datetime-local", value: form.at, oninput: edit }), "empty: now; by this browser's clock") : null,
      field("Why (kept in the history)", element("input", { name: "why", value: form.why, maxLength: 1000, oninput: edit, placeholder: "ticket, measurement, decision" })),
      element("div", { className: "foretold", key: "foretold" }, element("h3", {}, "What will happen"), foretold(told)),
      element("div", { className: "buttons" }, element("button", { type: "submit", disabled: told.isNothing, className: told.problems.length || kind.isGrave ? "grave" : "" }, `${wish.at ? "Schedule: " : ""}${kind.button(form)} …`))));
}

function laterLines({ at, ramp }) {
  const lines = [];
  if (at) lines.push({ tone: "plain", text: `It is done at ${when(at)}, if it passes the same checks then. Until that moment it can be taken back.` });
  if (ramp) lines.push({ tone: "plain", text: `The canary grows: ${ramp.shares.map(percent).join(", ")} of the queries, a step every ${duration(ramp.every_seconds)}. The server does it, whether this page is open or not.` });
  return lines;
}

// A link may say what to do: ?do=promote&version=v3. It fills the form in, once.
function takeFromAddress(place, kinds) {
  const wish = place.query.get("do");
  if (wish && kinds.some(([name]) => name === wish)) form.kind = wish;
  if (place.query.get("version")) form.version = place.query.get("version");
  place.query.delete("do");
  place.query.delete("version");
}

const TONES = { good: "✓", warn: "≈", bad: "✗", plain: "→" };

function foretold({ lines, problems, isNothing }) {
  if (isNothing) return element("p", { className: "muted" }, "Nothing: it is so already.");
  return [
    element("ul", { className: "lines" }, lines.map(({ tone, text }) => element("li", { className: tone }, element("span", { "aria-hidden": "true" }, TONES[tone]), element("span", {}, text)))),
    problems.length === 0 ? element("p", { className: "verdict good" }, "✓ Nothing is in the way.")
      : element("div", { className: "verdict bad" }, element("strong", {}, "✗ The server will refuse this, unless it is forced:"),
        element("ul", {}, problems.map((pair) => element("li", {}, `${sentence(pair.why)} `, pair.command ? code(pair.command) : null)))),
  ];
}

async function carryOut({ kind, changes, require, ramp, at }, told, context) {
  const mustForce = told.problems.length > 0;
  const { epoch } = context.common.traffic;
  const name = `${at ? "Schedule: " : ""}${kind.button(form)}`;
  const answer = await ask({
    title: `${name}?`,
    confirm: mustForce ? `${name}, forced` : name,
    isGrave: mustForce || kind.isGrave,
    allow: (values) => !mustForce || values.force,
    body: [
      foretold(told),
      field("Why", element("input", { name: "why", value: form.why, maxLength: 1000, autofocus: true }), "for those who read the history"),
      mustForce ? element("label", { className: "tick" }, element("input", { type: "checkbox", name: "force" }), " Force it: I know better than the measurements. That it was forced is recorded.") : null,
    ],
  });
  if (answer === null) return;
  const why = answer.why || kind.button(form);
  const force = Boolean(answer.force);
  try {
    if (at || ramp) {
      const { canary_share: first, ...others } = changes;
      const steps = ramp ? { ...others, ramp } : changes;
      const moment = (at ? new Date(at) : new Date()).toISOString();
      const made = await post("v1/traffic/schedule", { at: moment, ...steps, force, ...(require && { require }), why });
      context.say(`Scheduled: ${plural(made.scheduled.length, "change")}, the first one at ${when(made.scheduled[0].at)}.`);
    } else {
      const record = kind === CHANGES.rollback ? await post("v1/traffic/rollback", { expect_epoch: epoch, force, note: answer.why })
        : await put("v1/traffic", { expect_epoch: epoch, force, ...changes, ...(require && { require }), note: why });
      context.say(`Done. ${inWords(record)}`);
    }
    Object.assign(form, { why: "", at: "", ramp: "" });
  } catch (error) {
    context.say(error.code === "stale_epoch"
      ? "Somebody changed the traffic while you were looking, so nothing was done. What you see now is how it stands; decide anew."
      : `${titleOf(error)}: ${sentence(error.message)} Nothing was done.`, true);
  }
  await context.refresh();
}

function inWords(record) {
  const canary = record.canary_version ? `, ${percent(record.canary_share)} of them by ${record.canary_version}` : "";
  const shadow = record.shadow_version ? `; ${record.shadow_version} is the shadow` : "";
  return `Epoch ${record.epoch}: queries by ${record.query_version}${canary}, new entries by ${record.write_version}${shadow}${record.forced ? " (forced)" : ""}.`;
}
