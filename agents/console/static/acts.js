// What a person says and does: right, wrong, I decide; take, resolve; and undo of the last of these.
// Owns: what is sent, and what the page says while it waits. Must never touch message text.

import { $, desk, keep, myself } from "./desk.js";
import { askLabels, askName, askPriority } from "./dialogs.js";
import { toast } from "./frame.js";
import { ask } from "./net.js";
import { learned } from "./view.js";
import { about, say } from "./words.js";

const mine = new Map(); // feedback id → message id, not learned yet
let page = null, effect = null;

/** Binds the page's own ways: `load` the shown message anew, `said` after something was, `named` when the name is known. */
export function bind(ways) { page = ways; }

export function showEffect() { $("effect").textContent = effect ? effect() : ""; }

export function forgetEffect() { effect = null; showEffect(); }

async function named() {
  if (!desk.reviewer) rename(await askName(""));
  return desk.reviewer !== "";
}

/** The person has another name. */
export function rename(given) {
  if (!given || desk.known) return;
  desk.reviewer = given;
  keep("reviewer", given);
  page.named();
}

/** What of one's own on the shown message stands, the newest first. */
export function lastOfMine() {
  const words = (desk.shown?.said ?? []).filter((said) => said.kind !== "retract" && !said.retracted && said.by === myself());
  const acts = (desk.shown?.done ?? []).filter((done) => done.by === myself()).map((done) => ({ ...done, act: true }));
  return [...words, ...acts].sort((a, b) => (a.at < b.at ? 1 : -1))[0];
}

async function post(url, body, entry, waiting) {
  page.leaving(entry.id);
  effect = () => say(waiting);
  showEffect();
  const answer = await ask(url, body);
  if (answer.ok) return answer.body;
  forgetEffect();
  toast(answer.status === 409 ? say("error_409") : answer.status === 404 ? say("gone") : answer.body.error);
  if (answer.status === 409 && desk.selected === entry.id) await page.load();
  return null;
}

async function send(kind, more) {
  const entry = desk.shown;
  if (!entry || !(await named())) return;
  const body = { kind, message_id: entry.id, decision_id: entry.decision_id, reviewer: desk.reviewer, ...more };
  if (kind === "retract") delete body.decision_id;
  const answer = await post("/api/feedback", body, entry, "saving");
  if (answer === null || desk.selected !== entry.id) return;
  // The models may have been quicker than the answer to us.
  if (!mine.has(answer.id)) mine.set(answer.id, { id: entry.id, kind });
  if (mine.get(answer.id).seconds !== undefined) finish(answer.id);
  else { effect = () => say(kind === "retract" ? "undone" : "saved"); showEffect(); }
}

async function act(more) {
  const entry = desk.shown;
  if (!entry || !(await named())) return;
  const answer = await post("/api/action", { message_id: entry.id, by: desk.reviewer, ...more }, entry, "saving");
  if (answer === null || desk.selected !== entry.id) return;
  effect = () => say(more.undoes ? "undone" : `did_${answer.kind}`);
  showEffect();
}

function finish(id) {
  const { id: message, kind, seconds } = mine.get(id);
  mine.delete(id);
  if (message !== desk.selected) return;
  effect = () => kind === "retract" ? about(say("undone"), learned(seconds)) : learned(seconds);
  showEffect();
}

/** Corrections that have reached the models. */
export function onLearned(all) {
  for (const { id, message_id: message, seconds } of all) {
    const waiting = mine.get(id);
    if (mine.size > 500) mine.delete(mine.keys().next().value);
    mine.set(id, { id: message, kind: "", ...waiting, seconds });
    if (waiting) finish(id);
  }
}

/** What the buttons above a message do; "take" gives back what is one's own, "resolve" reopens what is resolved. */
export const acts = {
  right: () => send("confirm", {}),
  async wrong() {
    const labels = desk.shown && (await named()) ? await askLabels(desk.shown) : null;
    if (labels === null) return;
    if (Object.keys(labels).length === 0) toast(say("nothing"));
    else await send("correct", { labels });
  },
  async decide() {
    const priority = desk.shown && (await named()) ? await askPriority(desk.shown) : null;
    if (priority !== null) await send("override", { labels: { priority } });
  },
  take: () => act({ kind: holds() ? "released" : "taken" }),
  resolve: () => act({ kind: desk.shown?.resolved ? "reopened" : "resolved" }),
  undo() {
    const last = lastOfMine();
    if (!last) toast(say("nothing_to_undo"));
    else if (last.act) act({ undoes: last.id });
    else send("retract", { retracts: last.id });
  },
};

/** Whether the shown message is in one's own hands. */
export const holds = () => desk.shown?.taken !== null && desk.shown?.taken === myself();
