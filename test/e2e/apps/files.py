"""Returns files and images as the SDK's toolkit uploads them, and keeps values, all from inside its runner."""

import base64
from urllib.request import urlopen

import fal
from fal.toolkit import File, Image
from fal.toolkit.kv import KVStore
from pydantic import BaseModel

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Text(BaseModel):
    text: str


class Sent(BaseModel):
    blob: str


class Made(BaseModel):
    file: File
    image: Image
    page: File
    reserved: str
    client: str


class Files(fal.App):
    machine_type = "XS"
    requirements = ["fal_client==1.0.3"]
    keep_alive = 600

    @fal.endpoint("/")
    def make(self, input: Text) -> Made:
        import fal_client

        pending = File.reserve("text/plain", "empty.txt")
        return Made(
            file=File.from_bytes(input.text.encode(), content_type="text/plain", file_name="made.txt"),
            image=Image.from_bytes(PIXEL, format="png"),
            page=File.from_bytes(b"<script>alert(1)</script>", content_type="text/html", file_name="page.html"),
            reserved=pending.complete(b"").url,
            client=fal_client.upload(b"by the client", "text/plain", "client.txt"),
        )

    @fal.endpoint("/values")
    def values(self, input: Text) -> dict:
        store = KVStore("tests")
        before = store.get("one")
        store.set("one", input.text, ttl=60)
        during = store.get("one")
        store.delete("one")
        try:
            store.set("one", input.text, ttl=1)
        except Exception as error:
            refusal = str(error)
        return {"before": before, "during": during, "after": store.get("one"), "refusal": refusal}

    @fal.endpoint("/length")
    def length(self, input: Sent) -> dict:
        with urlopen(input.blob) as response:
            return {"length": len(response.read()), "type": response.headers["content-type"]}

    @fal.endpoint("/repeat")
    def repeat(self, input: Text) -> Text:
        return Text(text=input.text * 100_000)
