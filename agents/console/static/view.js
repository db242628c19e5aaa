// From an entry, as the server tells it, to elements of the page.
// Message text is hostile: it only ever becomes a text node. Must never set innerHTML, an event attribute or a URL that is
// not http(s).

import { about, age, label, languageName, moment, number, percent, say, spoken } from "./words.js";

/** An element with attributes and children; strings become text nodes. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The text with its marks: pieces are cut on the server, so no offset is counted here. */
function text(entry) {
  const nodes = entry.parts.map(([piece, floor]) =>
    floor === null ? piece : h("mark", { title: about(say("floor"), floor.split(",").map(label).join(", ")) }, piece));
  return [entry.cut[0] ? "… " : null, ...nodes, entry.cut[1] ? " …" : null];
}

function badge(kind, ...words) {
  return h("span", { class: `badge ${kind}` }, ...words);
}

function status(entry) {
  if (entry.status === "abstained") return badge("unsure", say("abstained"));
  if (entry.status === "unscored") {
    return badge("unread", entry.status_reason ? about(say("unscored"), label(entry.status_reason)) : say("unscored"));
  }
  return null;
}

/** What people said of it, and whether the models have learned it. */
function word(entry) {
  if (entry.word === null) return entry.decided_by === "human" ? badge("said", say("human")) : null;
  const parts = [say(`said_${entry.word.kind}`, entry.word.by)];
  if (entry.word.learned) parts.push(` · ${learned(entry.word.seconds)}`);
  return badge("said", ...parts);
}

export function learned(seconds) {
  return seconds === null ? say("learned_plain") : say("learned", number(seconds, 1));
}

function chip(entry) {
  return h("span", { class: `chip ${entry.kind}` }, say(entry.kind));
}

function since(entry, now) {
  return h("time", { datetime: new Date(entry.sent).toISOString(), "data-sent": entry.sent }, age(now - entry.sent));
}

/** The button that shows, or hides, the other messages of an event or a conversation. */
function more(entry, { line, behind, open }) {
  return h("button", { type: "button", class: "more", "data-line": line, "aria-expanded": open ? "true" : "false" },
    entry.event && badge("event", say(`event_${entry.event.kind}`)),
    say(open ? "event_hide" : entry.event ? "event_more" : "group_more", number(behind)));
}

/** Who has it in hand, or is through with it. */
function hands(entry) {
  if (entry.resolved !== null) return badge("said", say("resolved_by", entry.resolved));
  return entry.taken === null ? null : badge("taken", say("taken_by", entry.taken));
}

/** One line of the list; `others`: the line that it begins, how many stand behind it, and whether they are shown. */
export function row(entry, now, selected, others) {
  const facts = [entry.category && label(entry.category), entry.sentiment && label(entry.sentiment), entry.channel,
    languageName(entry.language)];
  const done = entry.reviewed || entry.resolved !== null;
  return h("li", { class: `row ${entry.kind}${done ? " reviewed" : ""}` },
    h("button", { type: "button", "data-id": entry.id, "aria-current": selected ? "true" : null },
      h("span", { class: "first" }, chip(entry), entry.late && badge("late", say("late")), entry.drill && badge("drill", say("drill")),
        status(entry), hands(entry), since(entry, now)),
      h("span", { class: "why" }, entry.why[spoken()]),
      entry.veiled ? h("span", { class: "text veil" }, say("veiled"))
        : h("span", { class: "text", dir: "auto" }, entry.subject ? h("b", {}, entry.subject, " ") : null, text(entry)),
      h("span", { class: "facts" }, h("bdi", { class: "customer" }, entry.customer),
        facts.filter(Boolean).map((fact) => h("bdi", {}, fact)), word(entry))),
    others.behind > 0 ? more(entry, others) : null);
}

/** Brings the ages on the page up to date. */
export function tick(now) {
  for (const element of document.querySelectorAll("time[data-sent]")) {
    element.textContent = age(now - Number(element.dataset.sent));
  }
}

/** Values from -1 to 1 in their order, as a line; what it says is said beside it, too. */
export function spark(values) {
  const SVG = "http://www.w3.org/2000/svg", width = 200, height = 40;
  const chart = document.createElementNS(SVG, "svg"), zero = document.createElementNS(SVG, "line"), line = document.createElementNS(SVG, "polyline");
  const points = values.map((value, place) => `${(place / Math.max(1, values.length - 1)) * width},${(1 - value) * (height / 2)}`);
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("aria-hidden", "true");
  for (const [name, value] of [["x1", 0], ["x2", width], ["y1", height / 2], ["y2", height / 2]]) zero.setAttribute(name, String(value));
  line.setAttribute("points", points.join(" "));
  chart.append(zero, line);
  return chart;
}

export function part(title, ...children) {
  return h("section", {}, h("h3", {}, say(title)), ...children);
}

/** A word as it was written; what is no word in plain words ("language:en", "valence:positive share"). */
function featureName(feature) {
  const [kind, what] = /^(language|valence|lexicon):(.+)$/.exec(feature)?.slice(1) ?? [];
  if (!kind) return feature;
  return kind === "language" ? say("feature_language", languageName(what)) : say(`feature_${what.split(" ")[0]}`);
}

function accounts(entry) {
  return entry.accounts.map((account) => {
    const answer = account.label === null ? "" : ` → ${label(account.label === "yes" ? true : account.label === "no" ? false : account.label)}`;
    return h("div", { class: "account" }, h("h4", {}, label(account.head), answer),
      h("ul", { class: "words" }, account.words.map(([feature, value]) =>
        h("li", { class: value < 0 ? "against" : "for", title: say(value < 0 ? "spoke_against" : "spoke_for") },
          h("bdi", {}, featureName(feature)), ` ${value < 0 ? "−" : "+"}${number(Math.abs(value), 2)}`))));
  });
}

function link(url) {
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    return null;
  }
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:") return null;
  return h("a", { href: parsed.href, target: "_blank", rel: "noopener noreferrer" }, say("source", parsed.host));
}

function facts(entry) {
  const rows = [["customer", `${entry.customer}${entry.customer === entry.customer_id ? "" : ` (${entry.customer_id})`}`],
    ["channel", entry.channel], ["tongue", languageName(entry.language)], ["sent", moment(entry.sent)],
    ["visibility", say(entry.visibility)], ["attachments", entry.attachments ? number(entry.attachments) : null],
    ["model", entry.model_version], ["policy", entry.policy_version]];
  return h("dl", {}, rows.filter(([, value]) => value).map(([name, value]) =>
    [h("dt", {}, say(name)), h("dd", {}, h("bdi", {}, value))]).flat());
}

/** The same question asked before, and what was answered. */
export function asked(found) {
  if (found.length === 0) return null;
  return part("asked_before", ...found.map((one) => h("article", { class: "asked" },
    h("p", { class: "text", dir: "auto" }, one.question.text ?? say("asked_gone")),
    h("blockquote", { class: "answer", dir: "auto" }, one.answer.text ?? say("asked_gone")),
    h("p", { class: "facts" }, say(one.same ? "asked_same" : "asked_alike", percent(one.likeness)), " · ",
      say(`asked_${one.by}`), " · ", moment(one.answer.at)))));
}

/** Abusive words, once they are asked for; until then the button that asks. */
function veil(entry, unveiled) {
  if (entry.veiled && !unveiled) {
    return h("p", { class: "veil" }, say("veiled"), " ", h("button", { type: "button", id: "unveil", "aria-keyshortcuts": "v" }, say("unveil"),
      h("kbd", { "aria-hidden": "true" }, "v")));
  }
  return [entry.subject && h("h3", { class: "subject", dir: "auto" }, entry.subject),
    h("blockquote", { class: "text", dir: "auto" }, text(entry))];
}

/** The whole of a message, and all that led to its decision; `beside`: what the team does about it. */
export function detail(entry, now, unveiled = false, beside = null) {
  const open = !entry.veiled || unveiled;
  const answers = Object.entries(entry.answers).map(([head, share]) => {
    const answer = typeof entry.labels[head] === "boolean" ? percent(share) : `${label(entry.labels[head])} (${percent(share)})`;
    return [h("dt", {}, label(head)), h("dd", {}, answer)];
  });
  const replaced = entry.decided_by === "human" && entry.told[spoken()] !== entry.why[spoken()];
  return [
    h("p", { class: "first" }, chip(entry), entry.late && badge("late", say("late")), entry.drill && badge("drill", say("drill")),
      status(entry), hands(entry), word(entry), since(entry, now)),
    h("p", { class: "why" }, entry.kind === "withdrawn" ? say("withdrawn_long") : entry.why[spoken()]),
    replaced && h("p", { class: "told" }, about(say("model_why"), entry.told[spoken()])),
    veil(entry, unveiled),
    beside,
    entry.alone && h("p", { class: "note alone" }, say("alone", say(entry.alone))),
    link(entry.url),
    entry.event && h("p", { class: "note" }, entry.event.why[spoken()]),
    h("div", { id: "around", "aria-live": "off" }),
    h("div", { id: "asked" }),
    entry.truncated && h("p", { class: "note" }, say("truncated")),
    entry.floors.length > 0 && part("rules", h("ul", { class: "rules" }, entry.floors.map((hit) =>
      h("li", {}, about(label(hit.floor), ""), h("q", {}, hit.phrase))))),
    open && entry.accounts.some((account) => account.words.length) && part("weighed", ...accounts(entry)),
    answers.length > 0 && part("answers", h("dl", {}, ...answers.flat())),
    part("facts", facts(entry)),
  ].flat().filter(Boolean);
}
