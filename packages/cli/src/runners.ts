import { RunnerList } from '@carrick/protocol/rest'
import { ask } from './ask.ts'
import { connectTo } from './connection.ts'
import { print } from './output.ts'
import { table } from './table.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  json?: boolean
  app?: string
  since?: string
}

type Runner = RunnerList['runners'][number]

/** `carrick runners list`: what each runner does, and with `--since` why those ended that ended since then. */
export async function listRunners(flags: Flags): Promise<void> {
  const query = flags.since === undefined ? '' : `?since=${encodeURIComponent(flags.since)}`
  const { runners: all } = RunnerList.parse(await ask(await connectTo(flags), `/v1/runners${query}`))
  const found = all.filter(({ app }) => flags.app === undefined || app === flags.app)
  print({ text: shown(found), json: { runners: found } }, flags)
}

function shown(found: readonly Runner[]): string {
  if (found.length === 0) return 'There is no runner'
  const rows = found.map(
    ({ runner_id, app, state, frozen_since, machine_type, in_flight_requests, uptime_seconds, ...ended }) => [
      runner_id,
      app,
      frozen_since === null ? state : `${state} (frozen)`,
      machine_type,
      String(in_flight_requests),
      `${uptime_seconds}s`,
      reasonOf(ended),
    ],
  )
  return table([['RUNNER', 'APP', 'STATE', 'MACHINE', 'IN FLIGHT', 'UPTIME', 'REASON'], ...rows])
}

function reasonOf({ reason, exit_code, exit_signal }: Pick<Runner, 'reason' | 'exit_code' | 'exit_signal'>): string {
  const exit = exit_signal ?? (exit_code === null ? undefined : `exit code ${exit_code}`)
  return exit === undefined ? (reason ?? '') : `${reason} (${exit})`
}
