"use strict";

// One image or text, two versions, one gallery. Everything comes from the public API with the key of this tab.

const $ = (id) => document.getElementById(id);
const TONES = ["#0f766e", "#d97706", "#4f7bd9", "#b4548f", "#6b8e23", "#8b5cf6", "#c2413b", "#3a8fb7"];
const REFRESH_MS = 4000;
// `query`: { image } or { text }, as POST /v1/search takes it.
const state = { query: null, traffic: null, found: { left: null, right: null }, ticket: 0 };

function element(tag, options = {}, ...children) {
  const { style, ...properties } = options;
  const node = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(style ?? {})) node.style.setProperty(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

function tone(version) {
  const number = Number.parseInt(version.replace(/\D+/g, ""), 10);
  return TONES[(Number.isNaN(number) ? 0 : number - 1) % TONES.length];
}

const badge = (version, note = "") =>
  element("span", { className: "badge", style: { "--tone": tone(version) } }, note ? `${version} · ${note}` : version);

class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function call(path, body = null) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem("holdfast-key") ?? ""}` };
  const request = body === null ? { headers } : {
    method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(path, request);
  } catch {
    throw new ApiError(0, "unreachable", "The server does not answer.");
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) {
    const error = content.error ?? {};
    throw new ApiError(response.status, error.code ?? "", error.message ?? `HTTP ${response.status}`);
  }
  return content;
}

const TITLES = {
  0: "No connection",
  401: "A key is needed",
  403: "This key may not do that",
  404: "Not found",
  409: "These versions may not share a ranking",
  413: "Too large",
  422: "This cannot be searched",
  429: "The server is busy",
  503: "Not ready yet",
};
const title = (error) => TITLES[error.status] ?? "The server failed";
const sentence = (text) => text + (/[.!?]$/.test(text) ? "" : ".");

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

// ---- the state of the server

function showTraffic(traffic) {
  const rows = [["live", traffic.query_version], ["writing", traffic.write_version]];
  if (traffic.canary_version) rows.push(["canary", traffic.canary_version]);
  const nodes = rows.flatMap(([name, version]) => {
    const share = name === "canary" ? `${Math.round(traffic.canary_share * 100)} %` : "";
    const value = version ? badge(version, share) : element("span", { className: "muted" }, "none yet");
    return [element("dt", {}, name), element("dd", {}, value)];
  });
  nodes.push(element("dt", {}, "epoch"), element("dd", { className: "muted" }, String(traffic.epoch)));
  $("traffic").replaceChildren(...nodes);
}

function showGallery(gallery) {
  const parts = Object.entries(gallery.entries);
  $("total").textContent = gallery.total.toLocaleString("en");
  $("seq").textContent = `· searchable up to write ${gallery.seq.toLocaleString("en")}`;
  $("bar").replaceChildren(...parts.map(([version, count]) =>
    element("span", { style: { "--tone": tone(version), flex: `${count} 0 0` } })));
  $("legend").replaceChildren(...parts.map(([version, count]) =>
    element("li", {}, badge(version), ` ${count.toLocaleString("en")}`)));
}

const BACKFILL_ACTIONS = { running: ["pause", "cancel"], paused: ["resume", "cancel"], failed: ["resume", "cancel"] };
const SHOWN_BACKFILLS = 4;

function backfillRow(backfill) {
  const handled = backfill.total - backfill.left;
  const skipped = Object.entries(backfill.skipped).map(([reason, count]) => `${count.toLocaleString("en")} ${reason}`);
  const words = `${backfill.status} · ${backfill.done.toLocaleString("en")} of ${backfill.total.toLocaleString("en")} moved`
    + (skipped.length ? ` · skipped: ${skipped.join(", ")}` : "") + (backfill.error ? ` · ${backfill.error}` : "");
  const buttons = (BACKFILL_ACTIONS[backfill.status] ?? []).map((action) => {
    const button = element("button", { className: "quiet", type: "button" }, action);
    button.addEventListener("click", async () => {
      try {
        await call(`v1/backfills/${backfill.id}/${action}`, {});
        await showBackfills();
      } catch (error) {
        notice(`${title(error)}: ${sentence(error.message)}`);
      }
    });
    return button;
  });
  const node = element("li", {},
    element("span", {}, `${backfill.id} ${backfill.kind} `, ...backfill.sources.map((name) => badge(name)), " → ", badge(backfill.target)),
    element("progress", { max: Math.max(1, backfill.total), value: handled }),
    element("span", { className: "actions" }, ...buttons),
    element("span", { className: "muted" }, words));
  node.dataset.id = backfill.id;
  return node;
}

async function showBackfills() {
  const { backfills } = await call("v1/backfills");
  const shown = backfills.slice(-SHOWN_BACKFILLS).reverse();
  $("backfills").hidden = shown.length === 0;
  $("backfill-list").replaceChildren(...shown.map(backfillRow));
}

function fillVersions(models, traffic) {
  const roles = {};
  for (const model of models) for (const alias of model.aliases) (roles[model.id] ??= []).push(alias);
  const names = models.map((model) => model.id).reverse();
  const live = traffic.query_version ?? names[0];
  const chosen = { left: live, right: names.find((name) => name !== live) ?? live };
  for (const side of ["left", "right"]) {
    const select = $(side);
    const before = select.value;
    select.replaceChildren(...names.map((name) =>
      element("option", { value: name }, roles[name] ? `${name} (${roles[name].join(", ")})` : name)));
    select.value = names.includes(before) ? before : chosen[side] ?? "";
    select.disabled = names.length === 0;
  }
}

async function refresh() {
  try {
    const [traffic, gallery, models] = await Promise.all([
      call("v1/traffic"), call("v1/gallery"), call("v1/models"),
    ]);
    showTraffic(traffic);
    showGallery(gallery);
    await showBackfills();
    const live = models.data.find((model) => model.id === traffic.query_version);
    $("words").hidden = !live?.takes.includes("text");
    const signature = JSON.stringify([traffic.epoch, models.data.map((model) => model.id)]);
    if (signature !== state.traffic) {
      fillVersions(models.data, traffic);
      state.traffic = signature;
    }
    $("search").disabled = state.query === null || models.data.length === 0;
    const faults = models.data.filter((model) => model.fault).map((model) => model.fault);
    notice(models.data.length === 0 ? "The store holds no version yet. Train one with: holdfast run EXPERIMENT" : faults.join(" "));
    return true;
  } catch (error) {
    state.traffic = null;
    $("search").disabled = true;
    if (error.status === 401 && !sessionStorage.getItem("holdfast-key")) {
      notice("Enter the API key to begin. The server showed it once, when it was first started.");
    } else {
      notice(`${title(error)}: ${sentence(error.message)}`);
    }
    return false;
  }
}

// ---- searching

function hit(entry, rank, otherIds) {
  const { thumbnail, ...attributes } = entry.attributes;
  const isImage = typeof thumbnail === "string" && thumbnail.startsWith("data:image/");
  const words = Object.entries(attributes).map(([name, value]) => `${name}: ${value}`).join("  ·  ");
  const same = otherIds?.has(entry.id);
  const node = element("li", {},
    element("span", { className: "rank" }, String(rank)),
    isImage ? element("img", { className: "thumb", src: thumbnail, alt: "" }) : element("span"),
    element("div", { className: "what" },
      element("span", { className: "id" }, entry.id),
      otherIds && !same ? element("span", { className: "only" }, "only here") : null,
      words ? element("div", { className: "attributes" }, words) : null),
    element("div", { className: "score" }, element("b", {}, entry.score.toFixed(4)), badge(entry.embedded_by)));
  node.dataset.id = entry.id;
  node.addEventListener("mouseenter", () => mark(entry.id));
  node.addEventListener("mouseleave", () => mark(null));
  return node;
}

function mark(id) {
  for (const node of document.querySelectorAll(".hits li")) node.classList.toggle("same", node.dataset.id === id);
}

function problem(error) {
  return element("div", { className: "problem" },
    element("strong", {}, title(error)), element("span", {}, sentence(error.message)));
}

function draw(side) {
  const found = state.found[side];
  if (found === null) return;
  const other = state.found[side === "left" ? "right" : "left"];
  const column = $(`column-${side}`);
  const head = (detail) => element("div", { className: "head" },
    element("h3", {}, badge(found.version)), element("span", { className: "muted" }, detail));
  if (found.error) {
    column.replaceChildren(head("refused"), problem(found.error));
    return;
  }
  const { hits, versions, excluded } = found.answer;
  const left = Object.entries(excluded).map(([version, count]) => `${count.toLocaleString("en")} of ${version}`);
  const otherIds = other?.answer ? new Set(other.answer.hits.map((entry) => entry.id)) : null;
  const detail = `searched entries of ${versions.join(", ") || "no version"} in ${found.milliseconds} ms`
    + (left.length ? ` · left out, not measured to be compatible: ${left.join(", ")}` : "");
  column.replaceChildren(head(detail), hits.length === 0
    ? element("p", { className: "empty" }, "The gallery holds nothing to find yet.")
    : element("ol", { className: "hits" }, ...hits.map((entry, index) => hit(entry, index + 1, otherIds))));
}

async function searchSide(side) {
  const version = $(side).value;
  const ticket = state.ticket;
  const column = $(`column-${side}`);
  const k = Math.min(50, Math.max(1, Number.parseInt($("k").value, 10) || 8));
  column.classList.add("busy");
  const begun = performance.now();
  let found;
  try {
    const answer = await call("v1/search", { ...state.query, model: version, k });
    found = { version: answer.query_version, answer, milliseconds: Math.round(performance.now() - begun) };
  } catch (error) {
    found = { version, error };
  }
  if (ticket !== state.ticket) return;
  column.classList.remove("busy");
  state.found[side] = found;
  draw("left");
  draw("right");
}

async function search() {
  if (state.query === null || $("search").disabled) return;
  state.ticket += 1;
  await Promise.all([searchSide("left"), searchSide("right")]);
}

function takeFile(file) {
  if (!file) return;
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    state.query = { image: String(reader.result) };
    $("preview").src = state.query.image;
    $("preview").hidden = false;
    $("hint").hidden = true;
    $("text").value = "";
    refresh().then((connected) => connected && search());
  });
  reader.readAsDataURL(file);
}

function takeText() {
  const text = $("text").value.trim();
  if (!text) return;
  state.query = { text };
  $("preview").hidden = true;
  $("hint").hidden = false;
  $("file").value = "";
  refresh().then((connected) => connected && search());
}

// ---- wiring

$("key").value = sessionStorage.getItem("holdfast-key") ?? "";
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("holdfast-key", $("key").value.trim());
  refresh().then((connected) => connected && search());
});
$("text").addEventListener("change", takeText);
$("file").addEventListener("change", (event) => takeFile(event.target.files[0]));
for (const kind of ["dragenter", "dragover"]) {
  $("drop").addEventListener(kind, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
}
for (const kind of ["dragleave", "drop"]) $("drop").addEventListener(kind, () => $("drop").classList.remove("over"));
$("drop").addEventListener("drop", (event) => { event.preventDefault(); takeFile(event.dataTransfer.files[0]); });
document.addEventListener("paste", (event) => takeFile([...event.clipboardData.files][0]));
$("search").addEventListener("click", search);
for (const id of ["left", "right", "k"]) $(id).addEventListener("change", search);
refresh();
setInterval(() => { if (!document.hidden) refresh(); }, REFRESH_MS);
