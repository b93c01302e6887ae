import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

/** fal_client 1.0.3, unmodified, by environment variables alone. */
describe('the official Python client', () => {
  let carrick: Carrick
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('echo.py::Echo', 'echo')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  test('submits, asks for the status and fetches the result', async () => {
    const seen = await carrick.python<{ statuses: string[]; result: { text: string; request: string }; id: string }>(`
import fal_client, json, time
handle = fal_client.submit("tester/echo", {"text": "queued"})
statuses = [type(status).__name__ for status in handle.iter_events()]
print(json.dumps({"statuses": statuses, "result": handle.get(), "id": handle.request_id}))
`)
    expect(seen.result).toMatchObject({ text: 'queued', request: seen.id })
    expect(seen.statuses.at(-1)).toBe('Completed')
  })

  test('subscribes and sees the logs of its own request', async () => {
    const seen = await carrick.python<{ lines: string[]; result: { text: string } }>(`
import fal_client, json
lines = []
def update(status):
    lines.extend(line["message"] for line in getattr(status, "logs", None) or [])
result = fal_client.subscribe("tester/echo", {"text": "logged", "seconds": 1}, with_logs=True, on_queue_update=update)
print(json.dumps({"lines": lines, "result": result}))
`)
    expect(seen.result.text).toBe('logged')
    expect(seen.lines).toContain('echoing logged')
  })

  test('an app’s own error arrives as the app sent it', async () => {
    const seen = await carrick.python<{ code: number; message: string }>(`
import fal_client, json
try:
    fal_client.run("tester/echo", {"text": 5, "seconds": "many"})
except fal_client.client.FalClientHTTPError as error:
    print(json.dumps({"code": error.status_code, "message": str(error)}))
`)
    expect(seen.code).toBe(422)
    expect(seen.message).toContain('seconds')
  })

  test('cancels in the queue: the app never sees the request', async () => {
    const seen = await carrick.python<{ code: number; error: string }>(`
import fal_client, json
busy = [fal_client.submit("tester/echo", {"seconds": 3}) for _ in range(3)]
waiting = fal_client.submit("tester/echo", {"text": "never"})
waiting.cancel()
try:
    waiting.get()
except fal_client.client.FalClientHTTPError as error:
    print(json.dumps({"code": error.status_code, "error": error.error_type}))
`)
    expect(seen).toEqual({ code: 499, error: 'client_cancelled' })
  })

  test('cancels in flight: the app is told and stops', async () => {
    const seen = await carrick.python<{ code: number; seconds: number }>(`
import fal_client, json, time
started = time.monotonic()
handle = fal_client.submit("tester/echo", {"seconds": 120}, path="/slow")
while not isinstance(handle.status(with_logs=True), fal_client.InProgress):
    time.sleep(0.1)
while not any("slow work begins" in line["message"] for line in handle.status(with_logs=True).logs or []):
    time.sleep(0.1)
handle.cancel()
try:
    handle.get()
except fal_client.client.FalClientHTTPError as error:
    print(json.dumps({"code": error.status_code, "seconds": time.monotonic() - started}))
`)
    expect(seen.code).toBe(499)
    expect(seen.seconds).toBeLessThan(120)
  })

  test('streams events as the app sends them', async () => {
    const events = await carrick.python<{ number: number }[]>(
      'import fal_client, json; print(json.dumps(list(fal_client.stream("tester/echo", {"count": 3}))))',
    )
    expect(events).toEqual([{ number: 0 }, { number: 1 }, { number: 2 }])
  })

  test('scales from zero to max_concurrency and back to zero', async () => {
    await until(async () => (await carrick.status()).runners === 0, 'no runners')
    const runners = await carrick.python<string[]>(`
import fal_client, json
handles = [fal_client.submit("tester/echo", {"seconds": 4}) for _ in range(9)]
print(json.dumps(sorted({handle.get()["runner"] for handle in handles})))
`)
    expect(runners).toHaveLength(3)
    await until(async () => (await carrick.status()).runners === 0, 'no runners again')
  })
})
