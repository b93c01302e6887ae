import { connect } from 'node:net'
import type { Address } from '../domain/runner.ts'

const patienceMs = 2_000

/** Whether something accepts connections there. */
export function accepts({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: patienceMs })
    const answer = (yes: boolean) => (socket.destroy(), resolve(yes))
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
    socket.once('timeout', () => answer(false))
  })
}
