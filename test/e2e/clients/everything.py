"""Everything that fal_client does but realtime and webhooks, by its functions for threads or for asyncio. Prints JSON."""

import asyncio
import dataclasses
import inspect
import json
import pathlib
import sys
import tempfile
import time
import types
import urllib.request

import fal_client
import httpx
from PIL import Image

app = "tester/echo"
# The stock SDK reads it in the runner, and refuses one that is none.
policy = {"x-app-fal-upload-policy": "{}"}
threads = {
    "run": fal_client.run,
    "submit": fal_client.submit,
    "subscribe": fal_client.subscribe,
    "stream": fal_client.stream,
    "status": fal_client.status,
    "result": fal_client.result,
    "cancel": fal_client.cancel,
    "get_handle": fal_client.sync_client.get_handle,
    "upload": fal_client.upload,
    "upload_file": fal_client.upload_file,
    "upload_image": fal_client.upload_image,
}
loops = {
    "run": fal_client.run_async,
    "submit": fal_client.submit_async,
    "subscribe": fal_client.subscribe_async,
    "stream": fal_client.stream_async,
    "status": fal_client.status_async,
    "result": fal_client.result_async,
    "cancel": fal_client.cancel_async,
    "get_handle": fal_client.async_client.get_handle,
    "upload": fal_client.upload_async,
    "upload_file": fal_client.upload_file_async,
    "upload_image": fal_client.upload_image_async,
}
asynchronous = sys.argv[1] == "async"
fal = types.SimpleNamespace(**(loops if asynchronous else threads))


async def done(value):
    """What came of a call: the functions for asyncio have to be awaited."""
    return await value if inspect.isawaitable(value) else value


async def listed(values):
    return [value async for value in values] if hasattr(values, "__aiter__") else list(values)


async def failing(call):
    try:
        await done(call())
    except Exception as error:
        told = {"type": type(error).__name__, "message": str(error)}
        if isinstance(error, fal_client.FalClientHTTPError):
            told |= {"code": error.status_code, "error_type": error.error_type, "same": error.response.status_code}
            told |= {"limit": error.response_headers.get("x-fal-request-timeout-type"), "fal": isinstance(error, fal_client.FalClientError)}
        if isinstance(error, fal_client.FalClientTimeoutError):
            told |= {"timeout": error.timeout, "request_id": error.request_id}
        return told


def words(status):
    return {"state": type(status).__name__, "is": isinstance(status, fal_client.Status)} | dataclasses.asdict(status)


async def calls():
    seen = {
        "run": await done(fal.run(app, {"text": "run"}, headers={"x-mine": "yes"}, hint="nowhere", timeout=60, start_timeout=60)),
        "policy": [
            await failing(lambda: fal.run(app, {}, headers=policy)),
            await failing((await done(fal.submit(app, {}, headers=policy))).get),
        ],
        "method": await failing(lambda: fal.run(app, {}, method="GET")),
        "failed": await failing(lambda: fal.run(app, {"text": "mine"}, path="/fail")),
        "invalid": await failing(lambda: fal.run(app, {"seconds": "many"})),
        "impatient": await failing(lambda: fal.run(app, {"seconds": 5}, path="/slow", timeout=0.5, start_timeout=60)),
        "unknown": await failing(lambda: fal.run("tester/nothing", {})),
        "stream": await listed(fal.stream(app, {"count": 3}, path="/stream", timeout=60, headers={"x-mine": "1"})),
        "files": await done(fal.run(app, {"text": fal_client.encode(b"bytes", "text/plain")})),
    }
    fal_client.set_get_current_app(
        lambda: types.SimpleNamespace(
            current_request=types.SimpleNamespace(
                headers={"x-fal-cdn-token": "theirs", "x-app-fal-can-disable-filter": "1"}
            )
        )
    )
    try:
        seen["nested"] = (await done(fal.run(app, {"text": "nested"})))["headers"]
    finally:
        fal_client.set_get_current_app(lambda: None)
    return seen


async def handles():
    client = (fal_client.AsyncClient if asynchronous else fal_client.SyncClient)(key=None, default_timeout=60)
    handle = await done(client.submit(app, {"text": "queued"}, priority="low", hint="nowhere", headers={"x-mine": "1"}))
    events = await listed(handle.iter_events(with_logs=True, interval=0.05))
    again = await done(fal.get_handle(app, handle.request_id))
    same = again if asynchronous else fal_client.SyncRequestHandle.from_request_id(client._client, app, handle.request_id)
    if asynchronous:
        same = fal_client.AsyncRequestHandle.from_request_id(await done(client._client), app, handle.request_id)
    return {
        "key": client.key == fal_client.sync_client.key and client.default_timeout == 60,
        "urls": [handle.response_url, handle.status_url, handle.cancel_url],
        "same": [same.response_url, same.status_url, same.cancel_url],
        "id": handle.request_id,
        "last": words(events[-1]),
        "got": await done(handle.get(interval=0.05)),
        "status": words(await done(fal.status(app, handle.request_id, with_logs=True))),
        "result": await done(fal.result(app, handle.request_id)),
        "again": [words(await done(again.status(with_logs=False))), (await done(again.get()))["text"]],
        "late": await failing(lambda: fal.cancel(app, handle.request_id)),
        "missing": await failing(lambda: fal.status(app, "01900000-0000-7000-8000-000000000000")),
    }


async def subscriptions():
    updates, ids = [], []
    result = await done(
        fal.subscribe(
            app,
            {"text": "subscribed", "seconds": 0.5},
            path="/",
            hint="nowhere",
            with_logs=True,
            interval=0.05,
            on_enqueue=ids.append,
            on_queue_update=updates.append,
            priority="normal",
            headers={"x-mine": "1"},
            start_timeout=60,
            client_timeout=120,
        )
    )
    lines = [line["message"] for status in updates for line in getattr(status, "logs", None) or []]
    late = await failing(lambda: fal.subscribe(app, {"seconds": 60}, path="/slow", client_timeout=1.5))
    status = await ended(late["request_id"])
    return {
        "result": result,
        "ids": ids,
        "lines": lines,
        "late": late,
        "afterwards": await failing(lambda: fal.result(app, late["request_id"])),
        "status": words(status),
    }


async def ended(request_id):
    while not isinstance(status := await done(fal.status(app, request_id)), fal_client.Completed):
        await asyncio.sleep(0.1)
    return status


async def full():
    """All three runners work, so what comes now waits: by priority, and no longer than it wants."""
    busy = [await done(fal.submit(app, {"seconds": 60}, path="/slow")) for _ in range(3)]
    for handle in busy:
        while not isinstance(await done(handle.status()), fal_client.InProgress):
            await asyncio.sleep(0.1)
    low = await done(fal.submit(app, {"text": "low"}, priority="low"))
    normal = await done(fal.submit(app, {"text": "normal"}, priority="normal"))
    places = [(await done(handle.status())) for handle in (low, normal)]
    overdue = await done(fal.submit(app, {}, start_timeout=1.1))
    seen = {
        "places": [words(status) for status in places],
        "direct": await failing(lambda: fal.run(app, {}, start_timeout=1.1)),
        "overdue": await failing(overdue.get),
        "state": words(await done(overdue.status())),
    }
    await done(low.cancel())
    seen["cancelled"] = await failing(low.get)
    for handle in busy:
        await done(handle.cancel())
    seen["stopped"] = [await failing(handle.get) for handle in busy]
    seen["normal"] = (await done(normal.get()))["text"]
    return seen


async def files():
    base = sys.argv[2]
    fal_client.client.REST_URL = fal_client.client.CDN_URL = base
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "a.txt").write_text("from a file")
    image = Image.new("RGB", (2, 2))
    private = fal_client.StorageACL(default="hide", rules=[fal_client.StorageACLRule(user="tester", decision="allow")])
    settings = fal_client.StorageSettings(expires_in="1h", initial_acl=private)
    read = lambda url: urllib.request.urlopen(url).read()
    hidden = await done(fal.upload(b"hidden", "text/plain", lifecycle=settings))
    urls = [
        await done(fal.upload("text", "text/plain", file_name="name.txt", repository="fal_v3", fallback_repository="fal")),
        await done(fal.upload(b"bytes", "text/plain", "old.txt", repository="fal", fallback_repository=[])),
        await done(fal.upload_file(folder / "a.txt", repository="fal_v3", lifecycle=fal_client.StorageSettings())),
    ]
    picture = await done(fal.upload_image(image, format="png", repository="fal_v3"))
    return {
        "read": [read(url).decode() for url in urls],
        "picture": read(picture)[:4].decode("latin-1"),
        "hidden": httpx.get(hidden).status_code,
        "encoded": [
            fal_client.encode("words", "text/plain"),
            fal_client.encode_file(folder / "a.txt"),
            fal_client.encode_image(image, format="png")[:22],
        ],
    }


async def everything():
    seen = {}
    for part in (calls, handles, subscriptions, full, files):
        began = time.monotonic()
        seen[part.__name__] = await part()
        print(part.__name__, round(time.monotonic() - began, 1), "s", file=sys.stderr)
    print(json.dumps(seen))


asyncio.run(everything())
