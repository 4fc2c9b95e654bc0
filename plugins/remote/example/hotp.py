#!/usr/bin/env python3
"""A channel in Python, with nothing but the standard library.

It checks the next code of a device that counts (RFC 4226). Start it with the
secret that the server's configuration has, and tell the server where it is:

    CHANNEL_SECRET=whsec_... python3 hotp.py 8900

    channels:
      fob: { use: remote, remote: { url: "http://127.0.0.1:8900", secret_file: ... } }

Where it is not on the same machine, put it behind TLS.
"""

import base64
import binascii
import hashlib
import hmac
import http.server
import json
import os
import struct
import sys
import time
import urllib.parse

TOLERANCE = 300  # seconds that the clocks may be apart
MOST = 256 * 1024  # bytes of a request
AHEAD = 5  # codes that a device may be ahead


# --- the channel: two functions, and nothing is kept between them -----------


def begin(challenge):
    prompt = {"kind": "enter_code", "length": 6, "alphabet": "digits"}
    if challenge["purpose"] != "enroll":
        return {"prompt": prompt}
    secret = base64.b32encode(os.urandom(20)).decode()
    label = urllib.parse.quote(challenge.get("label", ""), safe="")
    prompt["show"] = [f"otpauth://hotp/{label}?secret={secret}&counter=0"]
    return {"prompt": prompt, "state": pack({"secret": secret, "counter": 0})}


def verify(challenge, state, response):
    known = state if challenge["purpose"] == "enroll" else challenge.get("credential")
    device = json.loads(base64.b64decode(known))
    secret, counter = base64.b32decode(device["secret"]), int(device["counter"])
    if not secret:
        raise ValueError("stored device is unreadable")
    typed = response.get("code", "")
    found = None
    for n in range(counter, counter + AHEAD + 1):  # as long whether or not one matches
        if hmac.compare_digest(code(secret, n), typed.encode()) and found is None:
            found = n
    if found is None:
        return {"outcome": "rejected", "reason": "mismatch"}
    return {"outcome": "verified", "credential": pack({"secret": device["secret"], "counter": found + 1})}


def code(secret, counter):
    mac = hmac.new(secret, struct.pack(">Q", counter), hashlib.sha1).digest()
    at = mac[-1] & 15
    return b"%06d" % ((struct.unpack(">I", mac[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000)


def pack(value):
    """State and credential are bytes, which are base64 in JSON."""
    return base64.b64encode(json.dumps(value).encode()).decode()


# --- the protocol: what every channel needs ----------------------------------


def keys(secret):
    return [base64.b64decode(one.removeprefix("whsec_")) for one in secret.split()]


def signature(key, name, at, body):
    mac = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    keys = []

    def do_POST(self):
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 < size <= MOST:
            self.close_connection = True
            return self.answer(413)
        body = self.rfile.read(size)
        if not self.authentic(body):
            return self.answer(401)
        if self.headers.get("Channel-API") != "1":
            return self.answer(400)
        try:
            asked = json.loads(body)
            if self.path == "/begin":
                said = begin(asked)
            elif self.path == "/verify":
                said = verify(asked["challenge"], asked.get("state"), asked["response"])
            else:
                return self.answer(404)
        except RecursionError:  # nested deeper than any answer is
            said = {"outcome": "rejected", "reason": "mismatch"}
        except (ValueError, TypeError, KeyError, binascii.Error):
            return self.answer(500)
        return self.answer(200, json.dumps(said).encode())

    def authentic(self, body):
        name, at = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "")
        if not name or not at.isascii() or not at.isdigit() or abs(time.time() - int(at)) > TOLERANCE:
            return False
        given = self.headers.get("webhook-signature", "").split()
        return any(
            hmac.compare_digest(signature(key, name, at, body).encode(), one.encode()) for key in self.keys for one in given
        )

    def answer(self, status, body=b""):
        at = str(int(time.time()))
        self.send_response(status)
        if status == 200:  # with the name of the request, so that it answers no other
            name = self.headers["webhook-id"]
            self.send_header("webhook-id", name)
            self.send_header("webhook-timestamp", at)
            self.send_header("webhook-signature", " ".join(signature(key, name, at, body) for key in self.keys))
            self.send_header("Channel-API", "1")
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Requests hold codes: they are not logged."""


def main():
    Handler.keys = keys(os.environ["CHANNEL_SECRET"])
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8900
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
