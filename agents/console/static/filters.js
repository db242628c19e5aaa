// What of the queue is shown: a search and filters, kept in the address, so that a view can be kept and passed on.
// Owns: the bar, and what fits it. Must never: ask the server; it is the live queue that is searched.

import { $, desk, myself } from "./desk.js";
import { h } from "./view.js";
import { PRIORITIES, label, languageName, number, say } from "./words.js";

const CHOICES = ["priority", "state", "channel", "language", "category"];
const STATES = ["open", "free", "mine", "done"];
const haystacks = new WeakMap();
let wanted = read();
let offered = "";

function read() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(["q", ...CHOICES].map((name) => [name, given.get(name) ?? ""]));
}

/** The message that the address names, or null. */
export const addressed = () => new URLSearchParams(location.search).get("message");

/** Writes what is chosen, and the selected message, into the address. */
export function address() {
  const given = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  if (desk.selected !== null) given.set("message", desk.selected);
  const query = given.toString();
  if (`?${query}` !== (location.search || "?")) history.replaceState(null, "", query ? `/?${query}` : "/");
}

const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

function haystack(entry) {
  let found = haystacks.get(entry);
  if (found === undefined) {
    const text = entry.veiled ? "" : `${entry.subject} ${entry.parts.map(([piece]) => piece).join("")}`;
    found = fold([text, entry.customer, entry.id, entry.why.en, entry.why.fr, entry.channel].join("\n"));
    haystacks.set(entry, found);
  }
  return found;
}

function inState(entry) {
  const open = !entry.reviewed && entry.resolved === null && entry.kind !== "withdrawn";
  return { open, free: open && entry.taken === null, mine: entry.taken !== null && entry.taken === myself(), done: !open }[wanted.state];
}

/** Whether an entry is to be shown. */
export function fits(entry) {
  return (!wanted.priority || entry.kind === wanted.priority) && (!wanted.state || inState(entry))
    && (!wanted.channel || entry.channel === wanted.channel) && (!wanted.language || entry.language === wanted.language)
    && (!wanted.category || entry.category === wanted.category)
    && fold(wanted.q).split(/\s+/).every((word) => haystack(entry).includes(word));
}

/** Whether anything is left out. */
export const filtering = () => Object.values(wanted).some((value) => value !== "");

function options(name) {
  const own = (values, named) => [...values].sort().map((value) => [value, named(value)]);
  const found = (field) => new Set([...desk.entries.values()].map((entry) => entry[field]).concat(wanted[name]).filter(Boolean));
  if (name === "priority") return PRIORITIES.slice(0, 3).concat("withdrawn").map((one) => [one, say(one)]);
  if (name === "state") return STATES.map((one) => [one, say(`state_${one}`)]);
  if (name === "language") return own(found("language"), languageName);
  return own(found(name), name === "category" ? label : (one) => one);
}

/** Brings the bar up to date: what there is to choose, and how many of all are shown. */
export function drawFilters(shown, all, anew = false) {
  const lists = CHOICES.map((name) => [name, options(name)]);
  const key = JSON.stringify(lists);
  if (anew || key !== offered) {
    offered = key;
    for (const [name, list] of lists) {
      $(`by-${name}`).replaceChildren(h("option", { value: "" }, say(`all_${name}`)), ...list.map(([value, named]) => h("option", { value }, named)));
      $(`by-${name}`).value = wanted[name];
    }
    $("q").value = wanted.q;
    $("q").placeholder = say("search");
  }
  $("clear").hidden = !filtering();
  $("found").textContent = filtering() ? say("found", `${number(shown)} / ${number(all)}`) : "";
}

/** Begins: `changed` is called when somebody chose. */
export function startFilters(changed) {
  const choose = (name, value) => { wanted = { ...wanted, [name]: value }; address(); changed(); };
  $("q").addEventListener("input", () => choose("q", $("q").value));
  for (const name of CHOICES) $(`by-${name}`).addEventListener("change", (event) => choose(name, event.target.value));
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("clear").addEventListener("click", () => {
    wanted = Object.fromEntries(Object.keys(wanted).map((name) => [name, ""]));
    offered = "";
    address();
    changed();
    $("q").focus();
  });
  $("q").addEventListener("keydown", (event) => { if (event.key === "Escape") $("q").blur(); });
}
