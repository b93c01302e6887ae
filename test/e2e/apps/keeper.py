"""Looks at the files that a runner finds, and leaves some."""

import os
import subprocess
import sys

import fal
from pydantic import BaseModel


class Wish(BaseModel):
    run: str = ""


class Answer(BaseModel):
    said: str


class Keeper(fal.App):
    machine_type = "S"
    keep_alive = 60
    requirements = []
    app_files = ["keeper_files"]

    def setup(self):
        from keeper_files.pkg import words

        self.words = words

    @fal.endpoint("/")
    def do(self, wish: Wish) -> Answer:
        """Runs Python that a test brings along."""
        found = {"words": self.words, "os": os, "subprocess": subprocess, "sys": sys}
        exec(wish.run, found)
        return Answer(said=str(found.get("said", "")))
