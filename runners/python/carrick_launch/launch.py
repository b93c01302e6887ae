"""From a fresh process to the runner's program. Few modules, for every start pays for them."""

from __future__ import annotations

import _signal as signal  # the module around it makes enumerations, which takes longer than all that is done here
import os
import sys

#: The pipe by which it is told its variables, and before them all else where it has no arguments.
TOLD = 3


def main_when_told():
    """What a launcher without arguments waits for. The server may go, or need it no more."""
    pipe = os.fdopen(TOLD, "rb")
    length = pipe.readline()
    if not length:
        os._exit(0)
    told = pipe.read(int(length))
    if len(told) < int(length):
        os._exit(0)
    main([os.fsdecode(each) for each in told.split(b"\0")], pipe)


def main(arguments, pipe=None):
    options, command = parse(arguments)
    isolated = "root" in options
    try:
        if "cwd" in options:
            os.chdir(options["cwd"][0])
        if "data" in options:
            _bound_data(int(options["data"][0]))
        variables = _variables(pipe or os.fdopen(TOLD, "rb"))
        if not isolated:
            for folder in options.get("group", []):
                _write(folder + "/cgroup.procs", "0")
            become(command, variables)
        from . import isolate

        isolate.run(options, lambda: become(command, variables))
    except OSError as error:
        _fail("This runner could not be put where it belongs: %s" % error, 126)


def parse(arguments):
    """Options by name, each a list of what was given, and the program with its arguments."""
    options = {}
    end = arguments.index("--")
    for name, value in zip(arguments[:end:2], arguments[1:end:2]):
        options.setdefault(name[2:], []).append(value)
    return options, arguments[end + 1 :]


def become(command, variables):
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them, and what is ignored is inherited
    try:
        os.execvpe(command[0], command, variables)
    except OSError as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        _fail("The runner's program could not be started: %s: %s" % (command[0], error.strerror), 127 if missing else 126)


def _variables(pipe):
    with pipe:
        entries = pipe.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if entry)


def _bound_data(most):
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _write(path, text):
    with open(path, "w") as file:
        file.write(text)


def _fail(sentence, code):
    print(sentence, file=sys.stderr, flush=True)
    os._exit(code)
