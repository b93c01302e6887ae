"""Runs inside an image that is being built, with its Python: makes the environment of its app, a layer at a time.

All that it is given lies below /dev/carrick, which is in no layer: uv, this file, the layer's requirements, and two secrets
of the build: `settings`, by which packages are fetched, and `bundle`, whom to trust.

    install.py venv PYTHON      the environment, without packages
    install.py conda ARGS…      the same by micromamba, with conda's packages
    install.py layer            one list of requirements
"""

import json
import os
import site
import subprocess
import sys

GIVEN = "/dev/carrick"
VENV = "/opt/carrick/venv"
TOOLS = os.path.join(GIVEN, "tools")
UV = os.path.join(TOOLS, "uv")
# Of every file that is installed: zip archives know nothing before 1980, and two builds of the same must be the same.
EPOCH = 315532800


def main(step, *arguments):
    settings = read("settings")
    variables = dict(os.environ, **settings["variables"])
    variables["SSL_CERT_FILE"] = os.path.join(GIVEN, "bundle")
    variables["SOURCE_DATE_EPOCH"] = str(EPOCH)
    if step == "venv":
        options = ["--quiet", "--python", arguments[0]] + list(arguments[1:])
        run([UV, "venv"] + options + [VENV], variables)
        if "--system-site-packages" in options:
            see_packages_of_image()
    elif step == "conda":
        run([os.path.join(TOOLS, "micromamba")] + list(arguments), variables)
        forget_conda()
    else:
        install(settings, variables)
    settle(os.path.dirname(VENV))


def see_packages_of_image():
    """The image's Python may itself be that of an environment, whose packages are not the system's."""
    if sys.prefix == sys.base_prefix:
        return
    place = os.path.join(VENV, "lib", "python%d.%d" % sys.version_info[:2], "site-packages", "carrick_image.pth")
    with open(place, "w", encoding="utf-8") as file:
        file.write("\n".join(site.getsitepackages()) + "\n")


def install(settings, variables):
    layer = read("layer")
    filled = settings.get("layers")
    requirements = filled[layer["index"]] if filled else layer["requirements"]
    if filled:
        # What the installer keeps of a download names its address, with the secret in it.
        variables["UV_NO_CACHE"] = "1"
        variables.update(git_variables(settings.get("git", "")))
    options = ["--compile-bytecode"] if layer["compile"] else []
    options += ["--refresh"] if settings.get("refresh") else []
    command = [UV, "pip", "install", "--python", VENV + "/bin/python"] + options
    run(command + ["--requirements", "-"], variables, "\n".join(requirements) + "\n")
    for spelling, name in settings.get("unfill", []):
        unfill(spelling, name)


def git_variables(text):
    """Git shows what it is asked for in its arguments, so it reads users and passwords in a file that is in no layer."""
    if not text:
        return {}
    path = "/dev/shm/carrick-git"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(text)
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "include.path", "GIT_CONFIG_VALUE_0": path}


def unfill(spelling, name):
    """Puts `${NAME}` back where the installer wrote down, beside what it installed, an address with a secret in it."""
    for folder, _, names in os.walk(VENV):
        for each in names:
            if not (folder.endswith(".dist-info") and each.endswith(".json")):
                continue
            path = os.path.join(folder, each)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if spelling in text:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text.replace(spelling, name))


def forget_conda():
    """What micromamba noted of this build would make two of them differ."""
    path = os.path.join(VENV, "conda-meta", "history")
    if os.path.exists(path):
        open(path, "w").close()


def settle(top):
    """Gives all that was installed one time of change. What has it already is of a layer below, and is not to be in this one."""
    for folder, names, files in os.walk(top):
        for name in names + files:
            settle_one(os.path.join(folder, name))
    settle_one(top)
    settle_one(os.path.dirname(top))


def settle_one(path):
    if os.lstat(path).st_mtime != EPOCH:
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


def read(name):
    with open(os.path.join(GIVEN, name), encoding="utf-8") as file:
        return json.load(file)


def run(command, variables, given=""):
    try:
        ended = subprocess.run(command, env=variables, input=given.encode())
    except FileNotFoundError:
        sys.exit("uv, which installs requirements, does not run in this image: it needs glibc 2.17 or newer")
    if ended.returncode != 0:
        sys.exit(ended.returncode if ended.returncode > 0 else 128 - ended.returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
