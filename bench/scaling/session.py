"""One client session, as small as it can be: it logs in under TLS, opens data connections, and counts what comes.

What is downloaded is not opened. The handshake is OpenSSL's, behind it the records are dropped by the kernel (MSG_TRUNC), so that one
core of load keeps up with a thousand transfers of a server that has the other one. That the bytes are right is tested elsewhere.
"""
import re
import socket
import ssl

# What is taken from a socket at a time, and the window that the server sees.
ROOM = bytearray(1 << 20)
WINDOW = 256 << 10


def context(version=None):
    """Accepts the certificate that the server has made for itself."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = version
    return made


class Session:
    def __init__(self, port, tls, user, password):
        self.tls = tls
        self.control = socket.create_connection(("127.0.0.1", port), 60)
        self.control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.said = b""
        self.answer("220")
        self.ask("AUTH TLS", "234")
        self.control = tls.wrap_socket(self.control, server_hostname="localhost")
        self.ask("USER " + user, "331")
        self.ask("PASS " + password, "230")

    def protect(self):
        self.ask("PBSZ 0", "200")
        self.ask("PROT P", "200")
        self.ask("TYPE I", "200")

    def send(self, command):
        self.control.sendall(command.encode() + b"\r\n")

    def ask(self, command, code):
        self.send(command)
        return self.answer(code)

    def answer(self, code):
        """The next reply, which must have this code; of several lines the last."""
        while True:
            line, end, rest = self.said.partition(b"\n")
            if end:
                self.said = rest
                if line[3:4] == b" " and line[:3].isdigit():
                    text = line.decode().strip()
                    if not text.startswith(code):
                        raise SystemExit("%s was expected, and the server said: %s" % (code, text))
                    return text
            else:
                more = self.control.recv(4096)
                if not more:
                    raise SystemExit("the server closed the connection where %s was expected" % code)
                self.said += more

    def open(self, command, window=WINDOW):
        """The data connection of a transfer that has begun. It resumes the control connection's TLS session."""
        port = int(re.search(r"\|\|\|(\d+)\|", self.ask("EPSV", "229")).group(1))
        data = socket.socket()
        if window:
            data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        data.settimeout(60)
        data.connect(("127.0.0.1", port))
        self.send(command)
        data = self.tls.wrap_socket(data, server_hostname="localhost", session=self.control.session)
        self.answer("150")
        return data

    def leave_to_kernel(self):
        """The control connection as a bare socket that stays open: what OpenSSL keeps of it is given back."""
        return bare(self.control)


def bare(secured):
    """The socket beneath, whose TLS session is forgotten without a word to the peer."""
    return socket.socket(fileno=secured.detach())


def dropped(data, most=len(ROOM)):
    """Takes what has arrived on a bare socket, at most so much, and says how many bytes it was; 0 at the end."""
    return data.recv_into(ROOM, min(most, len(ROOM)), socket.MSG_TRUNC)


def drop_all(data):
    """Reads a bare socket to its end; says how many bytes came."""
    total = 0
    while True:
        count = dropped(data)
        if not count:
            return total
        total += count
