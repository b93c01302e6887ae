"""
Started as `python <path>/carrick_runner/__main__.py` by an app's own interpreter.

Reads  CARRICK_CALLABLE  file with the pickled callable
       CARRICK_ENTRYPOINT  instead of it: the callable as `module:attribute`
       CARRICK_METHOD    module whose `loads` reads it; `cloudpickle` unless said otherwise
       CARRICK_PYTHON    optional: the Python version (3.11) that the callable was packaged by
       PORT, METRICS_PORT
       CARRICK_LISTENING_FD  optional: the pipe through which the platform is told that PORT is open
       CARRICK_RUNNER_MOUNTS    optional: the folders to see at paths of its own, as mounts.py takes them;
                         CARRICK_RUNNER_WITHOUT_MOUNTS instead: a sentence for the log that says why there are none
       CARRICK_RUNNER_NETWORK    optional: a file that is not empty once the runner's own network works
       CARRICK_RUNNER_OWN_NETWORK    optional: it shares its network with nobody, so servers stay where they bind
       CARRICK_RUNNER_FORWARD    optional: PORT=HOST:PORT, a port of its loopback, and where connections to it are carried
       CARRICK_RESULT    optional: it runs for one caller. The file to put what it returned or raised into, of at most
                         CARRICK_RESULT_LIMIT bytes
       CARRICK_JOB_KEY   for the entry point `carrick_runner.jobs:serve`, which calls functions for the platform: the word
                         that the platform shows with each call
Exits with 0 when the callable returned or its result is in the file, else non-zero after the traceback on stderr.
"""

import os
import sys

os.environ["IS_ISOLATE_AGENT"] = "1"  # before any module of the app is loaded: fal asks for it at import time too

# The package is found once and leaves no trace on the path, so that no module of the app can be hidden by ours.
_folder = os.path.dirname(os.path.realpath(__file__))
if sys.path and os.path.realpath(sys.path[0] or ".") == _folder:
    del sys.path[0]
sys.path.insert(0, os.path.dirname(_folder))
from carrick_runner import run  # noqa: E402
from carrick_runner.context import isolate_log_context  # noqa: E402, F401  the SDK looks for it in __main__

del sys.path[0]

if __name__ == "__main__":
    run.main()
