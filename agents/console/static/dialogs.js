// What people are asked: their name, what would be right, how urgent it is.
// Owns: the dialogs. Must never: send anything.

import { h } from "./view.js";
import { CATEGORIES, COMMUNITY, EMOTIONS, PRIORITIES, SENTIMENTS, label, say } from "./words.js";

const $ = (id) => document.getElementById(id);

/** Opens a dialog; its return value when it closes, "" where it was cancelled. */
export function dialog(id) {
  const element = $(id);
  element.returnValue = "";
  element.showModal();
  return new Promise((done) => element.addEventListener("close", () => done(element.returnValue), { once: true }));
}

/** The reviewer's name, or "". */
export async function askName(before) {
  $("name-input").value = before;
  return (await dialog("name-dialog")) === "ok" ? $("name-input").value.trim() : "";
}

function questions(labels) {
  const set = COMMUNITY.includes(labels.category) && !CATEGORIES.includes(labels.category) ? COMMUNITY : CATEGORIES;
  const categories = new Set([...set, ...(labels.category ? [labels.category] : [])]);
  const own = (answers) => [...answers].map((one) => [one, one]);
  const yesNo = [["true", true], ["false", false]];
  return { priority: own(PRIORITIES), category: own(categories), sentiment: own(SENTIMENTS), emotion: own(EMOTIONS),
    urgency: yesNo, spam: yesNo, abuse: yesNo };
}

/** The labels that a person changed, {} where none, null where cancelled. */
export async function askLabels(entry) {
  const current = { ...entry.labels, priority: entry.priority };
  $("wrong-fields").replaceChildren(...Object.entries(questions(current)).map(([head, answers]) =>
    h("label", {}, h("span", {}, label(head)), h("select", { name: head },
      h("option", { value: "" }, say("keep", head in current ? label(current[head]) : say("none_said"))),
      answers.map(([value, name]) => h("option", { value }, label(name)))))));
  if ((await dialog("wrong-dialog")) !== "ok") return null;
  const labels = {};
  for (const choice of $("wrong-fields").querySelectorAll("select")) {
    if (choice.value) labels[choice.name] = ["true", "false"].includes(choice.value) ? choice.value === "true" : choice.value;
  }
  return labels;
}

/** The priority that a person chose, null where cancelled. */
export async function askPriority(entry) {
  $("decide-choices").replaceChildren(...PRIORITIES.map((priority, key) =>
    h("button", { type: "submit", class: `choice ${priority}`, value: priority, "aria-current": priority === entry.priority ? "true" : null },
      label(priority), h("kbd", { "aria-hidden": "true" }, String(key)))));
  const priority = await dialog("decide-dialog");
  return PRIORITIES.includes(priority) ? priority : null;
}

for (const element of document.querySelectorAll("dialog")) {
  element.querySelector(".cancel").addEventListener("click", () => element.close(""));
  // Closed by hand: the page's policy lets no form go anywhere.
  element.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); element.close(event.submitter?.value || "ok"); });
}
$("decide-dialog").addEventListener("keydown", (event) => {
  if (PRIORITIES.includes(`p${event.key}`)) $("decide-dialog").close(`p${event.key}`);
});
