// What all pages have in common: their words in both languages, the way from one to another, who is there.

import { $, desk, kept, keep } from "./desk.js";
import { ask } from "./net.js";
import { say, speak, spoken } from "./words.js";

/** Puts the words of the chosen language wherever an element asks for one. */
export function words() {
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
  $("tongue").textContent = say("switch_to");
  $("tongue").lang = say("switch_tag");
}

/** Begins a page: `changed` is called when the language was chosen anew, `met` when the server says who this is. */
export function begin(changed, met = () => {}) {
  speak(kept("language") ?? document.documentElement.lang);
  $("tongue").addEventListener("click", () => { speak(say("switch_tag")); keep("language", spoken()); changed(); });
  $("sign-out").addEventListener("click", async () => { if ((await ask("/api/sign-out", {})).ok) location.assign("/sign-in"); });
  changed();
  ask("/api/me").then((answer) => {
    if (!answer.ok) return;
    $("sign-out").hidden = !answer.body.signs_out;
    if (answer.body.name === null) return;
    desk.reviewer = answer.body.name;
    desk.known = true;
    met();
  });
}

/** Says something for a while, at once to a screen reader. */
export function toast(text) {
  const element = $("toast");
  element.textContent = text;
  element.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { element.hidden = true; }, 8000);
}
