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

from .family import end_with_parent

_END_OF_FILE = b"\x04"


class Child:
    """A command that has been started. `outputs` are pairs of where it writes and where that goes."""

    def __init__(self, pid: int, input_fd: int, outputs: Sequence[Tuple[int, int]], terminal: Optional[int]) -> None:
        self.pid = pid
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


def start(command: List[str], variables: Dict[bytes, bytes], size: Optional[List[int]]) -> Child:
    """With a size it runs on a terminal of that size, without one on three pipes."""
    return _on_terminal(command, variables, size) if size is not None else _on_pipes(command, variables)


def _on_terminal(command: List[str], variables: Dict[bytes, bytes], size: List[int]) -> Child:
    ours, theirs = pty.openpty()
    set_size(ours, *size)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        _become(command, {b"TERM": b"xterm-256color", **variables}, (theirs, theirs, theirs))
    os.close(theirs)
    return Child(pid, ours, [(ours, 1)], ours)


def _on_pipes(command: List[str], variables: Dict[bytes, bytes]) -> Child:
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = (os.pipe() for _ in range(3))
    pid = os.fork()
    if pid == 0:
        os.setsid()
        _become(command, variables, (in_read, out_write, err_write))
    for fd in (in_read, out_write, err_write):
        os.close(fd)
    return Child(pid, in_write, [(out_read, 1), (err_read, 2)], None)


def _become(command: List[str], variables: Dict[bytes, bytes], streams: Tuple[int, int, int]) -> NoReturn:
    """Turns this process, a fresh child, into the command. Exit codes of one that cannot be are those of shells."""
    try:
        end_with_parent()
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
