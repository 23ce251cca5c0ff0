// One search: by an image, in words, or by an entry. By two versions, as moved ranks.

import { post } from "./api.js";
import { element } from "./dom.js";
import { filterRows, fromText, toFilter, toText } from "./filter.js";
import { badge, empty, field, inWords, link, muted, pick, problem } from "./parts.js";
import { note, write } from "./place.js";
import { change, movedList, moves, summary } from "./ranks.js";
import { imageOf, thumb } from "./thumbs.js";
import { listed, number, plural } from "./words.js";

const K = 8;
const LARGEST = 100;
const form = { image: null, text: "", id: "", a: "", b: "", k: K, by: "", rows: [], version: "", known: [] };
const state = { found: null, isBusy: false, ticket: 0, wanted: null };

export const view = {
  name: "Search",
  title: () => "Search",

  async load(context) {
    const wanted = context.place.query.toString();
    if (wanted !== state.wanted) {
      state.wanted = wanted;
      takeFromAddress(context.place);
      chooseVersions(context.common);
      if (form.id || form.text) search(context);
    }
    return {};
  },

  draw(data, context) {
    chooseVersions(context.common);
    if (context.common.models.length === 0) return [empty("The store holds no version yet, so nothing can be searched.")];
    return [controls(context), results(context)];
  },
};

function takeFromAddress({ query }) {
  if (query.has("id")) Object.assign(form, { id: query.get("id"), text: "", image: null });
  if (query.has("text")) Object.assign(form, { text: query.get("text"), id: "", image: null });
  for (const name of ["a", "b"]) if (query.has(name)) form[name] = query.get(name) === "none" ? "" : query.get(name);
  if (query.has("k")) form.k = Number(query.get("k")) || K;
  if (query.has("by")) form.by = query.get("by");
  if (query.has("filter")) form.rows = fromText(query.get("filter"));
}

function chooseVersions({ models, traffic }) {
  const names = models.map((model) => model.id);
  if (!names.includes(form.a)) form.a = traffic.query_version ?? names.at(-1) ?? "";
  if (form.b && !names.includes(form.b)) form.b = "";
}

// ---- asking

function query() {
  if (form.image) return { image: form.image };
  if (form.text.trim()) return { text: form.text.trim() };
  return form.id.trim() ? { id: form.id.trim() } : null;
}

async function search(context) {
  const wish = query();
  if (wish === null) return;
  const ticket = (state.ticket += 1);
  const address = { id: wish.id, text: wish.text, a: form.a, b: form.b || "none", k: form.k === K ? "" : form.k, by: form.by.trim(), filter: toText(form.rows) };
  note("search", [], address);
  state.wanted = new URLSearchParams(location.hash.split("?")[1] ?? "").toString();
  state.isBusy = true;
  context.redraw();
  const [filter, by] = [toFilter(form.rows), form.by.trim()];
  const k = Math.min(LARGEST, Math.max(1, Number.parseInt(form.k, 10) || K));
  // The version that embedded an entry asks with its vector; others need the image.
  const isLone = !form.b || form.b === form.a;
  const image = wish.id && !isLone ? await imageOf(wish.id) : null;
  const ask = async (version) => {
    const begun = performance.now();
    try {
      const asking = image ? { image, model: version } : wish.id && isLone ? wish : { ...wish, model: version };
      const grouped = by && { group_by: by, group_size: image ? 2 : 1 };
      const answer = await post("v1/search", { ...asking, ...grouped, k: image && !by ? k + 1 : k, ...(filter && { filter }), ...(form.version && { versions: [form.version] }) });
      if (image) {
        const best = answer.groups?.map((group) => group.ids.find((id) => id !== wish.id));
        answer.hits = answer.hits.filter((hit) => hit.id !== wish.id && (!best || best.includes(hit.id))).slice(0, k);
      }
      return { version: answer.query_version, answer, milliseconds: Math.round(performance.now() - begun) };
    } catch (error) {
      if (error.status === undefined) throw error;
      return { version, error };
    }
  };
  const asked = await Promise.all((isLone ? [form.a] : [form.a, form.b]).map(ask));
  if (ticket !== state.ticket) return;
  const hits = asked.flatMap((each) => each.answer?.hits ?? []);
  form.known = [...new Set([...form.known, ...hits.flatMap((hit) => Object.keys(hit.attributes))])].slice(0, 200);
  Object.assign(state, { found: { wish, asked, k }, isBusy: false });
  context.redraw();
}

function takeFile(file, context) {
  if (!file) return;
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    Object.assign(form, { image: String(reader.result), text: "", id: "" });
    search(context);
  });
  reader.readAsDataURL(file);
}

// ---- controls

function controls(context) {
  const { models, gallery } = context.common;
  document.onpaste = (event) => { if (location.hash.startsWith("#/search")) takeFile([...event.clipboardData.files][0], context); };
  const takesText = models.some((model) => model.takes.includes("text"));
  const choices = [...models].reverse().map((model) => [model.id, model.aliases.length ? `${model.id} (${model.aliases.join(", ")})` : model.id]);
  const edit = (name, others = {}) => (event) => {
    Object.assign(form, { [name]: event.currentTarget.value }, others);
    search(context);
  };
  return element("form", { className: "card query", key: "query", "aria-label": "Query", onsubmit: (event) => { event.preventDefault(); takeTyped(event.currentTarget); search(context); } },
    dropZone(context),
    element("div", { className: "controls" },
      takesText || form.text ? field("Or say it in words", element("input", { name: "text", id: "text", type: "search", maxLength: 8192, value: form.text, autocomplete: "off", placeholder: "red apples on a shelf", onchange: edit("text", { id: "", image: null }) })) : null,
      field("Or by an entry's id", element("input", { name: "id", id: "entry", value: form.id, autocomplete: "off", spellcheck: false, placeholder: "cup-1", onchange: edit("id", { text: "", image: null }) })),
      field("Version", pick("a", choices, form.a, edit("a"))),
      field("Compare with", pick("b", [["", "no other"], ...choices], form.b, edit("b"))),
      field("Results", element("input", { name: "k", id: "k", type: "number", min: "1", max: String(LARGEST), value: String(form.k), onchange: edit("k") })),
      field("The best of each", element("input", { name: "by", id: "by", list: "attribute-names", value: form.by, maxLength: 256, autocomplete: "off", spellcheck: false, placeholder: "an attribute", onchange: edit("by") })),
      field("Among entries of", pick("version", [["", "all versions"], ...Object.keys(gallery.entries).map((each) => [each, each])], form.version, edit("version"))),
      filterRows(form.rows, form.known, () => { context.redraw(); search(context); }),
      element("button", { type: "submit", id: "search", disabled: state.isBusy }, "Search")));
}

function takeTyped(typed) {
  const { text, id, k, by } = typed.elements;
  if (text && text.value.trim() && text.value !== form.text) Object.assign(form, { text: text.value, id: "", image: null });
  if (id.value.trim() && id.value !== form.id) Object.assign(form, { id: id.value, text: "", image: null });
  form.k = k.value;
  form.by = by.value;
}

function dropZone(context) {
  const over = (isOver) => (event) => {
    event.preventDefault();
    event.currentTarget.classList.toggle("over", isOver);
  };
  const zone = element("label", { className: "drop", id: "drop" },
    form.image ? element("img", { id: "preview", src: form.image, alt: "The query image" })
      : element("span", {}, element("strong", {}, "Drop an image"), " here, paste one, or click to choose"),
    element("input", { id: "file", type: "file", accept: "image/*", "aria-label": "Choose an image", onchange: (event) => { takeFile(event.currentTarget.files[0], context); event.currentTarget.value = ""; } }));
  Object.assign(zone, { ondragenter: over(true), ondragover: over(true), ondragleave: over(false), ondrop: (event) => { over(false)(event); takeFile(event.dataTransfer.files[0], context); } });
  return zone;
}

// ---- results

function results(context) {
  if (state.found === null) {
    return element("section", { className: "card", key: "results", "aria-label": "Results" },
      empty(state.isBusy ? "Searching …" : "Drop an image, or name an entry. Compare two versions, and the ranks that moved are shown."));
  }
  const { asked, k } = state.found;
  const [one, other] = asked;
  return element("section", { className: `card results${state.isBusy ? " busy" : ""}`, key: "results", "aria-label": "Results", "aria-live": "polite" },
    asked.map(head),
    asked.length === 2 && asked.every((each) => each.answer) ? compared(one, other, context)
      : asked.filter((each) => each.answer).map((each) => list(each, k, context)));
}

function head({ version, answer, error, milliseconds }) {
  if (error) return element("div", { className: "head", key: `head-${version}` }, badge(version), problem(error));
  const left = Object.entries(answer.excluded).map(([name, count]) => `${number(count)} of ${name}`);
  return element("p", { className: "head", key: `head-${version}` }, badge(answer.query_version), muted(
    ` searched entries of ${listed(answer.versions) || "no version"} in ${milliseconds} ms`,
    answer.adapted.length ? `, of ${listed(answer.adapted)} through an adapter` : "",
    answer.cascade ? `, ${plural(answer.cascade.recalled, "entry", "entries")} ranked by images` : ""),
  left.length ? element("strong", { className: "excluded" }, ` ✗ left out: ${left.join(", ")}`) : null);
}

function list({ answer }, k, context) {
  if (answer.hits.length === 0) return empty("Nothing was found.");
  return element("ol", { className: "hits plain", key: "plain" }, answer.hits.map((hit, position) => row({ id: hit.id, hit, now: position + 1 }, context)));
}

function compared(one, other, context) {
  const found = moves(one.answer.hits, other.answer.hits);
  if (found.length === 0) return empty("Neither version found anything.");
  return [
    element("p", { className: "summary", key: "summary" }, summary(found, one.version, other.version)),
    element("div", { className: "axis", key: "axis", "aria-hidden": "true" }, element("span", {}, `rank in ${one.version}`), element("span", {}, `rank in ${other.version}`)),
    element("div", { key: "compared" }, movedList(found, one.answer.hits.length, (each) => row(each, context, true))),
  ];
}

function row(each, context, isCompared = false) {
  const { hit } = each;
  const { kind, text } = isCompared ? change(each) : { kind: "", text: "" };
  return element("li", { key: hit.id, className: kind, "data-id": hit.id },
    element("span", { className: "rank" }, each.now === null ? "–" : String(each.now)),
    thumb(hit, context.redraw),
    element("div", { className: "what" },
      element("a", { className: "id", href: write("gallery", ["entry", hit.id]), title: hit.id }, hit.id),
      element("span", { className: "attributes", title: inWords(hit.attributes) }, inWords(hit.attributes))),
    isCompared ? element("span", { className: `change ${kind}` }, text) : link(write("search", [], { id: hit.id, a: form.a, b: form.b || "none" }), "more like this"),
    element("span", { className: "score" }, element("b", {}, hit.score.toFixed(4)), badge(hit.embedded_by)));
}
