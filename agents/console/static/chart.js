// Counts a minute, one small bar chart for each priority, each on its own scale: the few dangers would not be seen beside
// the many messages that can wait.

import { h } from "./view.js";
import { PRIORITIES, about, number, say } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 24;

function bars(counts) {
  const most = Math.max(1, ...counts);
  const chart = document.createElementNS(SVG, "svg");
  chart.setAttribute("viewBox", `0 0 ${counts.length} ${HEIGHT}`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("aria-hidden", "true");
  counts.forEach((count, place) => {
    const bar = document.createElementNS(SVG, "rect");
    const height = count === 0 ? 0.5 : Math.max(2, (count / most) * HEIGHT);
    bar.setAttribute("x", String(place + 0.1));
    bar.setAttribute("y", String(HEIGHT - height));
    bar.setAttribute("width", "0.8");
    bar.setAttribute("height", String(height));
    if (count === 0) bar.setAttribute("class", "nothing");
    chart.append(bar);
  });
  return chart;
}

/** Draws `answer` ({start, counts}, or null where ClickHouse is away) and how many wait into `place`. */
export function draw(place, answer, totals) {
  place.replaceChildren(...PRIORITIES.map((priority) => {
    const counts = answer?.counts[priority] ?? [];
    const all = counts.reduce((sum, count) => sum + count, 0);
    return h("figure", { class: priority },
      h("figcaption", {}, h("b", {}, say(priority)),
        h("span", { class: "waiting" }, `${number(totals[priority] ?? 0)} ${say("waiting")}`)),
      answer ? bars(counts) : null,
      answer ? h("small", {}, `${about(say("last_hour"), number(all))} · ${say("peak", number(Math.max(0, ...counts)))}`) : null);
  }));
}
