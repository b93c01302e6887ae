import { Carrick } from '../test/e2e/carrick.ts'
import { commandOfRunner, spawnToPorts } from './bare.ts'
import { untilRunners } from './quiet.ts'
import { median, type Report } from './report.ts'
import { room, tellOfFailures, wake, type Woken } from './wake.ts'

const apps = Number(process.env['BENCH_APPS'] ?? 100)
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)

/**
 * Question: what becomes of 100 apps that sleep and are all called at once? Expected: all are served, the last of them about
 * when this machine has started as many of their processes. Against as many spawns of the same command at once until all
 * ports answer, by turns.
 */
export async function wakeAll(report: Report): Promise<void> {
  await using carrick = await Carrick.start(room)
  await carrick.python(deploys, String(apps))
  const names = Array.from({ length: apps }, (_, index) => `app-${index}`)
  await untilRunners(carrick, 0)
  await wake(carrick, names.slice(0, 1), 0)
  const command = await commandOfRunner(carrick)
  const [byHand, byPlatform]: [number[], number[]] = [[], []]
  const failures: Woken['failures'][] = []
  for (let round = 0; round < rounds; round += 1) {
    await untilRunners(carrick, 0)
    byHand.push(await spawnToPorts(command, apps))
    const woken = await wake(carrick, names, 0)
    byPlatform.push(woken.tookMs)
    failures.push(woken.failures)
  }
  report.add(`${apps} bare spawns at once until all ports answer, median`, median(byHand), undefined, ' ms')
  report.add(`${apps} sleeping apps called at once: the last is served, median`, median(byPlatform), undefined, ' ms')
  report.add('the same ÷ the bare spawns', median(byPlatform) / median(byHand), { atMost: 1.3 })
  tellOfFailures(report, failures)
}

/** By the SDK in one process: the command would be started for each. */
const deploys = `
import contextlib, json, sys
from fal.api import SyncServerlessClient

client = SyncServerlessClient()
with contextlib.redirect_stdout(sys.stderr):
    for number in range(int(sys.argv[1])):
        client.deploy("test/e2e/apps/tiny.py::Tiny", app_name=f"app-{number}", strategy="recreate")
print(json.dumps({}))
`
