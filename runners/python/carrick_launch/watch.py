"""What stays outside of a runner's namespaces: it hears of the inside, does what can only be done here, and ends as the program did."""

from __future__ import annotations

import _signal as signal  # as in launch.py
import os
import select
import struct
import sys

import _socket

from . import network
from .binds import Door
from .told import parse, words_in

#: What is said by it is for the server: by the program, and by whoever gives it its port. Who else held it open would keep it
#: from ending.
WORD = 4
#: What process 1 is told once it is within its limits.
LIMITED = b"l"
#: Signals that are the program's.
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
PASS_CREDENTIALS = 16
RIGHTS = 1
_CREDENTIALS = 2
_CLOSE_ON_EXEC = 0x40000000
_LONGEST = 65_536
_GONE = -1


class Watch:
    """The process outside: what it hears of the inside, and what it does for it."""

    def __init__(self, channel):
        self._options = {}
        self._channel = channel
        self._program = None
        self._asked = None
        self._door = None
        for number in PASSED_ON:
            signal.signal(number, self._pass_on)

    def _pass_on(self, number, _):
        if self._program is None:
            self._asked = number
        else:
            _send(self._program, number)

    def limit(self, first, groups):
        """
        Puts process 1 into the runner's control groups while that makes its namespaces: the kernel lets some milliseconds pass
        before it moves the first process in a while. No program begins before.
        """
        try:
            for folder in groups:
                with open(folder + "/cgroup.procs", "w") as file:
                    file.write(str(first))
        except (ProcessLookupError, BrokenPipeError, ConnectionResetError):
            pass  # it has ended and said why, of which we shall hear
        except OSError as error:
            _send(first, signal.SIGKILL)
            print("This runner could not be put within its limits: %s" % error, file=sys.stderr, flush=True)
            os._exit(126)

    def until_end(self, first):
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if self._door is not None and fd == self._door.listener:
                    self._door.answer()
                    continue
                status = self._hear(first, poll)
                if status is not None:
                    _send(first, signal.SIGKILL)
                    _, own = os.waitpid(first, 0)
                    _end_like(own if status == _GONE else status)

    def _hear(self, first, poll):
        """The status with which the program ended, once it has; _GONE when process 1 went before it could tell."""
        message, extra, _, _ = self._channel.recvmsg(_LONGEST, 256, _CLOSE_ON_EXEC)
        if message == b"":
            return _GONE
        kind, body = message[:1], message[1:]
        if kind == b"g":
            self.limit(first, words_in(body))
        elif kind == b"o":
            self._options, _ = parse(words_in(body))
            self._answer_limited()
        elif kind == b"n":
            self._lead_out(first)
        elif kind == b"p":
            self._note_program(extra, poll)
        elif kind == b"e":
            return struct.unpack("i", body)[0]
        return None

    def _answer_limited(self):
        try:
            self._channel.send(LIMITED)
        except (BrokenPipeError, ConnectionResetError):
            pass  # as in limit()

    def _lead_out(self, first):
        for folder in self._options.get("way-out-group", []):
            with open(folder + "/cgroup.procs", "w") as file:
                file.write("0")
        inside = os.open("/proc/%d/ns/net" % first, os.O_RDONLY)
        options = self._options
        network.start_pasta(options["pasta"][0], inside, options["forward"], options["ready"][0])
        os.close(inside)

    def _note_program(self, extra, poll):
        for level, kind, data in extra:
            if level == _socket.SOL_SOCKET and kind == _CREDENTIALS:
                self._program = struct.unpack_from("i", data)[0]
            elif level == _socket.SOL_SOCKET and kind == RIGHTS:
                listener = struct.unpack_from("i", data)[0]
                ports = _ports(self._options.get("port", []))
                self._door = Door(listener, ports, _Bell(next(iter(ports.values()), None)))
                poll.register(listener, select.POLLIN)
        draft = self._options["main"][0] + ".draft"
        with open(draft, "w") as file:
            file.write(str(self._program))
        os.replace(draft, self._options["main"][0])
        if self._asked is not None:
            _send(self._program, self._asked)


class _Bell:
    """Says once to the server that the first of the ports is taken: nobody can listen there before, so it need not look."""

    def __init__(self, port):
        self._port = port

    def __call__(self, port):
        if port != self._port:
            return
        self._port = None
        try:
            os.write(WORD, b"b")
        except OSError:
            pass  # the server is gone, or has heard enough
        os.close(WORD)


def _ports(pairs):
    """`8080:20001`: what binds 8080 has 20001 of the machine's ports. By one number alone both are meant."""
    return {int(pair.split(":")[0]): int(pair.split(":")[-1]) for pair in pairs}


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended, and we shall hear of it


def _end_like(status):
    """Whoever waits for us learns what became of the program."""
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status))
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    number = os.WTERMSIG(status)
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)
