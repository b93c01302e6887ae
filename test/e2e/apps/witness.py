"""Says which variables it sees, and prints one where only its log shows it."""

import os

import fal


class Witness(fal.App):
    machine_type = "XS"
    keep_alive = 1

    @fal.endpoint("/")
    def look(self) -> dict:
        print(f"the token is {os.environ.get('TOKEN')}")
        names = ["TOKEN", "CLOSED", "FAL_APP_NAME"]
        return {name: os.environ.get(name) for name in names} | {"runner": os.environ["FAL_JOB_ID"]}


class Listed(Witness):
    secrets = ["CLOSED", "FAL_KEY"]
