import type { Container } from 'dockerode'
import { drain, whenDrained, type Drain } from '../../process/output.ts'
import { Pace } from '../../process/pace.ts'
import { apart, type Said } from './frames.ts'

const drainMs = 1_000

/** What a container says is read for as long as the engine tells it. */
export interface Hearing {
  /** False once the engine tells it no more. */
  readonly isOpen: () => boolean
  /** Resolves when the last words were read, soon after its end. */
  readonly lastWords: () => Promise<void>
}

/** Reads what a container says from now on. */
export async function hear(
  container: Container,
  said: (stream: Said['stream'], line: Parameters<Parameters<typeof drain>[1]>[0]) => void,
): Promise<Hearing> {
  const connection = await container.attach({ stream: true, stdout: true, stderr: true, hijack: true })
  let isOpen = true
  connection.once('close', () => (isOpen = false))
  const pace = new Pace()
  const pipes = apart(connection as unknown as Parameters<typeof apart>[0])
  const read = (stream: Said['stream']) => {
    const reader: Drain = drain(pipes[stream], (line) => said(stream, line), pace)
    return () => whenDrained(pipes[stream], reader, drainMs)
  }
  const readers = [read('stdout'), read('stderr'), async () => void connection.end()]
  return { isOpen: () => isOpen, lastWords: async () => void (await Promise.all(readers.map((drained) => drained()))) }
}
