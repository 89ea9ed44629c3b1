"""Who runs when: builds, peers, rounds."""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

from . import floors, ground, report, scenarios, servers
from .scenarios import BARS, QUICK, SCENARIOS, Sizes

# A run that takes longer is given up and told as failed.
LIMIT_S = 180
ABOUT = """\
Starts Carrack and other servers, each pinned to core 0 in a control group of its own, and has `carrack bench` on core 1 ask the same of
each: scenario by scenario, round by round, server by server, so that what the machine does besides falls on all alike. Figures are the
processor time of the server's whole process tree, or its memory. Writes RESULTS.md, with the bars and whether they are held at its top, and
all runs as JSON below target/. As root it installs the other servers below target/peers (scripts/peers, scripts/bench-peers); without root,
or with --servers carrack, Carrack is measured alone.
"""


def arguments():
    parser = argparse.ArgumentParser(prog="bench/side-by-side", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="how often each is measured [5; 1 with --quick]")
    parser.add_argument("--quick", action="store_true", help="one round of small sizes, to see that everything runs: its figures mean nothing")
    parser.add_argument("--scenarios", help="comma separated words, each the beginning of a name, of: %s" % "; ".join(SCENARIOS))
    parser.add_argument("--servers", help="comma separated words, each the beginning of a name, of: %s" % "; ".join(servers.rows("")))
    parser.add_argument("--data", metavar="DIR", default=os.path.join(servers.ROOT, "target"), help="a folder on the disk that is measured [target]")
    parser.add_argument("--carrack", metavar="PROGRAM", help="this one, instead of building it")
    parser.add_argument("--floor", metavar="PROGRAM", help="this build of the example `floor`, instead of building it; `none` for no floors")
    parser.add_argument("--no-install", action="store_true", help="measure the peers that are there already")
    parser.add_argument("--out", metavar="FILE", default=os.path.join(servers.HERE, "..", "RESULTS.md"), help="the page to write [bench/RESULTS.md]")
    parser.add_argument("--json", metavar="FILE", default=os.path.join(servers.ROOT, "target", "side-by-side.json"), help="all runs [target/side-by-side.json]")
    return parser.parse_args()


def chosen(words, names):
    """The names that begin with one of the words; a name that is a word itself stands for itself alone."""
    if words is None:
        return list(names)
    found = []
    for word in [word.strip() for word in words.split(",")]:
        fits = [word] if word in names else [name for name in names if name.startswith(word)]
        if not fits:
            sys.exit("%s: there is no such thing; there are %s" % (word, "; ".join(names)))
        found += fits
    return [name for name in names if name in found]


def built(a):
    """The programs, made from this tree unless they were named."""
    release = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(servers.ROOT, "target")), "release")
    if not a.carrack:
        subprocess.run(["cargo", "build", "--release", "--locked"], cwd=servers.ROOT, check=True)
        a.carrack = os.path.join(release, "carrack")
    if not a.floor:
        subprocess.run(["cargo", "build", "--release", "--locked", "-p", "carrack-tls", "--example", "floor"], cwd=servers.ROOT, check=True)
        a.floor = os.path.join(release, "examples", "floor")
    a.carrack = os.path.abspath(a.carrack)


def installed(a, names):
    """The rows of those that are there, once those that are not were put there as far as that goes."""
    others = [name for name in names if not name.startswith("carrack")]
    if others and os.getuid() == 0 and not a.no_install:
        for script in ("peers", "bench-peers"):
            subprocess.run([os.path.join(servers.ROOT, "scripts", script)], check=False)
    rows = servers.rows(a.carrack)
    there = {}
    for name in names:
        if name in others and os.getuid() != 0:
            print("%s is left out: servers need root" % name, file=sys.stderr)
        elif not servers.is_there(rows[name]):
            print("%s is left out: it is not there" % name, file=sys.stderr)
        else:
            there[name] = rows[name]
    return there


class Run:
    """One side-by-side."""

    def __init__(self, a, sizes, rows):
        self.a, self.sizes, self.rows = a, sizes, rows
        self.running = {}
        self.begun = time.monotonic()
        self.results = dict(when=time.strftime("%Y-%m-%d %H:%M", time.gmtime()), rounds=a.rounds, quick=a.quick, machine=report.machine(),
                            floors={}, runs={}, memory={}, servers={})
        self.ground = ground.Ground(sizes, a.data)
        self.results["disk"] = self.ground.kind_of_disk()

    def server(self, name, on_disk):
        """A server that runs; it is started when it is first needed."""
        key = name, on_disk
        if key not in self.running:
            row = self.rows[name]
            self.running[key] = servers.Running(row, self.ground, self.ground.disk if on_disk else self.ground.memory)
            version = subprocess.run(["sh", "-c", row.version], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=dict(
                os.environ, **dict(row.environment))).stdout
            self.results["servers"][name] = dict(version=", ".join(line for line in version.split("\n") if line), settings=row.settings)
        return self.running[key]

    def end(self):
        for server in self.running.values():
            server.end()

    def measure(self, scenario, server):
        """One run of one scenario: what `carrack bench` says of it, with the figures that come of it, or why there are none."""
        if scenario.fresh:
            server.restart()
        argv = [self.a.carrack, "bench", "--json", "--quiet", "--ca", self.ground.cert, "--state", os.path.join(self.ground.work, "state"),
                "--cipher", "aes256", "--key-exchange", "p256"]
        argv += server.group.flags() + self.sizes.flags(scenario.flags) + ["ftpes://%s@127.0.0.1:%d/" % (ground.USER, server.port)]
        try:
            done = subprocess.run(ground.pinned(1, argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=LIMIT_S, env=dict(os.environ, CARRACK_PASSWORD=ground.PASSWORD, HOME=self.ground.work))
            said = [json.loads(line) for line in done.stdout.splitlines()]
        except subprocess.TimeoutExpired:
            return dict(failed="it ran for longer than %d s" % LIMIT_S)
        measured = next((one for one in said if one.get("event") == "measured"), None)
        if done.returncode or not measured:
            return dict(failed=(done.stdout + done.stderr)[-400:].strip())
        try:
            return dict(measured, figure=scenario.figure(measured), rate=scenario.rate(measured))
        except (KeyError, ZeroDivisionError) as missing:
            return dict(failed="nothing was measured: %s" % missing)

    def scenario(self, scenario):
        """All rounds of one scenario, server by server."""
        names = [name for name in self.rows if name in scenario.who]
        running = [(name, self.server(name, scenario.on_disk)) for name in names]
        for turn in range(min(self.a.rounds, scenario.rounds)):
            for name, server in running:
                measured = self.measure(scenario, server)
                self.results["runs"].setdefault(scenario.name, {}).setdefault(name, []).append(measured)
                told = measured.get("failed") or "%.3g %s, %.4g %s" % (measured["figure"], scenario.unit, measured["rate"], scenario.rate_unit())
                print("%-22s round %d %-24s %s" % (scenario.name, turn + 1, name, told), flush=True)
        if scenario.name in ("list", "list-many"):
            self.list_memory(scenario)

    def list_memory(self, scenario):
        """The most memory that our server has had for one listing, and nothing else before it."""
        if "carrack" in self.rows:
            server = self.server("carrack", False)
            server.restart()
            self.measure(scenario, server)
            self.results["memory"][scenario.name] = server.group.highest_memory_kib()

    def floors(self):
        """What the machine asks at least."""
        mib, files = (16, 50) if self.a.quick else (1024, 2000)
        for turn in range(min(self.a.rounds, 5)):
            for name in floors.FLOORS:
                measured = floors.measure(self.a.floor, name, self.ground, mib, files)
                if measured:
                    self.results["floors"].setdefault(name, []).append(measured)
                    print("floor %-20s round %d %s" % (name, turn + 1, measured), flush=True)

    def save(self):
        self.results["minutes"] = (time.monotonic() - self.begun) / 60
        os.makedirs(os.path.dirname(os.path.abspath(self.a.json)), exist_ok=True)
        with open(self.a.json, "w") as out:
            json.dump(self.results, out, indent=1)
        rest = report.by_hand(self.a.out)
        with open(self.a.out, "w") as out:
            out.write(report.page(self.results, self.sizes, BARS) + ("\n" + rest if rest else ""))


def main():
    a = arguments()
    a.rounds = a.rounds or (1 if a.quick else 5)
    sizes = QUICK if a.quick else Sizes().within_limits()
    names = chosen(a.scenarios, SCENARIOS)
    servers_named = chosen(a.servers, servers.rows(""))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    built(a)
    rows = installed(a, servers_named)
    if not any(SCENARIOS[name].on_disk for name in names) and a.floor == "none":
        a.data = None
    with ground.without_page_reporting(not a.quick) as page_reporting:
        run = Run(a, sizes, rows)
        run.results["page_reporting"] = page_reporting
        try:
            if a.floor != "none":
                run.floors()
            for name in names:
                run.scenario(SCENARIOS[name])
                run.save()
        finally:
            run.end()
    print(open(a.out).read(), end="")
    if any("failed" in one for by_server in run.results["runs"].values() for one in by_server.get("carrack", [])):
        sys.exit("a run of Carrack has failed")
