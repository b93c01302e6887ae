import { sendSignal } from '../../packages/server/src/backends/process/signals.ts'
import { rm, writeFile } from 'node:fs/promises'
import { setTimeout as rest } from 'node:timers/promises'
import { crashPoints, type CrashPoint } from '../../packages/server/src/kit/crash-points.ts'
import type { Chance } from './chance.ts'
import { isGrowing } from './growing.ts'
import { runnerProcesses } from './processes.ts'
import { fullDisk } from './full-disk.ts'
import type { World } from './world.ts'

/** A way to hurt the platform. */
export interface Fault {
  readonly what: string
  /** Every answer of the app comes in pieces. */
  readonly streamed?: boolean
  /** The data folder stands on a small disk of its own. */
  readonly smallDisk?: boolean
  /** The server has to have a preloaded library, which needs a C compiler. */
  readonly needsShim?: boolean
  /** One round. Answers whether it struck: only those count. */
  strike(world: World, chance: Chance): Promise<boolean>
}

/** Generous: machines are noisy. */
const hitMs = 20_000

/** How often a point may be passed before it is the one: about as often as traffic passes it in a second. */
const mostPasses: Readonly<Record<CrashPoint, number>> = {
  before_commit: 40,
  after_commit: 40,
  before_ack: 20,
  after_ack: 20,
  before_send: 20,
  mid_stream: 12,
  after_answer: 12,
  after_outcome: 12,
  after_delivery: 6,
}

const meanings: Readonly<Record<CrashPoint, string>> = {
  before_commit: 'kill -9 before a commit is asked for',
  after_commit: 'kill -9 when a commit is on disk and nobody was told',
  before_ack: 'kill -9 between the commit of a submit and its answer',
  after_ack: 'kill -9 when the answer of a submit has left',
  before_send: 'kill -9 when the start of an attempt is on disk and nothing was sent',
  mid_stream: "kill -9 in the middle of the app's answer",
  after_answer: "kill -9 between the app's answer and the commit of the outcome",
  after_outcome: 'kill -9 between the commit of the outcome and its webhook',
  after_delivery: 'kill -9 when a webhook was delivered and that is not stored',
}

const atPoints = Object.fromEntries(
  crashPoints.map((point) => [
    point,
    {
      what: meanings[point],
      streamed: point === 'mid_stream',
      strike: (world, chance) => killAt(point, world, chance),
    },
  ]),
) as Record<CrashPoint, Fault>

export const faults: Readonly<Record<string, Fault>> = {
  ...atPoints,
  any_moment: { what: 'kill -9 of the server at any moment', strike: killAnytime },
  runner_kill: { what: 'kill -9 of a runner', strike: killRunner },
  runner_stop: { what: 'SIGSTOP of a runner, then SIGCONT, or kill -9 of the server meanwhile', strike: stopRunner },
  runner_slow_exit: { what: 'SIGTERM of the server while runners do not care to end', strike: slowExit },
  poison: { what: 'a request that kills its runner every time', strike: poison },
  disk_full: { what: 'a disk without room, every other time with kill -9', smallDisk: true, strike: fullDisk },
  fsync_fails: { what: 'an fsync that fails', needsShim: true, strike: failFsync },
  clock_step: {
    what: 'steps of the clock, up to a day, every other time with kill -9',
    needsShim: true,
    strike: stepClock,
  },
}

async function killAt(point: CrashPoint, world: World, chance: Chance): Promise<boolean> {
  await world.server.down()
  const isReady = await world.up({ CARRICK_CRASH_AT: `${point}:${chance.between(1, mostPasses[point])}` })
  const end = await world.server.ended(isReady ? hitMs : 0)
  await world.server.down()
  return end?.signal === 'SIGKILL'
}

async function killAnytime(world: World, chance: Chance): Promise<boolean> {
  if (!(await world.stands())) return false
  await rest(chance.between(0, 600))
  await world.server.down()
  return true
}

async function killRunner(world: World, chance: Chance): Promise<boolean> {
  const runner = await busyRunner(world, chance)
  if (runner === undefined) return false
  sendSignal(runner.pid, 'SIGKILL')
  return true
}

async function stopRunner(world: World, chance: Chance): Promise<boolean> {
  const runner = await busyRunner(world, chance)
  if (runner === undefined) return false
  sendSignal(runner.pid, 'SIGSTOP')
  await rest(chance.between(20, 500))
  if (chance.next() < 0.3) {
    await world.server.down()
    await world.up()
  } else if ((await runnerProcesses(world.folder)).some(({ pid }) => pid === runner.pid)) {
    sendSignal(runner.pid, 'SIGCONT')
  }
  return true
}

async function slowExit(world: World, chance: Chance): Promise<boolean> {
  const runner = await busyRunner(world, chance)
  const stubborn = `${world.ledgerFile}.stubborn`
  await writeFile(stubborn, '')
  await world.server.down('SIGTERM')
  await rm(stubborn)
  await world.up()
  return runner !== undefined
}

async function poison(world: World): Promise<boolean> {
  if (!(await world.stands())) return false
  const headers = {
    'content-type': 'application/json',
    'x-fal-retry-config': '{"connection_error":{"retries":1}}',
  }
  const body = JSON.stringify({ ledger: world.ledgerFile, deadly: true, ms: 0, chunks: 1 })
  const taken = await world.ask('', { method: 'POST', headers, body })
  if (taken?.status !== 200) return false
  const { request_id: id } = JSON.parse(taken.text) as { request_id: string }
  return (await isGrowing(world.ledgerFile)) && (await isFailed(id, world))
}

async function isFailed(id: string, world: World): Promise<boolean> {
  const until = performance.now() + 120_000
  while (performance.now() < until) {
    if ((await world.ask(`/requests/${id}/status`))?.status === 200) {
      const answer = await world.ask(`/requests/${id}`)
      if (answer?.status !== 503)
        throw new Error(`the deadly request ${id} ended with ${answer?.status} ${answer?.text}`)
      return true
    }
    await rest(30)
  }
  throw new Error(`the deadly request ${id} did not end within two minutes`)
}

async function failFsync(world: World, chance: Chance): Promise<boolean> {
  const { server, shim } = world
  if (!(await world.stands())) return false
  shim?.failFsync(chance.between(1, 20))
  const end = await server.ended(hitMs)
  shim?.failFsync(0)
  await server.down()
  return end?.code === 1
}

async function stepClock(world: World, chance: Chance): Promise<boolean> {
  if (!(await world.stands())) return false
  const dayMs = 86_400_000
  world.shim?.setClock(chance.pick([1_000, 60_000, dayMs]) * (2 * chance.next() - 1))
  await isGrowing(world.ledgerFile)
  if (chance.next() < 0.5) {
    await world.server.down()
    await world.up()
  }
  return true
}

/** A runner, of a server that is up, at a moment when the app has just been called. */
async function busyRunner(world: World, chance: Chance): Promise<{ pid: number } | undefined> {
  if (!(await world.stands()) || !(await isGrowing(world.ledgerFile))) return undefined
  const running = await runnerProcesses(world.folder)
  return running.length === 0 ? undefined : chance.pick(running)
}
