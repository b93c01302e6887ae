"""
Standard output and error whose lines say which request wrote them.

A line that belongs to a request is framed `\\x1e<request id>\\x1f<text>`. Lines written by C code or child processes pass
the pipe as they are.
"""

from __future__ import annotations

import io
import os
import re
import sys
import threading
from typing import Any, Dict, List, Optional, Tuple

from .context import current_request_id, labels_of, serving

LINE_LIMIT = 65_536
FRAME_START = "\x1e"
FRAME_END = "\x1f"
# A progress bar redraws itself with carriage returns: each picture is a line, so people can watch it in the logs.
_LINE_END = re.compile("\r*\n|(?<=[^\r\n])\r+(?=[^\r\n])")

_Writer = Tuple[int, str]


class TaggedStream(io.TextIOWrapper):
    """
    A text stream over a file descriptor that writes whole lines only, each at once, and never raises when nobody reads.

    Unfinished lines are kept apart per thread and request, so that lines which grow at the same time do not mix. One
    that belongs to no request is shown when it is flushed: if the process is killed then, it was its last words.
    """

    def __init__(self, fd: int) -> None:
        super().__init__(open(fd, "wb", closefd=False), encoding="utf-8", errors="backslashreplace", newline="\n")
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.RLock()  # re-entrant: a signal handler may print while its thread is printing
        self._unfinished: Dict[_Writer, List[str]] = {}
        #: Whose unfinished line stands on the pipe, and how much of it.
        self._shown: Optional[Tuple[_Writer, int]] = None

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if not text:
            return 0
        request_id = current_request_id()
        writer = (threading.get_ident(), request_id)
        with self._lock:
            parts = self._unfinished.pop(writer, [])
            parts.append(text)
            if "\n" in text or "\r" in text or sum(map(len, parts)) > LINE_LIMIT:
                *lines, rest = _LINE_END.split("".join(parts))
                while len(rest) > LINE_LIMIT:
                    lines.append(rest[:LINE_LIMIT])
                    rest = rest[LINE_LIMIT:]
                self._emit(writer, lines)
                parts = [rest] if rest else []
            if parts:
                self._unfinished[writer] = parts
        return len(text)

    def finish(self, request_id: str | None = None) -> None:
        """Writes what has no line end yet: of one request, or of everybody."""
        if not self._unfinished:
            return
        with self._lock:
            for writer in [each for each in self._unfinished if request_id is None or each[1] == request_id]:
                self._emit(writer, ["".join(self._unfinished.pop(writer))])

    def mark(self, text: str) -> None:
        """Writes a line of ours, which belongs to no request, after everything that was printed so far."""
        with self._lock:
            self.finish()
            self._put(f"{text}\n")

    def _emit(self, writer: _Writer, lines: List[str]) -> None:
        if not lines:
            return
        begun = self._end_shown(writer)
        first = [lines.pop(0)[begun:]] if begun else []
        pieces = [piece for line in lines for piece in _framed(writer[1], line.strip("\r"))]
        self._put("".join(f"{piece}\n" for piece in [line.rstrip("\r") for line in first] + pieces))

    def _end_shown(self, writer: _Writer) -> int:
        """How much of this writer's line is on the pipe already. A line of anybody else's there is ended."""
        if not self._shown:
            return 0
        (shown, length), self._shown = self._shown, None
        if shown == writer:
            return length
        rest = "".join(self._unfinished.pop(shown, []))[length:]
        if rest:
            self._unfinished[shown] = [rest]
        self._put("\n")
        return 0

    def flush(self) -> None:
        writer = (threading.get_ident(), "")
        if not self._unfinished or current_request_id():
            return self._put("")
        with self._lock:
            line = "".join(self._unfinished.get(writer, []))
            if line and not line.startswith(FRAME_START):
                begun = self._end_shown(writer)
                self._put(line[begun:].strip("\r"))
                self._shown = (writer, len(line))

    def _put(self, text: str) -> None:
        try:
            super().write(text)
            super().flush()
        except (OSError, ValueError):
            pass  # the server that read this pipe is gone; the app should not fail for that


def _framed(request_id: str, line: str) -> List[str]:
    pieces = [line[at : at + LINE_LIMIT] for at in range(0, len(line), LINE_LIMIT)] or [""]
    if request_id:
        return [f"{FRAME_START}{request_id}{FRAME_END}{piece}" for piece in pieces]
    # A line of the app that looks framed gets an empty frame, so that nobody takes its text for ours.
    return [f"{FRAME_START}{FRAME_END}{piece}" if piece.startswith(FRAME_START) else piece for piece in pieces]


_streams: List[TaggedStream] = []


def tag_output() -> None:
    """From here on `print`, `logging` and whatever else uses sys.stdout and sys.stderr writes tagged lines."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        getattr(sys, name).flush()
        stream = TaggedStream(fd)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
        _streams.append(stream)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget_unfinished)


def _forget_unfinished() -> None:
    for stream in _streams:
        stream._reset()  # the lock's owner and the lines' writers are in the parent


def finish_lines(request_id: str | None = None) -> None:
    """Writes the unfinished lines of a request that ended, or all of them."""
    for stream in _streams:
        stream.finish(request_id)


def mark_output(text: str) -> None:
    """Writes the same line to both streams: whoever has read it twice has read all that was printed before."""
    for stream in _streams:
        stream.mark(text)


def tagging(app: Any) -> Any:
    """The ASGI app, with everything that its calls print tagged by their request id."""
    async def tagged(scope: Any, receive: Any, send: Any) -> None:
        labels = labels_of(scope["headers"]) if "headers" in scope else {}
        if not labels:
            return await app(scope, receive, send)
        with serving(labels):
            try:
                await app(scope, receive, send)
            finally:
                finish_lines(labels.get("fal_request_id", ""))

    return tagged
