import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, onDocker } from './carrick.ts'

/** No machine of ours has a GPU: what a program of the driver's name says stands for two. */
const nvidiaSmi = `#!/bin/sh
case "$*" in *--query-gpu=index,uuid,name,memory.total*) ;; *) exit 2 ;; esac
echo "0, GPU-8f2c, NVIDIA H100 80GB HBM3, 81559"
echo "1, GPU-93d1, NVIDIA H100 80GB HBM3, 81559"
`

interface Here {
  readonly runner: string
  readonly gpus: string
  readonly order: string
  readonly region: string
}

interface Machines {
  readonly machines: readonly {
    readonly gpus: readonly { readonly index: number; readonly runner_id: string | null }[]
    readonly runners: readonly { readonly runner_id: string; readonly app: string; readonly machine_type: string }[]
  }[]
  readonly waiting: readonly { readonly runner_id: string; readonly app: string; readonly why: string }[]
}

/** Containers get GPUs from the engine's own driver, and this machine's are made up. */
const named = (name: string) =>
  onDocker ? `${name}: not with containers, whose engine gives no GPU that is made up` : name

/** Named hardware, with the stock `fal` and the real server; in this order. */
describe.skipIf(onDocker)(named('runners on named hardware'), { timeout: 300_000 }, () => {
  let tools = ''
  let carrick: Carrick
  beforeAll(async () => {
    tools = await mkdtemp(join(tmpdir(), 'carrick-smi-'))
    await writeFile(join(tools, 'nvidia-smi'), nvidiaSmi)
    await chmod(join(tools, 'nvidia-smi'), 0o755)
    carrick = await Carrick.start({
      PATH: [tools, process.env['PATH']].join(delimiter),
      CARRICK_MEMORY: String(2 ** 40),
      CARRICK_REGION: 'eu-west',
    })
  })
  afterAll(async () => {
    await carrick[Symbol.asyncDispose]()
    await rm(tools, { recursive: true })
  })

  const machines = async (): Promise<Machines> =>
    JSON.parse((await carrick.carrick('machines', '--json')).stdout) as Machines
  const headers = { 'content-type': 'application/json' }
  const call = async (app: string, seconds = 0): Promise<Here> => {
    const answer = await carrick.ask(`/tester/${app}`, { method: 'POST', body: JSON.stringify({ seconds }), headers })
    expect(answer.status).toBe(200)
    return (await answer.json()) as Here
  }
  const holders = async () => (await machines()).machines[0]!.gpus.map(({ runner_id }) => runner_id)

  test('two runners have a GPU each, know it, and the region of their machine', async () => {
    await carrick.deploy('where.py::OnGpu', 'pair', '--strategy', 'recreate')
    await carrick.fal('apps', 'scale', 'pair', '--min-concurrency', '2', '--regions', 'eu-west', 'us-east')
    await expect.poll(async () => (await carrick.status()).runners, { timeout: 60_000 }).toBe(2)
    const [one, other] = await Promise.all([call('pair', 2), call('pair', 2)])
    expect([one.gpus, other.gpus].toSorted()).toEqual(['0', '1'])
    expect([one.order, one.region]).toEqual(['PCI_BUS_ID', 'eu-west'])
    expect(new Set(await holders())).toEqual(new Set([one.runner, other.runner]))
    expect(JSON.parse((await carrick.fal('apps', 'gpus', 'pair', '--output', 'json')).stdout)).toEqual({
      gpus: { H100: 2 },
      total: 2,
    })
  })

  test('the next type of a list is taken when the one before has no room, and shows no GPU', async () => {
    await carrick.deploy('where.py::Anywhere', 'anywhere', '--strategy', 'recreate')
    expect(await call('anywhere')).toMatchObject({ gpus: '' })
    const there = (await machines()).machines[0]!.runners.find(({ app }) => app === 'tester/anywhere')
    expect(there?.machine_type).toBe('M')
  })

  test('a runner without a place waits with its request, says why, and has the first one that is free', async () => {
    await carrick.deploy('where.py::OnGpu', 'later', '--strategy', 'recreate')
    const submitted = await carrick.ask('/queue/tester/later', { method: 'POST', body: '{}', headers })
    const { status_url, response_url } = (await submitted.json()) as { status_url: string; response_url: string }
    const ask = async (url: string) => (await carrick.ask(new URL(url).pathname)).json() as Promise<{ status?: string }>
    await expect
      .poll(async () => (await machines()).waiting, { timeout: 60_000 })
      .toMatchObject([
        {
          app: 'tester/later',
          why: 'GPU-H100 needs 1 GPU, and 0 are free',
        },
      ])
    expect((await carrick.carrick('machines')).stdout).toContain('of tester/later waits: GPU-H100 needs')
    expect((await carrick.fal('apps', 'runners', 'later')).stdout).toContain('PENDING')
    expect(await ask(status_url)).toMatchObject({ status: 'IN_QUEUE' })

    const [first] = await holders()
    expect((await carrick.fal('runners', 'kill', first!)).code).toBe(0)
    await expect.poll(async () => (await ask(status_url)).status, { timeout: 60_000 }).toBe('COMPLETED')
    const here = (await ask(response_url)) as Here
    expect(here.gpus).toBe('0')
    expect((await holders())[0]).toBe(here.runner)
    expect((await machines()).waiting).toMatchObject([{ app: 'tester/pair' }]) // which was wanted after it
  })

  test('what nothing here can have is refused with what can be had, and nothing is changed', async () => {
    const refused = async (...args: string[]) => {
      const { code, stdout, stderr } = await carrick.fal(...args)
      expect(code).not.toBe(0)
      return (stdout + stderr).replaceAll(/\s+/g, ' ')
    }
    const file = 'test/e2e/apps/where.py'
    const b200 = 'GPU-B200 needs 1 × B200 and there are 0. What fits here: XS, S, M, L, XL, GPU-H100, GPU'
    expect(await refused('deploy', `${file}::OnB200`, '--app-name', 'never')).toContain(b200)
    expect(await refused('run', `${file}::on_b200`)).toContain(b200)
    expect(await refused('apps', 'scale', 'pair', '--machine-types', 'GPU-B200')).toContain(b200)
    expect(await refused('apps', 'scale', 'pair', '--machine-types', 'GPU-H1000', 'S')).toContain(
      'There is no machine type "GPU-H1000": there are XS, S, M, L, XL, GPU-A100',
    )
    expect(await refused('apps', 'scale', 'pair', '--regions', 'mars')).toContain(
      'There is no region "mars": there are us-west, us-central, us-east, eu-north, eu-west',
    )
    const { apps } = (await (await carrick.ask('/v1/serverless/apps')).json()) as { apps: { endpoint_id: string }[] }
    expect(apps.map(({ endpoint_id }) => endpoint_id)).not.toContain('tester/never')
    expect(apps.find(({ endpoint_id }) => endpoint_id === 'tester/pair')).toMatchObject({
      machine_types: ['GPU-H100'],
      valid_regions: ['eu-west', 'us-east'],
    })
  })

  test('after a crash of the server the places are those of the runners that there are then', async () => {
    await carrick.down('SIGKILL')
    await carrick.up()
    await expect.poll(async () => (await holders()).filter((id) => id !== null).length, { timeout: 60_000 }).toBe(2)
    const [one, other] = await Promise.all([call('pair', 2), call('pair', 2)])
    expect([one.gpus, other.gpus].toSorted()).toEqual(['0', '1'])
    expect((await holders())[Number(one.gpus)]).toBe(one.runner)
  })
})
