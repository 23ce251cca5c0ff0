// Nodes, and how a new tree is laid over the one that is shown: only what differs is touched, so that focus, what
// was typed, and how far something was scrolled or opened stay as they are. Text is always put in as text.

const HANDLERS = ["onclick", "oninput", "onchange", "onsubmit", "onkeydown", "onpointerenter", "onpointerleave", "onfocus", "onblur", "ondragenter", "ondragover", "ondragleave", "ondrop"];
const SVG = "http://www.w3.org/2000/svg";
const KEPT = new Set(["open"]); // attributes that users change, not the page
const HELD = ["value", "data-value", "checked"];
const isThere = (child) => child !== null && child !== undefined && child !== false;

// `properties` with a hyphen, and those that have no property of their name, are set as attributes. `key` tells
// which node of a list is which, whatever its place; `style` takes custom properties only.
export function element(tag, properties = {}, ...children) {
  const { style, value, ...others } = properties;
  const node = document.createElement(tag);
  for (const [name, given] of Object.entries(others)) {
    if (!isThere(given)) continue;
    if (name === "key" || (name in node && name !== "list")) node[name] = given; // a list is only read
    else node.setAttribute(name, String(given));
  }
  for (const [name, given] of Object.entries(style ?? {})) node.style.setProperty(name, given);
  node.append(...children.flat(Infinity).filter(isThere));
  // What the page wants a control to hold is an attribute, too: only where that changes is a shown control touched.
  if (isThere(value)) {
    node.value = value;
    node.setAttribute(tag === "select" ? "data-value" : "value", value);
  }
  if (others.checked) node.setAttribute("checked", "");
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, given] of Object.entries(attributes)) node.setAttribute(name, given);
  node.append(...children.flat(Infinity).filter(isThere));
  return node;
}

export function render(parent, ...fresh) {
  const focused = document.activeElement;
  lay(parent, fresh.flat(Infinity).filter(isThere).map((one) => (typeof one === "string" ? document.createTextNode(one) : one)));
  if (focused !== document.activeElement && focused?.isConnected && parent.contains(focused)) focused.focus({ preventScroll: true });
}

function lay(parent, wanted) {
  const keys = new Set(wanted.map((node) => node.key).filter(isThere));
  for (const child of [...parent.childNodes]) if (isThere(child.key) && !keys.has(child.key)) child.remove();
  const keyed = new Map([...parent.childNodes].filter((child) => isThere(child.key)).map((child) => [child.key, child]));
  let place = parent.firstChild;
  for (const fresh of wanted) {
    const old = isThere(fresh.key) ? keyed.get(fresh.key) : place && !isThere(place.key) ? place : undefined;
    if (!old || !isSame(old, fresh)) {
      parent.insertBefore(fresh, place);
      continue;
    }
    if (old === place) place = place.nextSibling;
    else parent.insertBefore(old, place);
    update(old, fresh);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

const isSame = (old, fresh) =>
  old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && old.key === fresh.key && old.type === fresh.type;

function update(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  const isToHold = HELD.some((name) => old.getAttribute(name) !== fresh.getAttribute(name));
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !KEPT.has(name) && name !== "style") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (name !== "style" && !KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  // The attribute itself is not for pages with this content security policy.
  if (old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
  for (const name of HANDLERS) if (old[name] !== fresh[name]) old[name] = fresh[name];
  const chosen = old.nodeName === "SELECT" ? old.value : null;
  lay(old, [...fresh.childNodes]);
  if (isToHold) {
    if (old.value !== fresh.value) old.value = fresh.value;
    if (old.checked !== fresh.checked) old.checked = fresh.checked;
  } else if (chosen !== null && [...old.options].some((option) => option.value === chosen)) old.value = chosen;
}
