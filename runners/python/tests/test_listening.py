"""What the platform is told through the pipe that it hands over."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from runner import BOOTSTRAP, PATIENCE, TESTS, free_ports

SERVE = (
    "import os, socket, sys\n"
    "def target():\n"
    "    other, app = socket.socket(), socket.socket()\n"
    "    other.bind(('0.0.0.0', 0)); other.listen()\n"
    "    print('not yet', flush=True)\n"
    "    sys.stdin.readline()\n"
    "    app.bind(('0.0.0.0', int(os.environ['PORT']))); app.listen()\n"
    "    sys.stdin.read()\n"
)


class Telling(unittest.TestCase):
    def serve(self, source, *handed_on, **variables):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "callable")
        with open(path, "w") as file:
            file.write(source)
        self.port = free_ports(1)[0]
        process = subprocess.Popen(
            [sys.executable, BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=handed_on,
            env={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONPATH": TESTS,
                "CARRICK_CALLABLE": path,
                "CARRICK_METHOD": "from_source",
                "PORT": str(self.port),
                **variables,
            },
        )
        for clean in (process.wait, process.kill, process.stdout.close, process.stdin.close):
            self.addCleanup(clean)
        for fd in handed_on:
            os.close(fd)
        return process

    def test_a_word_comes_once_the_port_of_the_app_is_open_and_then_the_pipe_ends(self):
        reads, writes = os.pipe()
        with open(reads, "rb") as told:
            process = self.serve(SERVE, writes, CARRICK_LISTENING_FD=str(writes))
            self.assertEqual(process.stdout.readline(), b"not yet\n")
            self.assertEqual(select.select([told], [], [], 0)[0], [])
            process.stdin.write(b"now\n")
            process.stdin.flush()
            self.assertEqual(told.read(), b"\n")
            socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()

    def test_what_the_app_starts_knows_nothing_of_the_pipe(self):
        reads, writes = os.pipe()
        with open(reads, "rb") as told:
            process = self.serve(
                "import os, sys\n"
                "def target():\n"
                "    print('CARRICK_LISTENING_FD' in os.environ, flush=True)\n"
                "    os.execv(sys.executable, [sys.executable, '-c', 'input()'])\n",
                writes,
                CARRICK_LISTENING_FD=str(writes),
            )
            self.assertEqual(told.read(), b"")
            self.assertEqual(process.stdout.readline(), b"False\n")

    def test_without_a_pipe_or_with_one_that_was_not_handed_on_it_listens_all_the_same(self):
        for fd in ("", "250", "no number"):
            process = self.serve(SERVE, CARRICK_LISTENING_FD=fd)
            process.stdin.write(b"now\n")
            process.stdin.flush()
            self.wait_for_port()

    def wait_for_port(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            time.sleep(0.01)
        raise AssertionError("its port does not open")


if __name__ == "__main__":
    unittest.main()
