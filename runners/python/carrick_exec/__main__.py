"""
Started as `python -I -S <path>/carrick_exec/__main__.py` by a runner's own interpreter, for one command in its surroundings.

Reads  fd 0  what the command reads; its end is the end of the command's input
       fd 3  JSON lines: first `{pid, startTime, groups, confined, command, size}`, then `{"resize": [rows, columns]}`; its end ends the session.
             `pid` and `startTime` tell the runner's main process, `groups` the folders of its control groups, `size` is null without a terminal
Writes fd 1  the command's output; fd 2 its errors, unless they share a terminal
       fd 3  JSON lines: `{"started": pid}` or `{"failed": sentence}`, and when all output is written `{"exit": code}`
Nothing that the command started outlives this process.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
from carrick_exec import session  # noqa: E402

if __name__ == "__main__":
    session.main()
