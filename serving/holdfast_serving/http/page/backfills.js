// Backfills: entries of older versions that become entries of a newer one.

import { get, post, titleOf } from "./api.js";
import { ask } from "./dialog.js";
import { element } from "./dom.js";
import { badge, button, card, empty, facts, field, muted, pick } from "./parts.js";
import { loadMatrix } from "./shared.js";
import { ago, duration, may, number, plural, sentence } from "./words.js";

const REMEMBERED = 60; // looks at one backfill, for its rate
const ACTIONS = { running: ["pause", "cancel"], paused: ["resume", "cancel"], failed: ["resume", "cancel"] };
const STATES = { running: ["▶", "running"], paused: ["‖", "paused"], done: ["✓", "done"], failed: ["✗", "failed"], cancelled: ["–", "cancelled"] };
const REASONS = {
  "no source": "have no source: the entry does not say where its image is",
  "outside the allowed sources": "have an image outside of what the server may read (--sources)",
  "not found": "have an image that is not there any more",
  unreadable: "have an image that cannot be read",
  "too large": "have an image that is too large",
  "not an image": "have a file that is no image",
  "no adapter": "are of a version without an adapter to the target",
  unmappable: "could not be mapped to a sound vector",
  changed: "were written or deleted by somebody meanwhile",
};
const KINDS = { map: "by the adapters", "re-embed": "from their images" };
const COSTS = { map: "quick, and needs no images", "re-embed": "as good as new, and reads and embeds every image" };
const ORDERS = { gain: "what is worth most first", random: "in random order", oldest: "oldest first" };
const form = { target: "", kind: "map", order: "gain", pace: "" };
const seen = new Map(); // by backfill, what was done when

export const view = {
  name: "Backfills",
  title: (place) => (place.parts[0] ? `Backfill ${place.parts[0]}` : "Backfills"),

  async load({ common, place }) {
    const [pairs, found] = await Promise.all([
      loadMatrix(common.models),
      place.parts[0] ? get(`v1/backfills/${encodeURIComponent(place.parts[0])}`).then((each) => ({ backfills: [each] })) : get("v1/backfills"),
    ]);
    for (const each of found.backfills) remember(each);
    return { pairs, backfills: [...found.backfills].reverse() };
  },

  draw({ pairs, backfills }, context) {
    const isOne = Boolean(context.place.parts[0]);
    return [
      isOne ? element("p", {}, element("a", { href: "#/backfills" }, "← All backfills")) : startCard(pairs, context),
      card(isOne ? "Progress" : "Backfills", backfills.length === 0 ? empty("Nothing was backfilled yet. A backfill makes entries of older versions entries of a newer one, while all of them stay searchable.")
        : element("ul", { className: "backfills" }, backfills.map((each) => row(each, context, isOne)))),
    ];
  },
};

function remember(backfill) {
  const looks = seen.get(backfill.id) ?? [];
  const handled = backfill.total - backfill.left;
  looks.push({ at: Date.now() / 1000, handled });
  seen.set(backfill.id, looks.slice(-REMEMBERED));
}

// Entries a second over the looks of the last minutes; else since it began; null where neither tells.
function rate(backfill) {
  const looks = seen.get(backfill.id) ?? [];
  const [first, last] = [looks[0], looks.at(-1)];
  if (first && last.at - first.at > 8 && last.handled > first.handled) return (last.handled - first.handled) / (last.at - first.at);
  const seconds = backfill.started_at ? ((backfill.finished_at ? Date.parse(backfill.finished_at) : Date.now()) - Date.parse(backfill.started_at)) / 1000 : 0;
  const handled = backfill.total - backfill.left;
  return seconds > 0 && handled > 0 ? handled / seconds : null;
}

function row(backfill, context, isOne) {
  const [sign, word] = STATES[backfill.status] ?? ["", backfill.status];
  const handled = backfill.total - backfill.left;
  const share = backfill.total ? handled / backfill.total : 1;
  const speed = rate(backfill);
  const isRunning = backfill.status === "running";
  const skipped = Object.entries(backfill.skipped);
  const pieces = [
    `${number(backfill.done)} of ${plural(backfill.total, "entry", "entries")} moved`,
    speed !== null && (isRunning || backfill.status === "done") ? `${speed < 10 ? speed.toFixed(1) : number(Math.round(speed))} a second` : null,
    isRunning && speed ? `about ${duration(backfill.left / speed)} left` : null,
    backfill.started_at ? `started ${ago(backfill.started_at)}` : "waits for its turn",
    backfill.finished_at ? `ended ${ago(backfill.finished_at)}` : null,
  ].filter(Boolean);
  return element("li", { key: backfill.id, id: `backfill-${backfill.id}`, className: backfill.status },
    element("div", { className: "row" },
      isOne ? element("b", {}, backfill.id) : element("a", { href: `#/backfills/${encodeURIComponent(backfill.id)}` }, backfill.id),
      element("span", { className: `state ${backfill.status}` }, `${sign} ${word}`),
      element("span", {}, backfill.sources.map((name) => [badge(name), " "]), "→ ", badge(backfill.target)),
      muted(KINDS[backfill.kind] ?? backfill.kind), backfill.forced ? element("span", { className: "role forced" }, "! forced") : null,
      may(context.me, "admin") ? element("span", { className: "actions" }, (ACTIONS[backfill.status] ?? []).map((action) => act(action, backfill, context))) : null),
    element("progress", { max: Math.max(1, backfill.total), value: String(handled), "aria-label": `${backfill.id}, ${Math.round(100 * share)} %` }),
    element("p", { className: "figures" }, element("b", {}, `${Math.round(100 * share)} %`), ` · ${pieces.join(" · ")}`),
    backfill.error ? element("p", { className: "wrong" }, `✗ ${sentence(backfill.error)}`) : null,
    skipped.length ? element("ul", { className: "skipped" }, skipped.map(([reason, count]) => element("li", {}, `${number(count)} ${REASONS[reason] ?? reason}`))) : null,
    isOne && backfill.examples.length ? element("details", { open: true }, element("summary", {}, "Some of those that were skipped"), element("ul", { className: "examples" }, backfill.examples.map((each) => element("li", {}, each)))) : null,
    isOne ? facts([["order", ORDERS[backfill.order] ?? backfill.order], ["pace", backfill.pace ? `at most ${number(backfill.pace)} a second` : "as fast as it goes"],
      ["a transaction", plural(backfill.batch_size, "entry", "entries")], ["works on it", backfill.owner ?? muted("nobody")]]) : null);
}

function act(action, backfill, context) {
  return button(action, async () => {
    if (action === "cancel" && await ask({
      title: `Cancel ${backfill.id}?`, confirm: `Cancel ${backfill.id}`, isGrave: true,
      body: element("p", {}, `${plural(backfill.done, "entry", "entries")} that were moved stay moved; ${number(backfill.left)} stay as they are. It cannot be resumed, but another can be started.`),
    }) === null) return;
    await context.act(() => post(`v1/backfills/${encodeURIComponent(backfill.id)}/${action}`), (done) => `${done.id} is ${done.status}.`);
  }, { kind: "quiet small", "aria-label": `${action} ${backfill.id}` });
}

// ---- starting one

function startCard(pairs, context) {
  if (!may(context.me, "admin")) return card("Start a backfill", empty(`Your key (role ${context.me.role}) may watch backfills; starting one needs the role admin.`));
  const { models, gallery, traffic } = context.common;
  const targets = models.filter((model) => !model.base);
  if (targets.length === 0) return null;
  if (!targets.some((model) => model.id === form.target)) form.target = targets.some((model) => model.id === traffic.query_version) ? traffic.query_version : targets.at(-1).id;
  const edit = (event) => {
    form[event.currentTarget.name] = event.currentTarget.value;
    context.redraw();
  };
  const sources = Object.entries(gallery.entries).filter(([version, count]) => version !== form.target && count > 0);
  const lines = foretold(sources, pairs, models);
  return card("Start a backfill",
    element("form", { className: "changing", onsubmit: (event) => { event.preventDefault(); start(lines, context); } },
      element("div", { className: "fields" },
        field("Entries become entries of", pick("target", [...targets].reverse().map((model) => [model.id, model.aliases.length ? `${model.id} (${model.aliases.join(", ")})` : model.id]), form.target, edit)),
        field("How", pick("kind", Object.entries(KINDS).map(([kind, words]) => [kind, `${kind}: ${words}`]), form.kind, edit)),
        field("Order", pick("order", Object.entries(ORDERS), form.order, edit)),
        field("Entries a second at most", element("input", { name: "pace", type: "number", min: "0.01", step: "any", value: form.pace, oninput: edit, placeholder: "as fast as it goes" }))),
      element("div", { className: "foretold" }, element("h3", {}, "What will happen"), linesList(lines)),
      element("div", { className: "buttons" }, element("button", { type: "submit", disabled: sources.length === 0 || lines.some((line) => line.isImpossible) }, "Start …"))));
}

function foretold(sources, pairs, models) {
  if (sources.length === 0) return [{ tone: "plain", text: `Nothing: all entries are ${form.target}'s already.` }];
  const total = sources.reduce((sum, [, count]) => sum + count, 0);
  const lines = [{ tone: "plain", text: `${plural(total, "entry", "entries")} of ${sources.map(([version]) => version).join(", ")} become entries of ${form.target}, ${KINDS[form.kind]}: ${COSTS[form.kind]}.` }];
  if (form.pace) lines.push({ tone: "plain", text: `At ${form.pace} a second at most: ${duration(total / Number(form.pace))} or longer.` });
  lines.push({ tone: "plain", text: "All of them stay searchable meanwhile; what users write goes first." });
  for (const alias of ["live", "canary", "previous"]) {
    const name = models.find((model) => model.aliases.includes(alias))?.id;
    const pair = name && pairs?.get(`${name} ${form.target}`);
    if (pair && name !== form.target && !pair.promotes) {
      lines.push({ tone: "bad", text: `The ${alias} version could no longer search what is moved: ${pair.why}. The server refuses this, unless it is forced.`, isProblem: true });
    }
  }
  for (const [version] of form.kind === "map" ? sources : []) {
    const pair = pairs?.get(`${form.target} ${version}`);
    if (pair && pair.way !== "adapter") {
      lines.push({ tone: "bad", text: `There is no adapter between ${form.target} and ${version}: the server refuses this. Embedding the images anew needs none.`, isImpossible: true });
    } else if (pair && !pair.promotes) {
      lines.push({ tone: "bad", text: `${pair.why}. The server refuses this, unless it is forced.`, isProblem: true });
    }
  }
  return lines;
}

const SIGNS = { good: "✓", warn: "≈", bad: "✗", plain: "→" };
const linesList = (lines) => element("ul", { className: "lines" }, lines.map(({ tone, text }) => element("li", { className: tone }, element("span", { "aria-hidden": "true" }, SIGNS[tone]), element("span", {}, text))));

async function start(lines, context) {
  const mustForce = lines.some((line) => line.isProblem);
  const answer = await ask({
    title: `Start a backfill to ${form.target}?`, confirm: mustForce ? "Start it, forced" : "Start it", isGrave: mustForce,
    allow: (values) => !mustForce || values.force,
    body: [linesList(lines), mustForce ? element("label", { className: "tick" }, element("input", { type: "checkbox", name: "force" }), " Force it: entries may become unreachable for a version that answers. That it was forced is recorded.") : null],
  });
  if (answer === null) return;
  const body = { target: form.target, kind: form.kind, order: form.order, force: Boolean(answer.force), ...(form.pace ? { pace: Number(form.pace) } : {}) };
  try {
    const made = await post("v1/backfills", body);
    context.say(`${made.id} is ${made.status}: ${plural(made.total, "entry", "entries")} to move.`);
  } catch (error) {
    context.say(`${titleOf(error)}: ${sentence(error.message)}`, true);
  }
  await context.refresh();
}
