"""Sees one folder of /data and no other."""

import os

import fal
from pydantic import BaseModel


class Answer(BaseModel):
    seen: list


class Narrow(fal.App):
    machine_type = "S"
    requirements = []
    data_mounts = ["/data/shared/models"]

    @fal.endpoint("/")
    def look(self) -> Answer:
        return Answer(seen=sorted(os.path.join(at, each) for at, _, files in os.walk("/data") for each in files))
