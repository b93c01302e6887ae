"""What changes in the HTTP servers that apps use: where they listen, how their output is tagged."""

from __future__ import annotations

import functools
import importlib
import os
import socket
import sys
from typing import Any

from .ending import end_well
from .imports import after_import
from .listening import listens_on, tell_of_listening
from .streams import tagging

_ANY_IPV4 = b"\0" * 4
_ANY_IPV6 = b"\0" * 16


def adapt_servers() -> None:
    has_own_network = os.environ.pop("CARRICK_RUNNER_OWN_NETWORK", "") != ""
    if not has_own_network:
        _bind_to_loopback()
    tell_of_listening()
    after_import("uvicorn.config", _tag_requests)
    after_import("uvicorn.server", end_well)
    after_import("uvloop", _tell_of_uvloop if has_own_network else _bind_uvloop_to_loopback)


def _bind_to_loopback() -> None:
    """
    Makes a server that binds every interface listen on loopback: a runner shares the machine's network, and the local
    network would reach the app past the platform's door.
    """
    bind = socket.socket.bind

    @functools.wraps(bind)
    def bind_to_loopback(self: socket.socket, address: Any) -> None:
        bind(self, _narrowed(self, address))

    socket.socket.bind = bind_to_loopback  # type: ignore[method-assign, assignment]


def _narrowed(sock: socket.socket, address: Any) -> Any:
    # Port 0 belongs to clients that only choose an address family, datagrams to protocols that must be reached.
    if sock.type != socket.SOCK_STREAM or not isinstance(address, tuple) or not address[1]:
        return address
    host, *rest = address
    return (loopback_for(host, sock.family), *rest)


def loopback_for(host: Any, family: int) -> Any:
    """The loopback address in place of a wildcard; any other address as it is."""
    if not isinstance(host, str):
        return host
    try:
        if family == socket.AF_INET and (host == "" or socket.inet_aton(host) == _ANY_IPV4):
            return "127.0.0.1"
        if family == socket.AF_INET6 and (host == "" or socket.inet_pton(family, host) == _ANY_IPV6):
            return "::1"
    except OSError:
        pass  # a name, or an address of another kind
    return host


def _tell_of_uvloop(uvloop: Any) -> None:
    """uvloop listens in C, past the socket module."""
    create_server = uvloop.Loop.create_server

    @functools.wraps(create_server)
    async def create_and_tell(self: Any, factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        server = await create_server(self, factory, host, port, **options)
        if options.get("start_serving", True):
            listens_on(port)
        return server

    uvloop.Loop.create_server = create_and_tell


def _bind_uvloop_to_loopback(uvloop: Any) -> None:
    """uvloop binds in C, past the socket module."""
    create_server = uvloop.Loop.create_server

    @functools.wraps(create_server)
    async def create_loopback_server(self: Any, factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        if options.get("sock") is None:
            family = socket.AF_INET6 if isinstance(host, str) and ":" in host else socket.AF_INET
            host = loopback_for(host or "", family)
        server = await create_server(self, factory, host, port, **options)
        if options.get("start_serving", True):
            listens_on(port)
        return server

    uvloop.Loop.create_server = create_loopback_server


def _tag_requests(config: Any) -> None:
    load = config.Config.load

    @functools.wraps(load)
    def load_tagged(self: Any) -> None:
        load(self)
        self.loaded_app = tagging(self.loaded_app)
        _load_for_requests()

    config.Config.load = load_tagged


def _load_for_requests() -> None:
    """
    Starlette does its work by anyio, which loads half of itself when it is first used: a dozen modules, for which the first
    request of each runner would wait, and on one that is among others all that came with it.
    """
    if "starlette" in sys.modules and "anyio" in sys.modules:
        try:
            importlib.import_module("anyio._backends._asyncio")
        except ImportError:
            pass  # another anyio, or a loop of another kind
