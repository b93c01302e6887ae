"""What the kernel offers and Python does not."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITIES_V3 = 0x20080522
_SYS_MOUNT_SETATTR = 442
_SYS_PIDFD_GETFD = 438
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_ATTR_RDONLY, _ATTR_NOSUID = 1, 2

#: What a runner may do as root that others may not: with files and users of its own, as in other containers.
KEPT_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31)

_SIGCHLD = 17
_libc = ctypes.CDLL(None, use_errno=True)
_whole = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock, which the child of a fork must have
syscall = _libc.syscall


def check(result, what=None):
    """The result, unless it says that the call failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def unshare(flags):
    check(_libc.unshare(flags))


def fork_apart(flags):
    """Like os.fork, but the child begins in new namespaces, and later children of this process do not."""
    number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    return check(_whole.syscall(number, flags | _SIGCHLD, 0, 0, 0, 0))


def end_with_parent(signal_number, parent=None):
    """
    This process gets the signal when its parent ends. `parent` is that one's id, for a parent in the same process namespace: when
    it was gone before this could be said, this process ends here.
    """
    check(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0))
    if parent is not None and os.getppid() != parent:
        os._exit(0)


def freeze(path):
    """What is mounted here, and below, cannot be changed through it any more."""
    attributes = (ctypes.c_uint64 * 4)(_ATTR_RDONLY | _ATTR_NOSUID, 0, 0, 0)
    check(
        syscall(
            _SYS_MOUNT_SETATTR,
            _AT_FDCWD,
            os.fsencode(path),
            ctypes.c_uint(_AT_RECURSIVE),
            ctypes.byref(attributes),
            ctypes.c_size_t(32),
        ),
        path,
    )


def file_of(pidfd, number):
    """A file that another process has open, opened here too."""
    return check(syscall(_SYS_PIDFD_GETFD, pidfd, number, 0))


def keep_capabilities(kept):
    """Gives up all others, for this process and for whatever it becomes."""
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(64):
        if capability not in kept:
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails for those that this kernel or user does not have
    have = _capabilities()
    wanted = [sum(1 << (each % 32) for each in kept if each // 32 == half) for half in (0, 1)]
    _set_capabilities([(now[0] & mask, now[1] & mask, 0) for now, mask in zip(have, wanted)])


def inherit_capabilities(passed):
    """What this process becomes has them too, although its user is not root."""
    have = _capabilities()
    _set_capabilities([(effective, permitted, permitted) for effective, permitted, _ in have])
    for capability in passed:
        _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _capabilities():
    data = (ctypes.c_uint32 * 6)()
    check(_libc.capget((ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0), data))
    return [tuple(data[0:3]), tuple(data[3:6])]


def _set_capabilities(halves):
    data = (ctypes.c_uint32 * 6)(*halves[0], *halves[1])
    check(_libc.capset((ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0), data))
