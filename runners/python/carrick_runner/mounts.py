"""
Folders of the platform at paths of their own, such as `/data`: in a mount namespace that is the runner's alone.

The process stays the same one, so whoever watches, signals or limits it notices nothing. It needs Linux, and the right to
make mounts: as root, or in a user namespace where an ordinary user may make one.
"""

from __future__ import annotations

import ctypes
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # every start pays for a module that is loaded
    from typing import Any, List, Mapping, Optional

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 32, 4096, 16384, 1 << 19
MNT_DETACH = 2

#: What a mount may not lose when it is made read-only inside a user namespace: statvfs says it, mount takes it.
_KEPT = {2: MS_NOSUID, 4: MS_NODEV, 8: MS_NOEXEC, 1024: 1024, 2048: 2048, 4096: 1 << 21}


class CannotMount(Exception):
    """The message is for the operator of the server."""


def make_mounts(variables: Mapping[str, str]) -> None:
    """
    Makes what CARRICK_RUNNER_MOUNTS asks for; without it, says what CARRICK_RUNNER_WITHOUT_MOUNTS holds. To be called before there is a
    second thread, and before anything is loaded that belongs to the app.
    """
    asked = variables.get("CARRICK_RUNNER_MOUNTS")
    if asked:
        import json

        _enter(**json.loads(asked))
    elif variables.get("CARRICK_RUNNER_WITHOUT_MOUNTS"):
        print(variables["CARRICK_RUNNER_WITHOUT_MOUNTS"], file=sys.stderr, flush=True)


def _enter(root: str, layers: str, mounts: List[Mapping[str, Any]]) -> None:
    """`root` is an empty folder that becomes `/`; `layers` holds what is written over read-only mounts."""
    _keep_clear([each["to"] for each in mounts])
    folder = os.getcwd()
    step = "make a namespace"
    try:
        in_user_namespace = _unshare()
        step = "make a root"
        mount(None, "/", MS_REC | MS_SLAVE)  # what is mounted here stays here; what the machine mounts later arrives
        os.makedirs(root, exist_ok=True)
        mount(root, root, MS_BIND)
        _bring_along(root, {each["to"].split("/")[1] for each in mounts})
        for index, wanted in enumerate(sorted(mounts, key=lambda each: len(each["to"]))):
            step = "mount " + wanted["to"]
            place(wanted, root + wanted["to"], os.path.join(layers, str(index)), in_user_namespace)
        step = "change the root"
        os.chdir(root)
        check(libc.pivot_root(b".", b"."))
        check(libc.umount2(b".", MNT_DETACH))
        os.chdir(folder)
        if in_user_namespace:
            drop_capabilities()
    except OSError as error:
        raise CannotMount(
            f"This runner could not {step}: {error}. The server's setting CARRICK_MOUNTS=never starts runners without /data."
        ) from error


def _keep_clear(targets: List[str]) -> None:
    """What runs now must still be there afterwards."""
    for needed in (sys.base_prefix, sys.prefix, os.path.realpath(__file__), os.getcwd()):
        for target in targets:
            if os.path.join(needed, "").startswith(target + "/"):
                raise CannotMount(
                    f"This runner cannot have its own {target}: {needed}, which it needs, would be hidden. "
                    f"Keep Python and Carrick's folders outside {target}."
                )


def _unshare() -> bool:
    """Answers whether it took a user namespace."""
    if os.geteuid() == 0 and libc.unshare(CLONE_NEWNS) == 0:
        return False
    user, group = os.geteuid(), os.getegid()
    check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)
    return True


def _bring_along(root: str, hidden: "set[str]") -> None:
    """Everything at the top of the machine, where it was."""
    # The one that holds the new root comes first, while there is little in it.
    entries = sorted(os.scandir("/"), key=lambda entry: not root.startswith(entry.path + "/"))
    for entry in entries:
        if entry.name in hidden:
            continue
        target = root + entry.path
        if entry.is_symlink():
            if not os.path.lexists(target):
                os.symlink(os.readlink(entry.path), target)
            continue
        if entry.is_dir():
            os.makedirs(target, exist_ok=True)
        else:
            open(target, "a").close()
        mount(entry.path, target, MS_BIND | MS_REC)


def place(wanted: Mapping[str, Any], target: str, layer: str, in_user_namespace: bool) -> None:
    os.makedirs(target, exist_ok=True)
    source = opened(wanted["from"])
    try:
        if not wanted["readOnly"]:
            mount(f"/proc/self/fd/{source}", target, MS_BIND | MS_REC)
        elif wanted.get("refuses") or not layered(wanted["from"], target, layer, in_user_namespace):
            mount(f"/proc/self/fd/{source}", target, MS_BIND)
            kept = sum(flag for bit, flag in _KEPT.items() if os.statvfs(target).f_flag & bit)
            mount(None, target, MS_REMOUNT | MS_BIND | MS_RDONLY | kept)
    finally:
        os.close(source)


def opened(path: str) -> int:
    """The folder, whatever links somebody has put in the way: one of them is an error."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
    folder = os.open("/", flags)
    for name in path.strip("/").split("/"):
        above = folder
        try:
            folder = os.open(name, flags, dir_fd=above)
        finally:
            os.close(above)
    return folder


def layered(source: str, target: str, layer: str, in_user_namespace: bool) -> bool:
    """
    Read-only below, and over it a layer that goes with the runner: the SDK makes the script's folder when no file is in it.
    False where this cannot be had, as on a file system that is layered itself.
    """
    upper, work = os.path.join(layer, "upper"), os.path.join(layer, "work")
    if any(character in source + layer for character in ",:\\"):
        return False
    os.makedirs(upper, exist_ok=True)
    os.makedirs(work, exist_ok=True)
    options = f"lowerdir={source},upperdir={upper},workdir={work}" + (",userxattr" if in_user_namespace else "")
    try:
        mount("overlay", target, MS_NODEV, "overlay", options)
        os.chmod(os.path.join(work, "work"), 0o700)  # else an ordinary user could not remove it
    except OSError:
        return False
    return True


def drop_capabilities() -> None:
    """An ordinary user is one again."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    check(libc.capset(header, (ctypes.c_uint32 * 6)()))


def mount(
    source: Optional[str], target: str, flags: int, kind: Optional[str] = None, options: Optional[str] = None
) -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    check(libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]), target)


def check(result: int, path: Optional[str] = None) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


libc = ctypes.CDLL(None, use_errno=True)
