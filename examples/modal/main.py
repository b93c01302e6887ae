"""What becomes of the local entrypoint of before.py: an app is called over HTTP, so from any program."""

import sys

import fal_client

app = sys.argv[1]  # owner/pages


def render(text: str) -> fal_client.SyncRequestHandle:
    return fal_client.submit(app, arguments={"text": text}, path="/render")


# .remote()
print(fal_client.subscribe(app, arguments={"text": "# One"}, path="/render")["html"])
# .map(): all wait in the queue at once, and the answers come in their order
print([call.get()["html"] for call in [render("# One"), render("# Two")]])
# .spawn(): the id is all that another program needs, later or elsewhere
call = render("# Later")
print(fal_client.result(app, call.request_id)["html"])
# .remote_gen()
print([event["word"] for event in fal_client.stream(app, arguments={"text": "bit by bit"}, path="/words")])
