import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** The network of a second engine on this machine. Letting go of it, when the engine has ended, takes it away. */
export interface EngineBridge extends AsyncDisposable {
  /** What `dockerd` is told. */
  readonly options: readonly string[]
}

/**
 * A bridge of its own, and no rules: engines share both otherwise. One that is told to have no bridge at all, or begins
 * again with a pool of addresses of its own, takes away `docker0`, which is the others'.
 */
export async function ownBridge(): Promise<EngineBridge> {
  const name = `ce${randomInt(36 ** 6).toString(36)}`
  const net = `10.${randomInt(200, 250)}`
  await execute('ip', ['link', 'add', name, 'type', 'bridge'])
  await execute('ip', ['address', 'add', `${net}.0.1/24`, 'dev', name])
  await execute('ip', ['link', 'set', name, 'up'])
  const rules = ['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false']
  return {
    options: [`--bridge=${name}`, ...rules],
    [Symbol.asyncDispose]: async () => void (await execute('ip', ['link', 'delete', name])),
  }
}
