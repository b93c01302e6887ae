"""A runner's own view of files: the machine's programs and libraries, read-only, and its own places."""

from __future__ import annotations

import os

from carrick_runner import mounts

from .kernel import freeze

#: At the top of the machine, and in the runner something of its own, or empty.
_OWN = {"proc", "dev", "sys", "tmp", "run", "home", "root", "var", "lost+found", "boot"}
_DEVICES = {"null", "zero", "full", "random", "urandom", "tty"}
_GRAPHICS = ("nvidia", "dri", "kfd", "dxg")
_DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
_CALM_PROC = ("bus", "fs", "irq", "sys", "sysrq-trigger", "acpi", "scsi")
_TEMPORARY = mounts.MS_NOSUID | mounts.MS_NODEV
_SMALL = "mode=755,size=16m"


class View:
    """The new `/`, while it is made in a folder. Nothing of it reaches other processes."""

    def __init__(self, root, in_user_namespace):
        """`root` is a folder that is there, and hidden by this where it is seen."""
        self._root = root
        self._in_user_namespace = in_user_namespace
        self._temporary = [""]
        self._brought = set()
        mounts.mount(None, "/", mounts.MS_REC | mounts.MS_SLAVE)
        mounts.mount("tmpfs", root, _TEMPORARY, "tmpfs", _SMALL)

    def bring_machine(self):
        """All that is the same for every runner."""
        self._bring_system()
        self._make_devices()
        self._make_kernel()

    def _bring_system(self):
        """What the machine has at its top, but for what is not for runners."""
        for entry in os.scandir("/"):
            target = self._root + entry.path
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), target)
            elif entry.name in _OWN:
                os.makedirs(target, exist_ok=True)
            else:
                self._bring(entry.path)
                self._brought.add(entry.name)
        for name in ("tmp", "lib", "cache"):
            os.makedirs(self._root + "/var/" + name)

    def clear(self, names):
        """Makes room at the top for what is the runner's own: of the machine's under these names nothing is left."""
        for name in names:
            target = self._root + "/" + name
            if name in self._brought:
                self._brought.remove(name)
                mounts.check(mounts.libc.umount2(os.fsencode(target), mounts.MNT_DETACH), target)
            if os.path.lexists(target) and (os.path.islink(target) or not os.path.isdir(target)):
                os.unlink(target)
            os.makedirs(target, exist_ok=True)

    def _bring(self, path):
        target = self._root + path
        if os.path.isdir(path):
            os.makedirs(target, exist_ok=True)
        else:
            open(target, "a").close()
        mounts.mount(path, target, mounts.MS_BIND | mounts.MS_REC)
        freeze(target)

    def _make_devices(self):
        dev = self._root + "/dev"
        self._cover("/dev")
        for name in os.listdir("/dev"):
            if name in _DEVICES or name.startswith(_GRAPHICS):
                if os.path.isdir("/dev/" + name):
                    os.makedirs(dev + "/" + name)
                else:
                    open(dev + "/" + name, "a").close()
                mounts.mount("/dev/" + name, dev + "/" + name, mounts.MS_BIND | mounts.MS_REC)
        for name, target in _DEVICE_LINKS.items():
            os.symlink(target, dev + "/" + name)
        os.makedirs(dev + "/pts")
        os.makedirs(dev + "/shm")
        quiet = mounts.MS_NOSUID | mounts.MS_NOEXEC
        mounts.mount("devpts", dev + "/pts", quiet, "devpts", "newinstance,ptmxmode=0666,mode=620")
        mounts.mount("tmpfs", dev + "/shm", _TEMPORARY, "tmpfs", "mode=1777")

    def _make_kernel(self):
        """The processes of this namespace, and what the machine tells of its devices. Nobody else's groups are shown."""
        proc = self._root + "/proc"
        mounts.mount("proc", proc, _TEMPORARY | mounts.MS_NOEXEC, "proc")
        for name in _CALM_PROC:
            path = proc + "/" + name
            if os.path.exists(path):
                mounts.mount(path, path, mounts.MS_BIND | mounts.MS_REC)
                freeze(path)
        for name in ("kcore", "keys", "timer_list"):
            if os.path.exists(proc + "/" + name):
                mounts.mount("/dev/null", proc + "/" + name, mounts.MS_BIND)
        self._bring("/sys")
        if os.path.isdir(self._root + "/sys/fs/cgroup"):
            self._cover("/sys/fs/cgroup")

    def make_temporary(self, folder):
        for name in ("/tmp", "/var/tmp"):
            mounts.mount(folder, self._root + name, mounts.MS_BIND)
        mounts.mount("tmpfs", self._root + "/run", _TEMPORARY, "tmpfs", "mode=755,size=64m")

    def hide(self, paths):
        """Folders of the machine that are for nobody: what is shown below them afterwards can be seen all the same."""
        hidden = []
        for real in sorted({os.path.realpath(path) for path in paths}, key=len):
            if real.startswith(tuple(above + "/" for above in hidden)) or os.path.dirname(real) == "/":
                continue  # what is at the top is the runner's own, or the machine's
            hidden.append(real)
            if real.startswith(("/tmp/", "/var/tmp/", "/run/")):
                os.makedirs(self._root + real, exist_ok=True)  # these are the runner's own, and what is made there is too
            elif real.split("/")[1] in _OWN or not os.path.isdir(self._root + real):
                continue
            self._cover(real)

    def _cover(self, path):
        mounts.mount("tmpfs", self._root + path, _TEMPORARY, "tmpfs", _SMALL)
        self._temporary.append(path)

    def show(self, path, writable=False):
        """A file or folder of the machine where it is, also by the links that lead to it."""
        real = os.path.realpath(path)
        if not os.path.exists(real):
            return
        self._link_to(path)
        target = self._root + real
        if not writable and _is_same(real, target):
            return
        if os.path.isdir(real):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            open(target, "a").close()
        mounts.mount(real, target, mounts.MS_BIND | mounts.MS_REC)
        if not writable:
            freeze(target)

    def _link_to(self, path):
        above = "/"
        for name in path.strip("/").split("/"):
            here = os.path.join(above, name)
            if os.path.islink(here) and not os.path.lexists(self._root + os.path.realpath(above) + "/" + name):
                parent = self._root + os.path.realpath(above)
                os.makedirs(parent, exist_ok=True)
                os.symlink(os.path.realpath(here), parent.rstrip("/") + "/" + name)
            above = here

    def show_program(self, path):
        """An interpreter with its library, and those that its links lead to: an environment borrows from another."""
        for _ in range(16):
            if not os.path.islink(path):
                break
            path = os.path.join(os.path.dirname(path), os.readlink(path))
            self.show(os.path.dirname(os.path.dirname(os.path.normpath(path))))

    def put(self, path, file):
        """A file of ours where the machine has its own."""
        real = os.path.realpath(path)
        target = self._root + real
        if not os.path.lexists(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            open(target, "a").close()
        mounts.mount(file, target, mounts.MS_BIND)
        freeze(target)

    def mount(self, wanted, layer):
        mounts.place(wanted, self._root + wanted["to"], layer, self._in_user_namespace)

    def become_root(self):
        """From here on there is nothing else. What was only made to hold other things is closed for writing."""
        os.chdir(self._root)
        mounts.check(mounts.libc.pivot_root(b".", b"."))
        mounts.check(mounts.libc.umount2(b".", mounts.MNT_DETACH))
        for path in self._temporary:
            mounts.mount(None, path or "/", mounts.MS_REMOUNT | mounts.MS_BIND | mounts.MS_RDONLY | _TEMPORARY)


def _is_same(one, other):
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
