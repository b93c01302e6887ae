"""Connects to servers inside the network namespaces of containers, and hands the connections to the server of the platform.

A published port leads through a process of the engine that copies every byte twice. A socket that was opened inside is as near
as one of this machine. This program runs as root beside the server, one for all containers, and holds no connection.

It speaks what Node speaks with a child: JSON, an object a line, over the socket NODE_CHANNEL_FD; a connection goes along as a
file descriptor with a message whose `cmd` is NODE_HANDLE.

    {"id": 1, "net": "/proc/1/fd/20", "host": "10.0.0.2", "port": 8080, "limitMs": 1000}   what it is asked
    {"id": 1}, with the connection; or {"id": 1, "error": "ECONNREFUSED"}                     what it answers
"""

import array
import ctypes
import errno
import json
import os
import selectors
import socket
import time

CLONE_NEWNET = 0x40000000
MOST_LINE = 1 << 16

libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    """From here on sockets of this thread are made in that network namespace."""
    with open(path) as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def begin(asked):
    """A socket that is connecting, and 0 when it has connected already."""
    enter(asked["net"])
    family = socket.AF_INET6 if ":" in asked["host"] else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made, made.connect_ex((asked["host"], asked["port"]))


class Entry:
    def __init__(self, channel):
        self.channel = channel
        self.selector = selectors.DefaultSelector()
        self.selector.register(channel, selectors.EVENT_READ)
        self.connecting = {}

    def run(self):
        read = b""
        while True:
            for key, _ in self.selector.select(self.patience()):
                if key.fileobj is not self.channel:
                    self.finish(key.fileobj)
                    continue
                more = self.channel.recv(MOST_LINE)
                if not more:
                    return  # the server is gone
                *lines, read = (read + more).split(b"\n")
                for line in lines:
                    self.hear(json.loads(line))
            self.give_up()

    def hear(self, asked):
        if "net" not in asked:
            return  # Node says that it has a connection
        try:
            made, code = begin(asked)
        except OSError as error:
            return self.say({"id": asked["id"], "error": errno.errorcode.get(error.errno, "EIO")})
        if code not in (0, errno.EINPROGRESS):
            return self.refuse(asked["id"], made, code)
        self.connecting[made] = (asked["id"], time.monotonic() + asked["limitMs"] / 1000)
        if code == 0:
            return self.finish(made)
        self.selector.register(made, selectors.EVENT_WRITE)

    def finish(self, made):
        identity, _ = self.connecting.pop(made)
        if made in self.selector.get_map():
            self.selector.unregister(made)
        code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code != 0:
            return self.refuse(identity, made, code)
        message = {"cmd": "NODE_HANDLE", "type": "net.Socket", "msg": {"id": identity}}
        self.say(message, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [made.fileno()]))])
        made.close()

    def refuse(self, identity, made, code):
        made.close()
        self.say({"id": identity, "error": errno.errorcode.get(code, "EIO")})

    def patience(self):
        ends = [until for _, until in self.connecting.values()]
        return max(0, min(ends) - time.monotonic()) if ends else None

    def give_up(self):
        now = time.monotonic()
        for made, (identity, until) in list(self.connecting.items()):
            if until > now:
                continue
            del self.connecting[made]
            self.selector.unregister(made)
            self.refuse(identity, made, errno.ETIMEDOUT)

    def say(self, message, along=()):
        line = json.dumps(message).encode() + b"\n"
        sent = self.channel.sendmsg([line], along)
        if sent < len(line):
            self.channel.sendall(line[sent:])


if __name__ == "__main__":
    channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
    channel.setblocking(True)
    try:
        Entry(channel).run()
    except (BrokenPipeError, ConnectionResetError):
        pass
