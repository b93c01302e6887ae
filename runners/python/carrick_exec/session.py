"""One session: carries bytes both ways until the command has ended or nobody wants it any more."""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import time
from typing import Any, Dict, List, Optional

from .child import Child, Start, start
from .family import Family, exit_code, reap
from .place import CannotEnter, Place, shell_in

CONTROL = 3
CHUNK = 65_536
#: What may still come once the command has ended: its own last words are in the pipe by then, while something that it
#: left behind could hold that open, or write, for ever.
LAST_WORDS_BYTES = 1_048_576
LAST_WORDS_SECONDS = 0.25
#: How often a program on a terminal is told again that its input has ended.
END_AGAIN_SECONDS = 0.5
LONGEST_LINE = 1_048_576
_NEVER = float("inf")


def main() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # meant for the command, which hears them on its own terminal
    control = Control()
    wanted = control.first()
    if wanted is None:
        os._exit(1)
    family = Family()
    try:
        place = Place(wanted["pid"], wanted["startTime"])
        place.enter(wanted["groups"])
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        command = wanted["command"] or shell_in(place.variables)
        child = start(Start(command, place.variables, wanted.get("size"), wanted["confined"]))
    except CannotEnter as error:
        control.say({"failed": str(error)})
        os._exit(1)
    try:
        control.say({"started": child.pid})
        code = Session(child, control).run()
    finally:
        family.kill()
    for fd in (1, 2):
        os.close(fd)  # all output is there before the code is
    if code is not None:
        control.say({"exit": code})
    os._exit(0)


class Control:
    """The other end of the session: what it asks for, as JSON lines."""

    def __init__(self) -> None:
        self._rest = b""

    def first(self) -> Optional[Dict[str, Any]]:
        while b"\n" not in self._rest:
            if not self._read():
                return None
        return self._lines()[0]

    def next(self) -> Optional[List[Dict[str, Any]]]:
        """What has come; nothing once it has gone."""
        return self._lines() if self._read() else None

    def say(self, message: Dict[str, Any]) -> None:
        try:
            os.write(CONTROL, json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # it has gone

    def _read(self) -> bool:
        try:
            chunk = os.read(CONTROL, CHUNK)
        except OSError:
            return False
        self._rest += chunk
        return chunk != b"" and len(self._rest) <= LONGEST_LINE

    def _lines(self) -> List[Dict[str, Any]]:
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines]


class Session:
    """Reads no further ahead than one chunk in either direction, so a slow reader slows the writer down."""

    def __init__(self, child: Child, control: Control) -> None:
        self._child = child
        self._control = control
        self._input = b""
        self._input_open = True
        self._output: Dict[int, bytes] = {}
        self._code: Optional[int] = None
        self._left = LAST_WORDS_BYTES
        self._give_up_at = _NEVER
        self._end_again_at = _NEVER
        self._wake, wake = os.pipe()
        for fd in (wake, self._wake, 0, 1, 2):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def run(self) -> Optional[int]:
        """The exit code; nothing when the session was ended from outside."""
        while not self._is_over():
            readable, writable = self._wait()
            if self._wake in readable:
                os.read(self._wake, 512)
                reap()
            if self._child.ending in readable:
                self._see_end()
            if CONTROL in readable and not self._obey():
                return None
            self._carry_input(readable, writable)
            if not all(self._carry_output(*pair, readable, writable) for pair in list(self._child.outputs)):
                return None
            if time.monotonic() >= self._end_again_at:
                self._end_input()
        return self._code

    def _is_over(self) -> bool:
        if self._code is None or any(self._output.values()):
            return False
        return not self._child.outputs or self._left <= 0 or time.monotonic() >= self._give_up_at

    def _wait(self) -> tuple[set[int], set[int]]:
        poll = select.poll()
        wanted: Dict[int, int] = {self._wake: select.POLLIN, CONTROL: select.POLLIN}
        if self._code is None:
            wanted[self._child.ending] = select.POLLIN

        def want(fd: Optional[int], event: int) -> None:
            if fd is not None:
                wanted[fd] = wanted.get(fd, 0) | event

        if self._input:
            want(self._child.input, select.POLLOUT)
        elif self._input_open:
            want(0, select.POLLIN)
        for source, target in self._child.outputs:
            want(*((target, select.POLLOUT) if self._output.get(source) else (source, select.POLLIN)))
        for fd, events in wanted.items():
            poll.register(fd, events)
        until = min(_NEVER if any(self._output.values()) else self._give_up_at, self._end_again_at)
        timeout = None if until == _NEVER else max(0.0, until - time.monotonic()) * 1_000 + 1
        ready = dict(poll.poll(timeout))
        gone = select.POLLHUP | select.POLLERR
        return (
            {fd for fd, events in ready.items() if events & (select.POLLIN | gone)},
            {fd for fd, events in ready.items() if events & (select.POLLOUT | gone)},
        )

    def _see_end(self) -> None:
        told = os.read(self._child.ending, 4)
        status = struct.unpack("i", told)[0] if len(told) == 4 else signal.SIGKILL
        self._code = exit_code(status)
        self._give_up_at = time.monotonic() + LAST_WORDS_SECONDS
        self._end_again_at = _NEVER

    def _obey(self) -> bool:
        messages = self._control.next()
        for message in messages or []:
            if "resize" in message:
                self._child.resize(*message["resize"])
        return messages is not None

    def _carry_input(self, readable: set[int], writable: set[int]) -> None:
        if self._input_open and not self._input and 0 in readable:
            chunk = _read(0)
            self._input = chunk or b""
            self._input_open = chunk != b""
            if chunk:
                self._child.line_begun = chunk[-1:] not in (b"\r", b"\n")
            if not self._input_open:
                self._end_input()
        if self._input and self._child.input in writable:
            try:
                self._input = self._input[os.write(self._child.input, self._input) :]
            except BlockingIOError:
                pass
            except OSError:  # it reads no more; what else comes is for nobody
                self._input, self._input_open = b"", False
                if not self._child.on_terminal:
                    self._child.end_input()

    def _end_input(self) -> None:
        self._child.end_input()
        if self._child.on_terminal and self._code is None:
            self._end_again_at = time.monotonic() + END_AGAIN_SECONDS

    def _carry_output(self, source: int, target: int, readable: set[int], writable: set[int]) -> bool:
        """False when nobody takes it any more."""
        held = self._output.get(source, b"")
        if not held and source in readable:
            held = _read(source)
            if held == b"":
                self._child.outputs.remove((source, target))
                if not self._child.on_terminal:
                    os.close(source)
                return True
            if self._code is not None:
                self._left -= len(held or b"")
        if held and self._code is not None:
            self._give_up_at = time.monotonic() + LAST_WORDS_SECONDS
        if held and (target in writable or source in readable):
            try:
                held = held[os.write(target, held) :]
            except BlockingIOError:
                pass
            except OSError:
                return False
        self._output[source] = held or b""
        return True


def _read(fd: int) -> Optional[bytes]:
    """A chunk; empty at the end, nothing when none is there yet. A terminal without a reader ends with an error."""
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
