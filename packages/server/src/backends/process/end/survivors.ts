import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunnerId } from '../../../domain/ids.ts'
import type { Cgroups } from '../groups/cgroups.ts'
import { allWithEnvironment, isAlive, type ProcIdentity } from '../proc.ts'
import { readRecord, type Recorded } from '../start/record.ts'

export interface Place {
  readonly folder: string
  readonly installation: string
  readonly cgroups: Cgroups | undefined
}

/** Runners of a former server process, with the process that each was when its record tells. */
export type Survivors = ReadonlyMap<RunnerId, ProcIdentity | undefined>

/**
 * Everything of this installation that still runs: by record, by control group, and by environment, which also shows
 * a runner whose record was never written, and what is left of one whose main process is gone.
 */
export async function findSurvivors(place: Place): Promise<Survivors> {
  const recorded = await livingRecords(place.folder)
  for (const [id, { group }] of recorded) if (group !== undefined) place.cgroups?.adopt(id, group)
  const [grouped, marked] = await Promise.all([place.cgroups?.populated() ?? [], markedRunners(place.installation)])
  return new Map([...[...grouped, ...marked].map((id) => [id, undefined] as const), ...recorded])
}

async function livingRecords(folder: string): Promise<[RunnerId, Recorded][]> {
  const ids = await readdir(folder)
  const records = await Promise.all(ids.map(async (id) => [id, await readRecord(join(folder, id))] as const))
  return records.flatMap(([id, identity]) => (identity && isAlive(identity) ? [[id, identity]] : []))
}

async function markedRunners(installation: string): Promise<RunnerId[]> {
  return (await allWithEnvironment())
    .filter(({ environment }) => environment.get('CARRICK_INSTALLATION') === installation)
    .flatMap(({ environment }) => environment.get('CARRICK_RUNNER_ID') ?? [])
}
