"""
A runner in namespaces of its own. Three processes: this one stays outside, in the runner's place among the machine's
processes (`watch.py`); it starts process 1 of the runner's namespaces, which does nothing but reap (`first.py`), and that starts
the runner's program. Signals are passed on to the program, and this process ends as that ended. When any of them is killed all go.
"""

from __future__ import annotations

import os

import _socket

from . import kernel
from .first import be_first
from .told import TOLD
from .watch import PASS_CREDENTIALS, WORD, Watch


def run(own_network, groups, tell):
    """
    Ends as the program does. What is the same for every runner is made before `tell` answers the options, and what turns a
    process into the program; `groups` are control groups that are known already.
    """
    in_user_namespace = _take_user_namespace()
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    ours.setsockopt(_socket.SOL_SOCKET, PASS_CREDENTIALS, 1)
    watch = Watch(ours)
    first = kernel.fork_apart(kernel.CLONE_NEWPID)
    if first == 0:
        ours.close()
        be_first(own_network, theirs, in_user_namespace, tell)
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
