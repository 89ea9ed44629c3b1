#!/usr/bin/env python3
"""Takes events from Carrack, makes sure that they are Carrack's, and appends each of them to a file once.

    receiver.py ADDRESS PORT SECRET-FILE EVENTS-FILE [CERTIFICATE KEY]

With certificate and key it speaks HTTPS. Port 0 takes any free one; which one is printed.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import ssl
import sys
import time

address, port, secret_file, events_file, *identity = sys.argv[1:]
with open(secret_file) as file:
    secret = base64.b64decode(file.read().strip().removeprefix("whsec_"))

# What came before: an event may come twice.
seen = set()
if os.path.exists(events_file):
    with open(events_file) as file:
        seen = {json.loads(line)["id"] for line in file}

MOST_BYTES = 1024 * 1024
MOST_SECONDS_OFF = 300


def is_authentic(headers, body):
    """Standard Webhooks 1.0.0: identifier, time and body are signed together."""
    identifier, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not moment.isdigit() or abs(time.time() - int(moment)) > MOST_SECONDS_OFF:
        return False
    signed = f"{identifier}.{moment}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    given = [word.removeprefix("v1,") for word in headers.get("webhook-signature", "").split() if word.startswith("v1,")]
    return any(hmac.compare_digest(expected, word) for word in given)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(min(length, MOST_BYTES))
        if not is_authentic(self.headers, body):
            return self.answer(403)
        event = json.loads(body)
        if event["id"] not in seen:
            with open(events_file, "a") as file:
                file.write(json.dumps(event) + "\n")
                file.flush()
                os.fsync(file.fileno())
            seen.add(event["id"])
        # Only now: what is not answered with 2xx comes again.
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer((address, int(port)), Handler)
if identity:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*identity)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
