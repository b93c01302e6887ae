"""Where a command runs: the control group, namespaces, working folder and variables of a runner's main process."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Dict, List, Optional, Tuple

#: By the names that /proc gives them. In this order: what owns a user namespace may enter the others that belong to it.
_NAMESPACES = {
    "user": 0x10000000,
    "pid": 0x20000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "net": 0x40000000,
    "mnt": 0x00020000,
}


class CannotEnter(Exception):
    """Its text is a sentence for the person who asked."""


class Place:
    """A process as it is seen from outside, held open so that it can be joined once its own view of files is ours."""

    def __init__(self, pid: int, start_time: str) -> None:
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ:
                self.variables: Dict[bytes, bytes] = dict(
                    entry.split(b"=", 1) for entry in environ.read().split(b"\0") if b"=" in entry
                )
            self._folder = os.open(f"/proc/{pid}/cwd", os.O_RDONLY | os.O_DIRECTORY)
            self._namespaces = [
                found
                for found in (_foreign(pid, name, kind) for name, kind in _NAMESPACES.items())
                if found is not None
            ]
            with open(f"/proc/{pid}/stat", "rb") as stat:
                if stat.read().rpartition(b")")[2].split()[19] != start_time.encode():
                    raise ProcessLookupError(errno.ESRCH, "its process id belongs to another by now")
        except OSError as error:
            raise CannotEnter(f"The runner ended before a command could be run in it ({error.strerror})") from error

    def enter(self, groups: List[str]) -> None:
        """Joins it, with all that is started from now on."""
        try:
            for group in groups:
                with open(os.path.join(group, "cgroup.procs"), "w") as members:
                    members.write("0")
            for fd, kind in self._namespaces:
                _setns(fd, kind)
            os.fchdir(self._folder)
        except OSError as error:
            raise CannotEnter(f"The surroundings of the runner could not be entered: {error.strerror}") from error


def _foreign(pid: int, name: str, kind: int) -> Optional[Tuple[int, int]]:
    """That namespace of the process, unless it is ours too."""
    path = f"/proc/{pid}/ns/{name}"
    try:
        theirs, ours = os.stat(path), os.stat(f"/proc/self/ns/{name}")
    except FileNotFoundError:
        if os.path.exists(f"/proc/{pid}"):
            return None  # a kernel without it
        raise
    return None if theirs.st_ino == ours.st_ino else (os.open(path, os.O_RDONLY), kind)


def _setns(fd: int, kind: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, kind) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def shell_in(variables: Dict[bytes, bytes]) -> List[str]:
    """The shell to open: the one that $SHELL names, else bash, else sh."""
    path = os.fsdecode(variables.get(b"PATH", os.fsencode(os.defpath)))
    for name in (os.fsdecode(variables.get(b"SHELL", b"")), "bash", "sh"):
        found = _executable(name, path) if name else None
        if found:
            return [found]
    raise CannotEnter("There is neither bash nor sh in this runner: name a program with `fal runners exec`")


def _executable(name: str, path: str) -> Optional[str]:
    places = [""] if "/" in name else path.split(os.pathsep)
    candidates = (os.path.join(place, name) for place in places)
    return next((each for each in candidates if os.path.isfile(each) and os.access(each, os.X_OK)), None)
