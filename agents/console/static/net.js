// The way to the server: questions, and the live updates.
// Owns: connecting anew. Must never: keep an answer.

import { say } from "./words.js";

const HIDDEN_MS = 60_000; // a page that nobody sees for this long lets its connection go: a browser has six for a server

/** A GET, or a POST of `body`: {ok, status, body}; status 0 where nobody answered. */
export async function ask(url, body) {
  try {
    const response = await fetch(url, body === undefined ? {} : {
      method: "POST", headers: { "Content-Type": "application/json", "X-Tocsin-Console": "1" }, body: JSON.stringify(body) });
    if (response.status === 401) location.assign("/"); // the session has ended: from there it goes to whoever signs people in
    return { ok: response.ok, status: response.status, body: await response.json() };
  } catch {
    return { ok: false, status: 0, body: { error: say("error_0") } };
  }
}

/** Follows the live queue: `receive(data, anew)` with each batch (`anew`: it is the whole queue), `lost()` when the line breaks. */
export function follow(receive, lost) {
  let source = null, hiding = 0;
  function open() {
    source?.close();
    const mine = source = new EventSource("/api/events");
    mine.addEventListener("snapshot", (event) => receive(JSON.parse(event.data), true));
    mine.addEventListener("changes", (event) => receive(JSON.parse(event.data), false));
    mine.addEventListener("error", () => {
      lost();
      // A refusal (too many pages) ends it for good; a broken line is tried again by the browser itself.
      if (mine.readyState === EventSource.CLOSED) setTimeout(() => { if (mine === source) open(); }, 3000);
    });
  }
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(() => { source.close(); source = null; lost(); }, HIDDEN_MS);
    else if (source === null) open();
  });
  open();
}
