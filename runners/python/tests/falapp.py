"""Apps as their authors write them."""

import os
import sys
import threading
import time

import fal


class Hello(fal.App):
    def setup(self):
        print("setup")

    def handle_exit(self):
        print("handle_exit")

    def teardown(self):
        print("teardown")

    @fal.endpoint("/")
    def on_a_thread(self) -> str:
        print("on a thread")
        return "thread"

    @fal.endpoint("/loop")
    async def on_the_loop(self) -> str:
        print("on the loop")
        return "loop"


class Raising(fal.App):
    def setup(self):
        threading.Thread(target=time.sleep, args=(3600,)).start()
        raise RuntimeError("no weights")

    @fal.endpoint("/")
    def call(self) -> str:
        return ""


class Slow(fal.App):
    def setup(self):
        print("setting up")
        time.sleep(3600)

    @fal.endpoint("/")
    def call(self) -> str:
        return ""


class Held(Hello):
    """Its server stands still once its port is open, before it has started."""

    def setup(self):
        import uvicorn

        uvicorn.Server._log_started_message = hold


def hold(*_):
    """Stands still until it may go on, for a minute at most."""
    print("held", flush=True)
    deadline = time.monotonic() + 60
    while not os.path.exists("go") and time.monotonic() < deadline:
        time.sleep(0.01)


@fal.function(serve=True)
def served() -> str:
    print("served")
    return "served"


class Ready(fal.App):
    def setup(self) -> None:
        self.loaded = set(sys.modules)

    @fal.endpoint("/")
    async def loaded_since(self) -> list:
        return sorted(set(sys.modules) - self.loaded)
