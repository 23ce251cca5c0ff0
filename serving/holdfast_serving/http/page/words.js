// How things are said: numbers, times, versions, what a user may.

const LANGUAGE = "en";
const ROLES = ["read", "write", "admin"];
const TONES = ["#0f766e", "#d97706", "#4f7bd9", "#b4548f", "#6b8e23", "#8b5cf6", "#c2413b", "#3a8fb7"];

export const number = (value) => value.toLocaleString(LANGUAGE);
export const signed = (value, digits = 1) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(digits)}`;
export const percent = (share) => `${Number((100 * share).toFixed(1))} %`;
export const sentence = (text) => text + (/[.!?]$/.test(text) ? "" : ".");
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
export const may = (me, role) => me !== null && ROLES.indexOf(me.role) >= ROLES.indexOf(role);

export function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

// "just now", "5 min ago"; what is older than a day has its date.
export function ago(iso, now = Date.now()) {
  if (!iso) return "";
  const seconds = (now - Date.parse(iso)) / 1000;
  if (seconds < -5) return when(iso);
  if (seconds < 45) return "just now";
  if (seconds < 5400) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  return seconds < 86400 ? `${Math.round(seconds / 3600)} h ago` : when(iso);
}

export function when(iso) {
  const time = new Date(iso);
  const pad = (value) => String(value).padStart(2, "0");
  return `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())} ${pad(time.getHours())}:${pad(time.getMinutes())}`;
}

export function duration(seconds) {
  if (seconds < 1) return "under a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86400)} days`;
}

// One colour for each version, everywhere; its name always stands beside it.
export function tone(version) {
  const digits = Number.parseInt(version.replace(/\D+/g, ""), 10);
  return TONES[(Number.isNaN(digits) ? 0 : digits + TONES.length - 1) % TONES.length];
}
