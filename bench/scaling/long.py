"""What happens when one transfer wears its keys out? A file of 300 GiB is past what AES-GCM may seal under one key (2^24 records of 16 KiB).

TLS 1.3 takes new keys in the middle (KeyUpdate, RFC 8446 §4.6.3). TLS 1.2 has no such thing: the server must end the transfer and say
how to go on, and the client goes on behind what it has.
"""
import os
import ssl
import subprocess
import time

from .server import PASSWORD, USER, Server
from .session import Session, context

# A record's plaintext (RFC 8446 §5.1), and what a transfer may have under one key of AES-GCM.
RECORD = 16 << 10
UNDER_ONE_KEY = (1 << 24) * RECORD
ROOM = 1 << 20


def measure(program, folder, length):
    home = os.path.join(folder, "long")
    os.makedirs(home, exist_ok=True)
    path = os.path.join(home, "long")
    with open(path, "w") as sparse:
        sparse.truncate(length)
    try:
        return [
            by_openssl(program, home, length, ssl.TLSVersion.TLSv1_3),
            by_carrack(program, home, length),
            by_openssl(program, home, length, ssl.TLSVersion.TLSv1_2),
        ]
    finally:
        os.unlink(path)


def by_openssl(program, home, length, version):
    """Python's OpenSSL reads every byte. Where the server ends the transfer early, it goes on behind what came."""
    with Server(program, home) as server:
        session = Session(server.port, context(version), USER, PASSWORD)
        session.protect()
        room, got, said = bytearray(ROOM), 0, []
        begun, cpu = time.monotonic(), server.cpu()
        while got < length:
            if got:
                session.ask("REST %d" % got, "350")
            before = got
            data = session.open("RETR long", window=None)
            try:
                while count := data.recv_into(room):
                    got += count
            except OSError:
                # A reset: the transfer is not whole, and the reply says why.
                pass
            data.close()
            said.append({"at": got, "reply": session.answer("")})
            if got == before:
                break
        return point("OpenSSL", version.name, length, got, said, server.cpu() - cpu, time.monotonic() - begun)


def by_carrack(program, home, length):
    """Carrack's own client, which opens records itself once data flows."""
    with Server(program, home) as server:
        begun, cpu = time.monotonic(), server.cpu()
        client = subprocess.Popen(
            [program, "cp", "--quiet", "--trust-new", "--state", os.path.join(server.work, "client"),
             "ftpes://%s@localhost:%d/long" % (USER, server.port), "-"],
            env=dict(os.environ, CARRACK_PASSWORD=PASSWORD), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        got, room = 0, bytearray(ROOM)
        while count := client.stdout.readinto(room):
            got += count
        said = client.stderr.read().decode().strip()
        code = client.wait()
        reply = "exit status %d%s" % (code, ": " + said if said else "")
        return point("carrack cp", "TLSv1_3", length, got, [{"at": got, "reply": reply}], server.cpu() - cpu, time.monotonic() - begun)


def point(client, version, length, got, said, cpu, seconds):
    return {
        "client": client,
        "version": version.replace("TLSv1_", "TLS 1."),
        "length": length,
        "received": got,
        "seconds": seconds,
        "cpu_s_per_gb": cpu / (got / 1e9) if got else None,
        "said": said,
    }
