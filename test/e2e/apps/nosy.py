"""An app with a requirement whose build looks around: NOSY is the address of the package."""

import os

import fal


class Nosy(fal.App):
    machine_type = "XS"
    keep_alive = 1
    requirements = ["setuptools", os.environ.get("NOSY", "")]

    @fal.endpoint("/")
    def look(self) -> dict:
        import nosy

        return {"seen": nosy.SEEN}
