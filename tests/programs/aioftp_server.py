"""aioftp as an implicit FTPS server with one user:

    aioftp_server.py HOST PORT CERTIFICATE KEY HOME USER PASSWORD both|1.2|1.3 [CLIENT-AUTHORITY]
"""

import asyncio
import logging
import ssl
import sys

import aioftp

host, port, certificate, key, home, user, password, version, *clients = sys.argv[1:]

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
versions = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
if version in versions:
    context.minimum_version = context.maximum_version = versions[version]
if clients:
    context.load_verify_locations(clients[0])
    context.verify_mode = ssl.CERT_REQUIRED

logging.basicConfig(level=logging.INFO)
someone = aioftp.User(user, password, base_path=home)
server = aioftp.Server([someone], ssl=context)
asyncio.run(server.run(host, int(port)))
