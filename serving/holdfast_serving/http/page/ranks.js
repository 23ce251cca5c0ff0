// Two rankings as one list: the entries in the order of the new one, each tied by a line to its rank in the old one.

import { element, svg } from "./dom.js";

const ROW = 68; // pixels; the stylesheet has the same height
const NARROW = window.matchMedia("(max-width: 620px)");
const gutter = () => (NARROW.matches ? 52 : 84); // as wide as the stylesheet's column

// Every entry once: those of `after` by their rank there, then those that left, by their rank before.
export function moves(before, after) {
  const was = new Map(before.map((hit, position) => [hit.id, { hit, rank: position + 1 }]));
  const stays = after.map((hit, position) => {
    const old = was.get(hit.id) ?? null;
    was.delete(hit.id);
    return { id: hit.id, hit, now: position + 1, was: old?.rank ?? null, before: old?.hit ?? null };
  });
  const left = [...was.values()].map(({ hit, rank }) => ({ id: hit.id, hit, now: null, was: rank, before: hit }));
  return [...stays, ...left];
}

// One sentence on what changed.
export function summary(found, a, b) {
  const entered = found.filter((each) => each.was === null).length;
  const left = found.filter((each) => each.now === null).length;
  const both = found.filter((each) => each.was !== null && each.now !== null);
  const moved = both.filter((each) => each.was !== each.now);
  if (entered + left + moved.length === 0) return `${a} and ${b} rank these entries alike.`;
  const far = [...moved].sort((one, other) => Math.abs(other.was - other.now) - Math.abs(one.was - one.now))[0];
  const pieces = [`${both.length} stay (${moved.length} at another rank)`, `${entered} entered`, `${left} left`];
  return `From ${a} to ${b}: ${pieces.join(", ")}${far ? `; the longest way: ${far.id}, from ${far.was} to ${far.now}` : ""}.`;
}

export function change({ was, now }) {
  if (was === null) return { kind: "entered", text: "+ entered" };
  if (now === null) return { kind: "left", text: `\u2212 left (was ${was})` };
  if (was === now) return { kind: "same", text: "= same" };
  return now < was ? { kind: "up", text: `▲ ${was - now} (was ${was})` } : { kind: "down", text: `▼ ${now - was} (was ${was})` };
}

// The lines, beside the list: on the left the ranks of the old version, on the right the rows.
export function lines(found, count) {
  const y = (position) => ROW * (position - 0.5);
  const height = ROW * found.length;
  const width = gutter();
  return svg("svg", { class: "lines", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
    found.map((each, position) => {
      if (each.was === null) return svg("circle", { class: "entered", cx: width - 8, cy: y(position + 1), r: 5 });
      const [from, to] = [y(each.was), y(position + 1)];
      const { kind } = change(each);
      const bend = (width + 20) / 2;
      return svg("path", { class: kind, d: `M20 ${from} C ${bend} ${from}, ${bend} ${to}, ${width - 6} ${to}` });
    }),
    Array.from({ length: count }, (_, position) => {
      const label = svg("text", { x: 16, y: y(position + 1) + 5, "text-anchor": "end" });
      label.textContent = String(position + 1);
      return label;
    }));
}

export const movedList = (found, count, row) => element("div", { className: "moved" }, lines(found, count), element("ol", { className: "hits" }, found.map(row)));
