"""Process 1 of a runner's namespaces: it makes them, starts the runner's program in them, and reaps. When it ends, all end."""

from __future__ import annotations

import _signal as signal  # as in launch.py
import os
import struct
import sys

import _socket

from . import kernel, network
from .binds import announce_binds
from .files import View
from .told import packed
from .watch import LIMITED, PASS_CREDENTIALS, PASSED_ON, RIGHTS, WORD

#: Options that the process outside has to know.
_WATCHED = ("pasta", "forward", "ready", "way-out-group", "port", "main")


def be_first(own_network, channel, in_user_namespace, tell):
    """Process 1: when it ends, so does all that is in these namespaces."""
    step = "begin"
    try:
        kernel.end_with_parent(signal.SIGKILL)
        for number in PASSED_ON:
            signal.signal(number, signal.SIG_IGN)
        step = "make namespaces"
        kernel.unshare(
            kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC | (kernel.CLONE_NEWNET if own_network else 0)
        )
        if own_network:
            step = "make a network"
            network.begin()
        step = "be put where it belongs"
        ahead = []

        def join_and_prepare(groups):
            channel.send(b"g" + packed(groups))
            ahead.append(_machine_seen(os.getcwd(), in_user_namespace))

        options, become = tell(join_and_prepare)
        channel.send(_for_watch(options))
        _socket.sethostname(options["host"][0])
        if own_network:
            step = "make a network"
            network.deny(options.get("deny", []))
            channel.send(b"n")
        step = "see files of its own"
        view = ahead.pop() if ahead else _machine_seen(options["root"][0], in_user_namespace)
        _see(view, options)
        step = "begin its program"
        if channel.recv(1) != LIMITED:
            os._exit(126)
        program = os.fork()
        if program == 0:
            _be_program(options, channel, own_network, become)
        os.close(WORD)
        channel.send(b"e" + struct.pack("i", _reap_until(program)))
    except OSError as error:
        print("This runner could not %s: %s" % (step, error), file=sys.stderr, flush=True)
        os._exit(126)
    signal.pause()  # who hears of the end ends us


def _for_watch(options):
    chosen = [(name, value) for name in _WATCHED for value in options.get(name, [])]
    return b"o" + packed([word for name, value in chosen for word in ("--" + name, value)] + ["--"])


def _machine_seen(root, in_user_namespace):
    """What every runner sees, put together before it is known which one this will be."""
    os.makedirs(root, exist_ok=True)
    view = View(root, in_user_namespace)
    view.bring_machine()
    return view


def _see(view, options):
    folder = os.getcwd()
    view.clear({target.split("/")[1] for target in options.get("mount-to", [])})
    view.make_temporary(options["tmp"][0])
    for path in options.get("share", []):
        view.show(path, writable=True)
    view.hide(options.get("hide", []))
    for path in options.get("own", []):
        view.show(path, writable=True)
    for path in options.get("see", []):
        view.show(path)
    for path in options.get("program", []):
        view.show_program(path)
    for path, file in zip(options.get("put-at", []), options.get("put", [])):
        view.put(path, file)
    places = zip(options.get("mount-to", []), options.get("mount-from", []), options.get("mount-read-only", []))
    for index, (to, source, read_only) in enumerate(sorted(places, key=lambda place: len(place[0]))):
        wanted = {"to": to, "from": source, "readOnly": read_only != "0", "refuses": read_only == "2"}
        view.mount(wanted, os.path.join(options["layers"][0], str(index)))
    view.become_root()
    os.chdir(folder)


def _be_program(options, channel, own_network, become):
    try:
        kernel.end_with_parent(signal.SIGKILL)
        os.setsid()
        channel.setsockopt(_socket.SOL_SOCKET, PASS_CREDENTIALS, 1)
        if own_network:
            listener = announce_binds()
            channel.sendmsg([b"p"], [(_socket.SOL_SOCKET, RIGHTS, struct.pack("i", listener))])
            os.close(listener)
        else:
            channel.send(b"p")
        channel.close()
        kernel.keep_capabilities(kernel.KEPT_CAPABILITIES if os.geteuid() == 0 else ())
        for number in PASSED_ON:
            signal.signal(number, signal.SIG_DFL)
        become()
    except OSError as error:
        print("This runner could not be confined: %s" % error, file=sys.stderr, flush=True)
    os._exit(126)


def _reap_until(program):
    """The status of the program. Orphans come to us and are waited for, now and until the end."""
    while True:
        pid, status = os.wait()
        if pid == program:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            return status
