"""Says what it is told to, fails when asked to, and works until a file is there when asked to."""

import os
import time

import fal


class Talker(fal.App):
    machine_type = "XS"
    requirements = []
    max_concurrency = 1
    keep_alive = 600

    @fal.endpoint("/")
    def say(self, input: dict) -> dict:
        print(input.get("text", ""), flush=True)
        if input.get("fail"):
            raise ValueError(input["fail"])
        while "until" in input and not os.path.exists(input["until"]):
            time.sleep(0.1)
        return {}
