"""The picture: who answered when, as SVG written by hand."""

import statistics
from xml.sax.saxutils import escape

COLOURS = {"a": "#0072b2", "b": "#d55e00"}  # told apart by the colour-blind too
LEFT, WIDTH, ROW, GREY = 110, 800, 26, "#666666"
KINDS = (("arp", "ARP"), ("echo", "echo"))


def write(path, events, title):
    """events: figures.Event. For each kind a panel of the first, and one of all outages."""
    panels = []
    for kind in dict.fromkeys(e.kind for e in events):
        same = [e for e in events if e.kind == kind]
        panels.append(lambda y, e=same[0]: _panel(e, y))
        if len(same) > 1:
            panels.append(lambda y, es=same: _all_outages(es, y))
    body, y = [], 70
    for panel in panels:
        parts, height = panel(y)
        body += parts
        y += height
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 40}" height="{y}" '
        f'viewBox="0 0 {LEFT + WIDTH + 40} {y}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(20, 28, title, size=18, weight="bold"), *_legend(50)]
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(head + body + ["</svg>"]) + "\n")


def _text(x, y, text, anchor="start", fill="black", size=13, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
            f'font-size="{size}" font-weight="{weight}">{escape(text)}</text>')


def _rect(x, y, width, height, fill, opacity=1.0):
    return (f'<rect x="{x:.2f}" y="{y:.1f}" width="{width:.2f}" height="{height:.1f}" '
            f'fill="{fill}" fill-opacity="{opacity}"/>')


def _line(x1, y1, x2, y2, colour=GREY, dash=""):
    extra = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}"{extra}/>')


def _legend(y):
    out, x = [], 20
    for box, colour in COLOURS.items():
        out += [_rect(x, y - 10, 14, 11, colour), _text(x + 20, y, f"an answer of box {box}")]
        x += 170
    out += [_rect(x, y - 10, 14, 11, "#bbbbbb"), _text(x + 20, y, "nobody answers")]
    out += [_line(x + 150, y - 12, x + 150, y + 3, "#cc0000", "4 2"),
            _text(x + 158, y, "the moment it was done")]
    return out


def _ticks(low, high):
    """Round numbers between low and high, about eight of them."""
    rough = (high - low) / 8
    power = 10.0 ** len(str(int(rough))) / 10 if rough >= 1 else 0.1
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    first = int(low // step) * step
    while first < low:
        first += step
    while first <= high:
        yield round(first, 6)
        first += step


def _runs(times, joined_ms):
    """[first, last] of answers that follow each other within joined_ms: one bar instead of many."""
    runs = []
    for t in times:
        if runs and t - runs[-1][1] <= joined_ms:
            runs[-1][1] = t
        else:
            runs.append([t, t])
    return runs


def _panel(event, y):
    """One event: rows for each box and kind of answer, times in ms from the event."""
    answers = [((a.time_ns - event.moment_ns) / 1e6, a.box, a.kind) for a in event.answers]
    around = min(max(8.0, event.arp_ms * 0.25), 200.0)
    low, high = -around, around + min(t for t, box, _ in answers if box == event.heir and t > 0)
    per_ms = WIDTH / (high - low)

    def at(ms):
        return LEFT + (min(max(ms, low), high) - low) * per_ms
    top, out = y + 30, [_text(20, y + 18, event.sentence(), size=14, weight="bold")]
    row = 0
    for box in sorted(COLOURS):
        for kind, name in KINDS:
            line = top + row * ROW
            out.append(_text(LEFT - 10, line + 17, f"{box}: {name}", "end"))
            out.append(_rect(LEFT, line + 2, WIDTH, ROW - 4, "#f4f4f4"))
            times = [t for t, b, k in answers if (b, k) == (box, kind) and low <= t <= high]
            for first, last in _runs(times, (high - low) / 100 if high - low > 150 else 0):
                width = max(1.6, (last - first) * per_ms)
                out.append(_rect(at(first), line + 4, width, ROW - 8, COLOURS[box]))
            row += 1
    bottom = top + row * ROW
    for kind, name in KINDS:
        times = [t for t, _, k in answers if k == kind and low <= t <= high]
        gap = max(zip(times, times[1:]), key=lambda g: g[1] - g[0], default=None)
        if gap and gap[1] - gap[0] > 1.5:
            line = bottom + (2 if kind == "arp" else 20)
            out += [_rect(at(gap[0]), line, (min(gap[1], high) - gap[0]) * per_ms, 14, "#bbbbbb"),
                    _text(LEFT - 10, line + 12, f"no {name}", "end", GREY),
                    _text(min(at(gap[1]) + 6, LEFT + WIDTH - 60), line + 12,
                          f"{getattr(event, kind + '_ms'):.1f} ms", fill=GREY)]
    out.append(_line(at(0), top - 4, at(0), bottom + 38, "#cc0000", "4 2"))
    bottom += 42
    out.append(_line(LEFT, bottom, LEFT + WIDTH, bottom))
    for tick in _ticks(low, high):
        out += [_line(at(tick), bottom, at(tick), bottom + 5),
                _text(at(tick), bottom + 19, f"{tick:g}", "middle", GREY, 12)]
    out.append(_text(LEFT + WIDTH, bottom + 36, "ms from that moment", "end", GREY, 12))
    return out, bottom + 56 - y


def _all_outages(events, y):
    """Every outage of one kind as a dot, ARP filled, echo hollow; a line at the median for ARP."""
    worst = max(max(e.arp_ms, e.echo_ms) for e in events) * 1.1 or 1.0
    median = statistics.median(e.arp_ms for e in events)
    colour = "#cc0000" if events[0].kind == "kill" else "#009e73"
    top, height = y + 34, 130
    out = [_text(20, y + 18, f"All {len(events)} of that kind: outage for ARP (filled) and echo "
                 f"(hollow); median for ARP {median:.1f} ms", size=14, weight="bold")]
    step = WIDTH / (len(events) + 1)

    def up(ms):
        return top + height - ms / worst * height
    for tick in _ticks(0, worst):
        out += [_line(LEFT, up(tick), LEFT + WIDTH, up(tick), "#dddddd"),
                _text(LEFT - 10, up(tick) + 4, f"{tick:g} ms", "end", GREY, 12)]
    for i, event in enumerate(events, 1):
        x = LEFT + i * step
        for ms, fill in ((event.echo_ms, "white"), (event.arp_ms, colour)):
            out.append(f'<circle cx="{x:.1f}" cy="{up(ms):.1f}" r="4" fill="{fill}" '
                       f'stroke="{colour}"/>')
    out += [_line(LEFT, up(median), LEFT + WIDTH, up(median), colour, "4 2"),
            _text(LEFT + WIDTH, top + height + 20, "in the order they were done", "end", GREY, 12)]
    return out, height + 74
