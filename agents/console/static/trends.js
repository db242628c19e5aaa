// The page of charts: sentiment and urgency over time, what changed today, when people write.
// Owns: how they are drawn. Whatever a bar or a colour says, a table says, too.

import { $ } from "./desk.js";
import { begin, words } from "./frame.js";
import { ask } from "./net.js";
import { h } from "./view.js";
import { label, number, say, short, spoken } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const HOURS = 48, REFRESH_MS = 30_000;
const SERIES = ["messages", "negative", "positive", "angry", "urgent"];
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
let answer = null, failed = false;

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value));
  return element;
}

function card(title, why, ...children) {
  return h("section", { "aria-label": say(title) }, h("h2", {}, say(title)), why && h("p", {}, why), ...children);
}

const clock = (seconds) => new Intl.DateTimeFormat(spoken(), { weekday: "short", hour: "2-digit", minute: "2-digit" }).format(seconds * 1000);

// --- the last 48 hours

function hours(rows) {
  const first = Math.floor(Date.now() / 3_600_000) - HOURS + 1;
  const by = new Map(rows.map((row) => [row.start / 3600, row]));
  const all = Array.from({ length: HOURS }, (_, place) => by.get(first + place) ?? { start: (first + place) * 3600 });
  const charts = SERIES.map((name) => {
    const values = all.map((row) => row[name] ?? 0), most = Math.max(1, ...values);
    const chart = shape("svg", { viewBox: `0 0 ${HOURS} 40`, preserveAspectRatio: "none", "aria-hidden": "true" });
    values.forEach((value, place) => {
      const height = value === 0 ? 0.5 : Math.max(2, (value / most) * 40);
      const bar = shape("rect", { x: place + 0.1, y: 40 - height, width: 0.8, height, ...(value === 0 ? { class: "nothing" } : {}) });
      const told = document.createElementNS(SVG, "title");
      told.textContent = `${clock(all[place].start)}: ${number(value)}`;
      bar.append(told);
      chart.append(bar);
    });
    return h("figure", { class: `series ${name}` },
      h("figcaption", {}, h("b", {}, say(`hours_${name}`)), h("small", {}, number(values.reduce((sum, value) => sum + value, 0)))), chart);
  });
  const table = h("details", {}, h("summary", {}, say("show_table")), h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, say("hour")), SERIES.map((name) => h("th", { scope: "col" }, say(`hours_${name}`))))),
    h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, clock(row.start)), SERIES.map((name) => h("td", {}, number(row[name]))))))));
  return card("hours_title", null, ...charts, table);
}

// --- what changed: the interval of each category's ratio, on a scale of doublings

const place = (times) => Math.min(Math.max((Math.log2(times) + 3) / 6, 0), 1) * 120;

function reach(row) {
  const chart = shape("svg", { viewBox: "-4 0 128 16", "aria-hidden": "true" });
  chart.append(shape("line", { x1: place(1), x2: place(1), y1: 0, y2: 16, class: "usual" }),
    shape("line", { x1: place(row.least), x2: place(row.most), y1: 8, y2: 8, class: "reach" }),
    shape("circle", { cx: place(row.times), cy: 8, r: 3 }));
  return chart;
}

function changed(rows) {
  const known = rows.filter((row) => row.n + row.before > 0);
  if (known.every((row) => row.before === 0)) return card("changed_title", say("no_week"));
  const lines = known.map((row) => {
    const way = row.least > 1 ? "up" : row.most < 1 ? "down" : "same";
    const told = say({ up: "more_than_usual", down: "less_than_usual", same: "as_usual" }[way]);
    return h("tr", { class: way }, h("th", { scope: "row" }, label(row.category)), h("td", { class: "number" }, number(row.n)),
      h("td", {}, reach(row), h("b", {}, told), " · ", say("times", number(row.times, 1)), ", ",
        say("times_between", number(row.least, 1)).replace("{1}", number(row.most, 1)), row.n < 10 ? ` (${say("small")})` : ""));
  });
  return card("changed_title", say("changed_why"), h("div", { class: "scroll" }, h("table", { class: "changed" }, h("thead", {}, h("tr", {},
    ...[say("category"), say("hours_messages"), `← ${say("usual")} →`].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, lines))));
}

// --- when people write

function heat(rows, field) {
  const by = new Map(rows.map((row) => [`${row.day} ${row.hour}`, row[field]]));
  const most = Math.max(1, ...rows.map((row) => row[field]));
  const day = (number) => new Intl.DateTimeFormat(spoken(), { weekday: "short", timeZone: "UTC" }).format(Date.UTC(2024, 0, number));
  const hours = Array.from({ length: 24 }, (_, hour) => hour);
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": say(`when_${field}`) }, h("table", { class: "heat" },
    h("caption", {}, say(`when_${field}`)),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, say("day")), hours.map((hour) => h("th", { scope: "col" }, String(hour))))),
    h("tbody", {}, [1, 2, 3, 4, 5, 6, 7].map((weekday) => h("tr", {}, h("th", { scope: "row" }, day(weekday)), hours.map((hour) => {
      const value = by.get(`${weekday} ${hour}`) ?? 0;
      return h("td", { class: value === 0 ? null : `l${Math.ceil((value / most) * 4)}` }, value === 0 ? "" : short(value));
    }))))));
}

function when(rows) {
  return card("when_title", `${say("when_why")} ${say("zone", zone)}`, ...["messages", "flagged", "answers"].map((field) => heat(rows, field)));
}

// --- the page

function paint() {
  words();
  document.title = `${say("trends")} · Tocsin`;
  if (answer === null) {
    $("pictures").replaceChildren(h("p", { class: "empty", role: "status" }, say(failed ? "no_trends" : "connecting")));
    return;
  }
  const open = [...document.querySelectorAll("details")].map((one) => one.open);
  $("pictures").replaceChildren(hours(answer.hours), changed(answer.changed), when(answer.when));
  document.querySelectorAll("details").forEach((one, number) => { one.open = open[number] ?? false; });
}

async function load() {
  const found = await ask(`/api/trends?${new URLSearchParams({ zone })}`);
  failed = !found.ok;
  answer = found.ok ? found.body : answer;
  paint();
}

begin(paint);
load();
setInterval(() => { if (!document.hidden) load(); }, REFRESH_MS);
