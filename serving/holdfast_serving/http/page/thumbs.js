// The picture of an entry: one of its attributes, or its image where it names one that the server may read.

import { getBlob } from "./api.js";
import { element } from "./dom.js";
import { pictureOf } from "./parts.js";

const SIZE = 160;
const KEPT = 400;
const found = new Map(); // by id, an address of a picture that was fetched; null for none
let isOff = false; // the server reads no images

// `redraw` is called once a picture has come.
export function thumb(entry, redraw, className = "thumb") {
  const address = pictureOf(entry.attributes) ?? fetched(entry.id, redraw);
  return address ? element("img", { className, src: address, alt: "", loading: "lazy" })
    : element("span", { className: `${className} none`, "aria-hidden": "true" }, "◻");
}

function fetched(id, redraw) {
  if (found.has(id) || isOff) return found.get(id);
  if (found.size >= KEPT) {
    const [oldest, address] = found.entries().next().value;
    if (address) URL.revokeObjectURL(address);
    found.delete(oldest);
  }
  found.set(id, null);
  getBlob(`v1/gallery/image?${new URLSearchParams({ id, size: SIZE })}`).then((blob) => {
    if (blob.size === 0) return;
    found.set(id, URL.createObjectURL(blob));
    redraw();
  }).catch((error) => {
    isOff ||= error.isNoRoute || error.code === "no_sources";
  });
  return null;
}

// The whole image of an entry as a data URI; null where the server may not read it.
export async function imageOf(id) {
  if (isOff) return null;
  const blob = await getBlob(`v1/gallery/image?${new URLSearchParams({ id })}`).catch(() => null);
  return blob?.size ? new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(String(reader.result)));
    reader.addEventListener("error", () => resolve(null));
    reader.readAsDataURL(blob);
  }) : null;
}
