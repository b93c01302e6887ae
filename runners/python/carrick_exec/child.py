"""The command itself: its process, and the ends of its input and output that we hold."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
from typing import Dict, List, NoReturn, Optional, Sequence, Tuple

from carrick_launch import kernel

from .family import become_reaper, end_with_parent

_END_OF_FILE = b"\x04"


class Child:
    """A command that has been started. `outputs` are pairs of where it writes and where that goes."""

    def __init__(
        self, pid: int, ending: int, input_fd: int, outputs: Sequence[Tuple[int, int]], terminal: Optional[int]
    ) -> None:
        self.pid = pid
        #: Where the status comes from with which it ends, as wait(2) tells it.
        self.ending = ending
        self.input: Optional[int] = input_fd
        self.outputs: List[Tuple[int, int]] = list(outputs)
        #: Whether its input so far ends in the middle of a line.
        self.line_begun = False
        self._terminal = terminal
        for fd in {input_fd, *(fd for fd, _ in outputs)}:
            os.set_blocking(fd, False)

    @property
    def on_terminal(self) -> bool:
        return self._terminal is not None

    def resize(self, rows: int, columns: int) -> None:
        if self._terminal is not None:
            set_size(self._terminal, rows, columns)

    def end_input(self) -> None:
        """
        No more will come. A pipe is closed, once. Who reads a terminal is told so; a program that begins to read, or
        changes the terminal's mode, afterwards has missed it and is told by another call.
        """
        if self._terminal is None:
            if self.input is not None:
                os.close(self.input)
            self.input = None
            return
        try:
            os.write(self._terminal, self._end_mark(self._terminal))
        except (OSError, termios.error):
            pass  # full, or nobody is left on the other side

    def _end_mark(self, terminal: int) -> bytes:
        """A program that edits lines itself sees an end only where a line could begin, so one that was begun is ended."""
        if termios.tcgetattr(terminal)[3] & termios.ICANON or not self.line_begun:
            return _END_OF_FILE
        self.line_begun = False
        return b"\n" + _END_OF_FILE


class Start:
    """What is to be started, and how."""

    def __init__(
        self, command: List[str], variables: Dict[bytes, bytes], size: Optional[List[int]], confined: bool
    ) -> None:
        self.command = command
        self.variables = variables
        self.size = size
        #: It gives up what only root may do, as the runner has.
        self.confined = confined


def start(wanted: Start) -> Child:
    """With a size it runs on a terminal of that size, without one on three pipes."""
    return _on_pipes(wanted) if wanted.size is None else _on_terminal(wanted, wanted.size)


def _on_terminal(wanted: Start, size: List[int]) -> Child:
    ours, theirs = pty.openpty()
    set_size(ours, *size)
    variables = {b"TERM": b"xterm-256color", **wanted.variables}
    pid, ending = _kept(wanted, variables, (theirs, theirs, theirs), (ours, theirs))
    os.close(theirs)
    return Child(pid, ending, ours, [(ours, 1)], ours)


def _on_pipes(wanted: Start) -> Child:
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = (os.pipe() for _ in range(3))
    streams = (in_read, out_write, err_write)
    pid, ending = _kept(wanted, wanted.variables, streams, (*streams, in_write, out_read, err_read))
    for fd in streams:
        os.close(fd)
    return Child(pid, ending, in_write, [(out_read, 1), (err_read, 2)], None)


def _kept(
    wanted: Start, variables: Dict[bytes, bytes], streams: Tuple[int, int, int], all_fds: Sequence[int]
) -> Tuple[int, int]:
    """
    Starts it below a process of its own, which orphans come to: in other process namespaces they would not come to us.
    Answers that process, and a pipe that tells how the command ended.
    """
    ending, report = os.pipe()
    keeper = os.fork()
    if keeper:
        os.close(report)
        return keeper, ending
    try:
        end_with_parent()
        become_reaper()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            if wanted.size is not None:
                fcntl.ioctl(streams[0], termios.TIOCSCTTY, 0)
            _become(wanted, variables, streams)
        for fd in {0, 1, 2, 3, ending, *all_fds}:
            os.close(fd)
        while True:
            ended, status = os.wait()
            if ended == pid:
                os.write(report, struct.pack("i", status))
                os.close(report)
    except ChildProcessError:
        os._exit(0)  # nobody is left
    finally:
        os._exit(126)


def _become(wanted: Start, variables: Dict[bytes, bytes], streams: Tuple[int, int, int]) -> NoReturn:
    """Turns this process, a fresh child, into the command. Exit codes of one that cannot be are those of shells."""
    command = wanted.command
    try:
        end_with_parent()
        if wanted.confined:
            kernel.keep_capabilities(kernel.KEPT_CAPABILITIES if os.geteuid() == 0 else ())
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores them, and what is ignored is inherited
        for target, fd in enumerate([os.dup(fd) for fd in streams]):
            os.dup2(fd, target)
        os.closerange(3, 1024)
        os.execvpe(os.fsencode(command[0]), [os.fsencode(each) for each in command], variables)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127 if error.errno in (errno.ENOENT, errno.ENOTDIR) else 126)
    except BaseException as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    os._exit(126)


def set_size(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
