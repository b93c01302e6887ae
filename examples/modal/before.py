"""An app as it runs on Modal. docs/guides/migrate-from-modal.md makes app.py and tasks.py of it."""

import os

import modal

image = modal.Image.debian_slim(python_version="3.13").uv_pip_install("markdown==3.9")
volume = modal.Volume.from_name("pages", create_if_missing=True)
app = modal.App("pages", image=image)


@app.cls(
    cpu=0.5,
    volumes={"/pages": volume},
    secrets=[modal.Secret.from_name("pages")],
    scaledown_window=300,
    max_containers=4,
    timeout=600,
)
@modal.concurrent(max_inputs=8)
class Renderer:
    @modal.enter()
    def load(self):
        import markdown

        self.render_markdown = markdown.markdown
        self.site = os.environ["SITE_NAME"]

    @modal.method()
    def render(self, text: str) -> str:
        return f"<title>{self.site}</title>{self.render_markdown(text)}"

    @modal.method()
    def words(self, text: str):
        yield from text.split()

    @modal.fastapi_endpoint(method="POST")
    def save(self, name: str, text: str):
        with open(f"/pages/{name}.html", "w") as file:
            file.write(self.render.local(text))
        volume.commit()
        return {"saved": name}

    @modal.exit()
    def close(self):
        print("no more pages")


@app.function(cpu=0.5)
def count(text: str) -> int:
    return len(text.split())


@app.local_entrypoint()
def main():
    renderer = Renderer()
    print(renderer.render.remote("# One"))
    print(list(renderer.render.map(["# One", "# Two"])))
    call = renderer.render.spawn("# Later")
    print(call.get())
    print(list(renderer.words.remote_gen("bit by bit")))
    print(count.remote("three small words"))
