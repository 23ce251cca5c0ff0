// One entry: its picture, its attributes, where it came from, and what is like it.

import { get, remove } from "./api.js";
import { ask } from "./dialog.js";
import { element } from "./dom.js";
import { badge, button, card, empty, facts, isPicture, link, longText, muted } from "./parts.js";
import { write } from "./place.js";
import { thumb } from "./thumbs.js";
import { may, number } from "./words.js";

export async function loadEntry(id) {
  try {
    return { entry: await get(`v1/gallery/entries/${encodeURIComponent(id)}`) };
  } catch (error) {
    if (error.status === 404) return { entry: null };
    throw error;
  }
}

export function drawEntry({ entry }, context) {
  const back = element("p", {}, link("#/gallery", "← The gallery"));
  if (entry === null) return [back, empty("There is no such entry. It may have been deleted, or never written.")];
  const attributes = Object.entries(entry.attributes);
  return [
    back,
    element("section", { className: "card entry", key: "entry", "aria-label": "Entry" },
      thumb(entry, context.redraw, "large"),
      element("div", {},
        facts([
          ["id", longText(entry.id)],
          ["embedded by", badge(entry.embedded_by), entry.mapped_from ? ` mapped from ${entry.mapped_from}` : ""],
          ["source", entry.source ? longText(entry.source) : muted("none: it cannot be embedded anew from an image")],
          ["write", number(entry.seq)],
        ]),
        element("div", { className: "buttons" },
          link(write("search", [], { id: entry.id }), "More like this"),
          may(context.me, "write") ? button("Delete …", () => drop(entry.id, context), { kind: "grave small" }) : null))),
    card("Attributes", attributes.length === 0 ? empty("It has none.")
      : facts(attributes.map(([name, value]) => [longText(name), isPicture(value) ? muted(`a picture, ${number(value.length)} characters`) : longText(value)]))),
  ];
}

async function drop(id, context) {
  const answer = await ask({
    title: "Delete this entry?", confirm: "Delete it", isGrave: true,
    body: [element("p", { className: "long-id" }, id), element("p", {}, "It is gone for searches at once, and does not come back by itself.")],
  });
  if (answer === null) return;
  await context.act(() => remove(`v1/gallery/entries/${encodeURIComponent(id)}`), (gone) => `Deleted, with write ${number(gone.seq)}.`, "#/gallery");
}
