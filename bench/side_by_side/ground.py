"""What every server of one run shares: the user, the certificate, the files, and how its processes are held and counted."""
import atexit
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

USER, PASSWORD = "sailor", "bench-pass"
# Cheap on purpose (8 KiB, one pass), so that servers are compared and not hashes of passwords.
PASSWORD_ARGON2 = "$argon2id$v=19$m=8,t=1,p=1$8mloL/GcnHeP9wn/kf30GA$+eRb3H0e/MTcwrp3bGDuc26+Ao84M2bzOIAVqbU8WTE"
NOBODY = 65534
SMALL = 1024
LISTEN_S = 10
END_S = 5
MIB = 1 << 20
PAGE_REPORTING = "/sys/module/page_reporting/parameters/page_reporting_order"


def run(argv, **kw):
    """Runs a command that must succeed; its output."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(argv), done.stdout[-2000:]))
    return done.stdout


def pinned(core, argv):
    """The command on one core, where there are two."""
    return ["taskset", "-c", str(core)] + argv if (os.cpu_count() or 1) > 1 else argv


class Group:
    """The control group of one server: what counts the processor time of all its processes, those that have ended too."""

    def __init__(self, name):
        self.folder, self.first = None, None
        with open("/proc/mounts") as mounts:
            mounts = [line.split()[1:4] for line in mounts]
        places = [(at, "cpu.stat") for at, kind, _ in mounts if kind == "cgroup2"]
        places += [(at, "cpuacct.usage") for at, kind, options in mounts if kind == "cgroup" and "cpuacct" in options.split(",")]
        for at, counter in places:
            folder = os.path.join(at, "carrack-bench-%d-%s" % (os.getpid(), re.sub(r"\W", "_", name)))
            try:
                os.mkdir(folder)
                if os.path.exists(os.path.join(folder, counter)) and os.access(os.path.join(folder, "cgroup.procs"), os.W_OK):
                    self.folder = folder
                    return
                os.rmdir(folder)
            except OSError:
                pass

    def enter(self):
        """Runs in a server's first process."""
        if self.folder:
            with open(os.path.join(self.folder, "cgroup.procs"), "w") as procs:
                procs.write("0")

    def flags(self):
        """How `carrack bench` is told of it. Without rights to a group it is the first process, in steps of 10 ms."""
        return ["--cgroup", self.folder] if self.folder else ["--pid", str(self.first)]

    def pids(self):
        if not self.folder:
            return []
        with open(os.path.join(self.folder, "cgroup.procs")) as procs:
            return [int(pid) for pid in procs.read().split()]

    def highest_memory_kib(self):
        """The most memory that its processes of now had at once, added up."""
        kib = 0
        for pid in self.pids() or [self.first]:
            with contextlib.suppress(OSError), open("/proc/%d/status" % pid) as status:
                kib += sum(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
        return kib

    def end(self, first):
        """Ends the first process and what is left of the group."""
        for one in (signal.SIGTERM, signal.SIGKILL):
            for pid in set(self.pids()) | ({first.pid} if first.poll() is None else set()):
                with contextlib.suppress(OSError):
                    os.kill(pid, one)
            end = time.monotonic() + END_S
            while time.monotonic() < end:
                if first.poll() is not None and not self.pids():
                    return
                time.sleep(0.02)

    def remove(self):
        if self.folder:
            with contextlib.suppress(OSError):
                os.rmdir(self.folder)


class Ground:
    """Folders, certificate, and what is downloaded and listed; in memory, and once more on a disk."""

    def __init__(self, sizes, disk):
        self.sizes = sizes
        self.work = tempfile.mkdtemp(prefix="carrack-bench-", dir="/dev/shm")
        atexit.register(shutil.rmtree, self.work, ignore_errors=True)
        os.chmod(self.work, 0o755)
        self.cert, self.key = os.path.join(self.work, "cert.pem"), os.path.join(self.work, "key.pem")
        run(["openssl", "req", "-x509", "-nodes", "-days", "40", "-subj", "/CN=localhost", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key, "-out", self.cert])
        self.both = os.path.join(self.work, "both.pem")
        with open(self.both, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as both:
            both.write(open(self.key).read() + open(self.cert).read())
        self.memory, self.disk = os.path.join(self.work, "root"), None
        os.mkdir(self.memory)
        self.fill()
        self.own(self.memory)
        if disk:
            os.makedirs(disk, exist_ok=True)
            self.disk = tempfile.mkdtemp(prefix="carrack-bench-", dir=disk)
            atexit.register(shutil.rmtree, self.disk, ignore_errors=True)
            os.chmod(self.disk, 0o755)
            self.own(self.disk)
        self.raise_limits()

    def kind_of_disk(self):
        """The file system of the disk."""
        if not self.disk:
            return "not measured"
        return run(["stat", "--file-system", "--format", "%T", self.disk]).strip()

    def fill(self):
        block = os.urandom(MIB)
        # In a guest the first touch of a page is its host's work: this much will be needed later, by whoever comes first.
        with open(os.path.join(self.memory, "warm"), "wb") as warm:
            for _ in range(self.sizes.warm_mib):
                warm.write(block)
        os.unlink(warm.name)
        with open(os.path.join(self.memory, "big.bin"), "wb") as big:
            for _ in range(self.sizes.big_mib):
                big.write(block)
        with open(os.path.join(self.memory, "small.bin"), "wb") as small:
            small.write(block[:SMALL])
        for folder, entries in (("list", self.sizes.entries), ("many", self.sizes.many)):
            os.mkdir(os.path.join(self.memory, folder))
            for number in range(entries):
                with open(os.path.join(self.memory, folder, "entry-%06d.dat" % number), "wb") as entry:
                    entry.write(block[:number % 700])

    def own(self, root):
        """Gives the files to the user that servers write as."""
        if os.getuid() == 0:
            for folder, _, files in os.walk(root):
                for path in [folder] + [os.path.join(folder, name) for name in files]:
                    os.chown(path, NOBODY, NOBODY)

    def raise_limits(self):
        """10,000 sessions are as many descriptors, on both sides."""
        for most in (1 << 17, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
                return


@contextlib.contextmanager
def without_page_reporting(is_in_earnest):
    """A guest that gives memory back to its host pays for the first touch of a page many times what writing it costs. Says what
    was done about it."""
    try:
        if not is_in_earnest:
            raise PermissionError
        with open(PAGE_REPORTING) as order:
            before = order.read().strip()
        with open(PAGE_REPORTING, "w") as order:
            order.write("11")
    except OSError:
        yield "free page reporting to a host is as it was (not there, or not ours to change)"
        return
    try:
        yield "free page reporting to the host switched off for the run (order 11, %s before)" % before
    finally:
        with open(PAGE_REPORTING, "w") as order:
            order.write(before)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(port, process):
    """Whether somebody listens there before long."""
    end = time.monotonic() + LISTEN_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.05)
    return False
