"""Learning curves as an SVG: one small chart a stream, ours beside plain River. Pure.

Owns: axes, colours, legend. Must never: leave out a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.bench.picture import text

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 48, 16, 34, 34
COLUMNS = 2
COLOURS = {"Tocsin": "#1f5fa8", "River, plain": "#c4541a"}
_FAINT, _GRID = "#5b6774", "#e3e7ec"


def curves(streams: Sequence[dict[str, Any]]) -> str:
    """The picture.

    Args:
        streams: `title`, `n` and `curves`: name to (labels learned, macro F1).
    """
    lines = (len(streams) + COLUMNS - 1) // COLUMNS
    width, height = COLUMNS * WIDTH, lines * HEIGHT + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for place, stream in enumerate(streams):
        corner = f"{place % COLUMNS * WIDTH} {place // COLUMNS * HEIGHT}"
        parts += [f'<g transform="translate({corner})">', *_chart(stream), "</g>"]
    x = float(LEFT)
    for name, colour in COLOURS.items():
        parts.append(f'<rect x="{x}" y="{height - 22}" width="12" height="12" rx="2" fill="{colour}"/>')
        parts.append(text(x + 18, height - 12, f"{name}, macro F1 of each twentieth, before it is learned", size=12))
        x += 380
    return "\n".join([*parts, "</svg>"]) + "\n"


def _chart(stream: dict[str, Any]) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    values = [value for points in stream["curves"].values() for _, value in points]
    low, high = _bounds(min(values), max(values))
    parts = [text(LEFT, 20, stream["title"], size=13, weight=600)]
    for tenth in range(round(low * 10), round(high * 10) + 1):
        y = bottom - (tenth / 10 - low) / (high - low) * (bottom - TOP)
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GRID}"/>')
        parts.append(text(LEFT - 8, y + 4, f"{tenth / 10:.1f}", fill=_FAINT, anchor="end", size=11))
    for part in (0, 0.5, 1):
        x = LEFT + part * (right - LEFT)
        parts.append(text(x, bottom + 18, f"{round(part * stream['n']):,}", fill=_FAINT, anchor="middle", size=11))
    for name, points in stream["curves"].items():
        places = [
            (LEFT + n / stream["n"] * (right - LEFT), bottom - (value - low) / (high - low) * (bottom - TOP))
            for n, value in points
        ]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        colour = COLOURS[name]
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>' for x, y in places]
    return parts


def _bounds(least: float, most: float) -> tuple[float, float]:
    """Whole tenths around all values, at least two of them apart."""
    low = int(least * 10) / 10
    return low, max(-int(-most * 10 // 1) / 10, low + 0.2)
