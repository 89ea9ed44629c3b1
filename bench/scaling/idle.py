"""What does a client that has logged in and does nothing cost the server: in memory, and in processor time?"""
import time

from .server import PASSWORD, USER, Server
from .session import Session, context

# Sessions that are there before it is counted.
BEFORE = 50


def measure(program, folder, count, seconds):
    """One point: `count` idle sessions on a fresh server."""
    with Server(program, folder) as server:
        tls = context()
        # The first logins bring in pages of the program and of the heap that every server has in memory sooner or later.
        before = [Session(server.port, tls, USER, PASSWORD).leave_to_kernel() for _ in range(BEFORE)]
        server.settled_cpu()
        memory, cpu, begun = server.pss(), server.cpu(), time.monotonic()
        idle = [Session(server.port, tls, USER, PASSWORD).leave_to_kernel() for _ in range(count)]
        logins = server.settled_cpu() - cpu
        took = time.monotonic() - begun
        memory = server.pss() - memory
        cpu, begun = server.cpu(), time.monotonic()
        time.sleep(seconds)
        cpu = (server.cpu() - cpu) / (time.monotonic() - begun)
        for session in before + idle:
            session.close()
        return {
            "sessions": count,
            "bytes_per_session": memory / count,
            "cpu_ms_per_login": logins / count * 1e3,
            "logins_per_s": count / took,
            "idle_cpu_ms_per_s": cpu * 1e3,
        }
