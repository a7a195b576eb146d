"""The picture: cycles for each frame, of every case beside the other program and of every sweep."""

import math
from xml.sax.saxutils import escape

OURS, THEIRS, GREY = "#0072b2", "#d55e00", "#666666"  # told apart by the colour-blind too
LEFT, WIDTH, ROW, PANEL, GAP = 250, 560, 34, 130, 60


def svg(duels, points, hz):
    bars, y = _bars(duels, hz, 60) if duels else ([], 60)
    lines, y = _sweeps(points, hz, y + 20) if points else ([], y)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{y:.0f}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(20, 24, "Cycles of one core for each frame, driver included", size=16),
        _text(20, 44, "koid", fill=OURS), _text(60, 44, "the other", fill=THEIRS),
        *bars, *lines, "</svg>"]) + "\n"


def _text(x, y, text, anchor="start", fill="black", size=12):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
            f'font-size="{size}">{escape(text)}</text>')


def _bars(duels, hz, top):
    most = max(hz / rate for duel in duels for rate in duel.medians)
    out = []
    for row, duel in enumerate(duels):
        y = top + row * ROW
        out.append(_text(LEFT - 8, y + 17, f"{duel.case} beside {duel.beside}", "end"))
        for side, (rate, colour) in enumerate(zip(duel.medians, (OURS, THEIRS))):
            length = hz / rate / most * WIDTH
            out.append(f'<rect x="{LEFT}" y="{y + side * 13}" width="{length:.1f}" height="11" '
                       f'fill="{colour}"/>')
            label = f"{hz / rate:.0f}" + (f" (ratio {duel.ratio:.2f})" if side == 0 else "")
            out.append(_text(LEFT + length + 4, y + side * 13 + 10, label, size=10))
    return out, top + len(duels) * ROW


def _sweeps(points, hz, top):
    out, most = [], max(hz / point.rate for point in points)
    for sweep in dict.fromkeys(point.sweep for point in points):
        same = [point for point in points if point.sweep == sweep]
        bottom, low, high = top + PANEL, same[0].count, max(same[-1].count, 2)

        def at(point):
            share = math.log(point.count / low) / math.log(high / low) if high > low else 0
            return LEFT + share * WIDTH, bottom - hz / point.rate / most * (PANEL - 20)
        out += [_text(LEFT - 8, top + 20, f"{sweep}, log scale", "end"),
                f'<path d="M{LEFT} {top} V{bottom} H{LEFT + WIDTH}" fill="none" stroke="{GREY}"/>',
                '<polyline fill="none" stroke="{}" stroke-width="2" points="{}"/>'.format(
                    OURS, " ".join("{:.1f},{:.1f}".format(*at(point)) for point in same))]
        for point in same:
            x, y = at(point)
            out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{OURS}"/>',
                    _text(x, y - 7, f"{hz / point.rate:.0f}", "middle", size=10),
                    _text(x, bottom + 15, f"{point.count:,}", "middle", GREY)]
        top = bottom + GAP
    return out, top - 20
