// The page: which view is shown, its data asked for again and again, and what is said of it.

import { key, titleOf } from "./api.js";
import { view as backfills } from "./backfills.js";
import { element, render } from "./dom.js";
import { view as gallery } from "./gallery.js";
import { badge, button, empty, muted, problem } from "./parts.js";
import { read } from "./place.js";
import { view as search } from "./search.js";
import * as shared from "./shared.js";
import { view as traffic } from "./traffic.js";
import { view as versions } from "./versions.js";
import { number, percent, sentence } from "./words.js";

const REFRESH_MS = 4000;
const VIEWS = { versions, traffic, backfills, gallery, search };
const $ = (id) => document.getElementById(id);

// `ticket` tells answers to an earlier place from those to this one; `parting` is said at the next place.
const state = { place: read(), common: null, data: null, error: null, seenAt: null, ticket: 0, isLoading: false, parting: "" };

const viewOf = (place) => VIEWS[place.view] ?? versions;

const context = {
  get place() { return state.place; },
  get common() { return state.common; },
  get me() { return state.common?.me ?? null; },
  redraw: () => draw(),
  refresh: () => refresh(),
  go(hash) { location.hash = hash; },
  say,
  // Does something, says what came of it, and looks again: at `next`, where what was looked at is gone.
  async act(doing, said, next = null) {
    try {
      const answer = await doing();
      if (next !== null) {
        state.parting = said(answer);
        location.hash = next;
        return answer;
      }
      say(said(answer));
      await refresh();
      return answer;
    } catch (error) {
      say(`${titleOf(error)}: ${sentence(error.message)}`, true);
      await refresh();
      return null;
    }
  },
};

function say(words, isBad = false) {
  $("said").textContent = words;
  $("said").className = isBad ? "said bad" : "said";
  $("said").hidden = !words;
}

function warn(words) {
  $("notice").textContent = words;
  $("notice").hidden = !words;
}

async function refresh() {
  if (!key.get()) {
    state.common = null;
    return draw();
  }
  const ticket = state.ticket;
  const view = viewOf(state.place);
  state.isLoading = true;
  try {
    const common = await shared.load();
    if (ticket !== state.ticket) return undefined;
    state.common = common;
    const data = await view.load(context);
    if (ticket !== state.ticket) return undefined;
    Object.assign(state, { data, error: null, seenAt: new Date() });
    const faults = common.models.filter((model) => model.fault).map((model) => sentence(model.fault));
    warn(faults.join(" "));
  } catch (error) {
    if (error.status === undefined) throw error;
    if (ticket !== state.ticket) return undefined;
    state.error = error;
    if (error.status === 401) {
      key.forget();
      state.common = null;
    } else if (state.data !== null) {
      warn(`${titleOf(error)}: ${sentence(error.message)} What you see is from ${state.seenAt.toLocaleTimeString("en-GB")}; trying again.`);
    }
  } finally {
    state.isLoading = false;
  }
  return draw();
}

function drawHeader() {
  const here = Object.entries(VIEWS).find(([, view]) => view === viewOf(state.place))[0];
  $("nav").hidden = state.common === null;
  render($("nav"), Object.entries(VIEWS).map(([name, view]) =>
    element("a", { href: `#/${name}`, "aria-current": name === here ? "page" : null }, view.name)));
  if (state.common === null) {
    render($("who"));
    render($("now"));
    return;
  }
  const { me, traffic: record, gallery: filled } = state.common;
  render($("who"), muted(element("span", { className: "name" }, `${me.name} · `), me.role), button("Sign out", () => {
    key.forget();
    location.reload();
  }, { kind: "quiet small" }));
  render($("now"),
    element("span", {}, "live ", record.query_version ? badge(record.query_version) : muted("none")),
    element("span", {}, "new entries ", record.write_version ? badge(record.write_version) : muted("none")),
    record.canary_version ? element("span", {}, "canary ", badge(record.canary_version, percent(record.canary_share))) : null,
    record.shadow_version ? element("span", {}, "shadow ", badge(record.shadow_version)) : null,
    element("span", {}, `${number(filled.total)} entries`));
}

function signIn() {
  return element("form", {
    className: "card sign-in", key: "sign-in", onsubmit(event) {
      event.preventDefault();
      key.set(event.currentTarget.elements.key.value.trim());
      state.error = null;
      refresh();
    },
  },
  element("h1", {}, "Sign in"),
  element("p", {}, "Enter an API key. The server showed one when it was first started; ", element("code", {}, "holdfast keys create"), " makes more."),
  element("label", { className: "field" }, "API key", element("input", { id: "key", name: "key", type: "password", autocomplete: "off", spellcheck: false, required: true })),
  element("p", { className: "muted" }, "It is kept in this tab only, and sent to this server only."),
  state.error ? problem(state.error) : null,
  element("button", { type: "submit" }, "Connect"));
}

function draw() {
  const view = viewOf(state.place);
  drawHeader();
  if (!key.get() || state.error?.status === 401) {
    document.title = "Sign in · Holdfast";
    render($("view"), signIn());
    return;
  }
  const title = view.title(state.place);
  document.title = `${title} · Holdfast`;
  const heading = element("h1", { id: "title", tabIndex: -1, key: "title" }, title);
  if (state.data !== null) render($("view"), heading, view.draw(state.data, context));
  else if (state.error !== null) render($("view"), heading, problem(state.error), button("Try again", refresh));
  else render($("view"), heading, empty("Loading …"));
}

async function visit() {
  const before = state.place;
  state.place = read();
  state.ticket += 1;
  const isOther = viewOf(before) !== viewOf(state.place) || before.parts.join("/") !== state.place.parts.join("/");
  if (isOther) {
    Object.assign(state, { data: null, error: null });
    $("view").replaceChildren();
    say(state.parting);
    state.parting = "";
    draw();
    $("title")?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
  await refresh();
}

window.addEventListener("hashchange", visit);
setInterval(() => {
  if (!document.hidden && !state.isLoading && state.common !== null) refresh();
}, REFRESH_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
draw();
refresh();
