"""What does a gigabyte cost the server, and how equally are equals served, when many transfers run at once?"""
import os
import selectors
import ssl
import statistics
import time

from .server import PASSWORD, USER, Server
from .session import Session, bare, context, dropped

# A file that no transfer reaches the end of. It is sparse: what is measured is the server, not a disk.
ENDLESS = 1 << 40
# What a slow reader takes in a second, and how often it looks.
SLOW = 1 << 20
LOOK_S = 0.05
# How long a transfer may stand still before that is what was measured.
PATIENCE_S = 30
# What a fast reader takes before the next one has its turn: equal turns, so that it is the server who decides who gets more.
TURN = 512 << 10
SENT = bytes(64 << 10)
# Uploads rest in memory: what they may fill until they are stopped.
MOST_UPLOADED = 6 << 30


class Reader:
    """A download, and how much of it has been taken."""

    def __init__(self, session, is_slow):
        self.session, self.is_slow, self.taken = session, is_slow, 0
        self.data = bare(session.open("RETR endless"))
        self.data.setblocking(False)

    def take(self, most=TURN):
        try:
            count = dropped(self.data, most)
        except BlockingIOError:
            return
        if not count:
            raise SystemExit("a download ended: " + self.session.answer("226"))
        self.taken += count


class Writer:
    """An upload, and how much of it has been sent."""

    def __init__(self, session, number):
        self.session, self.is_slow, self.taken = session, False, 0
        self.data = session.open("STOR upload-%d" % number)
        self.data.setblocking(False)

    def take(self):
        try:
            self.taken += self.data.send(SENT)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass


def downloads(is_half_slow):
    return lambda session, number: Reader(session, is_half_slow and number % 2 == 1), selectors.EVENT_READ


def uploads():
    return Writer, selectors.EVENT_WRITE


def measure(program, folder, count, kind, seconds, warm_up_s):
    """One point: `count` transfers at once, for so many seconds, of a fresh server."""
    begin, event = kind
    home = os.path.join(folder, "transfers")
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, "endless"), "w") as endless:
        endless.truncate(ENDLESS)
    with Server(program, home) as server:
        tls, running = context(), []
        for number in range(count):
            session = Session(server.port, tls, USER, PASSWORD)
            session.protect()
            running.append(begin(session, number))
        move(running, event, warm_up_s)
        before, cpu = [transfer.taken for transfer in running], server.cpu()
        elapsed = move(running, event, seconds)
        cpu = server.cpu() - cpu
        moved = [transfer.taken - earlier for transfer, earlier in zip(running, before)]
        for transfer in running:
            transfer.data.close()
            transfer.session.control.close()
    for name in os.listdir(home):
        os.unlink(os.path.join(home, name))
    fast = [size for size, transfer in zip(moved, running) if not transfer.is_slow]
    slow = [size for size, transfer in zip(moved, running) if transfer.is_slow]
    total = sum(moved)
    return {
        "transfers": count,
        "seconds": elapsed,
        "bytes": total,
        "mb_per_s": total / elapsed / 1e6,
        "cpu_s_per_gb": cpu / (total / 1e9),
        "busy": cpu / elapsed,
        "equals": shares(fast),
        "slow": shares(slow) if slow else None,
        "slow_mb_per_s": statistics.mean(slow) / elapsed / 1e6 if slow else None,
    }


def shares(sizes):
    """The least, the middle and the most that one of them had, as parts of the mean, and how far they lie apart."""
    mean = statistics.mean(sizes)
    if not mean:
        raise SystemExit("transfers stand still: none of %d moved a byte" % len(sizes))
    least, middle, most = min(sizes) / mean, statistics.median(sizes) / mean, max(sizes) / mean
    return {"least": least, "middle": middle, "most": most, "apart": (most - least)}


def move(running, event, seconds):
    """Lets all of them run for this time, or until each has moved something; says how long it was."""
    slow = [transfer for transfer in running if transfer.is_slow]
    taken = [transfer.taken for transfer in slow]
    before = [transfer.taken for transfer in running]
    stands_still = lambda: any(transfer.taken == earlier for transfer, earlier in zip(running, before))
    with selectors.EpollSelector() as ready:
        for transfer in running:
            if not transfer.is_slow:
                ready.register(transfer.data, event, transfer)
        begun = now = time.monotonic()
        looks_at, uploaded = begun, 0
        while now - begun < seconds or (now - begun < PATIENCE_S and stands_still()):
            for key, _ in ready.select(0):
                key.data.take()
            now = time.monotonic()
            if now >= looks_at:
                looks_at = now + LOOK_S
                allowed = int((now - begun) * SLOW)
                for transfer, earlier in zip(slow, taken):
                    if allowed > transfer.taken - earlier:
                        transfer.take(allowed - (transfer.taken - earlier))
                if event == selectors.EVENT_WRITE and sum(transfer.taken for transfer in running) > MOST_UPLOADED:
                    break
    return now - begun
