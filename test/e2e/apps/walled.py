"""Tells what it is, what it may write, and how it reaches the platform, from behind the walls of a container."""

import os
import socket
import urllib.error
import urllib.request

import fal
from fal.toolkit import File
from pydantic import BaseModel


class Walled(BaseModel):
    user: int
    host: str
    given: str
    frozen: int
    known: int
    control: str
    metadata: str
    root: str
    file: File


def status(authority: str) -> int:
    try:
        return urllib.request.urlopen(f"https://{authority}/healthz", timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def tries(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), 3).close()
        return "connected"
    except OSError:
        return "refused"


class App(fal.App):
    machine_type = "XS"
    keep_alive = 300
    requirements = []

    @fal.endpoint("/")
    def look(self) -> Walled:
        with open("/data/given.txt", "a+") as file:
            file.write(" and the app")
            file.seek(0)
            given = file.read()
        try:
            open("/usr/new", "w")
            root = "written"
        except OSError as error:
            root = str(error.strerror)
        known = os.environ["FAL_RUN_HOST"]
        gateway = socket.gethostbyname(known.split(":")[0])
        return Walled(
            user=os.getuid(),
            host=socket.gethostname(),
            given=given,
            frozen=status(os.environ["FAL_HOST"]),
            known=status(known),
            control=tries(gateway, int(os.environ["FAL_HOST"].split(":")[1])),
            metadata=tries("169.254.169.254", 80),
            root=root,
            file=File.from_bytes(b"made inside", content_type="text/plain", file_name="made.txt"),
        )
