"""How a launcher is told what to do: words, with a zero byte between them."""

from __future__ import annotations

import os

#: The pipe by which it is told its variables, and before them all else where it has no arguments.
TOLD = 3


def read_words(pipe):
    """What comes after its length in bytes on a line. Ends this process when the server goes or needs it no more."""
    length = pipe.readline()
    if not length.endswith(b"\n"):
        os._exit(0)
    told = pipe.read(int(length))
    if len(told) < int(length):
        os._exit(0)
    return words_in(told)


def words_in(told):
    return [os.fsdecode(each) for each in told.split(b"\0")] if told else []


def packed(words):
    return b"\0".join(os.fsencode(each) for each in words)


def parse(arguments):
    """Options by name, each a list of what was given, and the program with its arguments."""
    options = {}
    end = arguments.index("--")
    for name, value in zip(arguments[:end:2], arguments[1:end:2]):
        options.setdefault(name[2:], []).append(value)
    return options, arguments[end + 1 :]


def read_variables(pipe):
    with pipe:
        entries = pipe.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if entry)
