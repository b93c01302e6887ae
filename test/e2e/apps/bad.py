"""Everything that an app may do wrong. Each ends within its limits, and the others go on."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time

import fal
from fastapi import Response
from pydantic import BaseModel


class Mute(fal.App):
    """Never opens its port."""

    machine_type = "XS"
    startup_timeout = 2
    max_concurrency = 1

    def setup(self) -> None:
        time.sleep(1_000_000)

    @fal.endpoint("/")
    def answer(self) -> dict:
        return {}


class Sick(fal.App):
    """Opens its port, and its health check never passes."""

    machine_type = "XS"
    startup_timeout = 15
    max_concurrency = 1

    @fal.endpoint("/")
    def answer(self) -> dict:
        return {}

    @fal.endpoint("/well", health_check=fal.HealthCheck(timeout_seconds=5))
    async def well(self) -> dict:
        raise RuntimeError("it is not well")


class Half(Response):
    """Promises more than it sends."""

    async def __call__(self, scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"half of", "more_body": True})
        raise RuntimeError("and no more")


class Wanted(BaseModel):
    text: str = ""
    file: str = ""


class Bad(fal.App):
    machine_type = "XS"
    request_timeout = 3
    keep_alive = 60
    max_concurrency = 1
    termination_grace_period_seconds = 2

    def setup(self) -> None:
        self.leaving = False

    def handle_exit(self) -> None:
        self.leaving = True
        print("it was told to exit", flush=True)

    def teardown(self) -> None:
        print("it is torn down", flush=True)

    @fal.endpoint("/")
    async def answer(self, wanted: Wanted) -> dict:
        return {"runner": os.environ["FAL_JOB_ID"]}

    @fal.endpoint("/hang")
    async def hang(self) -> dict:
        """Answers nothing and nobody: nothing else runs either, not even what SIGTERM asks for."""
        time.sleep(1_000_000)
        return {}

    @fal.endpoint("/late")
    async def late(self) -> dict:
        """Does not answer before it is told to exit."""
        while not self.leaving:
            await asyncio.sleep(0.05)
        return {}

    @fal.endpoint("/half")
    async def half(self) -> Response:
        return Half()

    @fal.endpoint("/status")
    async def status(self, wanted: Wanted) -> Response:
        return Response(status_code=int(wanted.text), headers={"x-fal-stop-runner": "1"} if wanted.file else {})

    @fal.endpoint("/shut")
    async def shut(self, wanted: Wanted) -> Response:
        """Answers, and listens no more."""
        for each in gc.get_objects():
            if isinstance(each, asyncio.base_events.Server):
                each.close()
        return Response(status_code=int(wanted.text))

    @fal.endpoint("/die")
    async def die(self) -> dict:
        os.kill(os.getpid(), signal.SIGSEGV)
        return {}

    @fal.endpoint("/stubborn")
    async def ignore(self) -> dict:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return {"runner": os.environ["FAL_JOB_ID"]}

    @fal.endpoint("/fork")
    async def fork(self, wanted: Wanted) -> dict:
        """Leaves a child that has a session of its own, knows nothing of us, and ignores what it is asked."""
        child = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1e6)  # {wanted.text}"
        for _ in range(3):
            subprocess.Popen([sys.executable, "-c", child], start_new_session=True, env={})
        return {"runner": os.environ["FAL_JOB_ID"]}

    @fal.endpoint("/flood")
    async def flood(self) -> dict:
        """Writes as much as it can, for ever."""

        def write() -> None:
            while True:
                os.write(1, b"the same again and again\n" * 1_000)

        threading.Thread(target=write, daemon=True).start()
        return {"runner": os.environ["FAL_JOB_ID"]}
