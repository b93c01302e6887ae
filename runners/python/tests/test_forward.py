"""A port of this loopback that leads somewhere else, and servers that stay where they bind."""

import contextlib
import os
import signal
import socket
import threading
import unittest

from runner import Runner, free_ports

SERVE = (
    "import os, signal, sys\n"
    "def target():\n"
    "    try: os.wait()\n"
    "    except ChildProcessError: print('no child', flush=True)\n"
    "    print(sorted(name for name in os.environ if name.startswith('CARRICK_RUNNER')), flush=True)\n"
    "    signal.pause()\n"
)


class Platform:
    """Answers what it is sent, once no more comes, in capitals."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection, connection.makefile("rb") as sent:
            connection.sendall(sent.read().upper())


def ask(port, text):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


class Forwarding(unittest.TestCase):
    def runner(self, platform_port):
        (self.port,) = free_ports(1)
        wanted = "%d=localhost:%d" % (self.port, platform_port)
        runner = Runner(SERVE, CARRICK_RUNNER_FORWARD=wanted, CARRICK_RUNNER_OWN_NETWORK="1")
        self.addCleanup(self.end_forwarder)
        return runner

    def end_forwarder(self):
        """It outlives its runner where that is not the whole of a container."""
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError, ValueError):
                with open("/proc/%d/environ" % int(name), "rb") as file:
                    if b"CARRICK_RUNNER_FORWARD=%d=" % self.port in file.read():
                        os.kill(int(name), signal.SIGKILL)

    def test_what_connects_to_the_port_is_carried_there_and_back(self):
        platform = Platform()
        with self.runner(platform.port) as runner:
            runner.wait_for_output("[")
            self.assertEqual(ask(self.port, b"word" * 100_000), b"WORD" * 100_000)
            answers = [None] * 20

            def one(place):
                answers[place] = ask(self.port, b"%d a" % place)

            asking = [threading.Thread(target=one, args=(place,)) for place in range(20)]
            for each in asking:
                each.start()
            for each in asking:
                each.join()
            self.assertEqual(answers, [b"%d A" % place for place in range(20)])

    def test_the_app_has_no_child_and_no_variable_of_it(self):
        with self.runner(1) as runner:
            runner.wait_for_output("]")
            runner.terminate()
            self.assertEqual(runner.stdout.splitlines()[:2], ["no child", "[]"])

    def test_a_platform_that_is_not_there_ends_the_connection_and_no_other(self):
        (nobody,) = free_ports(1)
        with self.runner(nobody) as runner:
            runner.wait_for_output("]")
            for _ in "12":
                with contextlib.suppress(OSError):  # it may be cut while we speak
                    self.assertEqual(ask(self.port, b"word"), b"")

    def test_a_port_that_is_taken_is_said_and_the_app_runs(self):
        platform = Platform()
        wanted = "%d=localhost:1" % platform.port
        with Runner(SERVE, CARRICK_RUNNER_FORWARD=wanted) as runner:
            runner.wait_for_output("]")
            runner.terminate()
            self.assertIn("Nothing at 127.0.0.1:%d leads to the platform" % platform.port, runner.stderr)


BIND = (
    "import os, socket\n"
    "def target():\n"
    "    server = socket.socket(); server.bind(('0.0.0.0', int(os.environ['PORT'])))\n"
    "    print(server.getsockname()[0], flush=True)\n"
)


class Binding(unittest.TestCase):
    def test_a_server_stays_where_it_binds_in_a_network_of_its_own(self):
        with Runner(BIND, CARRICK_RUNNER_OWN_NETWORK="1") as runner:
            runner.exit_code()
            self.assertEqual(runner.stdout.splitlines()[0], "0.0.0.0")

    def test_elsewhere_it_is_reached_from_loopback_only(self):
        with Runner(BIND) as runner:
            runner.exit_code()
            self.assertEqual(runner.stdout.splitlines()[0], "127.0.0.1")


if __name__ == "__main__":
    unittest.main()
