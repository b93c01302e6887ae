"""Everything a session started, also what left its process group."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from typing import Dict, List, Set

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Family:
    """The descendants of this process. Orphans among them become its children, so none is lost sight of."""

    def __init__(self) -> None:
        self._proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)  # the namespace we enter may have another
        become_reaper()

    def kill(self, patience: float = 5.0) -> None:
        """Ends them all. Looks again until a look finds nothing, for one may have started another in between."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            left = self._members()
            if not left:
                return
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                except PermissionError:
                    pass  # a program with other rights; its group is the server's to end
            reap()
            time.sleep(0.005)

    def _members(self) -> Set[int]:
        parents = self._parents()
        found = {os.getpid()}
        before = 0
        while before != len(found):
            before = len(found)
            found.update(pid for pid, parent in parents.items() if parent in found)
        return found - {os.getpid()}

    def _parents(self) -> Dict[int, int]:
        parents = {}
        for name in os.listdir(self._proc):
            if not name.isdigit():
                continue
            try:
                fd = os.open(f"{name}/stat", os.O_RDONLY, dir_fd=self._proc)
                with open(fd, "rb") as stat:
                    state, parent = stat.read().rpartition(b")")[2].split()[:2]
            except OSError:
                continue  # it has just ended
            if state not in (b"Z", b"X"):
                parents[int(name)] = int(parent)
        return parents


def reap() -> None:
    """Lets go of those children that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def become_reaper() -> None:
    """From now on orphans below this process become its children, if they are in its process namespace."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> None:
    """For a child: it does not outlive this process, however that ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_libc = ctypes.CDLL(None, use_errno=True)  # before the fork and before other files are ours


def _prctl(option: int, value: int) -> None:
    _libc.prctl(option, value, 0, 0, 0)


def exit_code(status: int) -> int:
    """As shells tell it: 128 and the signal for one that a signal ended."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
