"""
The way in. The platform connects to a runner's port on the machine's loopback, but a runner has a network of its own. A
listening socket belongs to the network in which it was made: so whenever a process of the runner binds the port, the socket
that it gets instead is made outside. No byte of a request is carried by anybody.

The kernel tells us of each `bind` (seccomp user notification, Linux 5.9), and of no other call.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct

import _socket

from .kernel import check, file_of, syscall

#: By machine: the name of its calls to audit, `bind`, `seccomp`.
_CALLS = {"x86_64": (0xC000003E, 49, 317), "aarch64": (0xC00000B7, 200, 277)}
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_RECEIVE, _SEND, _IS_VALID, _ADD_FILE = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103
_GO_ON, _AT_NUMBER = 1, 1
_CLOEXEC = 0o2000000
_LOOPBACKS = {
    _socket.AF_INET: (b"\0\0\0\0", b"\x7f\0\0\1"),
    _socket.AF_INET6: (b"\0" * 16, b"\0" * 15 + b"\1", b"\0" * 10 + b"\xff\xff\x7f\0\0\1"),
}


def announce_binds():
    """From now on each `bind` of this process, and of all that it starts, waits for whoever holds the answer: a file."""
    audit, bind, seccomp = _CALLS[os.uname().machine]
    steps = [
        (0x20, 0, 0, 4),
        (0x15, 1, 0, audit),
        (0x06, 0, 0, _ALLOW),
        (0x20, 0, 0, 0),
        (0x15, 0, 1, bind),
        (0x06, 0, 0, _NOTIFY),
        (0x06, 0, 0, _ALLOW),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program)))
    return check(syscall(seccomp, _SET_MODE_FILTER, _NEW_LISTENER, filters))


class Door:
    """Answers binds. To be called in the network to which the port shall belong."""

    def __init__(self, listener, ports, on_bound):
        """`ports` are those of the machine by those that the runner asks for; `on_bound` is told of each that is taken."""
        self.listener = listener
        self._ports = ports
        self._on_bound = on_bound
        self._taken = None

    def answer(self):
        """One bind. Nothing when who asked is gone by now."""
        asked = bytearray(80)
        try:
            fcntl.ioctl(self.listener, _RECEIVE, asked, True)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return
            raise
        number, task = struct.unpack_from("QI", asked)
        target, address, length = struct.unpack_from("QQQ", asked, 32)
        self._taken = None
        try:
            failure = self._serve(number, task, target, address, length)
        except OSError as error:
            failure = error.errno
        reply = struct.pack("QqiI", number, 0, -(failure or 0), _GO_ON if failure is None else 0)
        try:
            fcntl.ioctl(self.listener, _SEND, reply)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
        if self._taken is not None:
            self._on_bound(self._taken)

    def _serve(self, number, task, target, address, length):
        """0 when the socket was replaced, an error's number, or None when the bind is to go on as it was asked for."""
        with open("/proc/%d/mem" % task, "rb", 0) as memory:
            where = os.pread(memory.fileno(), min(length, 28), address)
        fcntl.ioctl(self.listener, _IS_VALID, struct.pack("Q", number))  # it was the asker's memory that we read
        family = struct.unpack_from("H", where)[0] if len(where) >= 8 else 0
        port = struct.unpack_from("!H", where, 2)[0] if family in _LOOPBACKS else 0
        host = where[4:8] if family == _socket.AF_INET else where[8:24]
        if port not in self._ports or host not in _LOOPBACKS[family]:
            return None
        old, flags = _socket_of(task, target)
        with_ = _socket.socket(fileno=old)
        try:
            if with_.getsockopt(_socket.SOL_SOCKET, _socket.SO_TYPE) != _socket.SOCK_STREAM:
                return None
            new = _bound(family, self._ports[port], with_)
            if new is None:
                return None
            fcntl.fcntl(new.fileno(), fcntl.F_SETFL, flags & os.O_NONBLOCK)
        finally:
            with_.close()
        try:
            added = struct.pack("QIIII", number, _AT_NUMBER, new.fileno(), target, flags & _CLOEXEC)
            fcntl.ioctl(self.listener, _ADD_FILE, added)
            self._taken = self._ports[port]
        finally:
            new.close()
        return 0


def _socket_of(task, number):
    """The asker's socket, opened here too, and how it has it open."""
    with open("/proc/%d/status" % task) as status:
        leader = next(int(line.split()[1]) for line in status if line.startswith("Tgid:"))
    with open("/proc/%d/fdinfo/%d" % (task, number)) as info:
        flags = next(int(line.split()[1], 8) for line in info if line.startswith("flags:"))
    pidfd = os.pidfd_open(leader)
    try:
        return file_of(pidfd, number), flags
    finally:
        os.close(pidfd)


def _bound(family, port, asked):
    """
    A socket on the machine's loopback. One for IPv6 answers to the same IPv4 address, which is where the platform looks.
    A server that listens for each family by itself has that already: then it is for IPv6 alone, and none without that.
    """
    shared = asked.getsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEPORT)
    if family == _socket.AF_INET:
        return _made(family, ("127.0.0.1", port), shared)
    try:
        return _made(family, ("::ffff:127.0.0.1", port), shared)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not asked.getsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY):
            raise
    try:
        return _made(family, ("::1", port), shared, 1)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise


def _made(family, address, shared, only=0):
    new = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        new.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        if shared:
            new.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEPORT, 1)
        if family == _socket.AF_INET6:
            new.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, only)
        new.bind(address)
    except OSError:
        new.close()
        raise
    return new
