"""A function that begins a server on a port of its own choice, which is the same in all its runners."""

import subprocess
import sys
from pathlib import Path

import fal

SERVER = (Path(__file__).parent / "strange" / "server.py").read_text()


@fal.function(
    exposed_port=8080,
    machine_type="XS",
    keep_alive=300,
    min_concurrency=2,
    max_concurrency=2,
    requirements=[],
)
def serve():
    subprocess.run([sys.executable, "-c", SERVER, "0.0.0.0", "8080"], check=True)
