// What this page knows, and what this browser remembers between visits.

export const desk = {
  entries: new Map(), // message id → entry, as the server tells it
  selected: null, // message id
  shown: null, // the selected one with all its detail, once it came
  reviewer: "",
  known: false, // whether somebody we trust said who this is: then nobody is asked
};

/** What was kept under a name, or null: private windows may refuse. */
export function kept(name) { try { return localStorage.getItem(`tocsin.${name}`); } catch { return null; } }

export function keep(name, value) { try { localStorage.setItem(`tocsin.${name}`, value); } catch { /* then it is asked again */ } }

/** The person's name as it goes out. */
export const myself = () => desk.reviewer.trim().replace(/\s+/g, " ");

export const $ = (id) => document.getElementById(id);
