// Made by `python -m serving.generating`.

/** The process answers. */
export interface AliveAnswer {
  alive: boolean;
}

/** A backfill and how far it is. */
export interface BackfillAnswer {
  id: string;
  kind: string;
  sources: string[];
  target: string;
  order: string;
  status: string;
  total: number;
  done: number;
  left: number;
  skipped: Record<string, number>;
  examples: string[];
  batch_size: number;
  pace: number | null;
  workers: number;
  forced: boolean;
  owner: string | null;
  error: string | null;
  created_at: string | null;
  started_at: string | null;
  finished_at: string | null;
}

/** Move entries of older versions to `target`: by adapters (map), or by their images (re-embed). */
export interface BackfillRequest {
  target?: string;
  kind?: "map" | "re-embed";
  /** Versions whose entries move; all others by default. */
  sources?: string[] | null;
  order?: "gain" | "random" | "oldest";
  /** Entries in one transaction at most. */
  batch_size?: number;
  /** Entries a second at most. */
  pace?: number | null;
  /** Ray Data actors of a re-embedding. */
  workers?: number;
  force?: boolean;
}

/** All backfills, oldest first. */
export interface BackfillsAnswer {
  backfills: BackfillAnswer[];
}

/**
 * What became of the entries that were to be ranked by their images. `kept`: vectors on their way to the
 * gallery, where these entries become the query version's.
 */
export interface CascadeCounts {
  recalled: number;
  own: number;
  cached: number;
  embedded: number;
  unreachable: number;
  over_budget: number;
  kept: number;
}

/** Every ordered pair of `versions`, which are named oldest first. */
export interface CompatibilityAnswer {
  versions: string[];
  pairs: PairAnswer[];
}

/** How many entries there are. */
export interface CountAnswer {
  count: number;
}

/** Which entries are counted; all of them by default. */
export interface CountRequest {
  filter?: Record<string, unknown> | null;
  /** Only entries of these versions. */
  versions?: string[] | null;
}

/**
 * Vectors of a version cut to their first `dimensions` numbers: Recall@1 in percent, beside that of the
 * `whole` ones, and the 95 % interval of the difference, on the data of this fingerprint.
 */
export interface CutAnswer {
  dimensions: number;
  recall_at_1: number;
  whole: number;
  low: number;
  high: number;
  evaluation: string;
}

/** Entries that are to go: by their ids, or all that match a filter, which may not be empty. */
export interface DeleteRequest {
  ids?: string[] | null;
  filter?: Record<string, unknown> | null;
  /** With a filter: only entries of these versions. */
  versions?: string[] | null;
  /** With a filter: count what would go, and delete nothing. */
  dry_run?: boolean;
}

/** `seq` is the number of the write. */
export interface DeletedAnswer {
  seq: number;
  deleted: string;
}

/**
 * `seq` is the number of the last write, `count` how many entries went, or would with `dry_run`. Of a
 * deletion by ids, `deleted` names them, and `missing` the ids that no entry had. `more`: a deletion by a
 * filter ended before its end, and is to be asked for again.
 */
export interface DeletedManyAnswer {
  seq: number;
  count: number;
  deleted: string[];
  missing: string[];
  more: boolean;
}

/**
 * One vector; as base64 it is float32, little endian. In int8, uint8, binary and ubinary it is of whole
 * numbers.
 */
export interface EmbeddingRow {
  object: "embedding";
  index: number;
  embedding: number[] | string;
}

/**
 * The vectors of what was given, in its order; `model` made them. `cut`: what it costs that they are cut,
 * where they are. `errors`: what was left out, where the request wanted it so and something was.
 */
export interface EmbeddingsAnswer {
  object: "list";
  model: string;
  data: EmbeddingRow[];
  usage: Usage;
  cut?: CutAnswer | null;
  errors?: Failure[] | null;
}

/**
 * OpenAI's shape, with images as the input; Jina's items, where they are texts, or both; or `messages`,
 * as vLLM takes them, of one image or one text.
 */
export interface EmbeddingsRequest {
  input?: string | ImageItem | TextItem | ImageUrlItem | (string | ImageItem | TextItem | ImageUrlItem)[] | null;
  /** In place of `input`: one image, or one text, in a chat's shape. */
  messages?: Message[] | null;
  model?: string;
  encoding_format?: "float" | "base64" | "int8" | "uint8" | "binary" | "ubinary";
  /** Jina's name of `encoding_format`. */
  embedding_type?: "float" | "base64" | "int8" | "uint8" | "binary" | "ubinary" | null;
  /** All of a version's, or a cut that was measured of it (`cuts`). */
  dimensions?: number | null;
  /** Keeps one user on one side of a canary. */
  user?: string | null;
  /** What plain strings are. */
  modality?: "image" | "text";
  /** What texts are embedded for; without effect where a version knows no difference. */
  input_type?: "query" | "document" | null;
  /** Jina's name of `input_type`: `retrieval.query`, `retrieval.passage`; others are without effect. */
  task?: string | null;
  /** Vectors are of unit norm, always. */
  normalized?: boolean;
  /** Whether an item that cannot be done refuses all, or is left out and named in `errors`. */
  on_error?: "fail" | "skip";
}

export interface EntriesRequest {
  entries: EntryBody[];
  /** Whether an item that cannot be done refuses all, or is left out and named in `errors`. */
  on_error?: "fail" | "skip";
}

/** One entry as it is in the database; `vector` if it was asked for. */
export interface EntryAnswer {
  id: string;
  embedded_by: string;
  attributes: Record<string, string | number | boolean | (string | number | boolean)[] | null>;
  source: string | null;
  seq: number;
  mapped_from: string | null;
  mapped_by: string | null;
  vector?: number[];
}

/** One entry to write: an image (the write version embeds it), or a vector and its version. */
export interface EntryBody {
  image?: string | null;
  /** The image, as OpenAI writes it. */
  image_url?: string | ImageUrl | null;
  vector?: number[] | null;
  version?: string | null;
  attributes?: Record<string, string | number | boolean | (string | number | boolean)[] | null>;
  source?: string | null;
  id: string;
}

/** What an entry holds: an image (the write version embeds it), or a vector and its version. */
export interface EntryContent {
  image?: string | null;
  /** The image, as OpenAI writes it. */
  image_url?: string | ImageUrl | null;
  vector?: number[] | null;
  version?: string | null;
  attributes?: Record<string, string | number | boolean | (string | number | boolean)[] | null>;
  source?: string | null;
}

/** The one shape of all errors. */
export interface ErrorAnswer {
  error: Fault;
}

/** One item that was left out: where it stood in the request, and why. */
export interface Failure {
  index: number;
  code: string;
  message: string;
}

/** What was wrong. */
export interface Fault {
  type: string;
  code: string;
  message: string;
  request_id: string;
}

/** The hits that have one value of the attribute, best first. */
export interface FoundGroup {
  value: string | number | boolean;
  ids: string[];
}

/** One entry of a ranking. */
export interface FoundHit {
  id: string;
  score: number;
  calibrated: number;
  embedded_by: string;
  ranked_by: "own" | "as_they_are" | "exact" | "adapter";
  attributes: Record<string, string | number | boolean | (string | number | boolean)[] | null>;
}

/** Entries by version; searches see the writes up to `seq` of `last_seq`. */
export interface GalleryAnswer {
  entries: Record<string, number>;
  total: number;
  seq: number;
  last_seq: number;
  index: IndexState;
}

/** The newest of `total` records, newest first. */
export interface HistoryAnswer {
  total: number;
  records: TrafficRecord[];
}

export interface ImageItem {
  /** A data URI (data:image/...;base64,...) or plain base64. */
  image: string;
}

/** OpenAI's object around an address. Only data URIs are read: remote addresses are never fetched. */
export interface ImageUrl {
  /** A data URI (data:image/...;base64,...) or plain base64. */
  url: string;
  /** Taken and without effect: a version sees every image as its contract says. */
  detail?: "auto" | "low" | "high";
}

/** As in OpenAI's chats. */
export interface ImageUrlItem {
  type?: "image_url";
  image_url: string | ImageUrl;
}

/** What the gallery is searched with. */
export interface IndexState {
  kind: string;
  bytes: number;
  threads: number;
}

/** A figure with its 95 % interval. */
export interface IntervalFigure {
  value: number;
  low: number;
  high: number;
}

/** The key that asks: by what name the traffic's history and the log know it, and what it may. */
export interface KeyAnswer {
  name: string;
  role: "read" | "write" | "admin";
  expires_at: string | null;
}

/** Seconds from a query's image or text to its hits. */
export interface LatencyFigures {
  p50: number;
  p95: number;
  p99: number;
}

/** Which entries are listed, in the order of their ids, a page at a time. */
export interface ListRequest {
  filter?: Record<string, unknown> | null;
  /** Only entries of these versions. */
  versions?: string[] | null;
  /** Entries in the page at most. */
  limit?: number;
  /** Begin after this id: the `next` of the page before. */
  after?: string | null;
  /** Which attributes are in the answer: all, none (false), or those of a list. */
  attributes?: boolean | string[];
  /** Whether the vectors are in the answer. */
  vector?: boolean;
}

/** The entries that there are, and the ids that no entry has. */
export interface LookupAnswer {
  entries: EntryAnswer[];
  missing: string[];
}

/** Entries by their ids, whatever these hold: a path cannot carry every id past every proxy. */
export interface LookupRequest {
  ids: string[];
  /** Whether the vectors are in the answer. */
  vector?: boolean;
}

/** How well another version's entries are searched, or this one's by another. */
export interface Measurement {
  version: string;
  metric: string;
  value: number;
  reference: number;
  low: number;
  high: number;
  compatible: boolean;
  decided: boolean;
  way: "as_they_are" | "exact" | "adapter" | "cascade";
  candidates: number;
  truth: "labels" | "pairs" | "views" | "agreement";
  provisional: boolean;
  measured_at: string;
}

/** As in a chat: words alone, or parts. */
export interface Message {
  role?: "system" | "developer" | "user" | "assistant";
  content: string | (ImageItem | TextItem | ImageUrlItem)[];
}

/** A published version, whole. */
export interface ModelAnswer {
  id: string;
  object: "model";
  created: number;
  owned_by: string;
  aliases: string[];
  contract: string;
  dimension: number;
  cuts: CutAnswer[];
  parent: string | null;
  kind: string;
  base: string | null;
  takes: string[];
  run: string;
  task: number;
  fault: string | null;
  searches: Measurement[];
  searched_by: Measurement[];
  lineage: string[];
  contract_body: Record<string, unknown>;
  data_fingerprint: string;
  metrics: Record<string, unknown>;
  experiment: string;
}

/**
 * A published version. `cuts`: the fewer `dimensions` of which `/v1/embeddings` answers vectors, and what
 * these find. `takes`: what it embeds, image and text. `base`: of a projection the version whose
 * vectors it maps, and whose entries it finds as they are. `fault`: why it answers nothing here, if
 * its model is not what was published.
 */
export interface ModelSummary {
  id: string;
  object: "model";
  created: number;
  owned_by: string;
  aliases: string[];
  contract: string;
  dimension: number;
  cuts: CutAnswer[];
  parent: string | null;
  kind: string;
  base: string | null;
  takes: string[];
  run: string;
  task: number;
  fault: string | null;
  searches: Measurement[];
  searched_by: Measurement[];
}

/** All versions, oldest first. */
export interface ModelsAnswer {
  object: "list";
  data: ModelSummary[];
}

/** Entries in the order of their ids; `next` is the `after` of the next page, null for no more. */
export interface PageAnswer {
  entries: EntryAnswer[];
  next: string | null;
}

/**
 * Queries by `query` over entries of `gallery`. `searches`: whether such entries are searched now;
 * `promotes`: whether the version may be promoted in the face of them. `why` not, what to do (`remedy`), and
 * the next `command` to type. The figures are null where nothing was measured; `low` and `high` are the 95 %
 * interval of `value` - `reference`.
 */
export interface PairAnswer {
  query: string;
  gallery: string;
  verdict: "self" | "exact" | "compatible" | "undecided" | "incompatible" | "unmeasured";
  way: "as_they_are" | "exact" | "adapter" | "cascade" | null;
  searches: boolean;
  promotes: boolean;
  why: string | null;
  remedy: string | null;
  command: string | null;
  metric: string | null;
  value: number | null;
  reference: number | null;
  low: number | null;
  high: number | null;
  candidates: number;
  truth: "labels" | "pairs" | "views" | "agreement" | null;
  provisional: boolean;
  measured_at: string | null;
}

/** Exactly one of image, image_url, text, vector (with the version that made it) and id (of an entry). */
export interface Query {
  image?: string | null;
  /** The image, as OpenAI writes it. */
  image_url?: string | ImageUrl | null;
  text?: string | null;
  vector?: number[] | null;
  id?: string | null;
  /** The query version; the default of image and text is live, of an entry the version that embedded it, in whose place a projection over that one may ask. */
  model?: string | null;
}

/** A canary that grows: a step for each share, so many seconds apart. */
export interface Ramp {
  shares: number[];
  every_seconds: number;
}

/**
 * Whether a version is live and the index has caught up; if not, why. `away`: what the server goes on
 * without. `faults`: by version, the code of the error with which it is refused here.
 */
export interface ReadyAnswer {
  ready: boolean;
  reason: string | null;
  seq: number;
  away: ("database" | "writer")[];
  faults: Record<string, string>;
}

/** A version that is out of use from now on; in OpenAI's shape of a deleted model. */
export interface RetiredAnswer {
  id: string;
  object: "model";
  deleted: "True";
  retired_at: string;
}

export interface RollbackRequest {
  /** The epoch that GET /v1/traffic answered. */
  expect_epoch?: number | null;
  force?: boolean;
  /** Why; kept in the history. */
  note?: string;
}

/** Scheduled changes, by their moments. */
export interface ScheduleAnswer {
  scheduled: ScheduledChange[];
}

/** A change of the traffic at a moment; fields that are left out stay as they are then. */
export interface ScheduleRequest {
  /** With its zone: 2026-12-01T03:00:00+01:00. */
  at: string;
  query_version?: string | null;
  write_version?: string | null;
  canary_version?: string | null;
  canary_share?: number | null;
  canary_keys?: string[] | null;
  shadow_version?: string | null;
  shadow_share?: number | null;
  /** Of the canary_version, from `at` on; a step that fails ends it. */
  ramp?: Ramp | null;
  force?: boolean;
  require?: ShadowGate | null;
  why?: string;
}

/**
 * A change of the traffic that is to come, or what came of it.
 *
 * `status`: waiting, done, failed (`error` says why), missed (nothing ran that could have made it), stopped
 * (one before it in its series was not made), cancelled. `series`: the id of the first of those that belong
 * together. `epoch`: of the record that it made.
 */
export interface ScheduledChange {
  id: string;
  at: string;
  changes: Record<string, unknown>;
  why: string;
  made_by: string;
  created_at: string;
  status: "waiting" | "done" | "failed" | "missed" | "stopped" | "cancelled";
  series: string | null;
  finished_at: string | null;
  epoch: number | null;
  error: string | null;
}

/**
 * The nearest entries, best first, and what was searched for them; with `group_by` the groups of the
 * hits, in the order of their best ones.
 */
export interface SearchAnswer {
  hits: FoundHit[];
  query_version: string;
  versions: string[];
  adapted: string[];
  exact: string[];
  excluded: Record<string, number>;
  cascade: CascadeCounts | null;
  seq: number;
  groups?: FoundGroup[] | null;
}

/**
 * A query by image, by text, by vector (with the version that made it), or by the id of an entry; or many
 * `queries`, for which everything else holds.
 */
export interface SearchRequest {
  image?: string | null;
  /** The image, as OpenAI writes it. */
  image_url?: string | ImageUrl | null;
  text?: string | null;
  vector?: number[] | null;
  id?: string | null;
  /** The query version; the default of image and text is live, of an entry the version that embedded it, in whose place a projection over that one may ask. */
  model?: string | null;
  k?: number;
  filter?: Record<string, unknown> | null;
  /** Search only entries of these versions. */
  versions?: string[] | null;
  /** Entries that are right answers, where you know them; they do not change the answer, and tell the shadow's flips. */
  relevant?: string[] | null;
  /** Answer only once this write is searchable. */
  min_seq?: number | null;
  /** Rank so many of the best entries by their images; 0: none, and entries that only a cascade can search are left out. By default where the versions meet in no other way. */
  cascade?: number | null;
  /** Only hits whose `calibrated` score, which they are ranked by, is at least this. */
  score_threshold?: number | null;
  /** An attribute: the best entries of each of k of its values are answered. */
  group_by?: string | null;
  /** With group_by: entries of a group at most. */
  group_size?: number;
  /** Which attributes are in the answer: all, none (false), or those of a list. */
  attributes?: boolean | string[];
  user?: string | null;
  /** In place of one query: many of them, which are answered together. */
  queries?: Query[] | null;
  /** Whether an item that cannot be done refuses all, or is left out and named in `errors`. */
  on_error?: "fail" | "skip";
}

/**
 * The answers to many queries, in their order. Where one failed and was to be skipped, its place holds
 * null, and `errors` says why.
 */
export interface SearchesAnswer {
  results: (SearchAnswer | null)[];
  errors?: Failure[] | null;
}

/**
 * What the shadow is worth beside the live version, over all replicas since `since`; null is not known.
 *
 * `queries`: that both answered. `overlap`: mean share of the first ten hits that both have. `judged`:
 * queries of which relevant entries are known; `negative_flips`: in which share of them the live version
 * alone put one first, `positive_flips`: in which the shadow alone. `errors`: share of the queries that the
 * shadow did not answer; `failed` counts them, by their code in `failed_by_code`. `latency_ratio`: geometric
 * mean of the shadow's latency by the live version's. `dropped`: too many waited; `not_comparable`: searches
 * by vectors, by entries whose image cannot be read, with a threshold or by groups.
 */
export interface ShadowAnswer {
  live: string | null;
  shadow: string | null;
  share: number;
  since: string | null;
  epoch: number | null;
  queries: number;
  overlap: IntervalFigure | null;
  judged: number;
  negative_flips: IntervalFigure | null;
  positive_flips: IntervalFigure | null;
  errors: IntervalFigure | null;
  failed: number;
  failed_by_code: Record<string, number>;
  last_error: string | null;
  live_seconds: LatencyFigures | null;
  shadow_seconds: LatencyFigures | null;
  latency_ratio: IntervalFigure | null;
  dropped: number;
  not_comparable: number;
}

/** Bounds for the figures of a shadow; each is judged by the worse end of its interval. */
export interface ShadowGate {
  queries?: number | null;
  overlap?: number | null;
  negative_flips?: number | null;
  errors?: number | null;
  latency_ratio?: number | null;
}

export interface TextItem {
  type?: "text";
  /** Words, for a version that takes text. */
  text: string;
}

/** The traffic record in force; this replica follows it from `applied_epoch` = `epoch` on. */
export interface TrafficAnswer {
  epoch: number;
  query_version: string | null;
  write_version: string | null;
  canary_version: string | null;
  canary_share: number;
  canary_keys: string[];
  shadow_version: string | null;
  shadow_share: number;
  forced: boolean;
  note: string;
  made_by: string;
  created_at: string | null;
  applied_epoch: number;
}

/** A compare-and-swap: fields that are left out stay as they are. */
export interface TrafficChange {
  /** The epoch that GET /v1/traffic answered. */
  expect_epoch: number;
  query_version?: string | null;
  write_version?: string | null;
  canary_version?: string | null;
  canary_share?: number | null;
  /** Names of keys whose queries all go to the canary. */
  canary_keys?: string[] | null;
  /** Answers queries beside the live version, unseen; null takes it away. */
  shadow_version?: string | null;
  shadow_share?: number | null;
  force?: boolean;
  /** What a version has to have shown as the shadow before it answers queries: 409 else. */
  require?: ShadowGate | null;
  note?: string;
}

/**
 * How queries and new entries were answered from `created_at` on; `made_by` says who wanted it so, and
 * `note` why.
 */
export interface TrafficRecord {
  epoch: number;
  query_version: string | null;
  write_version: string | null;
  canary_version: string | null;
  canary_share: number;
  canary_keys: string[];
  shadow_version: string | null;
  shadow_share: number;
  forced: boolean;
  note: string;
  made_by: string;
  created_at: string | null;
}

/** Images cost no tokens. */
export interface Usage {
  prompt_tokens: number;
  total_tokens: number;
}

/** `problems` names the first 100 of `problem_count`; `seq` is the last write that the index holds. */
export interface VerifiedAnswer {
  ok: boolean;
  index: string;
  seq: number;
  problem_count: number;
  problems: string[];
}

/**
 * `seq` is the number of the last write, `upserted` how many entries it left.
 *
 * `repeated`, where there are any: ids that were in the request more than once, and how often; the last one
 * counts. `null_attributes` likewise: by key, how often one was null, which is as if it were not there.
 * `errors`: what was not written, where the request wanted it so and something was not.
 */
export interface WrittenAnswer {
  seq: number;
  upserted: number;
  repeated?: Record<string, number> | null;
  null_attributes?: Record<string, number> | null;
  errors?: Failure[] | null;
}

/** One request, as `Client` sends it. `repeatable`: sent twice, it does what it does once. */
export interface Call {
  method: string;
  path: string;
  query?: object;
  body?: unknown;
  repeatable: boolean;
}

/** A method for every route. */
export abstract class Operations {
  abstract call<T>(call: Call): Promise<T>;

  /**
   * Embeds images and texts; `model` in the answer and `X-Model-Version` say which version did.
   *
   * Plain strings are what `modality` says; items `{"image": ...}`, `{"image_url": {"url": ...}}` and
   * `{"text": ...}` say it themselves. With `dimensions` the vectors are cut to a length that was measured
   * of the version; `cut` and `X-Cut` say what that costs.
   */
  create_embeddings(body: EmbeddingsRequest): Promise<EmbeddingsAnswer> {
    return this.call({ method: "POST", path: `/v1/embeddings`, body, repeatable: true });
  }

  /** All versions, oldest first. */
  list_models(): Promise<ModelsAnswer> {
    return this.call({ method: "GET", path: `/v1/models`, repeatable: true });
  }

  /** One version by name or alias: contract, lineage, aliases, measured compatibility, training metrics. */
  get_model(version: string): Promise<ModelAnswer> {
    return this.call({ method: "GET", path: `/v1/models/${encodeURIComponent(version)}`, repeatable: true });
  }

  /**
   * Take a version out of use for good, and remove its weights; its name is never given again. Refused
   * while traffic, entries, projections, runs or backfills need it.
   */
  retire_model(version: string): Promise<RetiredAnswer> {
    return this.call({ method: "DELETE", path: `/v1/models/${encodeURIComponent(version)}`, repeatable: false });
  }

  /** The compatibility matrix: every ordered pair of versions, oldest first. */
  get_compatibility(): Promise<CompatibilityAnswer> {
    return this.call({ method: "GET", path: `/v1/compatibility`, repeatable: true });
  }

  /** Entries by version, how far this replica has applied the writes, the index's kind and size. */
  get_gallery(): Promise<GalleryAnswer> {
    return this.call({ method: "GET", path: `/v1/gallery`, repeatable: true });
  }

  /**
   * Compares the index that this replica searches with the database, entry by entry.
   *
   * It takes no writes over meanwhile: minutes, for millions of entries.
   */
  verify_gallery(): Promise<VerifiedAnswer> {
    return this.call({ method: "GET", path: `/v1/gallery/verify`, repeatable: true });
  }

  /** One entry as it is in the database; `?vector=true` adds its vector. */
  get_entry(entry_id: string, query?: { vector?: boolean }): Promise<EntryAnswer> {
    return this.call({ method: "GET", path: `/v1/gallery/entries/${encodeURIComponent(entry_id)}`, query, repeatable: true });
  }

  /** Deletes one entry; 404 when there is none. */
  delete_entry(entry_id: string): Promise<DeletedAnswer> {
    return this.call({ method: "DELETE", path: `/v1/gallery/entries/${encodeURIComponent(entry_id)}`, repeatable: false });
  }

  /**
   * Inserts or replaces one entry; its image may be the body, or the file of a form. Search with `seq` as
   * `min_seq`.
   */
  put_entry(entry_id: string, body: EntryContent): Promise<WrittenAnswer> {
    return this.call({ method: "PUT", path: `/v1/gallery/entries/${encodeURIComponent(entry_id)}`, body, repeatable: true });
  }

  /** Entries by their ids, whatever these hold; `missing` are the ids that no entry has. */
  look_up_entries(body: LookupRequest): Promise<LookupAnswer> {
    return this.call({ method: "POST", path: `/v1/gallery/entries/lookup`, body, repeatable: true });
  }

  /**
   * Deletes the entries of these ids, whatever these hold, all or none; `missing` are the ids that no entry
   * had. Or all that match a filter, a few thousand at a time: `count` says how many went, and what no longer
   * matches when its turn comes stays. After some seconds it ends, with `more`: then ask again, as after one
   * that was cut off.
   */
  delete_entries(body: DeleteRequest): Promise<DeletedManyAnswer> {
    return this.call({ method: "POST", path: `/v1/gallery/entries/delete`, body, repeatable: true });
  }

  /**
   * A page of the entries that match, as they are in the database, in the order of their ids. `next` is the
   * `after` of the next page.
   */
  list_entries(body: ListRequest): Promise<PageAnswer> {
    return this.call({ method: "POST", path: `/v1/gallery/entries/list`, body, repeatable: true });
  }

  /** How many entries match, by the database. */
  count_entries(body: CountRequest): Promise<CountAnswer> {
    return this.call({ method: "POST", path: `/v1/gallery/entries/count`, body, repeatable: true });
  }

  /**
   * Inserts or replaces entries, all or none; answers after the commit. Search with `seq` as `min_seq`.
   *
   * With `on_error: skip`, those that can be written are written, all of these or none, and `errors` names the
   * others.
   */
  put_entries(body: EntriesRequest): Promise<WrittenAnswer> {
    return this.call({ method: "PUT", path: `/v1/gallery/entries`, body, repeatable: true });
  }

  /**
   * The nearest entries, ranked by `calibrated`; `score` is the inner product as it is. Entries of versions
   * that the query version may not search are left out, and `excluded` counts them; 409 when nothing is left,
   * or when `versions` names one of them. A search by id leaves the entry itself out.
   *
   * Many `queries` are answered together, each by a result of its own in `results`, in their order; null where
   * one failed that was to be skipped.
   *
   * In a cascade the best entries are ranked by their images, as far as the server's budget reaches: `cascade`
   * counts what became of them, and `ranked_by` says by which vector each hit got its place.
   */
  search(body: SearchRequest): Promise<SearchAnswer> {
    return this.call({ method: "POST", path: `/v1/search`, body, repeatable: true });
  }

  /** The newest record, and the epoch that this replica follows already. */
  get_traffic(): Promise<TrafficAnswer> {
    return this.call({ method: "GET", path: `/v1/traffic`, repeatable: true });
  }

  /** Compare-and-swap on the epoch: 409 when the record has moved on, or versions are not compatible. */
  change_traffic(body: TrafficChange): Promise<TrafficAnswer> {
    return this.call({ method: "PUT", path: `/v1/traffic`, body, repeatable: false });
  }

  /**
   * The newest records, newest first: who changed what, when and why. A record says how things were from
   * then on; what it changed is the difference to the one before it.
   */
  get_history(query?: { limit?: number }): Promise<HistoryAnswer> {
    return this.call({ method: "GET", path: `/v1/traffic/history`, query, repeatable: true });
  }

  /**
   * Back to the previous record that differs, under the same checks. Once more goes one further back: send
   * `expect_epoch` with what may be repeated.
   */
  roll_back(body?: RollbackRequest): Promise<TrafficAnswer> {
    return this.call({ method: "POST", path: `/v1/traffic/rollback`, body, repeatable: false });
  }

  /**
   * What the shadow found beside the live version, with 95 % intervals. It begins anew with another live
   * version or another shadow.
   */
  get_shadow(): Promise<ShadowAnswer> {
    return this.call({ method: "GET", path: `/v1/traffic/shadow`, repeatable: true });
  }

  /** All scheduled changes, those that were made or could not be as well. */
  get_schedule(): Promise<ScheduleAnswer> {
    return this.call({ method: "GET", path: `/v1/traffic/schedule`, repeatable: true });
  }

  /**
   * Change the traffic at a moment, under the checks that a change has to pass then. Answers what was
   * scheduled: one change, or the steps of a ramp.
   */
  schedule_change(body: ScheduleRequest): Promise<ScheduleAnswer> {
    return this.call({ method: "POST", path: `/v1/traffic/schedule`, body, repeatable: false });
  }

  /** Take a change back that waits, and those after it in its series; it stays in the list. */
  cancel_scheduled(schedule_id: string): Promise<ScheduledChange> {
    return this.call({ method: "DELETE", path: `/v1/traffic/schedule/${encodeURIComponent(schedule_id)}`, repeatable: false });
  }

  /** All backfills, oldest first. */
  list_backfills(): Promise<BackfillsAnswer> {
    return this.call({ method: "GET", path: `/v1/backfills`, repeatable: true });
  }

  /**
   * 201 with the new backfill; 409 if it would put entries out of reach, 422 if there is nothing to do or
   * no image may be read.
   */
  create_backfill(body: BackfillRequest): Promise<BackfillAnswer> {
    return this.call({ method: "POST", path: `/v1/backfills`, body, repeatable: false });
  }

  /** One backfill, with its progress. */
  get_backfill(backfill_id: string): Promise<BackfillAnswer> {
    return this.call({ method: "GET", path: `/v1/backfills/${encodeURIComponent(backfill_id)}`, repeatable: true });
  }

  /** Once this is answered no entry is moved any more. */
  pause_backfill(backfill_id: string): Promise<BackfillAnswer> {
    return this.call({ method: "POST", path: `/v1/backfills/${encodeURIComponent(backfill_id)}/pause`, repeatable: false });
  }

  /** Goes on where it was; one that failed tries again. */
  resume_backfill(backfill_id: string): Promise<BackfillAnswer> {
    return this.call({ method: "POST", path: `/v1/backfills/${encodeURIComponent(backfill_id)}/resume`, repeatable: false });
  }

  /** Ends it; entries that were moved stay moved. */
  cancel_backfill(backfill_id: string): Promise<BackfillAnswer> {
    return this.call({ method: "POST", path: `/v1/backfills/${encodeURIComponent(backfill_id)}/cancel`, repeatable: false });
  }

  /** The name of the key that asks, its role, and its end if it has one; never the key. */
  get_key(): Promise<KeyAnswer> {
    return this.call({ method: "GET", path: `/v1/key`, repeatable: true });
  }

  /** The process answers. */
  livez(): Promise<AliveAnswer> {
    return this.call({ method: "GET", path: `/livez`, repeatable: true });
  }

  /**
   * 200 once the live version is loaded and the index has caught up; 503 with the reason before.
   *
   * `away` names what the server has to do without, and goes on without: the `database` (searches are answered
   * from memory, writes with 503), the `writer` (writes with 503). `faults` are versions whose model does not
   * answer, or has become another one since it was adopted: they are refused, and everything else is answered.
   */
  readyz(): Promise<ReadyAnswer> {
    return this.call({ method: "GET", path: `/readyz`, repeatable: true });
  }

  /** Prometheus text, of the replica that answers. */
  metrics(): Promise<string> {
    return this.call({ method: "GET", path: `/metrics`, repeatable: true });
  }
}
