import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Address } from '../../../domain/runner.ts'

/** Whether somebody in a network listens on a port; `loopback`: only for those who are in there too. */
export type Listening = 'everywhere' | 'loopback' | 'nobody'

const listen = '0A'
/** 127.0.0.0/8, ::1 and the first among the second's, as the kernel writes them: the bytes of each four turned round. */
const loopback = /^(.{6}7F|0{24}01000000|0{16}FFFF0000.{6}7F)$/

/** As /proc/PID/net/tcp and tcp6 tell it, see proc_pid_net(5). */
export function listeningIn(sockets: string, port: number): Listening {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const hosts = sockets.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/)
    const [host = '', at] = local.split(':')
    return state === listen && at === wanted ? [host] : []
  })
  if (hosts.length === 0) return 'nobody'
  return hosts.every((host) => loopback.test(host)) ? 'loopback' : 'everywhere'
}

export interface Listener {
  /** A process in the network, as this machine numbers it. Absent where that cannot be known. */
  readonly pid?: number
  /** Where it binds in there. */
  readonly port: number
  /** How it is reached from here. */
  readonly address: Address
}

/** The least time between two looks, and the share that it may have of the time which the start has taken so far. */
const soonestMs = 10
const share = 1 / 100
const latestMs = 250

/**
 * Resolves with true as soon as the listener is there, with false when aborted before. The engine's proxy takes
 * connections before anybody listens behind it, so it is not asked where the container's own sockets can be read.
 * `onHidden` is called once if it listens where nobody from outside can reach it.
 */
export async function whenListening(listener: Listener, onHidden: () => void, signal: AbortSignal): Promise<boolean> {
  let isHidden = false
  for (let waited = 0; !signal.aborted;) {
    const found = await look(listener, signal)
    if (found === 'everywhere') return true
    if (found === 'loopback' && !isHidden) onHidden()
    isHidden ||= found === 'loopback'
    const wait = Math.min(Math.max(waited * share, soonestMs), latestMs)
    await pause(wait, undefined, { signal }).catch(() => {})
    waited += wait
  }
  return false
}

/** Whether somebody listens there now. */
export async function look({ pid, port, address }: Listener, signal: AbortSignal): Promise<Listening> {
  const read = (file: string) => readFile(`/proc/${pid}/net/${file}`, 'utf8').catch(() => '')
  const sockets = pid === undefined ? '' : (await read('tcp')) + (await read('tcp6'))
  if (sockets !== '') return listeningIn(sockets, port)
  return (await staysOpen(address, signal)) ? 'everywhere' : 'nobody'
}

/** A proxy that finds nobody behind it lets go of the connection at once. */
const settledMs = 150
const connectMs = 1_000

function staysOpen({ host, port }: Address, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal, timeout: connectMs })
    const answer = (yes: boolean) => (socket.destroy(), resolve(yes))
    let isOpen = false
    socket.once('connect', () => ((isOpen = true), socket.setTimeout(settledMs)))
    socket.once('timeout', () => answer(isOpen))
    for (const event of ['end', 'error', 'close'] as const) socket.once(event, () => answer(false))
  })
}
