"""Takes more than it may have of what it is told to take."""

import os
import threading
import time

import fal


class Greedy(fal.App):
    machine_type = "XS"
    keep_alive = 300
    requirements = []

    @fal.endpoint("/")
    def take(self, input: dict) -> dict:
        what = input.get("take")
        while what == "processes":
            try:
                threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
            except RuntimeError:  # it is refused one, and asks again
                time.sleep(0.01)
        held = []
        while what == "memory":
            held.append(bytearray(os.urandom(2**20)))
        with open("/tmp/taken", "wb") as file:
            while what == "disk":
                file.write(os.urandom(2**20))
                file.flush()
                time.sleep(0.01)
        return {"took": what, "runner": os.environ["CARRICK_RUNNER_ID"]}
