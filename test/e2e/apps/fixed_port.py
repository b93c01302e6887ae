"""Starts a helper on a port that it has not chosen, tells what it sees, and takes as much memory as it is told to."""

import http.server
import os
import socket
import threading
import urllib.request

import fal
from pydantic import BaseModel


class Wish(BaseModel):
    megabytes: int = 0


class Seen(BaseModel):
    runner: str
    helper: str
    host: str
    processes: int
    beside: list[str]
    control: str


class FixedPort(fal.App):
    machine_type = "XS"
    keep_alive = 300
    min_concurrency = 2
    requirements = []

    def setup(self):
        class Helper(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(os.environ["FAL_JOB_ID"].encode())

        helper = http.server.ThreadingHTTPServer(("0.0.0.0", 8188), Helper)
        threading.Thread(target=helper.serve_forever, daemon=True).start()

    @fal.endpoint("/")
    def look(self, wish: Wish) -> Seen:
        kept = bytearray(wish.megabytes << 20)
        with urllib.request.urlopen("http://127.0.0.1:8188/", timeout=10) as answer:
            helper = answer.read().decode()
        work = os.environ["HOME"]
        return Seen(
            runner=os.environ["FAL_JOB_ID"],
            helper=helper,
            host=socket.gethostname(),
            processes=len([name for name in os.listdir("/proc") if name.isdigit()]),
            beside=os.listdir(os.path.dirname(os.path.dirname(work))),
            control=os.environ["FAL_HOST"],
        )
