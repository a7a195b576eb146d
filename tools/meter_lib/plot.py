"""The picture of distributions: a panel for each thing measured, in it a line for each system that
says which share (upwards) took at most so long (log scale)."""

import math

COLOURS = ("#0b6e4f", "#6bbf59", "#c1121f", "#e9897e", "#5f5f8c", "#444444")
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 560, 150, 60, 40, 60


def steps(values):
    """Of values, sorted: [(value, share that is at most it)], for svg()."""
    return [(value, count / len(values)) for count, value in enumerate(values, 1)]


def svg(panels, decades, nines=0):
    """panels: title to {system: [(ms, share), ...]}, rising. decades: powers of ten of a ms from and to
    which they are drawn. nines: the share is drawn so that 90, 99, 99.9 % are equally far apart, that
    many of them; 0: as it is."""
    systems = dict.fromkeys(name for lines in panels.values() for name in lines)
    colours = dict(zip(systems, COLOURS))
    height = _TOP + len(panels) * (_HEIGHT + _GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" '
           f'height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="100%" height="{height}" fill="white"/>']
    for i, (system, colour) in enumerate(colours.items()):
        out.append(f'<text x="{_LEFT + i * 115}" y="20" fill="{colour}" font-weight="bold">'
                   f'{system}</text>')
    for i, (title, lines) in enumerate(panels.items()):
        top = _TOP + i * (_HEIGHT + _GAP)
        out += _axes(title, top, decades, nines)
        for system, line in lines.items():
            if line:
                out.append(f'<path d="{_path(line, top, decades, nines)}" fill="none" '
                           f'stroke="{colours[system]}" stroke-width="2"/>')
    return "\n".join(out) + "\n</svg>\n"


def _x(ms, decades):
    low, high = decades
    share = (math.log10(max(ms, 10 ** low)) - low) / (high - low)
    return _LEFT + _WIDTH * min(share, 1)


def _y(share, top, nines):
    if nines:
        share = 1 if share >= 1 else min(1, -math.log10(1 - share) / nines)
    return top + _HEIGHT * (1 - share)


def _axes(title, top, decades, nines):
    bottom = top + _HEIGHT
    out = [f'<text x="{_LEFT}" y="{top - 4}">{title}</text>',
           f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" '
           'stroke="#999"/>']
    for share in [1 - 10 ** -n for n in range(nines + 1)] if nines else (0, 1):
        y = _y(share, top, nines)
        out.append(f'<text x="{_LEFT - 8}" y="{y + 10 if share == 1 else y:.0f}" text-anchor="end">'
                   f'{f"{100 * share:.6g} %" if share else 0}</text>')
    for decade in range(decades[0], decades[1] + 1):
        x = _x(10 ** decade, decades)
        out += [f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>',
                f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{_label(decade)}</text>']
    return out


def _label(decade):
    if decade >= 3:
        return f"{10 ** (decade - 3):g} s"
    return f"{10 ** decade:g} ms" if decade >= -1 else f"{10 ** (decade + 3):g} µs"


def _path(line, top, decades, nines):
    """Up to the next share at each value."""
    x, y = _x(line[0][0], decades), _y(0, top, nines)
    path = [f"M{x:.1f} {y:.1f}"]
    for ms, share in line:
        x = _x(ms, decades)
        path.append(f"L{x:.1f} {y:.1f}")
        y = _y(share, top, nines)
        path.append(f"L{x:.1f} {y:.1f}")
    return " ".join(path)
