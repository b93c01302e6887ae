"""
Started as `python -I -S <path>/carrick_launch/__main__.py OPTIONS -- PROGRAM ARGUMENTS`, by an interpreter of the machine: it
puts itself where a runner belongs and becomes the runner's program. Nothing of the app has run by then, not even what its
environment would do at the start of Python.

Without options and program it forks launchers for whoever holds the other end of fd 3 (`forkserver.py`). Such a launcher waits to be
told them: on its fd 3, before the environment, first the control groups alone and then all else. Both times: their length in bytes
on a line, then each with a zero byte before the next. It ends when it is not told.

Options  --cwd FOLDER    where to be
         --group FOLDER  a control group to be in; may be repeated
         --way-out-group FOLDER  the one in which its way out is to begin, outside of its namespaces
         --data BYTES    most data that one process may have (RLIMIT_DATA)
Reads    fd 3  the runner's environment: NAME=value, each followed by a zero byte. Its own is clean: a variable such as
               LD_PRELOAD is for the runner alone
Hands on fd 4, which is the runner's
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

if __name__ == "__main__":
    if sys.argv[1:]:
        from carrick_launch import launch

        launch.main(sys.argv[1:])
    else:
        from carrick_launch import forkserver

        forkserver.serve()
