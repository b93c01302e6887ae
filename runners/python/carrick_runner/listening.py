"""Telling the platform that the app's port is open, at the moment when it is: it would have to look for it every now and then."""

from __future__ import annotations

import functools
import os
import socket
import stat
from typing import Any, Optional

_fd: Optional[int] = None
_port = ""
_open = False


def tell_of_listening() -> None:
    """
    From here on the first socket that listens on PORT is told of, through the pipe that CARRICK_LISTENING_FD names. The
    pipe ends with this process image, and is nobody's business in it.
    """
    global _fd, _port
    fd, _port = os.environ.pop("CARRICK_LISTENING_FD", ""), os.environ.get("PORT", "")
    if fd.isdecimal() and _is_pipe(int(fd)):
        _fd = int(fd)
        os.set_inheritable(_fd, False)
    listen = socket.socket.listen

    @functools.wraps(listen)
    def listen_and_tell(self: socket.socket, *backlog: Any) -> None:
        listen(self, *backlog)
        if self.type == socket.SOCK_STREAM and self.family in (socket.AF_INET, socket.AF_INET6):
            listens_on(self.getsockname()[1])

    socket.socket.listen = listen_and_tell  # type: ignore[method-assign, assignment]


def is_open() -> bool:
    """Whether the app's port is open: from then on it may have been sent something."""
    return _open


def _is_pipe(fd: int) -> bool:
    """What stands between the platform and us may not have handed it on."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def listens_on(port: Any) -> None:
    """Says so, once, when it is the app's port."""
    global _fd, _open
    if str(port) != _port:
        return
    _open = True
    if _fd is None:
        return
    fd, _fd = _fd, None
    try:
        os.write(fd, b"\n")
        os.close(fd)
    except OSError:
        pass  # the server that reads this pipe is gone, or the app has closed it: then the port is looked for
