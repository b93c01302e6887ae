"""Needs a package that is nowhere but beside it."""

import fal


class Greeting(fal.App):
    machine_type = "XS"
    requirements = ["."]
    keep_alive = 600

    @fal.endpoint("/")
    def greet(self) -> dict:
        from greeter import greet

        return {"said": greet()}
