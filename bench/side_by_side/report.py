"""What is made of the figures: the bars first, then everything."""
import os
import statistics

from .floors import FLOORS, kind
from .scenarios import EVERYBODY, SCENARIOS, UNSYNCED

# Written by hand, and kept when the page is written anew.
BY_HAND = "<!-- What follows is written by hand. bench/side-by-side leaves it as it is. -->"


def machine():
    """What this machine is."""
    with open("/proc/cpuinfo") as cpuinfo:
        models = [line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name")]
    with open("/proc/meminfo") as meminfo:
        kib = int(meminfo.readline().split()[1])
    return "%s x%d, %.0f GiB, Linux %s" % (models[0] if models else "?", len(models), kib / (1 << 20), os.uname().release)


def number(value):
    if value is None:
        return "-"
    return "%.0f" % value if abs(value) >= 100 else "%.3g" % value


def spread(values):
    if not values:
        return "-"
    return "%s (%s-%s)" % tuple(number(value) for value in (statistics.median(values), min(values), max(values)))


class Figures:
    """The figures of one run."""

    def __init__(self, results):
        self.results = results

    def of(self, scenario, name, key="figure"):
        return [one[key] for one in self.results["runs"].get(scenario, {}).get(name, []) if key in one]

    def ratios(self, scenario, one, other):
        """One's cost divided by another's, round by round."""
        runs = self.results["runs"].get(scenario, {})
        return [a["figure"] / b["figure"] for a, b in zip(runs.get(one, []), runs.get(other, [])) if a.get("figure") and b.get("figure")]

    def floor(self, name):
        measured = [one[kind(one)[0]] for one in self.results["floors"].get(name, [])]
        return statistics.median(measured) if measured else None


def table(heads, rows):
    return ["| %s |" % " | ".join(heads), "|---|" + "---:|" * (len(heads) - 1)] + ["| %s |" % " | ".join(row) for row in rows]


def bars(figures, bars_):
    """THE TABLE: what must be, and what is."""
    rows = []
    for bar in bars_:
        ours, theirs = figures.of(bar.scenario, "carrack"), figures.of(bar.scenario, bar.against)
        ratios, rates = figures.ratios(bar.scenario, "carrack", bar.against), figures.of(bar.scenario, "carrack", "rate")
        if not ratios:
            continue
        unit = SCENARIOS[bar.scenario].unit
        ratio, figure, rate = statistics.median(ratios), statistics.median(ours), statistics.median(rates)
        floor = figures.floor(bar.floor) if bar.floor else None
        musts = [("≤ %.2f" % bar.must, ratio <= bar.must)]
        if bar.must_rate:
            musts.append(("≥ %d/s" % bar.must_rate, rate >= bar.must_rate))
        aims = []
        if bar.aim:
            aims.append(("≤ %.2f" % bar.aim, ratio <= bar.aim))
        if bar.aim_figure:
            aims.append(("≤ %g %s" % (bar.aim_figure, unit), figure <= bar.aim_figure))
        if floor and bar.aim_floor:
            aims.append(("≤ %.2f × floor" % bar.aim_floor, figure <= bar.aim_floor * floor))
        ours_told = spread(ours) + (", %s/s" % number(rate) if bar.must_rate else "")
        rows.append([bar.scenario, bar.against, unit, ours_told, spread(theirs), spread(ratios), "; ".join(text for text, _ in musts),
                     "; ".join(text for text, _ in aims), beneath(floor, figure, statistics.median(theirs), bar), verdict(musts, aims)])
    return table(["scenario", "against", "unit", "ours", "theirs", "our ratio", "must", "aim", "floor", "held?"], rows)


def beneath(floor, figure, theirs, bar):
    """What the machine asks at least, beside what we use, and beside what must be."""
    if not floor:
        return ""
    told = "%s %s: we use %.2f ×; /theirs %.2f" % (bar.floor, number(floor), figure / floor, floor / theirs)
    return told + (", **more than the must**" if floor / theirs > bar.must else "")


def verdict(musts, aims):
    held = all(is_held for _, is_held in musts)
    if not held:
        return "**missed: %s**" % "; ".join(text for text, is_held in musts if not is_held)
    return "held, and the aim" if all(is_held for _, is_held in aims) else "held"


def everything(figures, key, title, unit_of):
    names = [name for name in EVERYBODY + (UNSYNCED,) if name in figures.results["servers"]]
    rows = []
    for scenario in SCENARIOS.values():
        runs = figures.results["runs"].get(scenario.name)
        if runs:
            cells = [spread(figures.of(scenario.name, name, key)) if figures.of(scenario.name, name, key) else "failed" if name in runs else ""
                     for name in names]
            rows.append([scenario.name, unit_of(scenario)] + cells)
    return ["## " + title, ""] + table(["scenario", "unit"] + names, rows)


def ratios(figures):
    names = [name for name in EVERYBODY[1:] + (UNSYNCED,) if name in figures.results["servers"]]
    rows = []
    for scenario in figures.results["runs"]:
        cells = [figures.ratios(scenario, "carrack", name) for name in names]
        rows.append([scenario] + [number(statistics.median(cell)) if cell else "" for cell in cells])
    return ["## Our cost divided by each other server's", "", "Round by round, then the median.", ""] + table(["scenario"] + names, rows)


def floors(figures):
    rows = []
    for name, (_, about) in FLOORS.items():
        measured = figures.results["floors"].get(name)
        if measured:
            cost, unit, rate, rate_unit = kind(measured[0])
            rows.append([name, about, unit, spread([one[cost] for one in measured]), spread([one[rate] for one in measured]) + rate_unit])
    if not rows:
        return []
    return ["## Floors", "", "What one thread uses for it on this machine with nothing else around it.", ""] + table(
        ["floor", "what", "unit", "cost", "rate"], rows)


def agreed(figures, sizes):
    """What lies behind the figures: versions of TLS, handshakes, memory, failures."""
    lines = []
    for name in figures.results["servers"]:
        runs = [(scenario, one) for scenario, by_name in figures.results["runs"].items() for one in by_name.get(name, []) if "figure" in one]
        spoken = sorted({"%s %s %s" % (one["tls"], one["cipher"], one.get("group", "(resumed without a group)")) for _, one in runs if "tls" in one})
        full = sorted({scenario for scenario, one in runs if one["data_full"] > one["data_resumed"]})
        resumed = [one for scenario, one in runs if scenario == "login-resumed"]
        said = "- %s: %s." % (name, "; ".join(spoken) or "nothing was measured")
        if resumed:
            said += " Of the logins that offered a session %.0f %% resumed it." % (
                100 * sum(one["logins_resumed"] for one in resumed) / max(1, sum(one["operations"] for one in resumed)))
        if full:
            said += " Data connections did full handshakes in %s." % "; ".join(full)
        lines.append(said)
    memory = figures.results["memory"]
    if len(memory) == 2:
        lines += ["", "Our server's highest memory (VmHWM) in a fresh process that lists %d files: %.1f MiB; %d files: %.1f MiB." % (
            sizes.entries, memory["list"] / 1024, sizes.many, memory["list-many"] / 1024)]
    per_entry = [(figures.of(scenario, "carrack"), entries) for scenario, entries in (("list", sizes.entries), ("list-many", sizes.many))]
    if all(of for of, _ in per_entry):
        lines.append("One entry of a listing costs us %.3g µs of %d, and %.3g µs of %d." % tuple(
            part for of, entries in per_entry for part in (statistics.median(of) * 1e3 / entries, entries)))
    failed = sorted({"%s, %s: %s" % (scenario, name, one["failed"]) for scenario, by_name in figures.results["runs"].items()
                     for name, runs in by_name.items() for one in runs if "failed" in one})
    return ["## What was agreed", ""] + lines + (["", "Runs that failed:", ""] + ["- " + one for one in failed] if failed else [])


def page(results, sizes, bars_):
    """The whole page, but for what is written by hand."""
    figures = Figures(results)
    lines = ["# Measured beside other servers", "", "Written by `bench/side-by-side` on %s (UTC), %d round%s%s, in %.0f minutes. [docs/bench.md](../docs/bench.md) says how each figure is taken." % (
        results["when"], results["rounds"], "" if results["rounds"] == 1 else "s", ", **quick: these figures mean nothing**" if results["quick"] else "", results["minutes"]), ""]
    if any(figures.of(bar.scenario, bar.against) for bar in bars_):
        lines += ["## The bars", "", "Our cost divided by the other's, round by round: median (min-max). Beside unftp, which speaks TLS 1.2 alone, both are at TLS 1.2.", ""] + bars(figures, bars_) + [""]
    lines += ["## Setting", "", "Machine: %s; %s." % (results["machine"], results["page_reporting"]), "",
              "One run of all servers, interleaved round by round. Loopback, files in memory (`disk`: %s). Servers are pinned to core 0, the client to core 1."
              " One self-signed certificate (ECDSA P-256) for all, key exchange P-256, AES-256-GCM, TLS 1.3 where it is offered. Passwords' hashes are cheap"
              " on purpose." % results["disk"], ""]
    lines += ["- %s: %s. %s" % (name, one["version"], one["settings"]) for name, one in results["servers"].items()]
    lines += ["", "| scenario | what |", "|---|---|"]
    lines += ["| %s | %s |" % (name, SCENARIOS[name].about.format(**vars(sizes))) for name in results["runs"]]
    lines += [""] + everything(figures, "figure", "Server's cost (lower is better)", lambda scenario: scenario.unit)
    lines += [""] + everything(figures, "rate", "Rate seen by the client", lambda scenario: scenario.rate_unit())
    lines += [""] + ratios(figures) + [""] + floors(figures) + [""] + agreed(figures, sizes)
    return "\n".join(lines) + "\n"


def by_hand(path):
    """What was written by hand in the page that is there."""
    try:
        with open(path) as old:
            _, mark, rest = old.read().partition(BY_HAND)
            return mark + rest
    except FileNotFoundError:
        return ""
