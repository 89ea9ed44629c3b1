"""Python's own FTP client (ftplib over OpenSSL) against a server, driven by arguments.

    ftps.py --host H --port P --mode explicit|implicit --tls 1.2|1.3 --user U --password W
            [--reuse never|control] [--no-tickets] [--sni] [--ccc] [--folder F] ACTION ARGUMENTS

Actions:
    everything FOLDER      folders, listings, files of every size up and down, names, rename, delete
    uploads COUNT          COUNT uploads in a row on one control connection, each read back at the end
    send FOLDER            uploads every file of a folder to --folder and prints each that was acknowledged
    active FOLDER          the same transfers in active mode
    early BYTES            downloads of a file of so many bytes, during whose handshakes the client's Finished is kept back
    refused COMMAND        begins a transfer with COMMAND and prints the reply that refuses it

--reuse control presents the control connection's session on every data connection, the same one again and again.
--ccc ends TLS on the control connection behind the login (CCC).
It prints one line for each thing done; an error is a traceback and exit status 1.
"""

import argparse
import ftplib
import hashlib
import io
import os
import socket
import ssl


class Ftps(ftplib.FTP_TLS):
    """ftplib's client with an implicit mode and the choice whether data connections resume the control session."""

    def __init__(self, options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[options.tls]
        context.minimum_version = context.maximum_version = version
        if options.no_tickets:
            context.options |= ssl.OP_NO_TICKET
        super().__init__(context=context, timeout=120, encoding="utf-8")
        self.options = options
        self.ticket = None
        self.resumed = []
        self.server_name = "localhost" if options.sni else options.host

    def connect_and_log_in(self):
        if self.options.mode == "implicit":
            self.connect_implicit()
        else:
            self.connect(self.options.host, self.options.port)
            self.voidcmd("AUTH TLS")
            self.sock = self.context.wrap_socket(self.sock, server_hostname=self.server_name)
            self.file = self.sock.makefile("r", encoding=self.encoding)
        self.login(self.options.user, self.options.password, secure=False)
        self.prot_p()
        self.voidcmd("TYPE I")
        if self.options.reuse == "control":
            # Read after a few replies: in TLS 1.3 the tickets come behind the handshake.
            self.ticket = self.sock.session
            assert self.ticket is not None, "the server gave no session"
        print("logged in", self.sock.version(), self.sock.cipher()[0])
        if self.options.ccc:
            print("cleared", self.ccc())

    def connect_implicit(self):
        self.host, self.port = self.options.host, self.options.port
        raw = socket.create_connection((self.host, self.port), self.timeout)
        self.af = raw.family
        self.sock = self.context.wrap_socket(raw, server_hostname=self.server_name)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def ntransfercmd(self, cmd, rest=None):
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            connection = self.context.wrap_socket(
                connection, server_hostname=self.server_name, session=self.ticket
            )
            self.resumed.append(connection.session_reused)
        return connection, size

    def put(self, name, data):
        self.storbinary(f"STOR {name}", io.BytesIO(data), blocksize=65536)

    def fetch(self, name):
        received = io.BytesIO()
        self.retrbinary(f"RETR {name}", received.write, blocksize=65536)
        return received.getvalue()


def seeded(name, length):
    return hashlib.shake_256(name.encode()).digest(length)


def check(condition, what):
    assert condition, what
    print("good:", what)


def everything(ftp, folder):
    ftp.mkd(folder)
    ftp.cwd(folder)
    check(ftp.pwd() == f"/{folder}", "pwd")
    sizes = [0, 1, 65535, 65536, 65537, 5 << 20]
    for size in sizes:
        data = seeded(f"size {size}", size)
        ftp.put(f"of-{size}", data)
        check(ftp.size(f"of-{size}") == size, f"size of {size}")
        check(hashlib.sha256(ftp.fetch(f"of-{size}")).digest() == hashlib.sha256(data).digest(), f"{size} bytes")
    names = ["two words", " leading space", "-leading-dash", "--help", "Grüße", "東京", "semi;colon 'quote' \"double\" %41"]
    for name in names:
        ftp.put(name, name.encode())
    listed = ftp.nlst()
    check(set(names) | {f"of-{size}" for size in sizes} == set(listed), "nlst")
    facts = dict(ftp.mlsd(facts=["type", "size"]))
    for name in names:
        check(facts[name]["type"] == "file" and int(facts[name]["size"]) == len(name.encode()), f"mlsd of {name!r}")
        check(ftp.fetch(name) == name.encode(), f"content of {name!r}")
    long_lines = []
    ftp.retrlines("LIST", long_lines.append)
    check(sum(line.endswith("two words") for line in long_lines) == 1, "list")
    ftp.rename("two words", "three words here")
    check("two words" not in ftp.nlst() and "three words here" in ftp.nlst(), "rename")
    for name in ftp.nlst():
        ftp.delete(name)
    check(ftp.nlst() == [], "delete")
    text = io.BytesIO(b"one\ntwo\n")
    ftp.storlines("STOR text", text)
    lines = []
    ftp.retrlines("RETR text", lines.append)
    check(lines == ["one", "two"], "ascii")
    ftp.voidcmd("TYPE I")
    check(ftp.fetch("text") == b"one\ntwo\n", "ascii at rest")
    ftp.delete("text")
    ftp.cwd("..")
    ftp.rmd(folder)
    check(folder not in ftp.nlst(), "rmd")


def uploads(ftp, count):
    for number in range(int(count)):
        ftp.put(f"upload-{number}", seeded(f"upload {number}", number * 101 % 5000))
    print("resumed", sum(ftp.resumed), "of", len(ftp.resumed))
    for number in range(0, int(count), 20):
        data = seeded(f"upload {number}", number * 101 % 5000)
        assert ftp.fetch(f"upload-{number}") == data, f"upload {number} differs"
    print("done", count)


def send(ftp, folder):
    ftp.cwd(ftp.options.folder)
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            ftp.storbinary(f"STOR {name}", file)
        print("sent", name, flush=True)


def active(ftp, folder):
    ftp.set_pasv(False)
    everything(ftp, folder)


def early(ftp, size):
    data = seeded("early", int(size))
    ftp.put("early", data)
    for _ in range(3):
        connection, _ = ftplib.FTP.ntransfercmd(ftp, "RETR early")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = ftp.context.wrap_bio(incoming, outgoing, server_hostname=ftp.server_name, session=ftp.ticket)
        received, shaken, ended = b"", False, False
        while not ended:
            try:
                if not shaken:
                    tls.do_handshake()
                    shaken = True
                piece = tls.read(65536)
                received, ended = received + piece, not piece
            except ssl.SSLWantReadError:
                if not shaken:
                    connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
            except ssl.SSLZeroReturnError:
                ended = True
        check(tls.session_reused and received == data, f"{size} bytes and their end before the Finished")
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        connection.sendall(outgoing.read())
        connection.close()
        ftp.voidresp()


def refused(ftp, command):
    try:
        connection = ftp.transfercmd(command)
        try:
            connection.recv(1)
        except OSError:
            pass
        connection.close()
        print("reply", ftp.voidresp())
    except ftplib.Error as why:
        print("refused", why)
    except ssl.SSLError as why:
        print("handshake refused", why)
        try:
            print("reply", ftp.voidresp())
        except ftplib.Error as reply:
            print("refused", reply)
    ftp.voidcmd("NOOP")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mode", choices=["explicit", "implicit"], required=True)
    parser.add_argument("--tls", choices=["1.2", "1.3"], required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--reuse", choices=["never", "control"], default="never")
    parser.add_argument("--no-tickets", action="store_true")
    parser.add_argument("--sni", action="store_true")
    parser.add_argument("--ccc", action="store_true")
    parser.add_argument("--folder", default="/")
    parser.add_argument("action", choices=["everything", "uploads", "send", "active", "early", "refused"])
    parser.add_argument("argument")
    options = parser.parse_args()
    ftp = Ftps(options)
    ftp.connect_and_log_in()
    globals()[options.action](ftp, options.argument)
    print("bye", ftp.quit())


if __name__ == "__main__":
    main()
