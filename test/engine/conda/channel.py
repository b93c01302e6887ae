"""Makes a conda channel in a folder: this machine's Python as the package `python`, and `greeting`, which knows where it was put.

    channel.py FOLDER
"""

import hashlib
import io
import json
import os
import platform
import sys
import tarfile

PLACEHOLDER = "/the/place/where/this/package/was/made/" + "x" * 120
minor = "%d.%d" % sys.version_info[:2]
# Below the prefix these have to be found by what is there.
kept_out = ("test", "__pycache__", "config-", "idlelib", "lib2to3", "ensurepip", "dist-packages", "site-packages", "sitecustomize", "EXTERNALLY-MANAGED")


def python_files():
    yield "bin/python" + minor, os.path.realpath(sys.executable)
    library = os.path.dirname(os.__file__)
    for folder, names, files in os.walk(library):
        names[:] = [name for name in names if not name.startswith(kept_out)]
        for name in files:
            path = os.path.join(folder, name)
            if not name.startswith(kept_out):
                yield os.path.join("lib", "python" + minor, os.path.relpath(path, library)), os.path.realpath(path)


def package(channel, subdir, name, version, depends, files, links=(), texts=()):
    file_name = f"{name}-{version}-0.tar.bz2"
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": depends, "subdir": subdir}
    index["timestamp"] = 1_700_000_000_000
    if subdir == "noarch":
        index["noarch"] = "generic"
    told = []
    path = os.path.join(channel, subdir, file_name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tarfile.open(path, "w:bz2", compresslevel=1) as archive:

        def put(where, content, mode=0o644):
            entry = tarfile.TarInfo(where)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))

        for where, source in files:
            with open(source, "rb") as file:
                content = file.read()
            put(where, content, os.stat(source).st_mode & 0o777)
            told.append({"_path": where, "path_type": "hardlink", **sums(content)})
        for where, target in links:
            entry = tarfile.TarInfo(where)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
            told.append({"_path": where, "path_type": "softlink", **sums(b"")})
        for where, text in texts:
            put(where, text.encode())
            more = {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
            told.append({"_path": where, "path_type": "hardlink", **sums(text.encode()), **more})
        put("info/index.json", json.dumps(index).encode())
        put("info/paths.json", json.dumps({"paths": told, "paths_version": 1}).encode())
    with open(path, "rb") as file:
        content = file.read()
    return file_name, {**index, "md5": hashlib.md5(content).hexdigest(), "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def sums(content):
    return {"sha256": hashlib.sha256(content).hexdigest(), "size_in_bytes": len(content)}


def main(channel):
    system = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}[platform.machine()]
    python = package(
        channel,
        system,
        "python",
        platform.python_version(),
        [],
        list(python_files()),
        links=[("bin/python3", "python" + minor), ("bin/python", "python" + minor)],
    )
    text = f"installed at {PLACEHOLDER}\n"
    greeting = package(channel, "noarch", "greeting", "1.2", ["python"], [], texts=[("share/greeting", text)])
    for subdir, (name, record) in ((system, python), ("noarch", greeting)):
        with open(os.path.join(channel, subdir, "repodata.json"), "w") as file:
            json.dump({"info": {"subdir": subdir}, "packages": {name: record}, "packages.conda": {}, "repodata_version": 1}, file)


main(sys.argv[1])
