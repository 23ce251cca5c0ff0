// The gallery: browse and filter entries, look at one, delete some.

import { ifThere, post } from "./api.js";
import { ask } from "./dialog.js";
import { element } from "./dom.js";
import { drawEntry, loadEntry } from "./entry.js";
import { filterRows, fromText, toFilter, toText } from "./filter.js";
import { badge, button, card, empty, field, inWords, link, missing, muted, pick } from "./parts.js";
import { note, write } from "./place.js";
import { thumb } from "./thumbs.js";
import { may, number, plural } from "./words.js";

const PAGE = 48;
const state = { rows: [], version: "", chosen: new Set(), pages: [null], known: [], wanted: "" };

export const view = {
  name: "Gallery",
  title: (place) => (place.parts[0] === "entry" ? `Entry ${place.parts[1]}` : "Gallery"),

  async load(context) {
    if (context.place.parts[0] === "entry") return loadEntry(context.place.parts[1]);
    takeFromAddress(context.place);
    const filter = toFilter(state.rows);
    const versions = state.version ? [state.version] : null;
    const wish = { ...(filter && { filter }), ...(versions && { versions }) };
    const after = state.pages.at(-1);
    try {
      const [list, count] = await Promise.all([
        ifThere(post("v1/gallery/entries/list", { ...wish, limit: PAGE, ...(after && { after }) }), null),
        ifThere(post("v1/gallery/entries/count", wish), null),
      ]);
      return { list, count: count?.count ?? null, wish };
    } catch (error) {
      if (error.status !== 422 && error.status !== 400) throw error;
      return { list: { entries: [], next: null }, count: null, wish, refusal: error };
    }
  },

  draw(data, context) {
    return context.place.parts[0] === "entry" ? drawEntry(data, context) : drawList(data, context);
  },
};

function takeFromAddress(place) {
  const wanted = `${place.query.get("filter") ?? ""} ${place.query.get("version") ?? ""}`;
  if (wanted === state.wanted) return;
  Object.assign(state, { wanted, rows: fromText(place.query.get("filter")), version: place.query.get("version") ?? "", pages: [null] });
}

// Another filter begins at the first page; the address follows, so that it can be sent to somebody.
function search(context) {
  const query = { filter: toText(state.rows), version: state.version };
  note("gallery", [], query);
  state.wanted = `${query.filter} ${query.version}`;
  for (const [name, value] of Object.entries(query)) context.place.query.set(name, value);
  state.pages = [null];
  state.chosen.clear();
  context.refresh();
}

function drawList({ list, count, wish, refusal }, context) {
  const { gallery, me } = context.common;
  if (list === null) return [lookUp(context), card("Entries", missing("lists of entries"))];
  const names = new Set(state.known);
  for (const entry of list.entries) for (const name of Object.keys(entry.attributes)) names.add(name);
  state.known = [...names].slice(0, 200);
  const mayWrite = may(me, "write");
  const shownBefore = (state.pages.length - 1) * PAGE;
  const isFiltered = Object.keys(wish).length > 0;
  return [
    element("section", { className: "card controls", key: "controls", "aria-label": "Which entries" },
      filterRows(state.rows, state.known, () => { context.redraw(); search(context); }),
      field("Embedded by", pick("version", [["", "any version"], ...Object.entries(gallery.entries).map(([version, some]) => [version, `${version} (${number(some)})`])], state.version,
        (event) => { state.version = event.currentTarget.value; search(context); })),
      lookUp(context)),
    element("section", { className: "card", key: "entries", "aria-label": "Entries" },
      element("div", { className: "row" },
        element("p", { role: "status", className: "grow" }, refusal ? `✗ ${refusal.message}` : headline(list, count, shownBefore, isFiltered)),
        mayWrite && state.chosen.size ? button(`Delete ${plural(state.chosen.size, "entry", "entries")} …`, () => deleteChosen(context), { kind: "grave small" }) : null,
        mayWrite && isFiltered && count && !refusal ? button(`Delete all ${number(count)} that match …`, () => deleteMatching(wish, count, context), { kind: "grave small" }) : null),
      list.entries.length ? element("ul", { className: "grid" }, list.entries.map((entry) => tile(entry, mayWrite, context)))
        : refusal ? null : empty(isFiltered ? "No entry matches." : "The gallery holds no entries yet."),
      element("div", { className: "pager" },
        button("← Before", () => { state.pages.pop(); context.refresh(); }, { kind: "quiet", disabled: state.pages.length < 2 }),
        muted(`page ${state.pages.length}`),
        button("Next →", () => { state.pages.push(list.next); context.refresh(); }, { kind: "quiet", disabled: !list.next }))),
  ];
}

function headline(list, count, before, isFiltered) {
  if (list.entries.length === 0) return "";
  const range = `${number(before + 1)} to ${number(before + list.entries.length)}`;
  return count === null ? range : `${range} of ${plural(count, "entry", "entries")}${isFiltered ? " that match" : ""}`;
}

function lookUp(context) {
  return element("form", { className: "look-up", onsubmit(event) {
    event.preventDefault();
    const id = event.currentTarget.elements.id.value.trim();
    if (id) context.go(write("gallery", ["entry", id]));
  } }, field("By its id", element("input", { name: "id", placeholder: "cup-1", autocomplete: "off", spellcheck: false })), element("button", { type: "submit", className: "quiet" }, "Open"));
}

function tile(entry, mayWrite, context) {
  const toggle = (event) => {
    if (event.currentTarget.checked) state.chosen.add(entry.id);
    else state.chosen.delete(entry.id);
    context.redraw();
  };
  return element("li", { key: entry.id, className: state.chosen.has(entry.id) ? "chosen" : "" },
    element("a", { href: write("gallery", ["entry", entry.id]), className: "picture", tabIndex: -1, "aria-hidden": "true" }, thumb(entry, context.redraw)),
    element("a", { href: write("gallery", ["entry", entry.id]), className: "id", title: entry.id }, entry.id),
    element("span", { className: "attributes", title: inWords(entry.attributes) }, inWords(entry.attributes)),
    element("span", { className: "row" }, badge(entry.embedded_by), link(write("search", [], { id: entry.id }), "more like this")),
    mayWrite ? element("label", { className: "tick" }, element("input", { type: "checkbox", checked: state.chosen.has(entry.id), onchange: toggle, "aria-label": `choose ${entry.id}` })) : null);
}

async function deleteChosen(context) {
  const ids = [...state.chosen];
  const shown = ids.slice(0, 10);
  const answer = await ask({
    title: `Delete ${plural(ids.length, "entry", "entries")}?`, confirm: `Delete ${plural(ids.length, "entry", "entries")}`, isGrave: true,
    body: [element("p", {}, "They are gone for searches at once, and do not come back by themselves."),
      element("ul", { className: "examples" }, shown.map((id) => element("li", {}, id)), ids.length > shown.length ? element("li", {}, `and ${number(ids.length - shown.length)} more`) : null)],
  });
  if (answer === null) return;
  state.chosen.clear();
  await context.act(() => post("v1/gallery/entries/delete", { ids }), (done) => `${plural(done.deleted.length, "entry", "entries")} deleted, with write ${number(done.seq)}.`);
}

async function deleteMatching(wish, count, context) {
  const answer = await ask({
    title: `Delete all ${plural(count, "entry", "entries")} that match?`, confirm: `Delete ${plural(count, "entry", "entries")}`, isGrave: true,
    allow: (values) => values.count.replace(/\D/g, "") === String(count),
    body: [element("p", {}, "The filter: ", element("code", {}, JSON.stringify(wish))), element("p", {}, "They are gone for searches at once, and do not come back by themselves."),
      field(`To be sure, type how many there are (${count})`, element("input", { name: "count", autocomplete: "off", inputMode: "numeric" }))],
  });
  if (answer === null) return;
  await context.act(() => post("v1/gallery/entries/delete", wish), (done) => `Deleted, with write ${number(done.seq)}.`);
  state.pages = [null];
}
