"""From a fresh process to the runner's program. Few modules, for every start pays for them."""

from __future__ import annotations

import _signal as signal  # the module around it makes enumerations, which takes longer than all that is done here
import os
import sys

from .told import TOLD, parse, read_variables, read_words


def main(arguments):
    """With all that it is told as arguments, but for the variables."""
    options, command = parse(arguments)
    tell = lambda _: (options, _placed(options, command, os.fdopen(TOLD, "rb")))  # noqa: E731
    _begin("root" in options, "pasta" in options, options.get("group", []), tell)


def main_when_told(apart, own_network):
    """
    One that waits. The groups that it shall be in are told first: the kernel takes its time. The server may go meanwhile, or
    need it no more.
    """
    pipe = os.fdopen(TOLD, "rb")

    def tell(join):
        join(read_words(pipe))
        options, command = parse(read_words(pipe))
        return options, _placed(options, command, pipe)

    _begin(apart, own_network, [], tell)


def _begin(apart, own_network, groups, tell):
    """`tell` waits for the options; it calls what it is given with control groups that are known before them."""
    try:
        if apart:
            from . import isolate

            isolate.run(own_network, groups, tell)
        _join(groups)
        _, become_program = tell(_join)
        become_program()
    except OSError as error:
        _fail("This runner could not be put where it belongs: %s" % error, 126)


def _join(groups):
    for folder in groups:
        with open(folder + "/cgroup.procs", "w") as file:
            file.write("0")


def _placed(options, command, pipe):
    """In its folder, with its bound; answers how it becomes the program."""
    if "cwd" in options:
        os.chdir(options["cwd"][0])
    if "data" in options:
        _bound_data(int(options["data"][0]))
    variables = read_variables(pipe)
    return lambda: _become(command, variables)


def _become(command, variables):
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them, and what is ignored is inherited
    try:
        os.execvpe(command[0], command, variables)
    except OSError as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        _fail("The runner's program could not be started: %s: %s" % (command[0], error.strerror), 127 if missing else 126)


def _bound_data(most):
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _fail(sentence, code):
    print(sentence, file=sys.stderr, flush=True)
    os._exit(code)
