// Changes of the traffic that are to happen later.

import { get, ifThere } from "./api.js";
import { card, missing } from "./parts.js";

export const loadSchedule = () => ifThere(get("v1/traffic/schedule"), null);

export function scheduleCard(schedule) {
  return schedule === null ? null : card("Schedule", missing("schedules"));
}
