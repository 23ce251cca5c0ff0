// The changes of the traffic that the page offers: what each asks for, and what it sends.

import { element } from "./dom.js";
import { field, pick } from "./parts.js";

const names = (models) => [...models].reverse().map((model) => [model.id, model.aliases.length ? `${model.id} (${model.aliases.join(", ")})` : model.id]);
const share = (form) => Math.min(100, Math.max(0, Number(form.share) || 0)) / 100;
const keys = (form) => [...new Set((form.keys ?? "").split(",").map((name) => name.trim()).filter(Boolean))];

const version = ({ models, form, edit }, words) => field(words, pick("version", names(models), form.version, edit));
const shareField = ({ form, edit }, hint) => field("Share of the queries, percent",
  element("input", { name: "share", type: "number", min: "0", max: "100", step: "any", value: form.share, oninput: edit }), hint);

// `fields`: the controls. `changes`: what PUT /v1/traffic gets. `isOffered`: whether there is anything of the kind to do.
export const CHANGES = {
  promote: {
    word: "Promote", says: "one version answers all queries",
    fields: (given) => [version(given, "Version that answers queries"),
      element("label", { className: "tick" }, element("input", { type: "checkbox", name: "writes", checked: given.form.writes, onchange: given.edit }),
        " It embeds new entries, too (the second switch: when you will not roll back)")],
    changes: (form, traffic, models) => ({
      query_version: form.version,
      ...(form.writes || !traffic.write_version ? { write_version: models.find((model) => model.id === form.version)?.base ?? form.version } : {}),
      ...(traffic.canary_version === form.version ? { canary_version: null, canary_share: 0, canary_keys: [] } : {}),
    }),
    button: (form) => `Promote ${form.version}`,
  },
  canary: {
    word: "Canary", says: "a share of the queries, or some keys, get another version's answers",
    isOffered: (traffic) => Boolean(traffic.query_version),
    fields: (given) => [version(given, "Version that answers them"),
      shareField(given, "one user stays on one side"),
      field("Keys whose queries all go there", element("input", { name: "keys", value: given.form.keys, oninput: given.edit, placeholder: "checkout, search-team" }), "names, with commas between")],
    changes: (form) => ({ canary_version: form.version, canary_share: share(form), canary_keys: keys(form) }),
    button: (form) => `Send ${form.share || 0} % to ${form.version}`,
  },
  shadow: {
    word: "Shadow", says: "a version answers beside the live one, is measured, and changes no answer",
    isOffered: (traffic) => "shadow_version" in traffic && Boolean(traffic.query_version),
    fields: (given) => [version(given, "Version that answers beside the live one"), shareField(given, "of the live queries that it answers, too")],
    changes: (form) => ({ shadow_version: form.version, shadow_share: share(form) }),
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
  },
};

export const offered = (traffic, earlier) => Object.entries(CHANGES).filter(([, kind]) => kind.isOffered?.(traffic, earlier) ?? true);
