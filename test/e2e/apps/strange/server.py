"""A server that knows nothing of the platform: it answers any method on any path, and tells what it got."""

import base64
import hashlib
import http.server
import json
import os
import sys
import threading
import time

HOST, PORT = sys.argv[-2], int(sys.argv[-1])
DOCUMENT = {"openapi": "3.1.0", "paths": {"/draw": {"post": {}}, "/v1/models": {"get": {}}}}
asked = []
left = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self):
        path = self.path.partition("?")[0]
        asked.append(f"{self.command} {path}")
        special = {"/openapi.json": self.document, "/events": self.events, "/silent": self.silent, "/healthz": self.healthz}
        if self.headers.get("upgrade", "").lower() == "websocket":
            self.talk()
        else:
            special.get(path, self.tell)()

    def tell(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        print(f"got {self.command} {self.path}", flush=True)
        self.say(
            {
                "runner": os.environ.get("FAL_JOB_ID"),
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": base64.b64encode(body).decode(),
                "arguments": sys.argv[1:],
                "variables": dict(os.environ),
                "user": os.getuid(),
                "asked": asked,
                "left": left,
            }
        )

    def document(self):
        self.say(DOCUMENT)

    def healthz(self):
        self.say({}, 200 if self.command == "GET" else 405)

    def events(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for number in range(3):
            self.wfile.write(b"data: %d\n\n" % number)
            self.wfile.flush()
            time.sleep(0.2)
        self.close_connection = True

    def silent(self):
        """Says nothing until whoever asked has gone."""
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        if self.connection.recv(1) == b"":
            left.append(self.path)
        self.close_connection = True

    def talk(self):
        """Just enough of a WebSocket: short messages come back in capitals, until one says bye."""
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header("sec-websocket-accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                return
            mask = self.rfile.read(4)
            text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(head[1] & 127)))
            said = f"{self.path}: {text.decode().upper()}".encode()
            self.wfile.write(bytes([head[0], len(said)]) + said)
            self.wfile.flush()

    def say(self, what, status=200):
        body = b"" if self.command == "HEAD" else json.dumps(what).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(json.dumps(what))))
        self.send_header("set-cookie", "one=1")
        self.send_header("set-cookie", "two=2")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


print(f"listens on {HOST}:{PORT}", flush=True)
server = http.server.ThreadingHTTPServer((HOST, PORT), Handler)
threading.Thread(target=server.serve_forever).start()
