import { statfs } from 'node:fs/promises'
import { z } from 'zod'
import { isApp } from '../../domain/revision.ts'
import { operation } from '../operation.ts'

/** How the server is, and how much of the caller is on it. */
export const serverStatus = operation({ permission: 'account:read', input: z.object({}) }, async (deps, caller) => {
  const known = [...deps.apps.all()].filter(({ app }) => app.accountId === caller.accountId)
  const loads = known.map(({ app: { id } }) => deps.homes.of(id).load())
  const runners = await deps.runners.listing(caller.accountId)
  const { bavail, bsize } = await statfs(deps.server.folder)
  return {
    version: deps.server.version,
    backend: deps.server.backend,
    apps: known.filter(({ active }) => active === undefined || isApp(active.spec)).length,
    runners: runners.length,
    queued: sum(loads.map(({ waiting }) => waiting)),
    running: sum(loads.map(({ running }) => running)),
    freeBytes: bavail * bsize,
  }
})

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
