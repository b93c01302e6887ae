/**
 * Where the crash harness (`test/crash`) can end the server. It alone sets CARRICK_CRASH_AT, to `point:count`: then the
 * process kills itself when the point is reached for the count-th time, as `kill -9` at just that instruction would.
 */

/** Between which two things the process may end. */
export const crashPoints = [
  'before_commit', // a group was written, its commit was not asked for
  'after_commit', // it is on disk, and nobody was told
  'before_ack', // a submit is on disk, and its answer is not sent
  'after_ack', // its answer was handed to the network
  'before_send', // an attempt's start is on disk, and nothing was sent to its runner
  'mid_stream', // the runner's answer has begun and not ended
  'after_answer', // it has ended, and the outcome is not stored
  'after_outcome', // the outcome is stored, and its webhook was not sent
  'after_delivery', // a webhook was delivered, and that is not stored
] as const

export type CrashPoint = (typeof crashPoints)[number]

/** Somebody who tells of an event once. */
interface Teller {
  once(event: string, listener: () => void): unknown
}

const plan = planIn(process.env['CARRICK_CRASH_AT'])

/** Says that the point is reached. Without a plan it does nothing at all. */
export const crashPoint: (point: CrashPoint) => void = plan ? strikerOf(plan) : () => {}

/** The same, when the event comes. */
export const crashPointOn: (teller: Teller, event: string, point: CrashPoint) => void = plan
  ? (teller, event, point) => void teller.once(event, () => crashPoint(point))
  : () => {}

interface Plan {
  readonly point: CrashPoint
  readonly count: number
}

function planIn(text: string | undefined): Plan | undefined {
  const [name, count] = (text ?? '').split(':')
  const point = crashPoints.find((known) => known === name)
  return point === undefined ? undefined : { point, count: Math.max(1, Number(count)) }
}

function strikerOf({ point, count }: Plan): (reached: CrashPoint) => void {
  let left = count
  return (reached) => {
    if (reached === point && (left -= 1) === 0) process.kill(process.pid, 'SIGKILL')
  }
}
