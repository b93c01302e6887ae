"""
Deploys the app of the crash harness, which writes down what it runs: ledger_app.py NAME RUNNERS MULTIPLEXING.

It is a server of the standard library alone, so that a runner is there soon after each crash. A request is JSON: `ledger`
(the file to write to), `ms` (how long it works), `chunks` (in how many pieces it answers), `size` (by how much its
answer is padded), `deadly` (it kills its runner).
A runner whose ledger has a file beside it that ends in `.stubborn` takes no notice of SIGTERM.
"""

import sys

from fal.api import FalServerlessHost
from fal.sdk import MachineRequirements


def serve():
    import json
    import os
    import signal
    import time
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    runner = os.environ["FAL_JOB_ID"]
    seen = set()

    def note(ledger, what, request, attempt):
        line = {"what": what, "request": request, "attempt": attempt, "runner": runner, "at": time.monotonic() * 1000}
        file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, (json.dumps(line) + "\n").encode())
        os.close(file)

    def stop(*_):
        if not any(os.path.exists(ledger + ".stubborn") for ledger in seen):
            os._exit(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
            if "ledger" not in asked:  # the platform asks the app to stop a request
                return self.answer([b"{}"], 0)
            request, attempt = self.headers["x-fal-request-id"], int(self.headers["x-carrick-attempt"])
            ledger = asked["ledger"]
            seen.add(ledger)
            note(ledger, "began", request, attempt)
            if asked.get("deadly"):
                os.kill(os.getpid(), signal.SIGKILL)
            pieces = max(1, asked["chunks"])
            time.sleep(asked["ms"] / 1000 / (pieces + 1))
            answer = {"request": request, "attempt": attempt, "runner": runner, "padding": "x" * asked.get("size", 0)}
            said = json.dumps(answer).encode()
            size = -(-len(said) // pieces)
            parts = [said[at : at + size] for at in range(0, len(said), size)]
            note(ledger, "ended", request, attempt)
            self.answer(parts, asked["ms"] / 1000 / (pieces + 1))

        def answer(self, parts, pause):
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(sum(map(len, parts))))
            self.end_headers()
            for part in parts:
                self.wfile.write(part)
                self.wfile.flush()
                if len(parts) > 1:
                    time.sleep(pause)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    signal.signal(signal.SIGTERM, stop)
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()


def deploy(name, runners, multiplexing):
    host = FalServerlessHost(local_file_path=__file__)
    connection = host._connection
    environment = connection.define_environment("virtualenv", python_version="{}.{}".format(*sys.version_info[:2]))
    machine = MachineRequirements(
        machine_types=["XS"],
        exposed_port=8080,
        keep_alive=60,
        startup_timeout=60,
        max_concurrency=runners,
        max_multiplexing=multiplexing,
    )
    list(connection.build_environment([environment], machine_requirements=machine))
    list(
        connection.register(
            serve,
            [environment],
            application_name=name,
            machine_requirements=machine,
            deployment_strategy="recreate",
            environment_name="main",
        )
    )


if __name__ == "__main__":
    deploy(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
