"""A picture without a plotting library: points over rounds, a colour a kind, a line that must not be crossed.

Owns: the SVG's text. Must never: know what the figures mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f")
WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 230, 40, 50


class Point(NamedTuple):
    """One mark; a hollow one is told, not judged."""

    x: float
    y: float
    kind: str
    hollow: bool = False
    title: str = ""


class Limit(NamedTuple):
    """A horizontal line."""

    y: float
    label: str


def _nice(most: float) -> float:
    """A step that divides an axis into four to ten parts."""
    step = 1.0
    while most / step > 10:
        step *= 2 if str(step)[0] in "15" else 2.5
    return step


def scatter(points: Sequence[Point], limits: Sequence[Limit], title: str, x_label: str, y_label: str) -> str:
    """The SVG."""
    widest = max([point.x for point in points] + [1.0])
    highest = max([point.y for point in points] + [limit.y for limit in limits] + [1.0]) * 1.08
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def across(x: float) -> float:
        return round(LEFT + x / widest * inner_width, 1)

    def down(y: float) -> float:
        return round(TOP + (1 - y / highest) * inner_height, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="16">{escape(title)}</text>',
    ]
    step = _nice(highest)
    for number in range(int(highest / step) + 1):
        y = down(number * step)
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#e5e5e5"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{number * step:g}</text>')
    step = max(1.0, _nice(widest))
    for number in range(int(widest / step) + 1):
        x = across(number * step)
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{number * step:g}</text>')
    for limit in limits:
        y = down(limit.y)
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#d62728" stroke-dasharray="6 4"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4}" fill="#d62728">{escape(limit.label)}</text>')
    kinds = list(dict.fromkeys(point.kind for point in points))
    colours = {kind: COLOURS[place % len(COLOURS)] for place, kind in enumerate(kinds)}
    for point in points:
        colour = colours[point.kind]
        fill = "none" if point.hollow else colour
        parts.append(
            f'<circle cx="{across(point.x)}" cy="{down(point.y)}" r="4" fill="{fill}" stroke="{colour}">'
            f"<title>{escape(point.title)}</title></circle>"
        )
    for place, kind in enumerate(kinds):
        y = TOP + 20 + 20 * place
        parts.append(f'<circle cx="{WIDTH - RIGHT + 16}" cy="{y - 4}" r="4" fill="{colours[kind]}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 28}" y="{y}">{escape(kind)}</text>')
    parts.append(f'<text x="{LEFT + inner_width / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>')
    parts.append(
        f'<text transform="translate(16 {TOP + inner_height / 2}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'
    )
    return "\n".join([*parts, "</svg>", ""])
