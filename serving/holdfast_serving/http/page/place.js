// Where the page is: #/view/part?name=value, so that every view can be linked to.

export function read(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view, ...parts] = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { view, parts, query: new URLSearchParams(query) };
}

// Values that are empty are left out.
export function write(view, parts = [], query = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  const text = search.toString();
  return `#/${[view, ...parts].map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

// Replaces the address without another entry in the browser's history, and without another visit of the view.
export function note(view, parts, query) {
  history.replaceState(null, "", write(view, parts, query));
}
