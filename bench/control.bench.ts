import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeploymentStrategy } from '@carrick/protocol/gen/controller_pb.js'
import { Carrick, type Ended } from '../test/e2e/carrick.ts'
import { controllerOf } from './controller.ts'
import { startInstantServer } from './instant-server.ts'
import { median, type Report } from './report.ts'

const apps = 1_000
const lists = 300
const rounds = 5

/**
 * Questions: how long does a list of 1,000 apps take over gRPC, and what does a deploy of an app with 30 requirements, all
 * of them built before, take beyond the client's own time? Expected: a few milliseconds, for one indexed read and a message
 * of 200 KB; and less than a second, most of it the start of a new runner. The client's own time is the same command
 * before a server that answers at once.
 */
export async function control(report: Report): Promise<void> {
  await using carrick = await Carrick.start()
  report.add('ListAliases with 1,000 apps, p50', await listing(carrick), { atMost: 10 }, ' ms')
  await deploys(carrick, report)
}

async function listing(carrick: Carrick): Promise<number> {
  const client = controllerOf(carrick)
  const environments = [{ kind: 'virtualenv', configuration: { python_version: '3.11', requirements: [] } }]
  const callable = { case: 'function', value: { method: 'cloudpickle', definition: new Uint8Array([1]) } } as const
  for (let app = 0; app < apps; app += 1) {
    const request = { applicationName: `app-${app}`, environments, callable }
    const answers = client.registerApplication({ ...request, deploymentStrategy: DeploymentStrategy.RECREATE })
    for await (const _ of answers);
  }
  const took: number[] = []
  for (let count = 0; count < lists; count += 1) {
    const started = performance.now()
    const { aliases } = await client.listAliases({})
    if (aliases.length !== apps) throw new Error(`there are ${aliases.length} apps`)
    took.push(performance.now() - started)
  }
  return median(took)
}

const requirements = `
  attrs blinker certifi charset-normalizer click colorama decorator distlib filelock idna
  iniconfig itsdangerous jinja2 markupsafe more-itertools packaging platformdirs pluggy pygments pyparsing
  python-dateutil pytz six sortedcontainers toml tzdata urllib3 wcwidth werkzeug zipp`

async function deploys(carrick: Carrick, report: Report): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-bench-'))
  const instant = await startInstantServer()
  try {
    await writeFile(join(folder, 'app.py'), appWith(requirements.trim().split(/\s+/)))
    const deploy = (variables: Record<string, string>, ...flags: string[]) =>
      seconds(() => carrick.falWith(variables, 'deploy', join(folder, 'app.py'), ...flags))
    await deploy({}) // builds
    const own: number[] = []
    const rolling: number[] = []
    const detached: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      own.push(await deploy({ ISOLATE_TEST_MODE: '1', FAL_GRPC_HOST: instant.host }))
      rolling.push(await deploy({}))
      detached.push(await deploy({}, '--detach'))
    }
    report.add('deploy of 30 built requirements, client’s own time, median', median(own), undefined, ' s')
    report.add('the same beyond the client’s own time, rolling', median(rolling) - median(own), { atMost: 1 }, ' s')
    report.add('the same beyond the client’s own time, detached', median(detached) - median(own), { atMost: 1 }, ' s')
  } finally {
    instant.close()
    await rm(folder, { recursive: true, force: true })
  }
}

const appWith = (names: readonly string[]) => `
import fal

class Thirty(fal.App):
    machine_type = "XS"
    requirements = ${JSON.stringify(names)}

    @fal.endpoint("/")
    def nothing(self) -> dict:
        return {}
`

async function seconds(work: () => Promise<Ended>): Promise<number> {
  const started = performance.now()
  const { code, stdout, stderr } = await work()
  if (code !== 0) throw new Error(stdout + stderr)
  return (performance.now() - started) / 1000
}
