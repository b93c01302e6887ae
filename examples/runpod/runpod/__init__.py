"""Stands in for RunPod's package in a Carrick app, so that a worker's handler.py runs as it is. See app.py."""

from . import serverless


class RunPodLogger:
    """Lines of the log; those of a job are its request's."""

    def _say(self, level, message, job_id=None):
        print(f"{level} {message}", flush=True)

    def debug(self, message, job_id=None):
        self._say("DEBUG", message)

    def info(self, message, job_id=None):
        self._say("INFO", message)

    def warn(self, message, job_id=None):
        self._say("WARN", message)

    def error(self, message, job_id=None):
        self._say("ERROR", message)


__all__ = ["RunPodLogger", "serverless"]
