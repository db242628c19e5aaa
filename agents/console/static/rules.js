// The page of rules: what each rang and how often that was right; a change, tried on the past before it is saved.
// Owns: that page. What customers wrote, and what a policy holds, only ever becomes text.

import { $, desk, keep, kept } from "./desk.js";
import { begin, toast, words } from "./frame.js";
import { ask } from "./net.js";
import { h } from "./view.js";
import { about, label, number, percent, say, spoken } from "./words.js";

let policy = null, phrases = null, phrasesFailed = false, found = null, tried = null, trying = false;

// --- what rang

function share(row) {
  if (!row.judged) return say("not_judged");
  return `${percent(row.right / row.judged)} (${percent(row.between[0])} – ${percent(row.between[1])})`;
}

function floor(one) {
  const own = (phrases ?? []).filter((row) => row.floor === one.name);
  const sum = (name) => own.reduce((total, row) => total + row[name], 0);
  const told = own.length === 0 ? say(phrasesFailed ? "no_counts_here" : "never_rang") : say("rang_times", number(sum("rings")));
  const table = own.length > 0 && h("table", {},
    h("thead", {}, h("tr", {}, ["as_written", "rang", "judged", "right_share"].map((name) => h("th", { scope: "col" }, say(name))))),
    h("tbody", {}, own.map((row) => h("tr", {}, h("td", {}, h("q", {}, row.phrase)), h("td", { class: "number" }, number(row.rings)),
      h("td", { class: "number" }, number(row.judged)), h("td", {}, share(row), row.judged > 0 && row.judged < 10 ? ` · ${say("small")}` : "")))));
  return h("details", { "data-floor": one.name }, h("summary", {}, h("span", { class: `chip ${one.priority}` }, say(one.priority)), h("b", {}, label(one.name)),
    h("small", {}, told)), h("p", {}, one.why[spoken()]), h("p", {}, say("phrases_of", number(one.phrases)), " ",
    h("button", { type: "button", "data-jump": one.name }, say("jump"))), table);
}

function floors() {
  const open = new Set([...$("floors").querySelectorAll("details[open]")].map((one) => one.dataset.floor));
  $("floors").replaceChildren(h("h2", {}, say("rules_page")), h("p", { class: "note" }, say("rang_why")), ...(policy?.floors ?? []).map(floor));
  for (const one of $("floors").querySelectorAll("details")) one.open = open.has(one.dataset.floor);
}

/** Shows a line of the policy's text, from 1. */
function show(line) {
  const area = $("document"), before = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(before, before + (area.value.split("\n")[line - 1] ?? "").length);
  area.scrollTop = Math.max(0, (line - 4) * (area.scrollHeight / area.value.split("\n").length));
}

// --- a change

function pair(name, [before, after], as) {
  const shown = (value) => value === null ? "–" : as(value);
  return h("tr", {}, h("th", { scope: "row" }, say(name)), h("td", { class: "number" }, shown(before)), h("td", { class: "number" }, shown(after)));
}

function moved(name) {
  const [from, to] = name.split(" to ");
  return [h("span", { class: `chip ${from}` }, say(from)), " → ", h("span", { class: `chip ${to}` }, say(to))];
}

function showFound() {
  if (trying) { $("found").replaceChildren(h("p", {}, say("trying"))); return; }
  if (found === null) { $("found").replaceChildren(); return; }
  const parts = [
    h("h3", {}, say("tried", number(found.messages))), !found.whole && h("p", { class: "note" }, say("not_whole")),
    h("table", {}, h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col" }, say("before")), h("th", { scope: "col" }, say("after")))),
      h("tbody", {}, pair("rings_all", found.rings, number), pair("left_all", found.left_to_people, number),
        pair("precision", found.precision, percent), pair("recall", found.recall, percent))),
    h("p", { class: "note" }, say("people_decided", number(found.people_decided))),
    Object.keys(found.moved).length === 0 ? h("p", {}, say("nothing_moved"))
      : h("table", {}, h("tbody", {}, Object.entries(found.moved).map(([name, count]) => h("tr", {}, h("th", { scope: "row" }, moved(name)), h("td", { class: "number" }, number(count)))))),
    found.changed.length > 0 && h("details", {}, h("summary", {}, say("some_of_them")), h("table", {}, h("tbody", {}, found.changed.map((one) =>
      h("tr", {}, h("td", {}, moved(`${one.from} to ${one.to}`)), h("td", {}, one.before, " → ", one.after), h("td", {}, h("bdi", {}, one.id))))))),
  ];
  $("found").replaceChildren(...parts.filter(Boolean));
}

function paint() {
  words();
  document.title = `${say("rules_page")} · Tocsin`;
  $("days").replaceChildren(...[7, 1].map((days) => h("option", { value: days, selected: String(days) === $("days").value }, say(`days_${days}`))));
  $("version").textContent = policy ? about(say("policy"), `${policy.version.slice(0, policy.name.length + 9)}… · ${say("owner", policy.owner)}`) : say("no_policy");
  floors();
  showFound();
  state();
}

function state() {
  const changed = policy !== null && $("document").value !== policy.document;
  $("try").disabled = !changed || trying;
  $("saving").hidden = !(policy?.may_save && changed && tried === $("document").value);
}

function fault(answer) {
  $("fault").textContent = answer.body.error;
  if (answer.body.line) show(answer.body.line);
}

async function load() {
  const answer = await ask("/api/policy");
  if (answer.ok) { policy = answer.body; $("document").value = policy.document; }
  paint();
  const rang = await ask("/api/phrases");
  phrasesFailed = !rang.ok;
  phrases = rang.ok ? rang.body.phrases : null;
  floors();
}

$("document").addEventListener("input", state);
$("floors").addEventListener("click", (event) => {
  const wanted = event.target.closest("button[data-jump]")?.dataset.jump;
  const line = wanted ? $("document").value.split("\n").findIndex((text) => text.trim() === `- name: ${wanted}`) : -1;
  if (line >= 0) show(line + 1);
});
$("try").addEventListener("click", async () => {
  const document = $("document").value;
  $("fault").textContent = "";
  trying = true;
  found = null;
  showFound();
  state();
  const answer = await ask("/api/policy/try", { document, days: Number($("days").value) });
  trying = false;
  if (answer.ok) { found = answer.body; tried = document; } else fault(answer);
  showFound();
  state();
});
$("saving").addEventListener("submit", async (event) => {
  event.preventDefault();
  const document = $("document").value;
  keep("reviewer", $("by").value);
  const answer = await ask("/api/policy", { document, by: $("by").value, reason: $("reason").value, base: policy.version });
  if (!answer.ok) { fault(answer); return; }
  toast(say("policy_saved"));
  policy = { ...policy, document, version: answer.body.version };
  found = tried = null;
  $("reason").value = "";
  paint();
});
$("by").value = kept("reviewer") ?? "";
begin(paint, () => { $("by").value = desk.reviewer; $("by").disabled = true; });
load();
