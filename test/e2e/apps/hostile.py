"""Pickles that run code where they are read: each writes which process read it. Sent by run, register and build."""

import json
import os
import sys

from fal.api import FalServerlessHost
from fal.sdk import MachineRequirements


def note(path: str):
    """Stands in for what an attacker would do."""
    with open(path, "a") as file:
        file.write(json.dumps({"process": os.getpid(), "runner": os.environ.get("CARRICK_RUNNER_ID")}) + "\n")
    return lambda *_, **__: None


class Hostile:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return note, (self.path,)

    def __call__(self) -> None:
        return None


def send(path: str) -> None:
    host = FalServerlessHost(local_file_path=__file__)
    connection = host._connection
    environment = connection.define_environment("virtualenv", python_version="{}.{}".format(*sys.version_info[:2]))
    machine = MachineRequirements(machine_types=["XS"], keep_alive=1)
    served = MachineRequirements(machine_types=["XS"], keep_alive=1, exposed_port=8080, startup_timeout=10)
    hostile = Hostile(path)

    list(connection.build_environment([environment], machine_requirements=machine))
    for attempt in (
        lambda: list(connection.run(hostile, [environment], machine_requirements=machine, setup_function=hostile)),
        lambda: list(connection.run(hostile, [environment], machine_requirements=served)),
        lambda: list(
            connection.register(
                hostile,
                [environment],
                application_name="hostile",
                machine_requirements=served,
                deployment_strategy="rolling",
                environment_name="main",
            )
        ),
    ):
        try:
            attempt()
        except Exception as error:
            print(type(error).__name__, str(error)[:200], file=sys.stderr)


if __name__ == "__main__":
    send(sys.argv[1])
