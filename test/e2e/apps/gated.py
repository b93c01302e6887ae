"""Says which revision and which runner answers. What it waits for is a file that a test makes."""

import os
import time

import fal

GATE = os.environ.get("GATE", "")  # read by whoever deploys it


class Gated(fal.App):
    machine_type = "XS"
    requirements = []
    keep_alive = 300
    max_concurrency = 3
    startup_timeout = 120

    def setup(self) -> None:
        print("it sets up", flush=True)
        while GATE and not os.path.exists(GATE):
            time.sleep(0.05)

    @fal.endpoint("/")
    def answer(self, input: dict) -> dict:
        while "until" in input and not os.path.exists(input["until"]):
            time.sleep(0.05)
        return {"revision": os.environ["FAL_APP_ID"], "runner": os.environ["FAL_JOB_ID"], "app": os.environ["FAL_APP_NAME"]}
