// The console page: follows the live queue and shows it.
// Owns: what is selected and what is asked. Must never touch message text; view.js does.

import { acts, bind, forgetEffect, holds, lastOfMine, onLearned, rename, showEffect } from "./acts.js";
import { around, help } from "./around.js";
import { draw } from "./chart.js";
import { $, desk, keep, kept } from "./desk.js";
import { askName, dialog } from "./dialogs.js";
import { address, addressed, drawFilters, filtering, fits, startFilters } from "./filters.js";
import { begin, words as frameWords } from "./frame.js";
import { ask, follow } from "./net.js";
import { asked, detail, h, row, tick } from "./view.js";
import { say, spoken } from "./words.js";

const KEYS = { right: "r", wrong: "w", decide: "d", take: "t", resolve: "e", undo: "u" };
const { entries } = desk;
const rows = new Map();
const opened = new Set(), others = new Map(); // lines whose messages are all shown; first message of a line → how many more
const unveiled = new Set(); // messages whose abusive text somebody asked for
let totals = {}, counts = null, countsFailed = false, ready = false, line = "connecting", ahead = 0, fitting = 0;
let before = { id: null, found: [] }, surroundings = { id: null, parts: [] };
let next = null, drawing = false;

desk.reviewer = kept("reviewer") ?? "";
let newest = kept("sort") === "newest";
let keys = kept("keys") !== "off";

// --- the order of the list

const now = () => Date.now() + ahead;
const rank = (entry) => entry.kind === "withdrawn" ? "w" : entry.resolved !== null ? `r${entry.kind}` : entry.kind;
function order(a, b) {
  return rank(a).localeCompare(rank(b)) || a.reviewed - b.reviewed || (newest ? b.sent - a.sent : a.sent - b.sent)
    || (a.id < b.id ? -1 : 1);
}
const ordered = () => [...entries.values()].filter(fits).sort(order);

/** What an entry is one line with: its event, else its conversation; a danger stands by itself. */
const lineOf = (entry) => entry.event?.id ?? (entry.kind === "p0" ? null : entry.group);

/** What is on the list: of each event and each conversation one line, and behind it the others once they are asked for. */
function visible() {
  const heads = new Map(), shown = [];
  const all = ordered();
  fitting = all.length;
  others.clear();
  for (const entry of all) {
    const line = lineOf(entry);
    const head = line && heads.get(line);
    if (line && !head) heads.set(line, entry);
    if (head) others.set(head.id, (others.get(head.id) ?? 0) + 1);
    if (!head || opened.has(line) || entry.id === desk.selected) shown.push(entry);
  }
  return shown;
}

// --- drawing: at most once a frame

function redraw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; paint(); });
}

function paint() {
  const list = $("list"), wanted = visible(), there = new Set(wanted.map((entry) => entry.id));
  for (const [id, old] of rows) if (!there.has(id)) { old.element.remove(); rows.delete(id); }
  let place = list.firstElementChild;
  for (const entry of wanted) {
    const behind = others.get(entry.id) ?? 0, open = opened.has(lineOf(entry));
    const key = `${entry.version} ${spoken()} ${entry.id === desk.selected} ${behind} ${open}`;
    let known = rows.get(entry.id);
    if (known?.key !== key) {
      const element = row(entry, now(), entry.id === desk.selected, { line: lineOf(entry), behind, open });
      if (known) {
        const focused = known.element.contains(document.activeElement);
        if (place === known.element) place = element;
        known.element.replaceWith(element);
        if (focused) element.firstElementChild.focus({ preventScroll: true });
      }
      rows.set(entry.id, known = { key, element });
    }
    if (place === known.element) { place = place.nextElementSibling; continue; }
    const focused = known.element.contains(document.activeElement);
    list.insertBefore(known.element, place);
    if (focused) known.element.firstElementChild.focus({ preventScroll: true });
  }
  $("empty").hidden = wanted.length > 0;
  $("empty").textContent = say(line !== "up" ? line : !ready ? "catching_up" : filtering() ? "none_fit" : "empty");
  drawFilters(fitting, entries.size);
  $("link").textContent = say(line !== "up" ? line : ready ? "live" : "catching_up");
  $("link").className = line === "up" && ready ? "up" : "down";
  draw($("charts"), countsFailed ? null : counts, totals);
  $("charts-note").textContent = countsFailed ? say("no_counts") : "";
  const urgent = (totals.p0 ?? 0) + (totals.p1 ?? 0);
  document.title = urgent ? `(${urgent}) Tocsin` : "Tocsin";
}

function words() {
  frameWords();
  for (const name of Object.keys(KEYS)) nameAct(name, name);
  $("who").textContent = desk.reviewer || say("no_name");
  $("who").disabled = desk.known;
  $("sort").textContent = say(newest ? "newest" : "longest");
  $("help").setAttribute("aria-label", say("help"));
  $("keys-on").checked = keys;
  const help = [["j", "key_j"], ["k", "key_k"], ["r", "key_r"], ["w", "key_w"], ["d", "key_d"], ["t", "key_t"], ["e", "key_e"],
    ["u", "key_u"], ["v", "key_v"], ["/", "key_search"], ["Esc", "key_escape"], ["?", "key_help"]];
  $("help-keys").replaceChildren(...help.flatMap(([key, word]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, say(word))]));
  drawFilters(fitting, entries.size, true);
  surroundings = { id: null, parts: [] };
  showDetail();
  showEffect();
  redraw();
}

function nameAct(name, word) {
  $(name).replaceChildren(say(word), h("kbd", { "aria-hidden": "true" }, KEYS[name]));
}

// --- one message

async function select(id, focus = false) {
  desk.selected = id;
  next = null;
  desk.shown = desk.shown?.id === id ? desk.shown : null;
  document.body.classList.toggle("reading", id !== null);
  $("detail").hidden = id === null;
  forgetEffect();
  address();
  paint();
  const button = id === null ? null : rows.get(id)?.element.firstElementChild;
  if (focus) button?.focus();
  button?.scrollIntoView({ block: "nearest" });
  if (id !== null) { $("detail").scrollTop = 0; await load(); }
}

async function load() {
  const id = desk.selected, version = entries.get(id)?.version;
  const answer = await ask(`/api/alert?${new URLSearchParams({ message_id: id })}`);
  if (id !== desk.selected) return;
  if (answer.ok) {
    desk.shown = answer.body;
    showDetail();
    // It may have changed again while it was asked for.
    if ((entries.get(id)?.version ?? version) > desk.shown.version) await load();
  } else if (answer.status === 404) {
    desk.shown = null;
    showDetail();
    $("content").replaceChildren(h("p", { class: "empty" }, say(ready ? "gone" : "catching_up")));
  }
}

/** Whether the message that is shown was asked before: beside it, when the answer has come. */
async function askedBefore() {
  const { id } = desk.shown;
  if (before.id !== id) {
    const answer = await ask(`/api/asked-before?${new URLSearchParams({ message_id: id })}`);
    before = { id, found: answer.ok ? answer.body.found : [] };
  }
  if (desk.shown?.id === id) $("asked")?.replaceChildren(...[asked(before.found)].filter(Boolean));
}

/** Its conversation and its customer's last weeks, when ClickHouse has answered. */
async function surround() {
  const { id } = desk.shown;
  if (surroundings.id !== id) {
    const answer = await ask(`/api/around?${new URLSearchParams({ message_id: id })}`);
    const parts = answer.ok ? around(answer.body, now()) : answer.status === 503 ? [h("p", { class: "note" }, say("no_around"))] : [];
    surroundings = { id, parts };
  }
  if (desk.shown?.id === id) $("around")?.replaceChildren(...surroundings.parts);
}

function showDetail() {
  const { shown } = desk;
  if (shown) {
    $("content").replaceChildren(...detail(shown, now(), unveiled.has(shown.id), help(shown)));
    askedBefore();
    surround();
  } else $("content").replaceChildren();
  $("undo").disabled = !lastOfMine();
  for (const name of ["right", "wrong", "decide", "take", "resolve"]) $(name).disabled = !shown;
  nameAct("take", holds() ? "give_back" : shown?.taken ? "take_over" : "take");
  nameAct("resolve", shown?.resolved ? "reopen" : "resolve");
}

function unveil() {
  if (!desk.shown?.veiled) return;
  if (!unveiled.delete(desk.shown.id)) unveiled.add(desk.shown.id);
  showDetail();
}

function step(by) {
  const wanted = visible(), at = wanted.findIndex((entry) => entry.id === desk.selected);
  const following = by > 0 && next !== null && entries.has(next) ? wanted.findIndex((entry) => entry.id === next) : at + by;
  const target = wanted[at < 0 && by < 0 ? 0 : Math.min(Math.max(following, 0), wanted.length - 1)];
  if (target) select(target.id, true);
}

function receive(data, anew) {
  ahead = data.now - Date.now();
  ({ totals, ready } = data);
  line = "up";
  if (anew) {
    entries.clear();
    // Another server counts versions anew.
    for (const known of rows.values()) known.key = "";
  }
  for (const entry of data.entries) entries.set(entry.id, entry);
  for (const id of data.removed ?? []) entries.delete(id);
  onLearned(data.learned ?? []);
  const { selected } = desk, current = entries.get(selected);
  if (selected !== null && (anew || (current && current.version !== desk.shown?.version))) load();
  redraw();
}

async function count() {
  const answer = await ask("/api/counts");
  countsFailed = !answer.ok;
  if (answer.ok) counts = answer.body;
  redraw();
}

// --- hands and keys

$("list").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-id], button[data-line]");
  if (!button) return;
  const { id, line: of } = button.dataset;
  if (id) { select(id); return; }
  if (!opened.delete(of)) opened.add(of);
  paint();
  $("list").querySelector(`button[data-line="${CSS.escape(of)}"]`)?.focus();
});
for (const name of Object.keys(acts)) $(name).addEventListener("click", acts[name]);
$("back").addEventListener("click", () => { const id = desk.selected; select(null); rows.get(id)?.element.firstElementChild.focus(); });
$("sort").addEventListener("click", () => { newest = !newest; keep("sort", newest ? "newest" : "longest"); words(); });
$("who").addEventListener("click", async () => rename(await askName(desk.reviewer)));
$("help").addEventListener("click", () => dialog("help-dialog"));
$("keys-on").addEventListener("change", () => { keys = $("keys-on").checked; keep("keys", keys ? "on" : "off"); });
$("content").addEventListener("click", (event) => { if (event.target.closest("#unveil")) unveil(); });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("input, select, textarea")) return;
  if (event.key === "Escape" && desk.selected !== null) { $("back").click(); return; }
  const own = { j: () => step(1), k: () => step(-1), v: unveil, "/": () => $("q").focus(), "?": () => dialog("help-dialog") };
  const named = Object.keys(KEYS).find((name) => KEYS[name] === event.key);
  const act = !keys ? null : own[event.key] ?? (named && !$(named).disabled ? acts[named] : null);
  if (!act) return;
  event.preventDefault();
  act();
});
bind({
  load,
  named: words,
  leaving(id) { const list = visible(), at = list.findIndex((one) => one.id === id); next = list[at + 1]?.id ?? null; },
});
startFilters(redraw);
begin(words, words);
follow(receive, () => { line = "lost"; redraw(); });
count();
setInterval(() => { if (!document.hidden) count(); }, 10_000);
setInterval(() => tick(now()), 5_000);
if (addressed() !== null) select(addressed());
