"""
A runner in namespaces of its own. Three processes: this one stays outside, in the runner's place among the machine's
processes; it starts process 1 of the runner's namespaces, which does nothing but reap, and that starts the runner's
program. Signals are passed on to the program, and this process ends as that ended. When any of them is killed all go.
"""

from __future__ import annotations

import _signal as signal  # as in launch.py
import os
import select
import struct
import sys

import _socket

from . import kernel, launch, network
from .binds import Door, announce_binds
from .files import View
from .launch import TOLD

#: What is said by it is for the server: by the program, and by whoever gives it its port. Who else held it open would keep it
#: from ending.
WORD = 4
_CREDENTIALS, _RIGHTS = 2, 1
_PASS_CREDENTIALS = 16
_CLOSE_ON_EXEC = 0x40000000
_LONGEST = 65_536
_GONE = -1
_LIMITED = b"l"
_WATCHED = ("pasta", "forward", "ready", "way-out-group", "port", "main")


def run(own_network, groups, tell):
    """
    Ends as the program does. What is the same for every runner is made before `tell` answers the options, and what turns a
    process into the program; `groups` are control groups that are known already.
    """
    in_user_namespace = _take_user_namespace()
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    ours.setsockopt(_socket.SOL_SOCKET, _PASS_CREDENTIALS, 1)
    watch = Watch(ours)
    first = kernel.fork_apart(kernel.CLONE_NEWPID)
    if first == 0:
        ours.close()
        _be_first(own_network, theirs, in_user_namespace, tell)
    theirs.close()
    if not own_network:
        os.close(WORD)
    os.close(TOLD)
    watch.limit(first, groups)
    watch.until_end(first)


def _take_user_namespace():
    if os.geteuid() == 0:
        return False
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)
    return True


class Watch:
    """The process outside: what it hears of the inside, and what it does for it."""

    def __init__(self, channel):
        self._options = {}
        self._channel = channel
        self._program = None
        self._asked = None
        self._door = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, self._pass_on)

    def _pass_on(self, number, _):
        if self._program is None:
            self._asked = number
        else:
            _send(self._program, number)

    def limit(self, first, groups):
        """
        Puts process 1 into the runner's control groups while that makes its namespaces: the kernel lets some milliseconds pass
        before it moves the first process in a while. No program begins before.
        """
        try:
            for folder in groups:
                with open(folder + "/cgroup.procs", "w") as file:
                    file.write(str(first))
        except (ProcessLookupError, BrokenPipeError, ConnectionResetError):
            pass  # it has ended and said why, of which we shall hear
        except OSError as error:
            _send(first, signal.SIGKILL)
            print("This runner could not be put within its limits: %s" % error, file=sys.stderr, flush=True)
            os._exit(126)

    def until_end(self, first):
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if self._door is not None and fd == self._door.listener:
                    self._door.answer()
                    continue
                status = self._hear(first, poll)
                if status is not None:
                    _send(first, signal.SIGKILL)
                    _, own = os.waitpid(first, 0)
                    _end_like(own if status == _GONE else status)

    def _hear(self, first, poll):
        """The status with which the program ended, once it has; _GONE when process 1 went before it could tell."""
        message, extra, _, _ = self._channel.recvmsg(_LONGEST, 256, _CLOSE_ON_EXEC)
        if message == b"":
            return _GONE
        kind, body = message[:1], message[1:]
        if kind == b"g":
            self.limit(first, _words(body))
        elif kind == b"o":
            self._options, _ = launch.parse(_words(body))
            self._answer_limited()
        elif kind == b"n":
            self._lead_out(first)
        elif kind == b"p":
            self._note_program(extra, poll)
        elif kind == b"e":
            return struct.unpack("i", body)[0]
        return None

    def _answer_limited(self):
        try:
            self._channel.send(_LIMITED)
        except (BrokenPipeError, ConnectionResetError):
            pass  # as in limit()

    def _lead_out(self, first):
        for folder in self._options.get("way-out-group", []):
            with open(folder + "/cgroup.procs", "w") as file:
                file.write("0")
        inside = os.open("/proc/%d/ns/net" % first, os.O_RDONLY)
        options = self._options
        network.start_pasta(options["pasta"][0], inside, options["forward"], options["ready"][0])
        os.close(inside)

    def _note_program(self, extra, poll):
        for level, kind, data in extra:
            if level == _socket.SOL_SOCKET and kind == _CREDENTIALS:
                self._program = struct.unpack_from("i", data)[0]
            elif level == _socket.SOL_SOCKET and kind == _RIGHTS:
                listener = struct.unpack_from("i", data)[0]
                ports = _ports(self._options.get("port", []))
                self._door = Door(listener, ports, _Bell(next(iter(ports.values()), None)))
                poll.register(listener, select.POLLIN)
        draft = self._options["main"][0] + ".draft"
        with open(draft, "w") as file:
            file.write(str(self._program))
        os.replace(draft, self._options["main"][0])
        if self._asked is not None:
            _send(self._program, self._asked)


class _Bell:
    """Says once to the server that the first of the ports is taken: nobody can listen there before, so it need not look."""

    def __init__(self, port):
        self._port = port

    def __call__(self, port):
        if port != self._port:
            return
        self._port = None
        try:
            os.write(WORD, b"b")
        except OSError:
            pass  # the server is gone, or has heard enough
        os.close(WORD)


def _ports(pairs):
    """`8080:20001`: what binds 8080 has 20001 of the machine's ports. By one number alone both are meant."""
    return {int(pair.split(":")[0]): int(pair.split(":")[-1]) for pair in pairs}


def _words(body):
    return [os.fsdecode(each) for each in body.split(b"\0")] if body else []


def _message(kind, words):
    return kind + b"\0".join(os.fsencode(each) for each in words)


def _for_watch(options):
    """What the process outside has to know."""
    chosen = [(name, value) for name in _WATCHED for value in options.get(name, [])]
    return _message(b"o", [word for name, value in chosen for word in ("--" + name, value)] + ["--"])


def _be_first(own_network, channel, in_user_namespace, tell):
    """Process 1: when it ends, so does all that is in these namespaces."""
    step = "begin"
    try:
        kernel.end_with_parent(signal.SIGKILL)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
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
            channel.send(_message(b"g", groups))
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
        if channel.recv(1) != _LIMITED:
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
        channel.setsockopt(_socket.SOL_SOCKET, _PASS_CREDENTIALS, 1)
        if own_network:
            listener = announce_binds()
            channel.sendmsg([b"p"], [(_socket.SOL_SOCKET, _RIGHTS, struct.pack("i", listener))])
            os.close(listener)
        else:
            channel.send(b"p")
        channel.close()
        kernel.keep_capabilities(kernel.KEPT_CAPABILITIES if os.geteuid() == 0 else ())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
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


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has ended, and we shall hear of it


def _end_like(status):
    """Whoever waits for us learns what became of the program."""
    if not os.WIFSIGNALED(status):
        os._exit(os.WEXITSTATUS(status))
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    number = os.WTERMSIG(status)
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)
