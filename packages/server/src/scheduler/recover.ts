import { setTimeout as rest } from 'node:timers/promises'
import type { RunnerBackend } from '../backends/backend.ts'
import type { RunnerId } from '../domain/ids.ts'
import { terminate } from '../domain/runner.ts'
import type { Apps } from '../home/apps.ts'
import type { Clock } from '../kit/clock.ts'
import { deleteApp } from '../store/apps.ts'
import type { Store } from '../store/store.ts'
import type { Fleet } from './fleet.ts'

const lookEveryMs = 20

/**
 * Ends every runner of a former server process: those on record, and those that run without one. When it resolves
 * they are seen gone, their keys are revoked, and it is on disk.
 */
export async function endFormerRunners(
  fleet: Fleet,
  backend: RunnerBackend,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await fleet.load()
  const recorded = fleet.all().map(({ id }) => id)
  const found = [...(await backend.list(signal)).keys()]
  const former = [...new Set([...recorded, ...found])]
  await Promise.all(former.map((id) => backend.kill(id, signal)))
  while ((await stillThere(backend, signal)).length > 0) await rest(lookEveryMs, undefined, { signal })
  await Promise.all(former.map((id) => backend.forget(id)))

  const now = clock.now()
  const changes = fleet.all().map((from) => ({ from, to: terminate(from, 'server_restart', now) }))
  const { failure } = await fleet.commit(changes, now)
  if (failure !== undefined) throw failure
}

/** Deletes what `Run` made for callers of a former server process: their connections are gone. */
export async function endFormerRuns({ apps, store, clock }: { apps: Apps; store: Store; clock: Clock }): Promise<void> {
  const former = [...apps.all()].filter(({ active }) => active?.spec.run !== undefined)
  await Promise.all(former.map(({ app }) => store.commit(deleteApp(app.id, clock.now()))))
  if (former.length > 0) await apps.refresh()
}

/** Those that still run are told once more. */
async function stillThere(backend: RunnerBackend, signal: AbortSignal): Promise<readonly RunnerId[]> {
  const alive = [...(await backend.list(signal))].filter(([, { kind }]) => kind !== 'exited').map(([id]) => id)
  await Promise.all(alive.map((id) => backend.kill(id, signal)))
  return alive
}
