"""What becomes of the class of before.py. docs/guides/migrate-from-modal.md says line by line why."""

import json
import os
import pathlib
import re

import fal
from fastapi import HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Text(BaseModel):
    text: str


class Page(BaseModel):
    html: str


class Draft(BaseModel):
    name: str
    text: str


class Saved(BaseModel):
    saved: str


class Renderer(fal.App):
    app_name = "pages"
    machine_type = "XS"
    requirements = ["markdown==3.9"]
    keep_alive = 300
    max_concurrency = 4
    max_multiplexing = 8
    request_timeout = 600

    def setup(self) -> None:
        import markdown

        self.render_markdown = markdown.markdown
        self.site = os.environ["SITE_NAME"]

    @fal.endpoint("/render")
    def render(self, input: Text) -> Page:
        return Page(html=f"<title>{self.site}</title>{self.render_markdown(input.text)}")

    @fal.endpoint("/words")
    def words(self, input: Text) -> StreamingResponse:
        events = (f"data: {json.dumps({'word': word})}\n\n" for word in input.text.split())
        return StreamingResponse(events, media_type="text/event-stream")

    @fal.endpoint("/save")
    def save(self, input: Draft) -> Saved:
        if re.fullmatch(r"[\w-]+", input.name) is None:
            raise HTTPException(422, detail=f"{input.name} is no name of a page")
        folder = pathlib.Path("/data/pages")
        folder.mkdir(exist_ok=True)
        (folder / f"{input.name}.html").write_text(self.render(input).html)
        return Saved(saved=input.name)

    def teardown(self) -> None:
        print("no more pages")
