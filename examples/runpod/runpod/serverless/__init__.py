"""What a worker calls: `start` keeps the handler instead of asking for jobs, because the platform brings them."""

import json

config = {}


def start(given):
    """Keeps what the worker was started with: handler, concurrency_modifier, refresh_worker."""
    if not callable(given.get("handler")):
        raise TypeError("runpod.serverless.start was given no handler")
    config.clear()
    config.update(given)


def progress_update(job, progress):
    """A line of the job's log, which its caller sees while it runs."""
    print(f"progress {progress if isinstance(progress, str) else json.dumps(progress)}", flush=True)
