"""Says what it is told to, fails when asked to, and takes its time."""

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
        time.sleep(input.get("seconds", 0))
        return {}
