"""Acts where a container engine is that runs below an ordinary user: in namespaces of its own, whose bridges the machine does not see.

Whoever owns such namespaces may enter them, as this program does for the platform's server, which is the same user. The engine is who
listens on its socket.

    carrick_inside SOCKET PROGRAM ARGUMENT...   becomes that program there
    carrick_inside SOCKET                       listens there for the server, and hands over what listens

The second speaks what Node speaks with a child: JSON, an object a line, over the socket NODE_CHANNEL_FD; what listens goes along as a
file descriptor with a message whose `cmd` is NODE_HANDLE.

    {"id": 1, "host": "10.0.0.1", "port": 8080}             what it is asked
    {"id": 1}, with it; or {"id": 1, "error": "EADDRINUSE"}     what it answers
"""

import array
import ctypes
import errno
import json
import os
import socket
import struct
import sys

CLONE = {"user": 0x10000000, "mnt": 0x00020000, "net": 0x40000000}
MOST_LINE = 1 << 16
BACKLOG = 511  # Node's own

libc = ctypes.CDLL(None, use_errno=True)


def engine_at(path):
    """The process that listens there, and its user."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        pid, uid, _ = struct.unpack("3i", asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if pid == 0:
        raise OSError(errno.ESRCH, "its process cannot be seen from here")
    return pid, uid


def enter(path, kinds):
    pid, uid = engine_at(path)
    if uid != os.getuid():
        raise OSError(errno.EPERM, f"it runs as user {uid}, and this server as user {os.getuid()}")
    namespaces = [(kind, open(f"/proc/{pid}/ns/{kind}")) for kind in kinds]
    for kind, namespace in namespaces:
        if os.path.samestat(os.fstat(namespace.fileno()), os.stat(f"/proc/self/ns/{kind}")):
            continue
        if libc.setns(namespace.fileno(), CLONE[kind]) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"its {kind} namespace: {os.strerror(code)}")


def listening(host, port):
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def answer(channel, asked):
    try:
        made = listening(asked["host"], asked["port"])
    except OSError as error:
        name = errno.errorcode.get(error.errno, "EIO")
        return channel.sendall(json.dumps({"id": asked["id"], "error": name}).encode() + b"\n")
    message = {"cmd": "NODE_HANDLE", "type": "net.Server", "msg": {"id": asked["id"]}}
    line = json.dumps(message).encode() + b"\n"
    channel.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [made.fileno()]))])
    made.close()


def serve(channel):
    read = b""
    while more := channel.recv(MOST_LINE):
        *lines, read = (read + more).split(b"\n")
        for asked in map(json.loads, lines):
            if "host" in asked:  # else Node says that it has what was handed over
                answer(channel, asked)


def main(path, program):
    try:
        enter(path, ["user", "mnt", "net"] if program else ["user", "net"])
    except OSError as error:
        sys.exit(error.strerror)
    if program:
        os.execvp(program[0], program)
    channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
    channel.setblocking(True)
    try:
        serve(channel)
    except (BrokenPipeError, ConnectionResetError):
        pass


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
