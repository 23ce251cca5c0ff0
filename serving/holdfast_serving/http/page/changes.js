// The changes of the traffic that the page offers: what each asks for, and what it sends.

import { element } from "./dom.js";
import { field, pick } from "./parts.js";

const names = (models) => [...models].reverse().map((model) => [model.id, model.aliases.length ? `${model.id} (${model.aliases.join(", ")})` : model.id]);
const share = (form) => Math.min(100, Math.max(0, Number(form.share) || 0)) / 100;
const keys = (form) => [...new Set((form.keys ?? "").split(",").map((name) => name.trim()).filter(Boolean))];

// What the version has to have shown as the shadow; undefined where nothing is required.
export function requirement(form, traffic) {
  if (!form.gate || !traffic.shadow_version || form.version !== traffic.shadow_version) return undefined;
  const bounds = { queries: Number(form.gateQueries), overlap: Number(form.gateOverlap) / 100, errors: Number(form.gateErrors) / 100 };
  return Object.fromEntries(Object.entries(bounds).filter(([name]) => form[`gate${name[0].toUpperCase()}${name.slice(1)}`] !== ""));
}

// A canary that grows: its shares, the first one included; undefined where it does not.
export function growth(form) {
  const shares = (form.ramp ?? "").split(",").map((text) => Number(text.replace("%", "")) / 100).filter((each) => each > 0 && each <= 1);
  return form.kind === "canary" && shares.length ? { shares: [share(form), ...shares], every_seconds: Math.max(1, 60 * (Number(form.every) || 60)) } : undefined;
}

const gate = ({ form, edit, traffic }) => (traffic.shadow_version && traffic.shadow_version === form.version ? [
  element("label", { className: "tick" }, element("input", { type: "checkbox", name: "gate", checked: form.gate, onchange: edit }), " Only if the shadow has shown, with certainty:"),
  form.gate ? [
    field("Queries at least", element("input", { name: "gateQueries", type: "number", min: "1", value: form.gateQueries, oninput: edit })),
    field("Overlap@10 at least, percent", element("input", { name: "gateOverlap", type: "number", min: "0", max: "100", step: "any", value: form.gateOverlap, oninput: edit })),
    field("Errors at most, percent", element("input", { name: "gateErrors", type: "number", min: "0", max: "100", step: "any", value: form.gateErrors, oninput: edit })),
  ] : null] : null);

const version = ({ models, form, edit }, words) => field(words, pick("version", names(models), form.version, edit));
const shareField = ({ form, edit }, hint) => field("Share of the queries, percent",
  element("input", { name: "share", type: "number", min: "0", max: "100", step: "any", value: form.share, oninput: edit }), hint);

// `fields`: the controls. `changes`: what PUT /v1/traffic gets. `isOffered`: whether there is anything of the kind to do.
export const CHANGES = {
  promote: {
    word: "Promote", says: "one version answers all queries",
    fields: (given) => [version(given, "Version that answers queries"),
      element("label", { className: "tick" }, element("input", { type: "checkbox", name: "writes", checked: given.form.writes, onchange: given.edit }),
        " It embeds new entries, too (the second switch: when you will not roll back)"),
      gate(given)],
    changes: (form, traffic, models) => ({
      query_version: form.version,
      ...(form.writes || !traffic.write_version ? { write_version: models.find((model) => model.id === form.version)?.base ?? form.version } : {}),
    }),
    button: (form) => `Promote ${form.version}`,
  },
  canary: {
    word: "Canary", says: "a share of the queries, or some keys, get another version's answers",
    isOffered: (traffic) => Boolean(traffic.query_version),
    fields: (given) => [version(given, "Version that answers them"),
      shareField(given, "one user stays on one side"),
      field("Keys whose queries all go there", element("input", { name: "keys", value: given.form.keys, oninput: given.edit, placeholder: "checkout, search-team" }), "names, with commas between"),
      "shadow_version" in given.traffic ? [
        field("Then grow to, percent", element("input", { name: "ramp", value: given.form.ramp, oninput: given.edit, placeholder: "20, 50, 100" }), "a step that is refused, or a canary that is taken away, ends it"),
        given.form.ramp ? field("A step every, minutes", element("input", { name: "every", type: "number", min: "1", step: "any", value: given.form.every, oninput: given.edit })) : null] : null,
      gate(given)],
    changes: (form) => ({ canary_version: form.version, canary_share: share(form), canary_keys: keys(form) }),
    button: (form) => `Send ${form.share || 0} % to ${form.version}`,
  },
  shadow: {
    word: "Shadow", says: "a version answers beside the live one, is measured, and changes no answer",
    isOffered: (traffic) => "shadow_version" in traffic && Boolean(traffic.query_version),
    fields: (given) => [version({ ...given, models: given.models.filter((model) => model.id !== given.traffic.query_version) }, "Version that answers beside the live one"), shareField(given, "of the live queries that it answers, too")],
    changes: (form) => ({ shadow_version: form.version, shadow_share: share(form) || 1 }),
    button: (form) => `Shadow with ${form.version}`,
  },
  writes: {
    word: "New entries", says: "the second switch: which version embeds what is written",
    isOffered: (traffic) => Boolean(traffic.query_version),
    fields: (given) => [field("Version that embeds new entries", pick("version", names(given.models.filter((model) => !model.base)), given.form.version, given.edit))],
    changes: (form) => ({ write_version: form.version }),
    button: (form) => `Embed new entries with ${form.version}`,
  },
  stop: {
    word: "End canary", says: "all queries go to the live version",
    isOffered: (traffic) => Boolean(traffic.canary_version),
    fields: () => [],
    changes: () => ({ canary_version: null, canary_share: 0, canary_keys: [] }),
    button: () => "End the canary",
  },
  unshadow: {
    word: "End shadow", says: "nothing answers beside the live version",
    isOffered: (traffic) => Boolean(traffic.shadow_version),
    fields: () => [],
    changes: () => ({ shadow_version: null }),
    button: () => "End the shadow",
  },
  rollback: {
    word: "Roll back", says: "as it was before",
    isOffered: (traffic, earlier) => earlier !== null,
    fields: () => [],
    changes: (form, traffic, models, earlier) => Object.fromEntries(["query_version", "write_version", "canary_version", "canary_share", "canary_keys"].map((name) => [name, earlier[name]])),
    button: () => "Roll back",
    isGrave: true,
    isNowOnly: true,
  },
};

export const offered = (traffic, earlier) => Object.entries(CHANGES).filter(([, kind]) => kind.isOffered?.(traffic, earlier) ?? true);
