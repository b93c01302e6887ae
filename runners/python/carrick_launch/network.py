"""A runner's own network: its loopback, a way out by pasta, and what that must not lead to."""

from __future__ import annotations

import _signal as signal
import fcntl
import os
import struct

import _socket

from .kernel import end_with_parent, inherit_capabilities

_SIOCSIFFLAGS = 0x8914
_UP_AND_RUNNING = 0x41
_AF_NETLINK = 16
_NEWROUTE, _REQUEST_CREATE_ACK = 24, 0x1 | 0x4 | 0x400
_TABLE_MAIN, _PROTOCOL_STATIC, _UNREACHABLE = 254, 4, 7
_DESTINATION = 1
#: What pasta may do when its user is not root: join the network and configure it.
_FOR_PASTA = (6, 7, 10, 12, 19, 21)


def begin():
    """To be called in the new network."""
    request = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(request.fileno(), _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _UP_AND_RUNNING))
    request.close()


def deny(denied):
    """To be called in the new network. `denied` are the networks to which no route is to lead, as `address/bits`."""
    routes = _socket.socket(_AF_NETLINK, _socket.SOCK_RAW, 0)
    for network in denied:
        _deny(routes, network)
    routes.close()


def _deny(routes, network):
    """Longer than the way out, so it wins; and only who may configure networks can take it away, which no app may."""
    address, bits = network.split("/")
    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    packed = _socket.inet_pton(family, address)
    route = struct.pack("BBBBBBBBI", family, int(bits), 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, 0, _UNREACHABLE, 0)
    route += struct.pack("HH", 4 + len(packed), _DESTINATION) + packed
    routes.send(struct.pack("IHHII", 16 + len(route), _NEWROUTE, _REQUEST_CREATE_ACK, 1, 0) + route)
    (failure,) = struct.unpack_from("i", routes.recv(1024), 16)
    if failure < 0 and -failure != 17:  # it may be there already
        raise OSError(-failure, os.strerror(-failure), network)


def start_pasta(program, network, forwarded, ready):
    """
    Joins the new network, an open file, to ours, in user space. Inside, `forwarded` ports of loopback lead to ours; nothing
    leads in. It writes its id into the file `ready` when that works. Answers its process id; it ends with this process.
    """
    launcher = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        end_with_parent(signal.SIGKILL, launcher)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, which pasta takes for a failure of its own
        os.set_inheritable(network, True)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        if os.geteuid() != 0:
            inherit_capabilities(_FOR_PASTA)
        user = ["--runas", "0"] if os.geteuid() == 0 else []  # it would become nobody, who may not join
        none = [option for name in ("-t", "-u", "-U") for option in (name, "none")]
        target = ["--netns-only", "--netns", "/proc/self/fd/%d" % network]
        os.execv(
            program,
            [program, "--config-net", "--no-map-gw", "-f", "-q", *none, "-T", ",".join(forwarded), "-P", ready, *user, *target],
        )
    finally:
        os._exit(127)
