import { ServerStatus } from '@carrick/protocol/rest'
import { ask } from './ask.ts'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import type { Where } from './where.ts'

/** `carrick status`: one sentence, or the same as JSON. Fails when the server does not answer. */
export async function status(flags: Where & { json?: boolean }): Promise<void> {
  const connection = await connectTo(flags)
  const now = ServerStatus.parse(await ask(connection, '/v1/status'))
  const text =
    `Carrick ${now.version} is up at ${connection.url} (backend ${now.backend}${now.engine === undefined ? '' : `: ${now.engine}`}): ${count(now.apps, 'app')}, ` +
    `${count(now.runners, 'runner')}, ${now.queued} waiting, ${now.running} running, ${gibibytes(now.disk_free_bytes)} GiB free`
  const paused = now.paused.length === 0 ? '' : `\nPaused: the queue of ${now.paused.join(', ')}`
  print(
    { text: text + paused + inMaintenance(now) + confined(now) + freezing(now), json: { url: connection.url, ...now } },
    flags,
  )
}

/** A line for each machine that gets no runners. */
function inMaintenance({ maintenance }: ServerStatus): string {
  return maintenance
    .map(({ machine, since, deadline, message, runners }) => {
      const why = message === null ? '' : ` (${message})`
      const left = runners === 0 ? 'no runner is on it' : `${count(runners, 'runner')} on it still to end`
      const late = runners === 0 || deadline === null ? '' : `, at ${deadline} at the latest`
      return `\nIn maintenance: ${machine} since ${since}${why}: it gets no new runners, ${left}${late}`
    })
    .join('')
}

/** What runners have, and in a line of its own each thing that they have not, or not as well as they could. */
function confined({ confinement }: ServerStatus): string {
  const had = confinement.flatMap(({ part, by }) => (by === null ? [] : [`${part} (${by})`]))
  const reasons = confinement.flatMap(({ part, by, why }) => {
    if (by === null) return [`\nNot had by runners: ${part}, because ${why ?? 'this machine lets them have none'}`]
    return why === undefined ? [] : [`\n${part} of runners only by ${by}, because ${why}`]
  })
  return `${had.length === 0 ? '' : `\nRunners are confined in ${had.join(', ')}`}${reasons.join('')}`
}

function freezing({ without_freezing: why }: ServerStatus): string {
  return why === null ? '' : `\nIdle runners cannot be frozen: ${why}`
}

const count = (number: number, thing: string) => `${number} ${thing}${number === 1 ? '' : 's'}`
const gibibytes = (bytes: number) => (bytes / 2 ** 30).toFixed(1)
