// What every view knows of the server: who asks, the traffic, the versions, how many entries each embedded.

import { get, ifThere } from "./api.js";

const MATRIX_MS = 20000;
let matrix = null;

export async function load() {
  const [me, traffic, gallery, models] = await Promise.all([
    get("v1/key"), get("v1/traffic"), get("v1/gallery"), get("v1/models"),
  ]);
  return { me, traffic, gallery, models: models.data };
}

// The compatibility matrix by "query gallery". It changes seldom and grows with the square of the versions, so it is
// asked for again only where there are other versions, or after a while.
export async function loadMatrix(models) {
  const names = models.map((model) => model.id).join(" ");
  if (matrix === null || matrix.names !== names || Date.now() - matrix.at > MATRIX_MS) {
    const found = await ifThere(get("v1/compatibility"), null);
    const pairs = found && new Map(found.pairs.map((pair) => [`${pair.query} ${pair.gallery}`, pair]));
    matrix = { names, pairs, at: Date.now() };
  }
  return matrix.pairs;
}
