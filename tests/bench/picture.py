"""The latency curve as an SVG: hand-written, no library. Pure.

Owns: axes, colours, legend. Must never: leave out a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 78, 28, 76, 96
COLOURS = {1: "#1f5fa8", 2: "#c4541a"}
LINES = (("p50_ms", "p50", "", 2.6), ("p99_ms", "p99", "8 5", 2.2), ("max_ms", "max", "2 5", 1.6))
TARGETS = ((40, "p50 at half load: 40 ms"), (150, "p99 at half load: 150 ms"))
_INK, _FAINT, _GRID = "#1d2733", "#5b6774", "#e3e7ec"
_STEPS = (1, 2, 5)


def curve(curves: Sequence[dict[str, Any]], subtitle: str) -> str:
    """The picture.

    Args:
        curves: one for each number of workers: `workers`, `maximum`, `points` with `share` and p50, p99, max in ms.
    """
    values = [point[key] for one in curves for point in one["points"] for key, *_ in LINES if point[key] > 0]
    low, high = _bounds([*values, *(value for value, _ in TARGETS)])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text(LEFT, 30, "Latency over offered load", size=19, weight=600),
        text(LEFT, 52, subtitle, fill=_FAINT),
        *_axes(low, high),
    ]
    for value, _ in TARGETS:
        y = _y(value, low, high)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#8a96a3" stroke-width="1" '
            'stroke-dasharray="1 4" stroke-linecap="round"/>'
        )
    for one in curves:
        parts += _lines(one, low, high)
    for value, name in TARGETS:
        label = text(WIDTH - RIGHT, _y(value, low, high) - 5, f"target, {name}", fill=_FAINT, anchor="end", size=11)
        # A white edge, so that it can be read where a line passes.
        parts.append(label.replace("<text ", '<text paint-order="stroke" stroke="#ffffff" stroke-width="4" ', 1))
    return "\n".join([*parts, *_legend(curves), "</svg>"]) + "\n"


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    marks = [step * 10.0**power for power in range(-1, 7) for step in _STEPS]
    return max([mark for mark in marks if mark <= low], default=marks[0]), min(
        [mark for mark in marks if mark >= high], default=marks[-1]
    )


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(value: float, low: float, high: float) -> float:
    from math import log10

    part = (log10(max(value, low)) - log10(low)) / max(log10(high) - log10(low), 1e-9)
    return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)


def _axes(low: float, high: float) -> list[str]:
    parts = []
    for power in range(-1, 7):
        for step in _STEPS:
            mark = step * 10.0**power
            if low <= mark <= high:
                y = _y(mark, low, high)
                parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GRID}"/>')
                parts.append(text(LEFT - 10, y + 4, f"{mark:,g}", fill=_FAINT, anchor="end"))
    for share in (0.10, 0.25, 0.50, 0.75, 0.90):
        x = _x(share)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="{_GRID}"/>')
        parts.append(text(x, HEIGHT - BOTTOM + 20, f"{share:.0%}", fill=_FAINT, anchor="middle"))
    bottom = HEIGHT - BOTTOM
    parts.append(f'<path d="M{LEFT} {TOP}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="{_INK}" stroke-width="1.2"/>')
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text x="20" y="{middle}" fill="{_INK}" text-anchor="middle" transform="rotate(-90 20 {middle})">'
        "milliseconds from due to received (logarithmic)</text>"
    )
    parts.append(
        text((LEFT + WIDTH - RIGHT) / 2, bottom + 42, "offered load, share of the maximum found", anchor="middle")
    )
    return parts


def _lines(one: dict[str, Any], low: float, high: float) -> list[str]:
    colour = COLOURS.get(one["workers"], _INK)
    parts = []
    for key, _, dashes, width in LINES:
        places = [(_x(point["share"]), _y(point[key], low, high)) for point in one["points"]]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        parts.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed} stroke-linejoin="round"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
    return parts


def _legend(curves: Sequence[dict[str, Any]]) -> list[str]:
    parts, x, y = [], float(LEFT), HEIGHT - 22
    for one in curves:
        colour = COLOURS.get(one["workers"], _INK)
        workers = f"{one['workers']} worker" + ("s" if one["workers"] > 1 else "")
        label = f"{workers}, maximum {one['maximum']:,.0f}/s"
        parts.append(f'<rect x="{x}" y="{y - 11}" width="13" height="13" rx="2" fill="{colour}"/>')
        parts.append(text(x + 19, y, label))
        x += 40 + 7.0 * len(label)
    for _, name, dashes, width in LINES:
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        parts.append(
            f'<line x1="{x}" x2="{x + 34}" y1="{y - 4}" y2="{y - 4}" stroke="{_INK}" stroke-width="{width}"{dashed}/>'
        )
        parts.append(text(x + 40, y, name))
        x += 82
    return parts


def text(
    x: float, y: float, text: str, *, fill: str = _INK, anchor: str = "start", size: int = 13, weight: int = 400
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
