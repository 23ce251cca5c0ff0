// The public API, with the key of this tab. The key is kept for as long as the tab, and nowhere else.

const KEY = "holdfast-key";

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (secret) => sessionStorage.setItem(KEY, secret),
  forget: () => sessionStorage.removeItem(KEY),
};

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  // A server that is older than this page, or has this part switched off.
  get isNoRoute() {
    return this.status === 405 || (this.status === 404 && this.code === "no_such_route");
  }
}

async function ask(method, path, body) {
  const headers = { Authorization: `Bearer ${key.get()}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, "unreachable", "The server does not answer.");
  }
  if (response.ok) return response;
  const content = await response.json().catch(() => ({}));
  const error = content.error ?? {};
  throw new ApiError(response.status, error.code ?? "", error.message ?? `HTTP ${response.status}`);
}

const json = async (method, path, body) => (await ask(method, path, body)).json();

export const get = (path) => json("GET", path);
export const post = (path, body = {}) => json("POST", path, body);
export const put = (path, body) => json("PUT", path, body);
export const remove = (path) => json("DELETE", path);
export const getBlob = async (path) => (await ask("GET", path)).blob();

// What `asking` gives, or `instead` where the server has no such route.
export async function ifThere(asking, instead) {
  try {
    return await asking;
  } catch (error) {
    if (error.isNoRoute) return instead;
    throw error;
  }
}

const TITLES = {
  0: "No connection",
  401: "A key is needed",
  403: "This key may not do that",
  404: "Not found",
  413: "Too large",
  422: "The server could not take this",
  429: "The server is busy",
  503: "Not ready yet",
};
const CONFLICTS = {
  stale_epoch: "Somebody changed the traffic meanwhile",
  shadow_gate: "The shadow has not shown that yet",
  incompatible_versions: "These versions may not share a ranking",
};

export function titleOf(error) {
  if (error.status === 409) return CONFLICTS[error.code] ?? "This does not go together";
  return TITLES[error.status] ?? "The server failed";
}
