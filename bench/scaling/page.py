"""The tables and plots of docs/performance.md, from what was measured. The words around them are written by hand."""
import os
import re
import statistics

from .plot import Plot, Series

# Of the mean: what may lie between the dearest and the cheapest point, and between the best and the worst served of equals.
FLAT, EQUAL = 0.15, 0.20


def median_points(rounds, key):
    """The median of several rounds at each count: {count: value}."""
    found = {}
    for point in rounds:
        if point.get(key) is not None:
            found.setdefault(point["count"], []).append(point[key])
    return {count: statistics.median(values) for count, values in sorted(found.items())}


def spread(points):
    """How far the dearest lies above the cheapest, as a part of the mean of both."""
    low, high = min(points.values()), max(points.values())
    return (high - low) / ((high + low) / 2)


def table(head, rows, words=()):
    """Numbers stand to the right; columns of words are named."""
    lines = ["| " + " | ".join(head) + " |", "|" + "".join("---|" if name in words else "---:|" for name in head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def count(value):
    return "{:,}".format(value)


def transfers(result):
    kinds = [("down", "downloads"), ("half", "downloads, half of them slow"), ("up", "uploads")]
    points = {kind: [point for point in result["transfers"] if point["kind"] == kind] for kind, _ in kinds}
    cost = {kind: median_points(points[kind], "cpu_s_per_gb") for kind, _ in kinds}
    worst = {kind: median_points(points[kind], "apart") for kind, _ in kinds}
    slow = median_points(points["half"], "slow_apart")
    rate = median_points(points["down"], "mb_per_s")
    rows = []
    for number in sorted(cost["down"]):
        cell = lambda values, form: form % values[number] if number in values else ""
        rows.append([count(number), cell(cost["down"], "%.3f"), cell(rate, "%.0f"), cell(cost["half"], "%.3f"), cell(cost["up"], "%.3f"),
                     percent(worst["down"], number), percent(worst["half"], number), percent(slow, number), percent(worst["up"], number)])
    body = table(["at once", "down, CPU s/GB", "down, MB/s", "half slow, CPU s/GB", "up, CPU s/GB", "apart: down", "the fast ones", "the slow ones", "up"], rows)
    verdicts = ["%s %.0f %%" % (name, 100 * spread(cost[kind])) for kind, name in kinds if len(cost[kind]) > 1]
    body += "\n\nBetween the cheapest and the dearest point: %s (bound: %.0f %% from the first to the last)." % ("; ".join(verdicts), 100 * FLAT)
    middle = statistics.median(cost["down"].values())
    plots = {
        "transfers-cost": Plot("What a gigabyte costs, however many transfers there are", "transfers at once", "CPU seconds of the server for 1 GB over TLS",
                               [Series(name, cost[kind].items()) for kind, name in kinds],
                               band=(middle * (1 - FLAT / 2), middle * (1 + FLAT / 2))),
    }
    shares = []
    for kind, name, of in (("down", "all fast", "equals"), ("half", "fast beside slow", "equals"), ("half", "slow", "slow")):
        by_count = {}
        for point in points[kind]:
            if point["count"] > 1 and point[of]:
                by_count.setdefault(point["count"], []).append(point[of])
        shares.append(Series(name, [(number, *(statistics.median(share[key] for share in found) for key in ("least", "middle", "most")))
                                    for number, found in sorted(by_count.items())]))
    if any(one.points for one in shares):
        plots["transfers-equals"] = Plot("How equally equals are served", "transfers at once", "bytes of one transfer in the same time, as a part of the mean",
                                         shares, band=(1 - EQUAL / 2, 1 + EQUAL / 2), around=1)
    return body, plots


def percent(values, number):
    return "%.0f %%" % (100 * values[number]) if number in values and number > 1 else ""


def idle(result):
    points = result["idle"]
    memory = median_points(points, "bytes_per_session")
    login, quiet = median_points(points, "cpu_ms_per_login"), median_points(points, "idle_cpu_ms_per_s")
    body = table(["idle sessions", "KiB each (PSS)", "CPU ms for a login", "CPU ms a second, all together"],
                 [[count(number), "%.1f" % (memory[number] / 1024), "%.2f" % login[number], "%.2f" % quiet[number]] for number in memory])
    plot = Plot("What an idle session weighs", "sessions that are logged in and idle", "KiB of memory for each (PSS)",
                [Series("memory", [(number, each / 1024) for number, each in memory.items()])], least_top=8)
    return body, {"idle-memory": plot}


def folders(result):
    points = result["folders"]
    cost, peak = median_points(points, "cpu_s_per_listing"), median_points(points, "peak_growth")
    first = median_points(points, "first_byte_s")
    empty = cost[0]
    per_entry = {number: (each - empty) / number for number, each in cost.items() if number}
    rows = [[count(number), "%.2f" % (each * 1e3), "%.2f" % (per_entry[number] * 1e6) if number else "", "%.1f" % (peak[number] / 2 ** 20),
             "%.1f" % (first[number] * 1e3)] for number, each in cost.items()]
    body = table(["entries", "CPU ms for a listing", "CPU µs for each entry", "MiB more at the peak", "ms to the first byte"], rows)
    listing = Plot("What a listing costs", "entries of the folder", "CPU milliseconds of the server for one MLSD",
                   [Series("listing", [(number, each * 1e3) for number, each in cost.items() if number])], log_y=True)
    memory = Plot("What a listing takes of memory", "entries of the folder", "MiB that the server grows by, at the peak",
                  [Series("memory", [(number, each / 2 ** 20) for number, each in peak.items() if number])], least_top=16)
    return body, {"folders-cost": listing, "folders-memory": memory}


def long(result):
    rows = []
    for point in result["long"]:
        said = "; ".join("at %.1f GiB: “%s”" % (one["at"] / 2 ** 30, one["reply"]) for one in point["said"])
        rows.append([point["client"], point["version"], "%.0f" % (point["received"] / 2 ** 30), "%.0f" % point["seconds"],
                     "%.3f" % point["cpu_s_per_gb"], said])
    head = ["client", "version", "GiB received", "s", "CPU s/GB", "what was said"]
    return table(head, rows, words=("client", "version", "what was said")), {}


PARTS = {"transfers": transfers, "idle": idle, "folders": folders, "long": long}


def machine(result):
    found = result["machine"]
    return "Measured on %s with %s, %d cores (one for the server, one for the load), Linux %s; Carrack %s, %s; medians of %d rounds." % (
        result["when"], found["cpu"], found["cores"], found["kernel"], found["carrack"], found["openssl"], result["rounds"])


def write(result, page, plots_folder):
    """Puts tables between the page's marks, and the plots beside it. A part that was not measured stays as it is."""
    made = {"machine": machine(result)}
    for part, render in PARTS.items():
        if result.get(part):
            made[part], plots = render(result)
            os.makedirs(plots_folder, exist_ok=True)
            for name, plot in plots.items():
                with open(os.path.join(plots_folder, name + ".svg"), "w") as out:
                    out.write(plot.svg())
    with open(page) as text:
        whole = text.read()
    for part, body in made.items():
        mark = re.compile(r"(<!-- scale: %s -->\n).*?(\n<!-- end -->)" % part, re.S)
        if not mark.search(whole):
            raise SystemExit("%s has no place for %s" % (page, part))
        whole = mark.sub(lambda found: found.group(1) + body + found.group(2), whole)
    with open(page, "w") as out:
        out.write(whole)
