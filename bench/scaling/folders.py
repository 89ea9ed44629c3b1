"""What does a listing cost the server as the folder grows, and how much memory does it take meanwhile?"""
import os
import shutil
import time

from .server import PASSWORD, USER, Server
from .session import Session, bare, context, drop_all, dropped

# Entries that are listed for one point, so that a small folder is listed often enough for its cost to be seen.
LISTED = 200_000
MOST_TIMES, LEAST_TIMES = 400, 2


def fill(folder, entries):
    """An empty file for each entry."""
    os.makedirs(folder)
    for number in range(entries):
        os.close(os.open(os.path.join(folder, "file-%07d.dat" % number), os.O_CREAT | os.O_WRONLY, 0o644))


def measure(program, folder, entries, most_times=MOST_TIMES):
    """One point: a folder of so many entries, listed by MLSD again and again by one session of a fresh server."""
    times = min(most_times, max(LEAST_TIMES, LISTED // max(1, entries)))
    home = os.path.join(folder, "folders")
    fill(os.path.join(home, "list"), entries)
    try:
        with Server(program, home) as server:
            session = Session(server.port, context(), USER, PASSWORD)
            session.protect()
            # The first one brings in what every later one finds in memory.
            listing(session, "MLSD /")
            server.settled_cpu()
            server.forget_peak()
            memory = server.resident()
            length, first = listing(session, "MLSD /list")
            peak_growth = server.peak() - memory
            cpu, begun = server.settled_cpu(), time.monotonic()
            for _ in range(times):
                listing(session, "MLSD /list")
            took = (time.monotonic() - begun) / times
            cpu = server.settled_cpu() - cpu
            return {
                "entries": entries,
                "times": times,
                "bytes": length,
                "seconds": took,
                "first_byte_s": first,
                "cpu_s_per_listing": cpu / times,
                "peak_growth": peak_growth,
            }
    finally:
        shutil.rmtree(home)


def listing(session, command):
    """The length of a listing as it travels, and how long its first byte took."""
    begun = time.monotonic()
    data = bare(session.open(command, window=None))
    data.settimeout(60)
    length = dropped(data)
    first = time.monotonic() - begun
    length += drop_all(data)
    data.close()
    session.answer("226")
    return length, first
