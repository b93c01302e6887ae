import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'

/** Whether there is somebody at a terminal who can be asked. */
export const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY

/** Asks at the terminal, on stderr. With `hidden` nothing of the answer is shown. Throws an interruption on Ctrl-C. */
export function prompt(question: string, { hidden = false } = {}): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: process.stdin, output: hidden ? nowhere : process.stderr, terminal: true })
  // Not before the terminal has stopped to show by itself what is typed.
  process.stderr.write(question)
  return new Promise((resolve, reject) => {
    const leave = (why: string) => reject(Object.assign(new Error(why), { name: 'Interruption' }))
    reader.once('SIGINT', () => (leave('interrupted'), reader.close()))
    reader.once('close', () => (process.stderr.write('\n'), leave('there was no answer')))
    reader.once('line', (line) => (resolve(line.trim()), reader.close()))
  })
}

/** All that comes on stdin. */
export async function fromStdin(): Promise<string> {
  return (await text(process.stdin)).trim()
}
