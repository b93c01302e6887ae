"""The same server in two other ways: begun by a function, and behind an app with endpoints of its own."""

import json
import subprocess
import time
import urllib.request
from pathlib import Path

import fal
from fal.container import ContainerImage
from pydantic import BaseModel, Field

HERE = Path(__file__).parent
IMAGE = ContainerImage.from_dockerfile(str(HERE / "Dockerfile"), context_dir=HERE)
SERVER = ["uvicorn", "server:app", "--host", "0.0.0.0", "--port", "9000"]


@fal.function(
    kind="container",
    image=IMAGE,
    exposed_port=9000,
    machine_type="XS",
    keep_alive=300,
    startup_timeout=120,
)
def words():
    """Begins the server. Every call goes to its port, as if the image were deployed alone."""
    subprocess.run(SERVER, cwd="/srv", check=True)


class Text(BaseModel):
    text: str = Field(description="What is to be counted", examples=["one two three"])


class Count(BaseModel):
    words: int
    letters: int


class Counter(fal.App):
    """The server stays inside; what callers see is typed, checked and described."""

    image = IMAGE
    machine_type = "XS"
    keep_alive = 300
    startup_timeout = 120

    def setup(self) -> None:
        self.server = subprocess.Popen(SERVER, cwd="/srv")
        while True:
            try:
                return self.ask("/healthz")
            except OSError:
                if self.server.poll() is not None:
                    raise RuntimeError("the server ended before it was ready")
                time.sleep(0.1)

    def teardown(self) -> None:
        self.server.terminate()

    @fal.endpoint("/")
    def count(self, given: Text) -> Count:
        return Count(**self.ask("/v1/count", given.model_dump()))

    def ask(self, path: str, body: dict | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:9000{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
