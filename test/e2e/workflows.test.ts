import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, until } from './carrick.ts'

/** Builds a workflow with the SDK: two steps side by side, and one that takes what both answered. */
const publish = `
import json, sys
from fal.workflows import create_workflow
from pydantic import BaseModel

class Input(BaseModel):
    text: str
    ledger: str
    until: str = ""
    fail: bool = False

class Output(BaseModel):
    text: str

name, title = sys.argv[1:]
workflow = create_workflow(name, input=Input, output=Output)
given = workflow.input
left = workflow.run("tester/steps", {"text": given.text, "ledger": given.ledger})
right = workflow.run("tester/steps", {"text": "right", "ledger": given.ledger, "until": given.until, "fail": given.fail})
both = workflow.run("tester/steps/loud", {"text": left["items"][0].text, "ledger": right["items"][0].text})
workflow.display(both["items"][0].text)
workflow.set_output({"text": both["items"][0].text, "right": right["items"][0].text})
print(json.dumps({"address": workflow.publish(title), "contents": workflow.to_json()}))
`

describe('a workflow, made with the stock SDK', () => {
  let carrick: Carrick
  const ledger = (name: string) => join(carrick.shared, name)
  const ran = async (name: string) => (await readFile(ledger(name), 'utf8').catch(() => '')).split('\n').filter(Boolean)
  beforeAll(async () => {
    carrick = await Carrick.start()
    await carrick.deploy('steps.py::Steps', 'steps')
    const { address } = await carrick.python<{ address: string }>(publish, 'two-steps', 'Two steps')
    expect(address).toBe('tester/two-steps')
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const post = (path: string, body: object) =>
    carrick.ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const status = async (id: string) => {
    const answer = await carrick.ask(`/queue/workflows/tester/two-steps/requests/${id}/status?logs=1`)
    return (await answer.json()) as { status: string; logs: { message: string }[] }
  }
  const submit = async (body: object) => {
    const accepted = (await (await post('/queue/workflows/tester/two-steps', body)).json()) as Record<string, string>
    expect(accepted['status_url']).toContain('/queue/workflows/tester/two-steps/requests/')
    return accepted['request_id'] ?? ''
  }
  const result = (id: string) => carrick.ask(`/queue/workflows/tester/two-steps/requests/${id}`)
  const completed = (id: string) => until(async () => (await status(id)).status === 'COMPLETED', `the end of ${id}`)

  test('runs through fal_client: subscribe with its logs, run, and stream with an event for each node', async () => {
    const program = `
import fal_client, json, sys
given = {"text": "left", "ledger": sys.argv[1]}
lines = []
def update(status):
    for line in getattr(status, "logs", None) or []:
        lines.append(line["message"])
print(json.dumps({
    "subscribed": fal_client.subscribe("workflows/tester/two-steps", given, with_logs=True, on_queue_update=update),
    "lines": lines,
    "ran": fal_client.run("workflows/tester/two-steps", given),
    "streamed": list(fal_client.stream("workflows/tester/two-steps", given)),
}))`
    const said = await carrick.python<{
      subscribed: object
      lines: string[]
      ran: object
      streamed: { type: string; node_id?: string; output?: object }[]
    }>(program, ledger('clients'))
    const output = { text: 'LEFT!', right: 'right!' }
    expect(said).toMatchObject({ subscribed: output, ran: output })
    expect(said.lines.join('\n')).toMatch(/Node "tester_steps_1" calls tester\/steps as request/)
    expect(said.streamed.at(-1)).toEqual({ type: 'output', output })
    expect(said.streamed.filter(({ type }) => type === 'submit').map(({ node_id: id }) => id)).toEqual([
      'tester_steps_1',
      'tester_steps_2',
      'tester_steps_loud_1',
    ])
    expect(said.streamed.filter(({ type }) => type === 'completion')).toHaveLength(3)
  })

  test('runs with the stock fal api command', async () => {
    const { code, stdout, stderr } = await carrick.fal(
      'api',
      'workflows/tester/two-steps',
      'text=cli',
      `ledger=${ledger('cli')}`,
    )
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('CLI!')
  })

  test('runs with the stock JavaScript client', async () => {
    const program = `
import { fal } from '@fal-ai/client'
fal.config({ credentials: process.env.FAL_KEY, proxyUrl: { url: process.env.CARRICK_URL, when: 'always' } })
const app = 'workflows/tester/two-steps'
const input = { text: 'js', ledger: process.argv.at(-1) }
const subscribed = await fal.subscribe(app, { input })
const stream = await fal.stream(app, { input })
console.log(JSON.stringify({ subscribed: subscribed.data, streamed: await stream.done() }))`
    const output = { text: 'JS!', right: 'right!' }
    expect(await carrick.javascript(program, ledger('javascript'))).toEqual({
      subscribed: output,
      streamed: { type: 'output', output },
    })
  })

  test('goes on where it was after kill -9: what had answered is not run again, what ran is waited for', async () => {
    const gate = ledger('gate')
    const id = await submit({ text: 'left', ledger: ledger('killed'), until: gate })
    await until(async () => (await status(id)).logs.some(({ message }) => /_1" has answered/.test(message)), 'a node')
    await until(async () => (await ran('killed')).length === 2, 'both nodes, side by side')
    await carrick.down('SIGKILL')
    await writeFile(gate, '')
    await carrick.up()
    await completed(id)
    expect(await (await result(id)).json()).toEqual({ text: 'LEFT!', right: 'right!' })
    expect((await ran('killed')).filter((text) => text === 'left')).toEqual(['left'])
  })

  test("a node that fails ends it with that node's error, by name", async () => {
    const id = await submit({ text: 'left', ledger: ledger('failed'), fail: true })
    await completed(id)
    const answer = await result(id)
    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({
      detail: 'Node "tester_steps_2" of the workflow failed with 422: it was asked to fail',
      node_id: 'tester_steps_2',
      error: { status: 422, body: { detail: 'it was asked to fail' } },
    })
  })

  test('cancelled, it cancels the nodes that wait or run', async () => {
    const gate = ledger('busy')
    const slots = Array.from({ length: 8 }, () =>
      post('/queue/tester/steps', { text: 'busy', ledger: ledger('blockers'), until: gate }),
    )
    await Promise.all(slots)
    await until(async () => (await ran('blockers')).length === 8, 'a runner without a free slot')
    const id = await submit({ text: 'left', ledger: ledger('cancelled') })
    const nodes = async () =>
      (await status(id)).logs.flatMap(({ message }) => / as request ([\w-]+)$/.exec(message)?.[1] ?? [])
    await until(async () => (await nodes()).length === 2, 'both nodes in the queue')
    const cancel = await carrick.ask(`/queue/workflows/tester/two-steps/requests/${id}/cancel`, { method: 'PUT' })
    expect(cancel.status).toBe(202)
    await completed(id)
    expect((await result(id)).status).toBe(499)
    for (const node of await nodes())
      expect((await carrick.ask(`/queue/tester/steps/requests/${node}`)).status).toBe(499)
    await writeFile(gate, '')
    expect(await ran('cancelled')).toEqual([])
  })

  test('can be listed, looked at, changed and deleted with the generated client; no list of apps has it', async () => {
    const program = `
import json
from fal.api.client import SyncServerlessClient
from openapi_fal_rest.api.workflows import delete_workflow, get_workflow, list_user_workflows, update_workflow
from openapi_fal_rest.models.typed_workflow_update import TypedWorkflowUpdate
client = SyncServerlessClient()._create_rest_client()
listed = list_user_workflows.sync(client=client)
got = get_workflow.sync(user_id="tester", workflow_name="two-steps", client=client)
changed = update_workflow.sync(user_id="tester", workflow_name="two-steps", client=client, json_body=TypedWorkflowUpdate(title="New"))
gone = delete_workflow.sync_detailed(user_id="tester", workflow_name="spare", client=client)
print(json.dumps({"listed": listed.to_dict(), "got": got.to_dict(), "changed": changed.to_dict(), "gone": int(gone.status_code)}))`
    const made = await carrick.python<{ contents: object }>(publish, 'spare', 'Spare')
    const said = await carrick.python<Record<string, Record<string, unknown>>>(program)
    expect(said['listed']).toMatchObject({ total: 2, items: [{ name: 'spare' }, { name: 'two-steps' }] })
    expect(said['got']).toMatchObject({
      name: 'two-steps',
      title: 'Two steps',
      is_public: true,
      user_nickname: 'tester',
    })
    expect(Object.keys(said['got']?.['contents'] as object)).toEqual(Object.keys(made.contents))
    expect(said['changed']).toMatchObject({ title: 'New', contents: said['got']?.['contents'] })
    expect(said['gone']).toBe(204)
    expect((await carrick.ask('/workflows/tester/spare')).status).toBe(404)
    expect((await carrick.fal('apps', 'list')).stdout).not.toContain('two-steps')
    expect((await carrick.status()).apps).toBe(1)
  })

  test('belongs to its owner; a public one may be called by others, whose call runs as the owner', async () => {
    const { stdout } = await carrick.carrick('accounts', 'create', 'guest')
    const key = /FAL_KEY='?([^'\s]+)/.exec(stdout)?.[1] ?? ''
    const asGuest = (path: string, init: object = {}) => carrick.ask(path, { key, ...init })
    const called = await asGuest('/workflows/tester/two-steps', {
      method: 'POST',
      body: JSON.stringify({ text: 'guest', ledger: ledger('guest') }),
    })
    expect([called.status, await called.json()]).toEqual([200, { text: 'GUEST!', right: 'right!' }])
    expect((await asGuest('/workflows/tester/two-steps')).status).toBe(200)
    expect((await asGuest('/workflows/tester/two-steps', { method: 'DELETE' })).status).toBe(404)
    await carrick.ask('/workflows/tester/two-steps', { method: 'PATCH', body: JSON.stringify({ is_public: false }) })
    expect((await asGuest('/workflows/tester/two-steps')).status).toBe(404)
    expect((await asGuest('/workflows/tester/two-steps', { method: 'POST', body: '{}' })).status).toBe(404)
    expect((await carrick.ask('/workflows/tester/two-steps', { key: null, method: 'POST' })).status).toBe(401)
  })

  test('that could never run is refused when it is made, and one of an app that is not there when it runs', async () => {
    const make = (name: string, nodes: object) =>
      post('/workflows/', { name, title: '', is_public: false, contents: { nodes, output: { a: '$input' } } })
    const circle = await make('circle', { a: { type: 'run', app: 'tester/steps', input: '$a' } })
    expect([circle.status, await circle.json()]).toMatchObject([
      400,
      { detail: expect.stringContaining('in a circle: a') },
    ])
    expect((await make('lost', { a: { type: 'run', app: 'tester/nothing', input: {} } })).status).toBe(201)
    const lost = await post('/workflows/tester/lost', {})
    expect([lost.status, await lost.json()]).toMatchObject([404, { detail: expect.stringContaining('tester/nothing') }])
    expect((await make('lost', {})).status).toBe(409)
    expect(existsSync(ledger('lost'))).toBe(false)
  })

  test('of ComfyUI is saved, listed, read, changed and deleted with the generated client; a call of it says what to do', async () => {
    const program = `
import json
from fal.api.client import SyncServerlessClient
from openapi_fal_rest.api.comfy import create_workflow, delete_workflow, get_workflow, list_user_workflows, update_workflow
from openapi_fal_rest.models.comfy_workflow_schema import ComfyWorkflowSchema
from openapi_fal_rest.models.typed_comfy_workflow import TypedComfyWorkflow
from openapi_fal_rest.models.typed_comfy_workflow_update import TypedComfyWorkflowUpdate
client = SyncServerlessClient()._create_rest_client()
graph = ComfyWorkflowSchema.from_dict({"prompt": {"3": {"class_type": "KSampler"}}, "extra_data": {"zoom": 2}})
sent = TypedComfyWorkflow(name="portrait", title="Portrait", is_public=False, workflow=graph)
made = create_workflow.sync(client=client, json_body=sent)
place = {"user_id": "tester", "name": "portrait", "client": client}
changed = update_workflow.sync(**place, json_body=TypedComfyWorkflowUpdate(title="New"))
answer = [made, list_user_workflows.sync(client=client), changed, get_workflow.sync(**place)]
gone = [int(delete_workflow.sync_detailed(**place).status_code) for _ in range(2)]
print(json.dumps([each.to_dict() for each in answer] + [gone]))`
    const [made, listed, changed, got, gone] = await carrick.python<unknown[]>(program)
    const workflow = { prompt: { 3: { class_type: 'KSampler' } }, extra_data: { zoom: 2 } }
    expect(made).toMatchObject({ name: 'portrait', title: 'Portrait', user_nickname: 'tester', workflow })
    expect(listed).toMatchObject({ total: 1, items: [{ name: 'portrait' }] })
    expect([changed, got]).toMatchObject([{ title: 'New', workflow }, changed])
    expect(gone).toEqual([204, 404])
    const call = await post('/comfy/tester/portrait', {})
    expect([call.status, await call.json()]).toMatchObject([501, { detail: expect.stringContaining('ComfyUI') }])
  })
})
