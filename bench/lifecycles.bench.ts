import { postgresPrograms, startPostgres } from '../packages/server/src/testing/postgres.ts'
import { median, type Report } from './report.ts'
import { startRedis } from './redis.ts'
import { ran, start, startServer, type Program } from './server.ts'

const callers = 64
const lifecycles = 6_000
/** Before anything is measured of a program. V8 goes on making code of a server faster for some thousand calls. */
const warming = 4_000
const rounds = 3

/**
 * Question: how many requests a second can live a whole life, submitted, run and fetched, and how does that compare with known
 * queues, which have no HTTP to do, and with a server that does nothing else than the HTTP? Expected: more than the queues, because
 * callers share commits, and half of nothing, because a life is two commits and a call of the runner.
 *
 * By turns, so that all meet the same machine: ours over HTTP, its runner a server of its own, and once more with a store that keeps
 * nothing, which tells what storing costs; what a life must have and no queue around it, which no queue of this kind can pass; BullMQ on
 * Redis that syncs every write and pg-boss on Postgres with a fetch loop, each engine alone in one process.
 */
export async function lifecyclesPerSecond(report: Report): Promise<void> {
  await using redis = await startRedis()
  const programs = postgresPrograms()
  await using postgres = programs === undefined ? undefined : await startPostgres(programs)
  const found: Record<'ours' | 'unstored' | 'relay' | 'nothing' | 'bullmq' | 'pgBoss', number[]> = {
    ours: [],
    unstored: [],
    relay: [],
    nothing: [],
    bullmq: [],
    pgBoss: [],
  }
  for (let round = 0; round < rounds; round += 1) {
    found.ours.push(await ours('durable'))
    found.unstored.push(await ours('nothing'))
    found.relay.push(await relay())
    found.nothing.push(await nothing())
    if (redis) found.bullmq.push(await engine('bullmq-run.ts', redis.port))
    if (postgres) found.pgBoss.push(await engine('pg-boss-run.ts', await postgres.newDatabase()))
  }
  const perSecond = median(found.ours)
  report.add(`lifecycles/s over HTTP, ${callers} callers`, perSecond)
  report.add('the same ÷ a Node server that stores and runs nothing', perSecond / median(found.nothing), {
    atLeast: 0.45,
  })
  report.add('with a store that keeps nothing ÷ that server', median(found.unstored) / median(found.nothing))
  report.add('without queue, keys and store ÷ that server', median(found.relay) / median(found.nothing))
  if (redis === undefined) console.error('redis-server is not here (apt-get install redis-server): BullMQ is not asked')
  else report.add('the same ÷ BullMQ alone, appendfsync always', perSecond / median(found.bullmq), { atLeast: 1.5 })
  if (postgres === undefined) console.error('Postgres is not here (apt-get install postgresql): pg-boss is not asked')
  else report.add('the same ÷ pg-boss alone, own fetch loop', perSecond / median(found.pgBoss), { atLeast: 1.5 })
}

async function ours(store: 'durable' | 'nothing'): Promise<number> {
  await using runner = start('http-runner.ts')
  const { port } = await runner.hear<{ port: number }>()
  await using server = await startServer(store, port)
  return await live(server.port, `/queue${server.path}`, `Key ${server.key}`)
}

async function relay(): Promise<number> {
  await using runner = start('http-runner.ts')
  const { port } = await runner.hear<{ port: number }>()
  return await liveOn(start('relay-server.ts', String(port)))
}

async function nothing(): Promise<number> {
  return await liveOn(start('null-server.ts'))
}

async function liveOn(program: Program): Promise<number> {
  await using server = program
  const { port } = await server.hear<{ port: number }>()
  return await live(port, '/queue/nobody/nothing', 'Key none')
}

async function live(port: number, path: string, authorization: string): Promise<number> {
  const load = (count: number) =>
    ran<{ seconds: number }>('lifecycle-load.ts', port, callers, count, path, authorization)
  await load(warming)
  return lifecycles / (await load(lifecycles)).seconds
}

async function engine(program: string, where: string | number): Promise<number> {
  return lifecycles / (await ran<{ seconds: number }>(program, where, callers, lifecycles, warming)).seconds
}
