"""What does this machine ask at least for what the servers do? One sending thread, one connection, nothing else around it."""
import json
import subprocess
import sys

# What the example `floor` of the crate `carrack-tls` is told, and what that is.
FLOORS = {
    "write": ("write --chunk 256k", "write(2), 256 KiB a step"),
    "read and write": ("read-write --chunk 64k", "pread(2) and write(2), 64 KiB a step"),
    "sendfile": ("sendfile --chunk 256k", "sendfile(2), 256 KiB a step"),
    "seal": ("seal", "AES-256-GCM alone: records of 16 KiB, in place"),
    "raw": ("raw --chunk 64k", "TLS 1.3: pread into the records, sealed in place, one write for 64 KiB"),
    "raw, 256 KiB": ("raw --chunk 256k", "the same, one write for 256 KiB"),
    "rustls": ("rustls --chunk 64k", "TLS 1.3: rustls's buffered writer, 64 KiB a step"),
    "receive": ("receive --chunk 256k", "recv(2) and pwrite(2), 256 KiB a step, into files of 512 MiB that replace one another"),
    "open": ("open --chunk 256k", "the same in TLS 1.3: records opened where they were received, pwritev"),
    "small get": ("small-get", "accept, resumed handshake (P-256), 1 KiB, close_notify, close; a file"),
    "small get TLS 1.2": ("small-get --tls 1.2", "the same in TLS 1.2, whose resumed handshake exchanges no keys; a file"),
    "small put": ("small-put", "accept, resumed handshake, receive 1 KiB into a new file, fsync, rename, fsync of the folder; a file"),
    "small put TLS 1.2": ("small-put --tls 1.2", "the same in TLS 1.2; a file"),
    "small put, unsynced": ("small-put --unsynced", "small put without fsync; a file"),
    "small put, disk": ("small-put --on-disk", "as small put, to a disk; a file"),
    "list": ("list", "getdents64(2), and statx(2) of each entry, of a folder as listed here; a listing"),
}

# What each kind of floor is told as: its cost, the unit of that, its rate, and the unit of that.
KINDS = (
    ("cpu_s_per_gb", "CPU s/GB", "mb_s", " MB/s"),
    ("cpu_ms_per_file", "CPU ms", "files_s", " /s"),
    ("cpu_ms_per_listing", "CPU ms", "listings_s", " /s"),
)


def kind(measured):
    """Which of them it is."""
    return next(kind for kind in KINDS if kind[0] in measured)


def measure(program, name, ground_, mib, files):
    """One floor, once; `None` for the disk where there is none."""
    words = FLOORS[name][0].split()
    folder = ground_.memory
    if "--on-disk" in words:
        words.remove("--on-disk")
        folder = ground_.disk
    if folder is None:
        return None
    argv = [program] + words + ["--file", ground_.memory + "/big.bin", "--folder", folder, "--mib", str(mib), "--files", str(files)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit("floor %s: %s" % (name, done.stderr[-1000:]))
    return json.loads(done.stdout)
