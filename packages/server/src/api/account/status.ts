import { statfs } from 'node:fs/promises'
import { z } from 'zod'
import { isApp } from '../../domain/revision.ts'
import { operation } from '../operation.ts'
import { machinesInMaintenance } from '../runners/maintenance.ts'

/** How the server is, and how much of the caller is on it. */
export const serverStatus = operation({ permission: 'account:read', input: z.object({}) }, async (deps, caller) => {
  const known = [...deps.apps.all()].filter(({ app }) => app.accountId === caller.accountId)
  const paused = known.filter(({ app }) => app.queue.paused)
  const homes = known.map(({ app: { id } }) => deps.homes.of(id))
  const runners = await deps.runners.listing(caller.accountId)
  const { bavail, bsize } = await statfs(deps.server.folder)
  return {
    version: deps.server.version,
    backend: deps.server.backend,
    ...(deps.server.engine === undefined ? {} : { engine: deps.server.engine }),
    apps: known.filter(({ app, active }) => app.revisionOf === undefined && (!active || isApp(active.spec))).length,
    runners: runners.length,
    queued: sum(homes.map(({ waiting }) => waiting)),
    paused: paused.map(({ app: { owner, name } }) => `${owner}/${name}`).toSorted(),
    running: sum(homes.map((home) => home.demand().running)),
    freeBytes: bavail * bsize,
    maintenance: machinesInMaintenance(deps),
    confinement: deps.server.confinement,
    withoutFreezing: deps.server.withoutFreezing,
  }
})

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
