import { execFile } from 'node:child_process'
import { expect, test } from 'vitest'

const program = `
import { crashPoint, crashPointOn } from '${new URL('./crash-points.ts', import.meta.url).href}'
import { EventEmitter } from 'node:events'
import { writeSync } from 'node:fs'
const teller = new EventEmitter()
for (let pass = 1; pass <= 3; pass += 1) {
  writeSync(1, String(pass))
  crashPoint('before_send')
  crashPointOn(teller, 'sent', 'after_ack')
}
teller.emit('sent')
writeSync(1, 'end')
`

/** What a process says that passes `before_send` three times and then `after_ack` three times, and the signal that ended it. */
function passing(plan: string): Promise<{ said: string; signal: string | null }> {
  return new Promise((resolve) => {
    const env = { ...process.env, CARRICK_CRASH_AT: plan }
    const child = execFile(process.execPath, ['--input-type=module', '-e', program], { env }, (_, said) =>
      resolve({ said, signal: child.signalCode }),
    )
  })
}

test.each([
  ['', '123end', null],
  ['before_send:4', '123end', null],
  ['an_unknown_point:1', '123end', null],
  ['before_send:1', '1', 'SIGKILL'],
  ['before_send:2', '12', 'SIGKILL'],
  ['after_ack:1', '123', 'SIGKILL'],
])('with the plan "%s" a process says %s and ends by %s', async (plan, said, signal) => {
  expect(await passing(plan)).toEqual({ said, signal })
})
