// The console page: follows the live queue, shows it, and sends a person's word.
// Owns: what is selected and what is asked. Must never touch message text; view.js does.

import { draw } from "./chart.js";
import { askLabels, askName, askPriority, dialog } from "./dialogs.js";
import { ask, follow } from "./net.js";
import { asked, detail, h, learned, row, tick } from "./view.js";
import { about, say, speak, spoken } from "./words.js";

const $ = (id) => document.getElementById(id);
const entries = new Map();
const rows = new Map();
const mine = new Map(); // feedback id → message id, not learned yet
const opened = new Set(), others = new Map(); // events whose messages are all shown; first message of an event → how many more
let totals = {}, counts = null, countsFailed = false, ready = false, line = "connecting", ahead = 0;
let before = { id: null, found: [] };
let selected = null, shown = null, next = null, effect = null, drawing = false;

// --- what this browser remembers; private windows may refuse

function kept(name) { try { return localStorage.getItem(`tocsin.${name}`); } catch { return null; } }
function keep(name, value) { try { localStorage.setItem(`tocsin.${name}`, value); } catch { /* then it is asked again */ } }
let reviewer = kept("reviewer") ?? "";
let known = false; // whether somebody we trust said who this is: then nobody is asked
let newest = kept("sort") === "newest";
let keys = kept("keys") !== "off";

// --- the order of the list

const now = () => Date.now() + ahead;
const rank = (entry) => entry.kind === "withdrawn" ? "w" : entry.kind;
function order(a, b) {
  return rank(a).localeCompare(rank(b)) || a.reviewed - b.reviewed || (newest ? b.sent - a.sent : a.sent - b.sent)
    || (a.id < b.id ? -1 : 1);
}
const ordered = () => [...entries.values()].sort(order);

/** What is on the list: of each event one line, and behind it the others once they are asked for. */
function visible() {
  const heads = new Map(), shown = [];
  others.clear();
  for (const entry of ordered()) {
    const event = entry.event?.id;
    const head = event && heads.get(event);
    if (event && !head) heads.set(event, entry);
    if (head) others.set(head.id, (others.get(head.id) ?? 0) + 1);
    if (!head || opened.has(event) || entry.id === selected) shown.push(entry);
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
    const behind = others.get(entry.id) ?? 0, open = opened.has(entry.event?.id);
    const key = `${entry.version} ${spoken()} ${entry.id === selected} ${behind} ${open}`;
    let known = rows.get(entry.id);
    if (known?.key !== key) {
      const element = row(entry, now(), entry.id === selected, behind, open);
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
  $("empty").textContent = say(line !== "up" ? line : ready ? "empty" : "catching_up");
  $("link").textContent = say(line !== "up" ? line : ready ? "live" : "catching_up");
  $("link").className = line === "up" && ready ? "up" : "down";
  draw($("charts"), countsFailed ? null : counts, totals);
  $("charts-note").textContent = countsFailed ? say("no_counts") : "";
  const urgent = (totals.p0 ?? 0) + (totals.p1 ?? 0);
  document.title = urgent ? `(${urgent}) Tocsin` : "Tocsin";
}

function words() {
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
  for (const name of ["right", "wrong", "decide", "undo"]) {
    $(name).replaceChildren(say(name), h("kbd", { "aria-hidden": "true" }, name[0]));
  }
  $("tongue").textContent = say("switch_to");
  $("tongue").lang = say("switch_tag");
  $("who").textContent = reviewer || say("no_name");
  $("sort").textContent = say(newest ? "newest" : "longest");
  $("help").setAttribute("aria-label", say("help"));
  $("keys-on").checked = keys;
  const help = [["j", "key_j"], ["k", "key_k"], ["r", "key_r"], ["w", "key_w"], ["d", "key_d"], ["u", "key_u"], ["Esc", "key_escape"], ["?", "key_help"]];
  $("help-keys").replaceChildren(...help.flatMap(([key, word]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, say(word))]));
  showDetail();
  showEffect();
  redraw();
}

// --- one message

async function select(id, focus = false) {
  selected = id;
  next = null;
  effect = null;
  shown = shown?.id === id ? shown : null;
  document.body.classList.toggle("reading", id !== null);
  $("detail").hidden = id === null;
  showEffect();
  paint();
  const button = id === null ? null : rows.get(id)?.element.firstElementChild;
  if (focus) button?.focus();
  button?.scrollIntoView({ block: "nearest" });
  if (id !== null) { $("detail").scrollTop = 0; await load(); }
}

async function load() {
  const id = selected, version = entries.get(id)?.version;
  const answer = await ask(`/api/alert?${new URLSearchParams({ message_id: id })}`);
  if (id !== selected) return;
  if (answer.ok) {
    shown = answer.body;
    showDetail();
    // It may have changed again while it was asked for.
    if ((entries.get(id)?.version ?? version) > shown.version) await load();
  } else if (answer.status === 404) {
    shown = null;
    $("content").replaceChildren(h("p", { class: "empty" }, say("gone")));
  }
}

/** Whether the message that is shown was asked before: beside it, when the answer has come. */
async function askedBefore() {
  const id = shown.id;
  if (before.id !== id) {
    const answer = await ask(`/api/asked-before?${new URLSearchParams({ message_id: id })}`);
    before = { id, found: answer.ok ? answer.body.found : [] };
  }
  if (shown?.id === id) $("asked")?.replaceChildren(...[asked(before.found)].filter(Boolean));
}

function showDetail() {
  if (shown) { $("content").replaceChildren(...detail(shown, now())); askedBefore(); }
  else $("content").replaceChildren();
  $("undo").disabled = !lastWord();
  for (const name of ["right", "wrong", "decide"]) $(name).disabled = !shown;
}

const myself = () => reviewer.trim().replace(/\s+/g, " ");
const lastWord = () => shown?.said.findLast((said) => said.kind !== "retract" && !said.retracted && said.by === myself());

function showEffect() {
  $("effect").textContent = effect ? effect() : "";
}

function step(by) {
  const wanted = visible(), at = wanted.findIndex((entry) => entry.id === selected);
  const following = by > 0 && next !== null && entries.has(next) ? wanted.findIndex((entry) => entry.id === next) : at + by;
  const target = wanted[at < 0 && by < 0 ? 0 : Math.min(Math.max(following, 0), wanted.length - 1)];
  if (target) select(target.id, true);
}

// --- a person's word

async function named() {
  if (!reviewer) name(await askName(""));
  return reviewer !== "";
}

function name(given) {
  if (!given || known) return;
  reviewer = given;
  keep("reviewer", reviewer);
  words();
}

async function send(kind, more) {
  const entry = shown;
  if (!entry || !(await named())) return;
  const list = visible(), at = list.findIndex((one) => one.id === entry.id);
  const following = list[at + 1]?.id ?? null;
  effect = () => say("saving");
  showEffect();
  const body = { kind, message_id: entry.id, decision_id: entry.decision_id, reviewer, ...more };
  if (kind === "retract") delete body.decision_id;
  const answer = await ask("/api/feedback", body);
  if (!answer.ok) {
    effect = null;
    showEffect();
    toast(answer.status === 409 ? say("error_409") : answer.status === 404 ? say("gone") : answer.body.error);
    if (answer.status === 409 && selected === entry.id) await load();
    return;
  }
  if (selected !== entry.id) return;
  next = following;
  // The models may have been quicker than the answer to us.
  if (!mine.has(answer.body.id)) mine.set(answer.body.id, { id: entry.id, kind });
  if (mine.get(answer.body.id).seconds !== undefined) finish(answer.body.id);
  else { effect = () => say(kind === "retract" ? "undone" : "saved"); showEffect(); }
}

function finish(id) {
  const { id: message, kind, seconds } = mine.get(id);
  mine.delete(id);
  if (message !== selected) return;
  effect = () => kind === "retract" ? about(say("undone"), learned(seconds)) : learned(seconds);
  showEffect();
}

function onLearned(all) {
  for (const { id, message_id: message, seconds } of all) {
    const waiting = mine.get(id);
    if (mine.size > 500) mine.delete(mine.keys().next().value);
    mine.set(id, { id: message, kind: "", ...waiting, seconds });
    if (waiting) finish(id);
  }
}

const acts = {
  right: () => send("confirm", {}),
  async wrong() {
    const labels = shown && (await named()) ? await askLabels(shown) : null;
    if (labels === null) return;
    if (Object.keys(labels).length === 0) toast(say("nothing"));
    else await send("correct", { labels });
  },
  async decide() {
    const priority = shown && (await named()) ? await askPriority(shown) : null;
    if (priority !== null) await send("override", { labels: { priority } });
  },
  undo() {
    const last = lastWord();
    if (last) send("retract", { retracts: last.id });
    else toast(say("nothing_to_undo"));
  },
};

function toast(text) {
  const element = $("toast");
  element.textContent = text;
  element.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { element.hidden = true; }, 8000);
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
  const current = entries.get(selected);
  if (selected !== null && (anew || (current && current.version !== shown?.version))) load();
  redraw();
}

async function me() {
  const answer = await ask("/api/me");
  if (!answer.ok) return;
  $("sign-out").hidden = !answer.body.signs_out;
  if (answer.body.name === null) return;
  reviewer = answer.body.name;
  known = true;
  $("who").disabled = true;
  words();
}

async function count() {
  const answer = await ask("/api/counts");
  countsFailed = !answer.ok;
  if (answer.ok) counts = answer.body;
  redraw();
}

// --- hands and keys

$("list").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-id], button[data-event]");
  if (!button) return;
  const { id, event: of } = button.dataset;
  if (id) { select(id); return; }
  if (!opened.delete(of)) opened.add(of);
  paint();
  $("list").querySelector(`button[data-event="${CSS.escape(of)}"]`)?.focus();
});
for (const name of Object.keys(acts)) $(name).addEventListener("click", acts[name]);
$("back").addEventListener("click", () => { const id = selected; select(null); rows.get(id)?.element.firstElementChild.focus(); });
$("tongue").addEventListener("click", () => { speak(say("switch_tag")); keep("language", spoken()); words(); });
$("sort").addEventListener("click", () => { newest = !newest; keep("sort", newest ? "newest" : "longest"); words(); });
$("who").addEventListener("click", async () => name(await askName(reviewer)));
$("sign-out").addEventListener("click", async () => { if ((await ask("/api/sign-out", {})).ok) location.assign("/sign-in"); });
$("help").addEventListener("click", () => dialog("help-dialog"));
$("keys-on").addEventListener("change", () => { keys = $("keys-on").checked; keep("keys", keys ? "on" : "off"); });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("input, select, textarea")) return;
  if (event.key === "Escape" && selected !== null) { $("back").click(); return; }
  const act = !keys ? null : { j: () => step(1), k: () => step(-1), r: acts.right, w: acts.wrong, d: acts.decide, u: acts.undo, "?": () => dialog("help-dialog") }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
speak(kept("language") ?? document.documentElement.lang);
words();
me();
follow(receive, () => { line = "lost"; redraw(); });
count();
setInterval(() => { if (!document.hidden) count(); }, 10_000);
setInterval(() => tick(now()), 5_000);
