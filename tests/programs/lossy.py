"""A line between two network namespaces that loses, delays and reorders IP packets and has only so much room, from a seed.

    lossy.py NAMESPACE ADDRESS NAMESPACE ADDRESS --seed N --loss PER_CENT --delay MS --reorder PER_CENT --rate KILOBITS

Each namespace gets a TUN device with that address (a.b.c.d/nn). The delay is one way; a packet that is reordered takes half as long
again. What waits for its turn on the line is at most half a second; what comes then is lost as well, as at a router. Prints "ready",
and when its input ends how many packets passed and were lost.
"""
import argparse
import collections
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MOST_QUEUED_S = 0.5


def device(number, namespace, address):
    name = f"lossy{os.getpid()}{'ab'[number]}"
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    for command in (
        f"ip link set {name} netns {namespace}",
        f"ip -n {namespace} link set {name} name lossy",
        f"ip -n {namespace} address add {address} dev lossy",
        f"ip -n {namespace} link set lossy up",
    ):
        subprocess.run(command.split(), check=True)
    return tun


class Direction:
    """One way of the line."""

    def __init__(self, source, target, options, seed):
        self.source, self.target, self.options = source, target, options
        self.random = random.Random(seed)
        self.free_at = 0.0
        self.waiting = []
        self.counts = collections.Counter()

    def take(self, now):
        """Everything that the source has to say."""
        while True:
            try:
                packet = os.read(self.source, 65536)
            except BlockingIOError:
                return
            # Drawn for every packet, so that a packet's fate hangs on its number alone.
            is_lost = self.random.random() * 100 < self.options.loss
            is_late = self.random.random() * 100 < self.options.reorder
            self.free_at = max(self.free_at, now)
            if is_lost or self.free_at - now > MOST_QUEUED_S:
                self.counts["lost" if is_lost else "no room"] += 1
                continue
            self.counts["passed"] += 1
            self.counts["late"] += is_late
            self.free_at += len(packet) * 8 / (self.options.rate * 1000)
            arrives = self.free_at + self.options.delay / 1000 * (1.5 if is_late else 1)
            heapq.heappush(self.waiting, (arrives, self.counts["passed"], packet))

    def give(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            try:
                os.write(self.target, heapq.heappop(self.waiting)[2])
            except OSError:
                # A device without room is one more place where packets are lost.
                self.counts["no room"] += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ends", nargs=4)
    parser.add_argument("--seed", type=int, required=True)
    for name in ("loss", "delay", "reorder", "rate"):
        parser.add_argument("--" + name, type=float, required=True)
    options = parser.parse_args()
    one = device(0, *options.ends[:2])
    other = device(1, *options.ends[2:])
    ways = [Direction(one, other, options, options.seed), Direction(other, one, options, options.seed + 1)]
    print("ready", flush=True)
    while True:
        next_at = min((way.waiting[0][0] for way in ways if way.waiting), default=None)
        timeout = None if next_at is None else max(0.0, next_at - time.monotonic())
        readable, _, _ = select.select([one, other, sys.stdin], [], [], timeout)
        now = time.monotonic()
        for way in ways:
            way.take(now)
            way.give(now)
        if sys.stdin in readable:
            total = sum((way.counts for way in ways), collections.Counter())
            print(*(f"{total[word]} {word}" for word in ("passed", "lost", "late", "no room")), sep=", ", flush=True)
            return


main()
