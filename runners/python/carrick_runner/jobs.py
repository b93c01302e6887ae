"""
A runner that waits for calls of functions: the platform posts one at a time, and gets what it returned or raised.

The process stays between calls, and with it what was imported and what a setup function returned. Whoever does not know
the word that the platform gave this runner is refused: a call is code.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import queue
import signal
import threading
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Dict, List, NamedTuple, Optional

from .calling import call
from .load import CannotLoad, load_entrypoint, load_pickle, report
from .result import Results
from .streams import finish_lines, mark_output

_STALLED_SECONDS = 60
_MOMENT_SECONDS = 0.2


class _Job(NamedTuple):
    head: Dict[str, Any]
    function: bytes
    setup: bytes
    answer: "Future[bytes]"


_jobs: "queue.SimpleQueue[_Job]" = queue.SimpleQueue()
#: Set unless an answer is on its way to the platform.
_answered = threading.Event()
_answered.set()


def serve(exposed_port: int) -> None:
    """Takes calls on this port for as long as the process lives. They run here, on the main thread, one after the other."""
    handler = type("Handler", (_Handler,), {"word": os.environ.pop("CARRICK_JOB_KEY")})
    # As every server here: loopback where the network is shared with others (servers.py), else where the platform gets in.
    server = _Server(("0.0.0.0", exposed_port), handler)  # noqa: S104
    stop = _Stop()
    threading.Thread(target=server.serve_forever, name="carrick-jobs", daemon=True).start()
    performer = _Performer()
    while True:
        job = _next_job()
        if job is None:
            continue
        with stop:
            result = performer.perform(job)
            _answered.clear()
            job.answer.set_result(result)


def _next_job() -> Optional[_Job]:
    """
    The next call, or nothing for a moment. A signal that comes just before this thread falls asleep, or to another
    thread, does not wake it: its handler runs when this returns.
    """
    try:
        return _jobs.get(timeout=_MOMENT_SECONDS)
    except queue.Empty:
        return None


class _Server(ThreadingTCPServer):
    """HTTPServer would ask a resolver for the name of this machine first."""

    allow_reuse_address = True
    daemon_threads = True


class _Stop:
    """SIGTERM ends the process: at once, or inside this, once the call is over and answered."""

    def __init__(self) -> None:
        self._busy = self._asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: Any) -> None:
        self._asked = True
        if not self._busy:
            self._end()

    def _end(self) -> None:
        _answered.wait(_STALLED_SECONDS)
        finish_lines()
        os._exit(128 + signal.SIGTERM)

    def __enter__(self) -> None:
        self._busy = True

    def __exit__(self, *_: Any) -> None:
        self._busy = False
        if self._asked:
            self._end()


class _Performer:
    def __init__(self) -> None:
        self._setup_digest: Optional[str] = None
        self._setup_value: Any = None

    def perform(self, job: _Job) -> bytes:
        head = job.head
        results = Results(head["method"], head["limit"])
        try:
            return self._result_of(job, results)
        finally:
            mark_output(head["mark"])

    def _result_of(self, job: _Job, results: Results) -> bytes:
        method, packaged_by = job.head["method"], os.environ.get("CARRICK_PYTHON")
        try:
            if "entrypoint" in job.head:
                target = load_entrypoint(job.head["entrypoint"])
            else:
                target = load_pickle(job.function, method, packaged_by)
            setup = self._needed_setup(job, packaged_by)
        except CannotLoad as error:
            report(error)
            return results.unloadable(str(error))
        try:
            given = self._given(job, setup)
            return results.returned(call(target, *given))
        except Exception as error:  # an exit is none: it ends the process, as it would have ended its own
            return results.raised(error)

    def _needed_setup(self, job: _Job, packaged_by: Optional[str]) -> Any:
        """The setup function, unless this process has its result already."""
        if not job.setup or _digest_of(job) == self._setup_digest:
            return None
        return load_pickle(job.setup, job.head["setup_method"], packaged_by)

    def _given(self, job: _Job, setup: Any) -> List[Any]:
        """What the setup function returned, now or before. One result is kept, and dropped before there is another."""
        if not job.setup:
            return []
        if setup is not None:
            self._setup_digest = self._setup_value = None
            self._setup_value = call(setup)
            self._setup_digest = _digest_of(job)
        return [self._setup_value]


def _digest_of(job: _Job) -> str:
    return hashlib.sha256(job.head["setup_method"].encode() + b"\0" + job.setup).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _STALLED_SECONDS
    word = ""

    def do_POST(self) -> None:
        if not hmac.compare_digest(self.headers.get("authorization", ""), f"Carrick {self.word}"):
            self.close_connection = True
            return self._answer(403, b"This runner calls functions for the platform alone.\n")
        body = self.rfile.read(int(self.headers["content-length"]))
        end = body.index(b"\n")
        head = json.loads(body[:end])
        middle = end + 1 + head["function_bytes"]
        answer: "Future[bytes]" = Future()
        _jobs.put(_Job(head, body[end + 1 : middle], body[middle:], answer))
        try:
            self._answer(200, answer.result())
        finally:
            _answered.set()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("content-type", "application/octet-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The lines of this process are its functions'."""
