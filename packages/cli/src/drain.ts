import { MachineDrain } from '@carrick/protocol/platform'
import { ServerStatus } from '@carrick/protocol/rest'
import { setTimeout as rest } from 'node:timers/promises'
import { ask } from './ask.ts'
import { connectTo, type Connection } from './connection.ts'
import { print } from './output.ts'
import type { Where } from './where.ts'

interface Flags extends Where {
  json?: boolean
}

const lookEveryMs = 500

/** `carrick machines drain`: no new runners there, and those that it has finish and end. Waits until all are gone. */
export async function drain(
  machine: string | undefined,
  flags: Flags & { deadline?: number; message?: string; detach?: boolean },
): Promise<void> {
  const connection = await connectTo(flags)
  const begun = MachineDrain.parse(
    await ask(connection, '/v1/machines/drain', {
      ...(machine === undefined ? {} : { machine }),
      ...(flags.deadline === undefined ? {} : { deadline_seconds: flags.deadline }),
      ...(flags.message === undefined ? {} : { message: flags.message }),
    }),
  )
  const ended = flags.detach === true ? begun : await emptied(connection, begun)
  print({ text: drainedText(ended), json: ended }, flags)
}

/** `carrick machines undrain`: it gets runners again. */
export async function undrain(machine: string | undefined, flags: Flags): Promise<void> {
  const body = machine === undefined ? {} : { machine }
  const ended = MachineDrain.parse(await ask(await connectTo(flags), '/v1/machines/undrain', body))
  print({ text: `${ended.machine} serves: what waited for a place on it starts now`, json: ended }, flags)
}

/** Ctrl-C ends the waiting, not the maintenance. */
async function emptied(connection: Connection, begun: MachineDrain): Promise<MachineDrain> {
  let { runners } = begun
  while (runners > 0) {
    await rest(lookEveryMs)
    const { maintenance } = ServerStatus.parse(await ask(connection, '/v1/status'))
    const now = maintenance.find((each) => each.machine === begun.machine)
    if (now === undefined)
      throw new Error(`${begun.machine} is no longer in maintenance: somebody ended it (\`carrick machines undrain\`)`)
    if (now.runners !== runners && now.runners > 0)
      console.error(`${count(now.runners)} of ${begun.machine} still to end`)
    runners = now.runners
  }
  return { ...begun, runners }
}

function drainedText({ machine, maintenance, runners }: MachineDrain): string {
  const state = `${machine} is in maintenance and gets no new runners, until \`carrick machines undrain\``
  if (runners === 0) return `${state}. No runner is on it`
  const until = maintenance?.deadline
  const late = typeof until === 'string' ? `; what still runs at ${until} is killed` : ''
  return `${state}. ${count(runners)} ${runners === 1 ? 'finishes its' : 'finish their'} requests and ${runners === 1 ? 'ends' : 'end'}${late}`
}

const count = (number: number) => `${number} runner${number === 1 ? '' : 's'}`
