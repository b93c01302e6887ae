"""
Forks launchers for the server, which would copy its own large page tables for each, and start an interpreter. A launcher
is told by a pipe of its own what to become: nothing of any runner ever passes through this process.

Hears  fork NUMBER HOW    fork a launcher of a runner that will be `apart`, have a `network` of its own too, or be neither (`plain`)
       opened PID     the server has opened the pipes of this one
Says   forked NUMBER PID TOLD STDOUT STDERR WORD    the numbers of our ends of its pipes, which the server opens by /proc
       refused NUMBER WHY
       ended PID CODE SIGNAL    by the signal, unless that is 0
"""

from __future__ import annotations

import _signal as signal  # as in launch.py
import gc
import os
import select
import sys

from . import isolate, launch  # noqa: F401  loaded once for all launchers

_CONTROL, _WORD = 3, 4


def serve():
    """Until the server closes its end, or ends."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), _WORD)  # so that no pipe is given a number that a launcher needs
    gc.freeze()  # or every launcher would copy the pages of what it shares with us
    try:
        Forks().serve()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server has ended


class Forks:
    def __init__(self):
        self._unopened = {}
        self._rung, self._bell = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._bell)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self):
        poll = select.poll()
        for fd in (_CONTROL, self._rung):
            poll.register(fd, select.POLLIN)
        rest = b""
        while True:
            ready = [fd for fd, _ in poll.poll()]
            if self._rung in ready:
                os.read(self._rung, 4096)
                self._reap()
            if _CONTROL in ready:
                heard = os.read(_CONTROL, 65536)
                if not heard:
                    return
                *lines, rest = (rest + heard).split(b"\n")
                for line in lines:
                    self._do(*line.decode().split())

    def _do(self, verb, number, how=""):
        if verb == "fork":
            self._fork(number, how)
        elif verb == "opened":
            self._let_go(int(number))

    def _fork(self, number, how):
        try:
            pipes = Pipes()
        except OSError as error:
            return _say("refused %s %s" % (number, error.strerror))
        try:
            pid = os.fork()
        except OSError as error:
            pipes.close_all()
            return _say("refused %s %s" % (number, error.strerror))
        if pid == 0:
            self._be_launcher(pipes, how)
        pipes.close_theirs()
        self._unopened[pid] = pipes
        _say("forked %s %d %d %d %d %d" % (number, pid, *pipes.ours))

    def _be_launcher(self, pipes, how):
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            # Whoever held the end of another's pipe would keep its reader from seeing that it ends.
            for each in self._unopened.values():
                each.close_ours()
            for fd in (self._rung, self._bell):
                os.close(fd)
            pipes.become_standard()
            launch.main_when_told(how != "plain", how == "network")
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(126)

    def _reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._let_go(pid)
            by_signal = os.WIFSIGNALED(status)
            code, number = (0, os.WTERMSIG(status)) if by_signal else (os.WEXITSTATUS(status), 0)
            _say("ended %d %d %d" % (pid, code, number))

    def _let_go(self, pid):
        pipes = self._unopened.pop(pid, None)
        if pipes is not None:
            pipes.close_ours()


class Pipes:
    """What it is told, its output, its errors, and its word for the server."""

    def __init__(self):
        self.ours, self._theirs = [], []
        try:
            for ours_is_written in (True, False, False, False):
                read, written = os.pipe()
                self.ours.append(written if ours_is_written else read)
                self._theirs.append(read if ours_is_written else written)
        except OSError:
            self.close_all()
            raise

    def become_standard(self):
        """In the launcher: where a runner has them. What it is told by is closed before it becomes the program."""
        for fd, target in zip(self._theirs, (launch.TOLD, 1, 2, _WORD)):
            os.dup2(fd, target)
        self.close_all()

    def close_ours(self):
        _close(self.ours)

    def close_theirs(self):
        _close(self._theirs)

    def close_all(self):
        self.close_ours()
        self.close_theirs()


def _close(fds):
    for fd in fds:
        os.close(fd)
    fds.clear()


def _say(line):
    os.write(_CONTROL, line.encode() + b"\n")
