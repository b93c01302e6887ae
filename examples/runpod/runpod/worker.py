"""Runs a worker's handler for the app: sync or async, with one answer or many."""

import asyncio
import collections
import contextlib
import inspect
import json
import pathlib
import sys
import traceback
import types

from . import serverless

END = object()
MOST_ROUNDS = 64
# A cancel may overtake its job on the way here; so many are remembered.
MOST_EARLY = 64


class JobFailed(Exception):
    """What the handler answered as `error`, or raised."""


class JobCancelled(Exception):
    """Its caller wants it no more."""


class Worker:
    def __init__(self, file):
        self.running = {}
        self.cancelled_early = collections.deque(maxlen=MOST_EARLY)
        self.module = run(pathlib.Path(__file__).parent.parent / file)
        self.config = dict(serverless.config)
        if not self.config:
            raise RuntimeError(f"{file} does not call runpod.serverless.start")
        self.handler = self.config["handler"]
        is_async = inspect.iscoroutinefunction(self.handler) or inspect.isasyncgenfunction(self.handler)
        # RunPod runs a sync handler for one job at a time, so it need not be safe for more.
        self.turn = contextlib.nullcontext() if is_async else asyncio.Semaphore(1)

    def concurrency(self):
        """How many jobs `concurrency_modifier` comes to want at a time."""
        wanted, modifier = 1, self.config.get("concurrency_modifier")
        for _ in range(MOST_ROUNDS if modifier is not None else 0):
            before, wanted = wanted, modifier(wanted)
            if wanted == before:
                break
        return wanted

    async def answer(self, job):
        """The output, and whether the handler wants its worker renewed. Many outputs become a list."""
        if job["id"] in self.cancelled_early:
            raise JobCancelled("the job was cancelled")
        task = self.running[job["id"]] = asyncio.ensure_future(self._answer(job))
        try:
            return await task
        except asyncio.CancelledError:
            if job["id"] in self.running:  # it is this call that is cancelled, and not the job
                raise
            raise JobCancelled("the job was cancelled") from None
        finally:
            self.running.pop(job["id"], None)

    def cancel(self, job_id):
        """Whether the job ran. Its handler sees asyncio.CancelledError if it is async; another goes on to its end."""
        task = self.running.pop(job_id, None)
        if task is not None:
            task.cancel()
        else:
            self.cancelled_early.append(job_id)
        return task is not None

    async def _answer(self, job):
        chunks = [chunk async for chunk in self.chunks(job)]
        if self.gives_chunks():
            return chunks, bool(self.config.get("refresh_worker"))
        output, refresh = chunks[0], False
        if isinstance(output, dict):
            output = dict(output)
            error, refresh = output.pop("error", None), output.pop("refresh_worker", False)
            if error:
                raise JobFailed(str(error))
        return output, bool(refresh or self.config.get("refresh_worker"))

    async def events(self, job):
        """Each output as a server-sent event, as soon as it is there; a failure is the last one."""
        try:
            async for chunk in self.chunks(job):
                yield f"data: {json.dumps({'output': chunk})}\n\n"
        except JobFailed as failure:
            yield f"data: {json.dumps({'error': str(failure)})}\n\n"

    def gives_chunks(self):
        return inspect.isgeneratorfunction(self.handler) or inspect.isasyncgenfunction(self.handler)

    async def chunks(self, job):
        try:
            async with self.turn:
                async for chunk in outputs(self.handler, job):
                    yield chunk
        except Exception as error:
            traceback.print_exc()
            raise JobFailed(f"{type(error).__name__}: {error}") from error


async def outputs(handler, job):
    if inspect.isasyncgenfunction(handler):
        async for chunk in handler(job):
            yield chunk
    elif inspect.isgeneratorfunction(handler):
        made = handler(job)
        while (chunk := await asyncio.to_thread(next, made, END)) is not END:
            yield chunk
    else:
        made = await asyncio.to_thread(handler, job) if not inspect.iscoroutinefunction(handler) else handler(job)
        yield await made if inspect.isawaitable(made) else made


def run(path):
    """Runs a program as its own main module, which is how workers are started."""
    sys.path.insert(0, str(path.parent))
    module = types.ModuleType("__main__")
    module.__file__ = str(path)
    sys.modules[path.stem] = module
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module
