#!/usr/bin/env python3
"""What `carrack cp` costs beside curl and lftp, against one vsftpd, in one interleaved run.

    bench/clients.py [--rounds 3] [--mib 2048] [--files 2000] [--only SCENARIO ...] [--cores apart|shared] [--disk target]
                     [--carrack target/release/carrack] [--out FILE]

Needs root (vsftpd logs a system user in; /etc is replaced by a copy with that user in a mount namespace of its own), vsftpd
(installed, or unpacked by scripts/peers), curl, lftp and openssl. Everything goes over loopback on tmpfs ("get, to disk": into a
folder of `--disk`). The server is pinned to core 0 and the client to core 1; with `--cores shared` neither is pinned. CPU is
what the kernel says was used, user and system: by the client of wait4, by the server of a control group, where there are any
(cgroup v2, or v1's cpuacct). Of the server's cores it is said how busy they were, because a client is no faster than its
server.
In a guest that gives free memory back to its host (/sys/module/page_reporting), the first touch of a page costs many times
what writing it does: switch that off for the run, with `echo 11 > /sys/module/page_reporting/parameters/page_reporting_order`.
"""
import argparse
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

USER, PASSWORD = "sailor", "bench-pass"
# What curl does in a row takes 0.2 s each, so it gets fewer. Uploads in a row fail for it with TLS 1.3 (522, its tickets run
# out), so those are held to TLS 1.2.
CURL_FILES = 100
BIG = ("get", "get, to disk", "get, dropped", "put")
LISTEN_S = 10
VSFTPD_PROGRAM = shutil.which("vsftpd", path=os.environ.get("PATH", "") + ":/usr/sbin") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", "target", "peers", "usr", "sbin", "vsftpd"))

VSFTPD = """\
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=NO
local_enable=YES
local_root={root}
write_enable=YES
chroot_local_user=YES
allow_writeable_chroot=YES
pam_service_name=vsftpd
secure_chroot_dir={work}/empty
xferlog_enable=NO
ssl_enable=YES
ssl_sslv2=NO
ssl_sslv3=NO
ssl_ciphers=HIGH
rsa_cert_file={cert}
rsa_private_key_file={key}
force_local_logins_ssl=YES
force_local_data_ssl=YES
max_per_ip=0
max_clients=0
"""


def run(argv, **kw):
    """Runs a command that must succeed, without its output."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(argv), done.stdout[-2000:]))
    return done.stdout


def idle_of(cores):
    """Seconds that each of these cores had nothing to do since the machine started, on average."""
    with open("/proc/stat") as stat:
        of_core = {line.split()[0]: int(line.split()[4]) for line in stat if line.startswith("cpu")}
    return sum(of_core["cpu%d" % core] for core in cores) / len(cores) / os.sysconf("SC_CLK_TCK")


def measured(argv, env, server, cores):
    """(wall s, CPU s, CPU s of the server, part of the time that the server's cores were busy) of a client on these cores."""
    start, idle, served = time.monotonic(), idle_of(server.cores), server.group.cpu()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(["taskset", "-c", listed(cores)] + argv, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            output.seek(0)
            sys.exit("%s: status %d: %s" % (" ".join(argv), child.returncode, output.read()[-2000:].decode(errors="replace")))
    busy = max(0, 1 - (idle_of(server.cores) - idle) / wall)
    # Its sessions end after the client has.
    time.sleep(0.1)
    return wall, used.ru_utime + used.ru_stime, server.group.cpu() - served, busy


def listed(cores):
    """Cores as taskset takes them."""
    return ",".join(str(core) for core in cores)


class Group:
    """A control group for one tree of processes; without any, its CPU is not a number."""

    def __init__(self):
        self.folder = None
        mounts = [line.split() for line in open("/proc/mounts")]
        places = [(m[1], "cpuacct.usage") for m in mounts if m[2] == "cgroup" and "cpuacct" in m[3].split(",")]
        places += [(m[1], "cpu.stat") for m in mounts if m[2] == "cgroup2"]
        for base, self.file in places:
            try:
                self.folder = tempfile.mkdtemp(prefix="carrack-bench-", dir=base)
                return
            except OSError:
                pass

    def enter(self):
        """Of the process that begins the tree, before it does."""
        if self.folder:
            with open(os.path.join(self.folder, "cgroup.procs"), "w") as procs:
                procs.write("0")

    def cpu(self):
        """Seconds so far."""
        if not self.folder:
            return float("nan")
        with open(os.path.join(self.folder, self.file)) as figures:
            words = figures.read().split()
        return int(words[0]) / 1e9 if len(words) == 1 else int(words[words.index("usage_usec") + 1]) / 1e6

    def end(self):
        """Of a tree that has ended; a session of it may take a little longer."""
        end = time.monotonic() + LISTEN_S
        while self.folder:
            try:
                return os.rmdir(self.folder)
            except OSError:
                if time.monotonic() > end:
                    return
                time.sleep(0.05)


class Server:
    """vsftpd with one user, whose root is the work folder's `root`, on these cores."""

    def __init__(self, work, disk, cores):
        self.work, self.disk, self.root = work, disk, os.path.join(work, "root")
        self.cores, self.group = cores, Group()
        self.cert, self.key = os.path.join(work, "cert.pem"), os.path.join(work, "key.pem")
        for folder in ("empty", "root", "root/up"):
            os.mkdir(os.path.join(work, folder))
        run(["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key, "-out", self.cert])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.configure()
        # All of it: whoever adds a user meanwhile puts new files in the place of the old ones, which undoes a mount of each.
        private = "cd %s && mount --bind etc /etc && exec taskset -c %s %s %s/vsftpd.conf" % (work, listed(cores), VSFTPD_PROGRAM, work)
        self.process = subprocess.Popen(["unshare", "--mount", "sh", "-ec", private], stdin=subprocess.DEVNULL, preexec_fn=self.group.enter)
        end = time.monotonic() + LISTEN_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    sys.exit("vsftpd does not listen")
                time.sleep(0.05)

    def configure(self):
        work, etc = self.work, os.path.join(self.work, "etc")
        shutil.copytree("/etc", etc, symlinks=True)
        with open(os.path.join(etc, "pam.d", "vsftpd"), "w") as out:
            out.write("auth required pam_unix.so\naccount required pam_unix.so\n")
        hashed = run(["openssl", "passwd", "-1", "-salt", "benchsal", PASSWORD]).strip()
        nobody = 65534
        with open(os.path.join(etc, "passwd"), "a") as out:
            out.write("%s:x:%d:%d::%s:/bin/sh\n" % (USER, nobody, nobody, self.root))
        with open(os.path.join(etc, "shadow"), "a") as out:
            out.write("%s:%s:20000:0:99999:7:::\n" % (USER, hashed))
        with open(os.path.join(work, "vsftpd.conf"), "w") as out:
            out.write(VSFTPD.format(port=self.port, root=self.root, work=work, cert=self.cert, key=self.key))
        os.chown(os.path.join(self.root, "up"), nobody, nobody)

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.group.end()


def clients(server, a):
    """name -> scenario -> (argv, files or bytes moved)"""
    host, scratch, source = "localhost:%d" % server.port, os.path.join(server.work, "down"), os.path.join(server.work, "source")
    carrack = [a.carrack, "cp", "--quiet", "--ca", server.cert, "--state", os.path.join(server.work, "state")]
    ours = "ftpes://%s@%s/" % (USER, host)
    curl = ["curl", "-sS", "--ssl-reqd", "--cacert", server.cert, "--user", "%s:%s" % (USER, PASSWORD)]
    theirs = "ftp://%s/" % host
    lftp = lambda what, more="": ["lftp", "-c", "set cmd:fail-exit yes; set ssl:ca-file %s; set ftp:ssl-force true; set ftp:ssl-protect-data true; "
                                  "%sopen -u %s,%s %s; %s" % (server.cert, more, USER, PASSWORD, theirs, what)]
    only_12 = "set ssl:priority NORMAL:-VERS-TLS1.3; "
    disk = os.path.join(server.disk, "down")
    size = a.mib << 20
    return {
        "get": {
            "carrack": (carrack + [ours + "big.bin", scratch + "/"], size),
            "curl": (curl + ["-o", scratch + "/big.bin", theirs + "big.bin"], size),
            "lftp": (lftp("get big.bin -o %s/big.bin" % scratch), size),
        },
        "get, to disk": {
            "carrack": (carrack + [ours + "big.bin", disk + "/"], size),
            "curl": (curl + ["-o", disk + "/big.bin", theirs + "big.bin"], size),
            "lftp": (lftp("get big.bin -o %s/big.bin" % disk), size),
        },
        "get, dropped": {
            "carrack": (["sh", "-c", 'exec "$@" > /dev/null', "sh"] + carrack + [ours + "big.bin", "-"], size),
            "curl": (curl + ["-o", "/dev/null", theirs + "big.bin"], size),
            "lftp": (lftp("cat big.bin > /dev/null"), size),
        },
        "put": {
            "carrack": (carrack + [server.root + "/big.bin", ours + "up/"], size),
            "curl": (curl + ["-T", server.root + "/big.bin", theirs + "up/"], size),
            "lftp": (lftp("put %s/big.bin -o up/big.bin" % server.root), size),
        },
        "many down": {
            "carrack": (carrack + ["-r", ours + "small/", scratch + "/small/"], a.files),
            "curl": (curl + ["--create-dirs", "-o", scratch + "/small/#1", theirs + "small/f-[00000-%05d].bin" % (CURL_FILES - 1)], CURL_FILES),
            "lftp": (lftp("mirror -P 8 small %s/small" % scratch), a.files),
        },
        "many down, TLS 1.2": {
            "carrack": (carrack + ["--tls", "1.2", "-r", ours + "small/", scratch + "/small/"], a.files),
            "curl": (curl + ["--tls-max", "1.2", "--create-dirs", "-o", scratch + "/small/#1", theirs + "small/f-[00000-%05d].bin" % (CURL_FILES - 1)], CURL_FILES),
            "lftp": (lftp("mirror -P 8 small %s/small" % scratch, only_12), a.files),
        },
        "many up": {
            "carrack": (carrack + ["-r", source + "/", ours + "up/small/"], a.files),
            "curl": (curl + ["--tls-max", "1.2", "--ftp-create-dirs", "-T", "{%s}" % ",".join("%s/f-%05d.bin" % (source, n) for n in range(CURL_FILES)), theirs + "up/small/"], CURL_FILES),
            "lftp": (lftp("mirror -R -P 8 %s up/small" % source), a.files),
        },
    }


def fill(server, a):
    block = os.urandom(1 << 20)
    with open(os.path.join(server.root, "big.bin"), "wb") as out:
        for _ in range(a.mib):
            out.write(block)
    for folder in (os.path.join(server.root, "small"), os.path.join(server.work, "source")):
        os.mkdir(folder)
        for n in range(a.files):
            with open(os.path.join(folder, "f-%05d.bin" % n), "wb") as out:
                out.write(block[n:n + 1024])


def warm(server, a):
    """Touches the memory that the largest scenario needs: in a guest, the first touch of a page is its host's work."""
    place = os.path.join(server.work, "warm")
    block = os.urandom(1 << 20)
    with open(place, "wb") as out:
        for _ in range(2 * a.mib):
            out.write(block)
    os.unlink(place)


def empty(server):
    """Takes away what the last client moved."""
    down, up = os.path.join(server.work, "down"), os.path.join(server.root, "up")
    for folder in (down, up, os.path.join(server.disk, "down")):
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
    os.chown(up, 65534, 65534)


def moved(server, scenario, count):
    """Dies unless the scenario has moved what it should."""
    if scenario == "get, dropped":
        return
    if scenario == "get, to disk":
        place = os.path.join(server.disk, "down")
    elif scenario in ("get", "many down", "many down, TLS 1.2"):
        place = os.path.join(server.work, "down")
    else:
        place = os.path.join(server.root, "up")
    files = [os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names]
    if scenario in BIG:
        right = [os.path.getsize(file) for file in files] == [count]
    else:
        right = len(files) == count and all(os.path.getsize(file) == 1024 for file in files)
    if not right:
        sys.exit("%s: not all was moved: %d files" % (scenario, len(files)))


def cell(values):
    return "%.3g (%.3g-%.3g)" % (statistics.median(values), min(values), max(values))


def report(runs, a, versions):
    lines = ["Machine: %s x%d, Linux %s. Cores %s. %d rounds, interleaved; %d MiB files; %d files of 1 KiB (curl: %d); median (min-max)." % (
        platform.processor() or platform.machine(), os.cpu_count(), platform.release(), a.cores, a.rounds, a.mib, a.files, CURL_FILES), ""]
    lines += ["- %s" % version for version in versions]
    lines += ["", "| scenario | figure | carrack | curl | lftp | carrack / curl | carrack / lftp |", "|---|---|---:|---:|---:|---:|---:|"]
    for scenario, by_client in runs.items():
        big = scenario in BIG
        figures = {
            "CPU s/GB" if big else "CPU ms/file": lambda wall, cpu, served, busy, n: cpu / n * (1e9 if big else 1e3),
            "MB/s" if big else "files/s": lambda wall, cpu, served, busy, n: n / wall / (1e6 if big else 1),
            "server's CPU " + ("s/GB" if big else "ms/file"): lambda wall, cpu, served, busy, n: served / n * (1e9 if big else 1e3),
            "server's cores busy, %": lambda wall, cpu, served, busy, n: busy * 100,
        }
        for unit, figure in figures.items():
            of = {client: [figure(*one) for one in rounds] for client, rounds in by_client.items()}
            ratio = lambda other: "%.3g" % statistics.median(x / y for x, y in zip(of["carrack"], of[other]))
            lines.append("| %s | %s | %s | %s | %s | %s | %s |" % (
                scenario, unit, cell(of["carrack"]), cell(of["curl"]), cell(of["lftp"]), ratio("curl"), ratio("lftp")))
    return "\n".join(lines) + "\n"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--carrack", default=os.path.join(here, "..", "target", "release", "carrack"))
    parser.add_argument("--disk", default=os.path.join(here, "..", "target"), help="where \"get, to disk\" writes")
    parser.add_argument("--only", action="append", help="a scenario, such as \"many down\"; may be given several times")
    parser.add_argument("--cores", choices=("apart", "shared"), default="apart", help="whether server and client have a core each")
    parser.add_argument("--out", help="a file for the table; it is always printed")
    a = parser.parse_args()
    a.carrack = os.path.abspath(a.carrack)
    work = tempfile.mkdtemp(prefix="carrack-bench-", dir="/dev/shm")
    os.chmod(work, 0o755)
    disk = tempfile.mkdtemp(prefix="bench-", dir=a.disk)
    everywhere = list(range(os.cpu_count()))
    of_server, of_client = ([0], [1]) if a.cores == "apart" else (everywhere, everywhere)
    server = Server(work, disk, of_server)
    try:
        fill(server, a)
        warm(server, a)
        env = dict(os.environ, CARRACK_PASSWORD=PASSWORD, HOME=work)
        runs = {}
        for turn in range(a.rounds):
            for scenario, by_client in clients(server, a).items():
                if a.only and scenario not in a.only:
                    continue
                # Whoever is first meets memory that nobody has touched yet: each has to be, once in three rounds.
                order = list(by_client.items())
                order = order[turn % len(order):] + order[:turn % len(order)]
                for client, (argv, count) in order:
                    empty(server)
                    figures = measured(argv, env, server, of_client)
                    moved(server, scenario, count)
                    runs.setdefault(scenario, {}).setdefault(client, []).append(figures + (count,))
        first = lambda argv: run(argv).splitlines()[0]
        versions = [first([a.carrack, "--version"]), first(["curl", "--version"]), first(["lftp", "--version"]),
                    run(["sh", "-c", VSFTPD_PROGRAM + " -v 0>&1"]).strip() + ", TLS as it comes, session reuse required"]
        table = report(runs, a, versions)
        print(table, end="")
        if a.out:
            with open(a.out, "w") as out:
                out.write(table)
    finally:
        server.end()
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(disk, ignore_errors=True)


if __name__ == "__main__":
    main()
