"""Starts the bootstrap as the platform does, and watches it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

TESTS = os.path.dirname(os.path.abspath(__file__))
BOOTSTRAP = os.path.join(os.path.dirname(TESTS), "carrick_runner", "__main__.py")
PATIENCE = 60


class Runner:
    def __init__(self, definition, method="from_source", **variables):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "callable")
        with open(path, "wb") as file:
            file.write(definition if isinstance(definition, bytes) else definition.encode())
        self.port, self.metrics_port = free_ports(2)
        self.files = [tempfile.TemporaryFile("w+", dir=self.folder.name, encoding="utf-8", newline="") for _ in "12"]
        self.process = subprocess.Popen(
            [sys.executable, BOOTSTRAP],
            cwd=self.folder.name,
            stdout=self.files[0],
            stderr=self.files[1],
            env={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONPATH": TESTS,
                "CARRICK_CALLABLE": path,
                "CARRICK_METHOD": method,
                "PORT": str(self.port),
                "METRICS_PORT": str(self.metrics_port),
                **variables,
            },
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for file in self.files:
            file.close()
        self.folder.cleanup()

    def exit_code(self):
        return self.process.wait(PATIENCE)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.exit_code()

    @property
    def stdout(self):
        return self._written(self.files[0])

    @property
    def stderr(self):
        return self._written(self.files[1])

    def _written(self, file):
        file.seek(0)  # the child appends through a description of its own position: read only after it ended
        return file.read()

    def wait_until_accepting(self):
        def accepts():
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True

        self.wait_for(accepts)

    def wait_for_output(self, text):
        def written():
            return text in os.pread(self.files[0].fileno(), 1 << 20, 0).decode("utf-8", "replace")

        self.wait_for(written)

    def wait_for(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError("the runner ended: " + self.stderr)
            if time.monotonic() > deadline:
                raise AssertionError("the runner took too long")
            time.sleep(0.01)

    def post(self, path, request_id):
        return self.send(path, request_id)()

    def send(self, path, request_id):
        """Sends a request, and answers how to wait for what comes of it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("POST", path, body=b"{}", headers={"x-fal-request-id": request_id})

        def answer():
            with contextlib.closing(connection):
                response = connection.getresponse()
                return response.status, response.read().decode()

        return answer


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
