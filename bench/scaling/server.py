"""A Carrack server of its own for one measurement: started, looked at from outside, and ended."""
import os
import shutil
import socket
import subprocess
import tempfile
import time

SERVER_CORE, LOAD_CORE = 0, 1
# Whether each can have its own. Asked before the load takes its place.
TWO_CORES = {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0)
USER, PASSWORD = "sailor", "bench-pass"
# Of that password, with m = 8 KiB and t = 1: what an idle session weighs is measured, not what guessing passwords costs.
PASSWORD_HASH = "$argon2id$v=19$m=8,t=1,p=1$8mloL/GcnHeP9wn/kf30GA$+eRb3H0e/MTcwrp3bGDuc26+Ao84M2bzOIAVqbU8WTE"
# Beneath the ports that the kernel gives to clients.
PASSIVE_PORTS = "20000-29999"
LISTEN_S = 20

CONFIGURATION = """\
state = "{work}/state"

[[listen]]
address = "127.0.0.1:{port}"

[passive]
ports = "{ports}"

[timeouts]
idle_s = 3600
data_stall_s = 600

[limits]
sessions = 100000
sessions_per_source = 100000

[[user]]
name = "{user}"
password = "{password}"
home = "{home}"
permissions = ["list", "read", "write", "overwrite", "delete", "rename", "mkdir"]
"""


class Server:
    """A server whose only user has `home`. Use it in a `with`."""

    def __init__(self, program, home):
        self.work = tempfile.mkdtemp(prefix="carrack-scale-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        configuration = os.path.join(self.work, "carrack.toml")
        with open(configuration, "w") as out:
            out.write(CONFIGURATION.format(work=self.work, port=self.port, ports=PASSIVE_PORTS, user=USER, password=PASSWORD_HASH, home=home))
        self.log = os.path.join(self.work, "log")
        pin = (lambda: os.sched_setaffinity(0, {SERVER_CORE})) if TWO_CORES else None
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([program, "serve", "--config", configuration], preexec_fn=pin, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self.pid = self.process.pid
        self.wait_until_it_listens()

    def wait_until_it_listens(self):
        end = time.monotonic() + LISTEN_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    with open(self.log) as log:
                        raise SystemExit("the server does not listen: " + log.read()[-2000:])
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def cpu(self):
        """Seconds of processor time that all its threads have used: the kernel's CPU clock of another process, exact to nanoseconds."""
        cpuclock_sched = 2
        return time.clock_gettime((~self.pid << 3) | cpuclock_sched)

    def settled_cpu(self):
        """The same, once it has nothing more to do."""
        last = self.cpu()
        for _ in range(100):
            time.sleep(0.02)
            now = self.cpu()
            if now - last < 0.0003:
                break
            last = now
        return now

    def pss(self):
        """Bytes of memory, that which is shared counted in parts."""
        with open("/proc/%d/smaps_rollup" % self.pid) as rollup:
            return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) << 10

    def forget_peak(self):
        """From here on `peak` counts anew (proc(5), clear_refs)."""
        with open("/proc/%d/clear_refs" % self.pid, "w") as clear:
            clear.write("5")

    def resident(self):
        return self.status("VmRSS")

    def peak(self):
        return self.status("VmHWM")

    def status(self, key):
        with open("/proc/%d/status" % self.pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith(key + ":")) << 10
