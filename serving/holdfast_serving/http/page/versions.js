// The versions, and which of them may search whose entries.

import { get } from "./api.js";
import { element } from "./dom.js";
import { details, matrix } from "./matrix.js";
import { badge, card, code, empty, entriesBar, facts, link, longText, missing, muted, problem } from "./parts.js";
import { note, write } from "./place.js";
import { loadMatrix } from "./shared.js";
import { number, when } from "./words.js";

const KINDS = {
  trained: "learned here",
  projection: "a map over the vectors of its base",
  distilled: "imitates another version",
  foreign: "a model made elsewhere",
};

export const view = {
  name: "Versions",
  title: (place) => (place.parts[0] ? `Version ${place.parts[0]}` : "Versions and compatibility"),

  async load({ common, place }) {
    const pairs = await loadMatrix(common.models);
    const model = place.parts[0] ? await get(`v1/models/${encodeURIComponent(place.parts[0])}`) : null;
    return { pairs, model };
  },

  draw({ pairs, model }, context) {
    return model === null ? all(pairs, context) : one(model, context);
  },
};

function all(pairs, context) {
  const { models, gallery, traffic } = context.common;
  if (models.length === 0) return [empty("The store holds no version yet. Learn one with ", code("holdfast run EXPERIMENT"), ", or bring one with ", code("holdfast adopt MODEL"), ".")];
  const names = models.map((model) => model.id);
  const chosen = chosenPair(context.place, pairs, traffic, names);
  const choose = (pair) => {
    if (context.place.query.get("pair") === pair) return;
    context.place.query.set("pair", pair);
    note("versions", [], { pair });
    context.redraw();
  };
  return [
    card("Compatibility", pairs === null ? missing("the compatibility matrix")
      : element("div", { className: "beside" }, matrix(names, pairs, chosen, choose), pairs.has(chosen) ? details(pairs.get(chosen)) : null)),
    card("Versions", element("ul", { className: "versions" }, [...models].reverse().map((model) => row(model, gallery)))),
    card("Entries", entriesBar(gallery.entries)),
  ];
}

// The pair of the address; else the newest version and the oldest entries.
function chosenPair(place, pairs, traffic, names) {
  const asked = place.query.get("pair");
  if (asked && pairs?.has(asked)) return asked;
  return `${names.at(-1)} ${traffic.query_version ?? names[0]}`;
}

function row(model, gallery) {
  return element("li", { key: model.id },
    element("div", { className: "row" },
      element("a", { href: write("versions", [model.id]) }, badge(model.id)),
      model.aliases.map((alias) => element("span", { className: "role" }, alias)),
      element("span", {}, model.kind), model.base ? muted("over ", model.base) : null,
      model.fault ? element("span", { className: "fault" }, "✗ refused") : null),
    muted(`${number(model.dimension)} dimensions · takes ${model.takes.join(" and ") || "vectors only"} · ${number(gallery.entries[model.id] ?? 0)} entries`
      + `${model.parent ? ` · after ${model.parent}` : ""} · ${when(model.created * 1000)}`),
    model.fault ? problem({ status: 503, message: model.fault }) : null);
}

function one(model, context) {
  const { gallery, models } = context.common;
  const may = (rows) => rows.filter((each) => each.compatible || each.way === "exact").map((each) => each.version);
  const badges = (names) => (names.length ? names.flatMap((name) => [badge(name), " "]) : muted("none but its own"));
  const metrics = Object.entries(model.metrics).filter(([, value]) => typeof value === "number");
  return [
    element("p", {}, link("#/versions", "← All versions")),
    model.fault ? problem({ status: 503, message: model.fault }) : null,
    card("What it is", facts([
      ["name", badge(model.id), model.aliases.length ? ` ${model.aliases.join(", ")}` : ""],
      ["kind", `${model.kind}: ${KINDS[model.kind] ?? ""}`],
      model.base && ["base", badge(model.base)],
      ["takes", model.takes.join(" and ") || "nothing: vectors alone"],
      ["dimension", number(model.dimension)],
      ["entries", number(gallery.entries[model.id] ?? 0)],
      ["published", when(model.created * 1000)],
      ["after", model.lineage.length ? badges(model.lineage) : muted("nothing: the first of its line")],
      ["run", model.run ? longText(model.run) : muted("none")],
      ["contract", element("code", {}, model.contract)],
    ])),
    card("Whom it meets", facts([["searches entries of", badges(may(model.searches))], ["is searched by", badges(may(model.searched_by))]]),
      models.length > 1 ? element("p", {}, link(write("versions", [], { pair: `${model.id} ${models.find((each) => each.id !== model.id).id}` }), "Show it in the matrix")) : null),
    metrics.length ? card("Figures of its training", facts(metrics.map(([name, value]) => [name.replaceAll("_", " "), String(Math.round(1000 * value) / 1000)]))) : null,
    model.experiment ? card("Experiment", element("details", {}, element("summary", {}, "the experiment file"), element("pre", {}, model.experiment))) : null,
  ];
}
