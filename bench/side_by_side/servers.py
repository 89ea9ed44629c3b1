"""How is each server set up: program, configuration, version?"""
import dataclasses
import os
import subprocess
import sys

from . import ground
from .ground import Group, NOBODY, PASSWORD, PASSWORD_ARGON2, USER

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PEERS = os.path.join(ROOT, "target", "peers")
# Each server has as many data ports of its own, below those that the kernel gives to clients.
FIRST_DATA_PORT, DATA_PORTS = 20000, 800

CARRACK = """\
state = "{work}/state"
[[listen]]
mode = "explicit"
address = "127.0.0.1:{port}"
plaintext = "refuse"
data_protection = "optional"
[passive]
ports = "{first}-{last}"
[tls]
certificate = "{cert}"
key = "{key}"
[upload]
sync = {sync}
[limits]
sessions = 20000
sessions_per_source = 20000
[[user]]
name = "{user}"
password = "{argon2}"
home = "{root}"
permissions = ["list", "read", "write", "overwrite", "delete", "rename", "mkdir"]
"""

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
xferlog_enable=YES
vsftpd_log_file={work}/vsftpd.log
ssl_enable=YES
ssl_sslv2=NO
ssl_sslv3=NO
ssl_ciphers=HIGH
rsa_cert_file={cert}
rsa_private_key_file={key}
force_local_logins_ssl=YES
force_local_data_ssl=NO
pasv_min_port={first}
pasv_max_port={last}
max_per_ip=0
max_clients=0
"""

PROFTPD = """\
ModulePath {peers}/usr/lib/proftpd
LoadModule mod_tls.c
ServerType standalone
ServerName bench
DefaultAddress 127.0.0.1
SocketBindTight on
Port {port}
User nobody
Group nogroup
UseIPv6 off
UseReverseDNS off
PidFile {work}/proftpd.pid
ScoreboardFile {work}/scoreboard
DelayTable none
DelayEngine off
ControlsEngine off
WtmpLog off
SystemLog {work}/proftpd.log
TransferLog {work}/xfer.log
AuthOrder mod_auth_file.c
AuthUserFile {work}/users
RequireValidShell off
DefaultRoot ~
AllowOverwrite on
MaxInstances 2000
PassivePorts {first} {last}
TLSEngine on
TLSLog {work}/tls.log
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile {cert}
TLSECCertificateKeyFile {key}
TLSVerifyClient off
TLSRequired ctrl
"""

PYFTPDLIB = """\
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer
authorizer = DummyAuthorizer()
authorizer.add_user("{user}", "{password}", "{root}", perm="elradfmwMT")
handler = TLS_FTPHandler
handler.certfile = "{both}"
handler.authorizer = authorizer
handler.tls_control_required = True
handler.tls_data_required = False
handler.passive_ports = range({first}, {last} + 1)
server = FTPServer(("127.0.0.1", {port}), handler)
server.max_cons = server.max_cons_per_ip = 2000
server.serve_forever()
"""

PURE_FTPD = ("{peers}/usr/sbin/pure-ftpd -S 127.0.0.1,{port} -l unix -A -E -H -4 -u 1 -Y 1 -2 {both} -p {first}:{last} -c 2000 -C 2000 "
             "-L 200000:8 -O clf:{work}/xfer.log -g {work}/pid")
UNFTP = ("{peers}/unftp/bin/unftp -v --root-dir {root} --bind-address 127.0.0.1:{port} --bind-address-http 127.0.0.1:{other_port} "
         "--ftps-certs-file {cert} --ftps-key-file {key} --ftps-required-on-control-channel all --auth-type json "
         "--auth-json-path {work}/users.json --passive-ports {first}-{last} --passive-host 127.0.0.1")
NEWER_OPENSSL = os.path.join(PEERS, "openssl")


@dataclasses.dataclass(frozen=True)
class Server:
    """One row: a server as it is measured."""
    name: str
    # The file without which it is not there.
    program: str
    command: str
    version: str
    settings: str
    files: tuple = ()
    # Whether users are those of the system: it sees an /etc of its own.
    system_users: bool = False
    sync: str = "true"
    environment: tuple = ()


def rows(carrack):
    """THE TABLE of servers; Carrack is this program."""
    ours = Server("carrack", carrack, carrack + " serve --config {work}/carrack.toml", carrack + " --version",
                  "uploads published by rename and synced (the default)", (("carrack.toml", CARRACK),))
    pure = Server("pure-ftpd", PEERS + "/usr/sbin/pure-ftpd", PURE_FTPD, PEERS + "/usr/sbin/pure-ftpd --help | head -n 1",
                  "Debian's; users of the system; in TLS 1.3 it resumes no session, so each data connection is a full handshake",
                  system_users=True)
    table = [
        ours,
        dataclasses.replace(ours, name="carrack unsynced", settings="uploads published by rename, not synced", sync="false"),
        Server("vsftpd", PEERS + "/usr/sbin/vsftpd", "{peers}/usr/sbin/vsftpd {work}/vsftpd.conf", PEERS + "/usr/sbin/vsftpd -v 0>&1",
               "Debian's; users of the system by PAM; data connections have to resume the session (the default)",
               (("vsftpd.conf", VSFTPD),), system_users=True),
        Server("proftpd", PEERS + "/usr/sbin/proftpd", "{peers}/usr/sbin/proftpd -n -q -c {work}/proftpd.conf",
               PEERS + "/usr/sbin/proftpd -v", "Debian's; a file of users; data connections have to resume the session (the default)",
               (("proftpd.conf", PROFTPD), ("users", "{user}:{md5}:{uid}:{uid}::{root}:/bin/sh\n"))),
        pure,
        dataclasses.replace(pure, name="pure-ftpd new OpenSSL", settings="as before, with the OpenSSL of a Python package in front of Debian's",
                            version=pure.version + " && cat %s/version" % NEWER_OPENSSL, environment=(("LD_LIBRARY_PATH", NEWER_OPENSSL),)),
        Server("unftp", PEERS + "/unftp/bin/unftp", UNFTP, PEERS + "/unftp/bin/unftp --version | head -n 1",
               "by cargo; a file of users with plain passwords; speaks no TLS but 1.2",
               (("users.json", '[{{"username": "{user}", "password": "{password}"}}]'),)),
        Server("pyftpdlib", PEERS + "/py/pyftpdlib", "{peers}/py/bin/python {work}/server.py",
               PEERS + "/py/bin/python -c 'import pyftpdlib, OpenSSL, ssl; from OpenSSL import SSL; print(\"pyftpdlib\", pyftpdlib.__ver__, "
               "SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode())'",
               "one asynchronous process; a plain password", (("server.py", PYFTPDLIB),)),
    ]
    return {server.name: server for server in table}


def is_there(server):
    return os.path.exists(server.program) and all(os.path.isdir(path) for _, path in server.environment)


class Running:
    """A server at work, for files at one place."""

    number = 0

    def __init__(self, server, ground_, root):
        self.server, self.port = server, ground.free_port()
        name = server.name + ("" if root == ground_.memory else " disk")
        self.work = os.path.join(ground_.work, "of-%d" % Running.number)
        os.makedirs(os.path.join(self.work, "empty"))
        first = FIRST_DATA_PORT + DATA_PORTS * Running.number
        Running.number += 1
        self.values = dict(
            work=self.work, port=self.port, other_port=ground.free_port(), root=root, first=first, last=first + DATA_PORTS - 1, peers=PEERS,
            cert=ground_.cert, key=ground_.key, both=ground_.both, user=USER, password=PASSWORD, uid=NOBODY, argon2=PASSWORD_ARGON2,
            md5=ground.run(["openssl", "passwd", "-1", "-salt", "benchsal", PASSWORD]).strip(), sync=server.sync)
        for file, text in server.files:
            self.write(file, text.format(**self.values))
        if server.system_users:
            self.make_system_users()
        self.group, self.process = Group(name), None
        self.start()

    def write(self, file, text):
        with open(os.path.join(self.work, file), "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(text)

    def make_system_users(self):
        """A whole /etc with one user more. Single files would not stay: a mount ends when its target is replaced, as useradd does."""
        etc = os.path.join(self.work, "etc")
        ground.run(["cp", "-a", "/etc", etc])
        for file, line in (("passwd", "{user}:x:{uid}:{uid}::{root}:/bin/sh\n"), ("shadow", "{user}:{md5}:20000:0:99999:7:::\n")):
            with open(os.path.join(etc, file), "a") as users:
                users.write(line.format(**self.values))
        os.makedirs(os.path.join(etc, "pam.d"), exist_ok=True)
        self.write("etc/pam.d/vsftpd", "auth required pam_unix.so\naccount required pam_unix.so\n")

    def start(self):
        argv = ground.pinned(0, self.server.command.format(**self.values).split())
        if self.server.system_users:
            private = 'mount --bind "$0" /etc && exec "$@"'
            argv = ["unshare", "--mount", "sh", "-ec", private, os.path.join(self.work, "etc")] + argv
        with open(os.path.join(self.work, "out.log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.work, start_new_session=True,
                                            preexec_fn=self.group.enter, env=dict(os.environ, **dict(self.server.environment)))
        self.group.first = self.process.pid
        if not ground.wait_for(self.port, self.process):
            with open(os.path.join(self.work, "out.log"), errors="replace") as log:
                said = log.read()[-1000:]
            self.end()
            sys.exit("%s does not listen: %s" % (self.server.name, said))

    def restart(self):
        """A fresh process: memory that earlier work has freed would hide what sessions take."""
        self.group.end(self.process)
        self.start()

    def end(self):
        self.group.end(self.process)
        self.group.remove()
