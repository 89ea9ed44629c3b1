"""pyftpdlib as an explicit FTPS server with one user:

    pyftpdlib_server.py HOST PORT CERTIFICATE KEY HOME USER PASSWORD both|1.2|1.3 [CLIENT-AUTHORITY]
"""

import sys

from OpenSSL import SSL
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer

host, port, certificate, key, home, user, password, version, *clients = sys.argv[1:]

authorizer = DummyAuthorizer()
authorizer.add_user(user, password, home, perm="elradfmwMT")


class Handler(TLS_FTPHandler):
    auth_failed_timeout = 0


Handler.authorizer = authorizer
Handler.certfile = certificate
Handler.keyfile = key
Handler.tls_control_required = True

context = Handler.get_ssl_context()
versions = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
if version in versions:
    context.set_min_proto_version(versions[version])
    context.set_max_proto_version(versions[version])
if clients:
    context.load_verify_locations(clients[0])
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *found: found[-1])
    context.set_session_id(b"test")

server = FTPServer((host, int(port)), Handler)
server.max_cons_per_ip = 0
server.serve_forever()
