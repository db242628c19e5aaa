// What stood around a message: its conversation, its customer's last weeks, what the team does about it.
// Text of others is as hostile as the message's own: it only ever becomes a text node.

import { h, part, spark } from "./view.js";
import { age, label, moment, number, say, spoken } from "./words.js";

/** The team's protocol and helplines, for a danger. */
export function help(entry) {
  if (!entry.help) return null;
  return h("section", { class: "help", "aria-labelledby": "help-heading" }, h("h3", { id: "help-heading" }, say("protocol")),
    h("ol", {}, entry.help.protocol[spoken()].map((step) => h("li", {}, step))),
    entry.help.lines.length > 0 && h("h4", {}, say("helplines")),
    entry.help.lines.length > 0 && h("dl", { class: "lines" }, [...byCountry(entry.help.lines)].map(([code, lines]) =>
      [h("dt", {}, country(code)), h("dd", {}, lines.map((line) => h("span", {}, h("bdi", {}, line.name), " ",
        h("a", { href: `tel:${line.number.replace(/[^+0-9*#]/g, "")}` }, line.number))))]).flat()));
}

function byCountry(lines) {
  const found = new Map();
  for (const line of lines) found.set(line.country, [...(found.get(line.country) ?? []), line]);
  return found;
}

function country(code) {
  try { return new Intl.DisplayNames(spoken(), { type: "region" }).of(code); } catch { return code; }
}

function turn(one, now) {
  const veiled = one.event === "deleted" ? say("deleted") : one.text;
  return h("li", { class: `turn by-${one.role}${one.own ? " own" : ""}`, "aria-current": one.own ? "true" : null },
    h("p", { class: "facts" }, h("b", {}, say(`role_${one.role}`)), one.name && h("bdi", {}, one.name),
      one.priority && one.priority !== "p3" && h("span", { class: `chip ${one.priority}` }, say(one.priority)),
      h("time", { datetime: new Date(one.sent).toISOString(), title: moment(one.sent) }, age(now - one.sent))),
    h("p", { class: "text", dir: "auto" }, veiled));
}

/** The conversation: closed where the message stands alone. */
function conversation(turns, now) {
  if (turns.length < 2) return null;
  return part("conversation", h("ol", { class: "turns" }, turns.map((one) => turn(one, now))));
}

function journey(past, standing, now) {
  if (past.length < 2 && standing.length === 0) return null;
  const scores = past.filter((one) => one.score !== null).map((one) => one.score).reverse();
  const counts = ["p0", "p1", "p2"].map((priority) => [priority, past.filter((one) => one.priority === priority).length]);
  return part("journey",
    h("p", { class: "facts" }, h("span", {}, say("journey_messages", number(past.length))),
      counts.filter(([, count]) => count).map(([priority, count]) => h("span", { class: `chip ${priority}` }, `${say(priority)} ${number(count)}`)),
      standing.map((one) => h("span", { class: "badge" }, say(`standing_${one.kind}`)))),
    scores.length > 2 && h("figure", { class: "mood" }, h("figcaption", {}, say("mood")), spark(scores)),
    h("ol", { class: "past" }, past.slice(0, 8).map((one) => h("li", {},
      h("span", { class: `chip ${one.priority}` }, say(one.priority)), " ", one.category && label(one.category), " ",
      one.sentiment && label(one.sentiment), " ", h("time", { datetime: new Date(one.received).toISOString(), title: moment(one.received) },
        age(now - one.received))))));
}

/** Sections for an answer of `/api/around`. */
export function around(answer, now) {
  return [conversation(answer.conversation, now), journey(answer.past, answer.standing, now)].filter(Boolean);
}
