/** A client of a Holdfast server, for whatever has `fetch`: browsers, Node 18 and later, Deno, Bun. */

import { Operations } from "./operations.js";
import type { Call, EntryBody, Query, SearchRequest, SearchesAnswer } from "./operations.js";

export * from "./operations.js";

export interface Options {
  /** As `holdfast keys` made it. */
  apiKey?: string;
  /** Milliseconds that one attempt may take. */
  timeout?: number;
  /** How often a request is sent at most. */
  attempts?: number;
  /** Milliseconds over all attempts; a `Retry-After` beyond it ends them. */
  patience?: number;
}

/** A request without a good answer; the message is the server's own sentence. */
export class ApiError extends Error {
  /** `status` is that of HTTP, 0 where there was no answer; `retryAfter` in seconds. */
  constructor(
    message: string,
    readonly status: number,
    readonly code = "",
    readonly requestId = "",
    readonly retryAfter?: number,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** Nothing was begun, so it may be asked again whatever it does. */
const NOT_BEGUN = new Set([429]);
/** It may be answered later; it may have been done as well. */
const PASSES = new Set([0, 408, 502, 503, 504]);
const FIRST_WAIT = 200;
const LONGEST_WAIT = 10_000;

export class Client extends Operations {
  private readonly url: string;
  private readonly options: Required<Omit<Options, "apiKey">>;
  private readonly headers: Record<string, string>;

  constructor(url = "http://127.0.0.1:8000", { apiKey, ...options }: Options = {}) {
    super();
    this.url = url.replace(/\/+$/, "");
    this.options = { timeout: 30_000, attempts: 6, patience: 60_000, ...options };
    this.headers = apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` };
  }

  async call<T>(call: Call): Promise<T> {
    const until = Date.now() + this.options.patience;
    for (let made = 1; ; made++) {
      try {
        return await this.once<T>(call);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        const again = NOT_BEGUN.has(error.status) || (call.repeatable && PASSES.has(error.status));
        const chosen = Math.min(FIRST_WAIT * 2 ** (made - 1), LONGEST_WAIT);
        const wait = (error.retryAfter === undefined ? chosen : error.retryAfter * 1000) * (1 + Math.random() / 4);
        if (!again || made >= this.options.attempts || Date.now() + wait > until) throw error;
        await new Promise((done) => setTimeout(done, wait));
      }
    }
  }

  /** Writes any number of entries, `count` in a request; the number of the last write, to search with as `min_seq`. */
  async upsertMany(entries: Iterable<EntryBody> | AsyncIterable<EntryBody>, count = 64): Promise<number> {
    let seq = 0;
    let batch: EntryBody[] = [];
    const write = async () => {
      if (batch.length > 0) ({ seq } = await this.put_entries({ entries: batch }));
      batch = [];
    };
    for await (const entry of entries) {
      batch.push(entry);
      if (batch.length === count) await write();
    }
    await write();
    return seq;
  }

  /** Many queries, answered together; everything else in `shared` holds for all of them. `results` has one answer for
   * each, in their order; null where one failed and `on_error` is `skip`. */
  searchMany(queries: Query[], shared: Omit<SearchRequest, "queries"> = {}): Promise<SearchesAnswer> {
    return this.call({ method: "POST", path: "/v1/search", body: { ...shared, queries }, repeatable: true });
  }

  private async once<T>(call: Call): Promise<T> {
    const query = Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined);
    const address = this.url + call.path + (query.length > 0 ? `?${new URLSearchParams(query)}` : "");
    const headers = { ...this.headers };
    if (call.body !== undefined) headers["Content-Type"] = "application/json";
    let response: Response;
    let text: string;
    try {
      response = await fetch(address, {
        method: call.method,
        headers,
        body: call.body === undefined ? undefined : JSON.stringify(call.body),
        signal: AbortSignal.timeout(this.options.timeout),
      });
      text = await response.text();
    } catch (error) {
      throw new ApiError(`${this.url} did not answer: ${String(error)}.`, 0);
    }
    if (!response.ok) throw refusal(response, text);
    const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
    return (isJson ? JSON.parse(text) : text) as T;
  }
}

function refusal(response: Response, text: string): ApiError {
  let said: { message?: string; code?: string; request_id?: string } = {};
  try {
    said = JSON.parse(text).error ?? {};
  } catch {
    // Of a proxy: it speaks no JSON.
  }
  const message = said.message ?? `${response.url} answered ${response.status}.`;
  const id = said.request_id ?? response.headers.get("X-Request-ID") ?? "";
  return new ApiError(message, response.status, said.code, id, seconds(response.headers.get("Retry-After")));
}

/** Of a Retry-After: seconds, or a date. */
function seconds(header: string | null): number | undefined {
  if (header === null) return undefined;
  const number = Number(header);
  const wait = Number.isNaN(number) ? (Date.parse(header) - Date.now()) / 1000 : number;
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}
