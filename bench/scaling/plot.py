"""A plot of a few series against a logarithmic count, as an SVG that can be read in light and in dark."""
import math

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 90, 54
# Colours that people tell apart who see no red or no green (Okabe and Ito); the shape of the mark says it once more.
SERIES = ("a", "b", "c")
STYLE = """
  svg { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
  .paper { fill: #ffffff; } text { fill: #24292f; } .faint { fill: #57606a; } .title { font-size: 16px; font-weight: 600; }
  .grid { stroke: #d8dee4; } .axis { stroke: #8c959f; } .band { fill: #0969da; opacity: .08; }
  .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
  .a { stroke: #0072b2; } .b { stroke: #d55e00; } .c { stroke: #007f5f; }
  .mark.a { fill: #0072b2; } .mark.b { fill: #d55e00; } .mark.c { fill: #007f5f; } .mark { stroke: #ffffff; stroke-width: 1.2; }
  .spread { stroke-width: 1.6; fill: none; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; } text { fill: #e6edf3; } .faint { fill: #9198a1; }
    .grid { stroke: #262c34; } .axis { stroke: #59636e; } .band { fill: #58a6ff; opacity: .12; }
    .a { stroke: #56b4e9; } .b { stroke: #ff9e4a; } .c { stroke: #3fd0a4; }
    .mark.a { fill: #56b4e9; } .mark.b { fill: #ff9e4a; } .mark.c { fill: #3fd0a4; } .mark { stroke: #0d1117; }
  }
"""


class Series:
    """Points (x, y), or (x, least, y, most) where something has a spread."""

    def __init__(self, name, points):
        self.name, self.points = name, [point for point in points if point[1] is not None]

    def highest(self):
        return max(point[-1] for point in self.points)

    def lowest(self):
        return min(point[1] for point in self.points)


class Plot:
    def __init__(self, title, x_label, y_label, series, band=None, log_y=False, least_top=0, around=None):
        self.title, self.x_label, self.y_label, self.band, self.log_y = title, x_label, y_label, band, log_y
        self.series = [one for one in series if one.points]
        xs = [point[0] for one in self.series for point in one.points]
        self.x_low, self.x_high = math.log10(min(xs)), math.log10(max(xs))
        if self.x_low == self.x_high:
            self.x_high += 1
        highest = max(one.highest() for one in self.series)
        lowest = min(one.lowest() for one in self.series)
        if around:
            self.y_ticks = ticks_around(around, lowest, highest)
        elif log_y:
            self.y_ticks = [10 ** n for n in range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 1)]
            if len(self.y_ticks) == 1:
                self.y_ticks.append(self.y_ticks[0] * 10)
        else:
            self.y_ticks = even_ticks(max(highest * 1.08, least_top))

    def x(self, value):
        return LEFT + (math.log10(value) - self.x_low) / (self.x_high - self.x_low) * (WIDTH - LEFT - RIGHT - 60) + 30

    def y(self, value):
        of = math.log10 if self.log_y else float
        low, high = of(self.y_ticks[0]), of(self.y_ticks[-1])
        return HEIGHT - BOTTOM - (of(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def svg(self):
        out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">' % (WIDTH, HEIGHT, self.title),
               "<title>%s</title>" % self.title, "<style>%s</style>" % STYLE, '<rect class="paper" width="%d" height="%d" rx="6"/>' % (WIDTH, HEIGHT),
               text(16, 26, self.title, "title"), text(16, 47, self.y_label, "faint")]
        if self.band:
            high, low = self.y(self.band[1]), self.y(self.band[0])
            out.append('<rect class="band" x="%d" y="%.1f" width="%d" height="%.1f"/>' % (LEFT, high, WIDTH - LEFT - RIGHT, low - high))
        for tick in self.y_ticks:
            out.append('<line class="%s" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>' % (
                "axis" if tick == self.y_ticks[0] else "grid", LEFT, WIDTH - RIGHT, self.y(tick), self.y(tick)))
            out.append(text(LEFT - 8, self.y(tick) + 4.5, number(tick), "faint", "end"))
        for tick in sorted({point[0] for one in self.series for point in one.points}):
            out.append('<line class="axis" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>' % (self.x(tick), self.x(tick), HEIGHT - BOTTOM, HEIGHT - BOTTOM + 5))
            out.append(text(self.x(tick), HEIGHT - BOTTOM + 20, number(tick), "faint", "middle"))
        out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 13, self.x_label, "faint", "middle"))
        out += self.legend()
        for kind, one in zip(SERIES, self.series):
            out += self.drawn(kind, one)
        return "\n".join(out + ["</svg>", ""])

    def drawn(self, kind, one):
        middle = [(self.x(point[0]), self.y(point[2] if len(point) == 4 else point[1])) for point in one.points]
        has_spread = len(one.points[0]) == 4
        if has_spread:
            # Spreads of several series at one place stand beside one another.
            aside = (SERIES.index(kind) - (len(self.series) - 1) / 2) * 26
            middle = [(x + aside, y) for x, y in middle]
        else:
            yield '<polyline class="line %s" points="%s"/>' % (kind, " ".join("%.1f,%.1f" % at for at in middle))
        for point, (x, y) in zip(one.points, middle):
            if has_spread:
                low, high = self.y(point[1]), self.y(point[3])
                yield '<path class="spread %s" d="M%.1f %.1fV%.1fM%.1f %.1fh10M%.1f %.1fh10"/>' % (kind, x, low, high, x - 5, low, x - 5, high)
            yield mark(kind, x, y)

    def legend(self):
        if len(self.series) < 2:
            return
        x = 22
        for kind, one in zip(SERIES, self.series):
            yield mark(kind, x, 66)
            yield text(x + 11, 70.5, one.name)
            x += 7.2 * len(one.name) + 36


def mark(kind, x, y):
    if kind == "a":
        return '<circle class="mark a" cx="%.1f" cy="%.1f" r="5"/>' % (x, y)
    if kind == "b":
        return '<rect class="mark b" x="%.1f" y="%.1f" width="9" height="9"/>' % (x - 4.5, y - 4.5)
    return '<path class="mark c" d="M%.1f %.1fl5.5 9.5h-11z"/>' % (x, y - 5.5)


def text(x, y, what, kind="", anchor="start"):
    what = what.replace("&", "&amp;").replace("<", "&lt;")
    return '<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>' % (kind, x, y, anchor, what)


def even_ticks(highest):
    """From 0 past `highest` in four to six steps of 1, 2, 2.5 or 5."""
    step = 10 ** math.floor(math.log10(highest / 4))
    step = next(step * factor for factor in (1, 2, 2.5, 5, 10) if highest / (step * factor) <= 5.5)
    return [step * n for n in range(math.ceil(highest / step) + 1)]


def ticks_around(middle, lowest, highest):
    """Tenths on both sides of `middle`, as far as is needed and at least three."""
    down, up = (max(3, math.ceil(abs(end - middle) * 10 + 0.2)) for end in (lowest, highest))
    return [round(middle + n / 10, 1) for n in range(-min(down, 10), up + 1)]


def number(value):
    if value >= 1000:
        return "{:,.0f}".format(value)
    return "%.4g" % value
