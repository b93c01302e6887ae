"""Carrying connections from a port of this loopback to the platform, for code that knows no other address of it."""

from __future__ import annotations

import os
import signal
import socket
import sys

_MOST_AT_ONCE = 256
_CONNECT_SECONDS = 10
_CHUNK = 65_536


def start_forwarding(wanted: str) -> None:
    """
    Listens as `PORT=HOST:PORT` says, in a process of its own that is no child of this one: the app may wait for its
    children and fork without knowing of it. Until somebody connects it does nothing.
    """
    port, _, target = wanted.partition("=")
    host, _, target_port = target.rpartition(":")
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(port)))
        listener.listen(_MOST_AT_ONCE)
    except OSError as error:
        print(f"Nothing at 127.0.0.1:{port} leads to the platform: {error}", file=sys.stderr, flush=True)
        listener.close()
        return
    child = os.fork()
    if child == 0:
        _leave(listener, host, int(target_port))
    listener.close()
    os.waitpid(child, 0)


def _leave(listener: socket.socket, host: str, port: int) -> None:
    """Becomes the child of whoever reaps here."""
    try:
        if os.fork() == 0:
            os.setsid()
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            _let_go_of_all_but(listener.fileno())
            _serve(listener, host, port)
    finally:
        os._exit(0)


def _let_go_of_all_but(kept: int) -> None:
    """What it holds open would stay open when the app closes it."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.closerange(3, kept)
    os.closerange(kept + 1, max(int(name) for name in os.listdir("/proc/self/fd")) + 1)


def _serve(listener: socket.socket, host: str, port: int) -> None:
    near, _ = listener.accept()
    import threading  # only now: most runners never come here

    places = threading.BoundedSemaphore(_MOST_AT_ONCE)
    while True:
        places.acquire()
        threading.Thread(target=_carry, args=(near, host, port, places), daemon=True).start()
        near, _ = listener.accept()


def _carry(near, host, port, places) -> None:  # type: ignore[no-untyped-def]
    import threading

    try:
        with near:
            far = socket.create_connection((host, port), _CONNECT_SECONDS)
            far.settimeout(None)
            with far:
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=_copy, args=(far, near), daemon=True)
                back.start()
                _copy(near, far)
                back.join()
    except OSError:
        pass  # whoever connected sees the connection end
    finally:
        places.release()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Until one side ends: the other learns that no more will come, and may still answer."""
    try:
        while True:
            data = source.recv(_CHUNK)
            if not data:
                break
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
