import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chainsOf, rulesIPv4, rulesIPv6, type Walls } from './firewall-rules.ts'

/** Rules of the machine's firewall about our bridges. Rules of others are neither read nor touched. */
export interface Firewall {
  /** Why there is none, as half a sentence. */
  readonly why: string | undefined
  /** Puts back what is missing: an engine or a firewall that was started again may have taken it away. */
  ensure(): Promise<void>
  /** Takes ours away. */
  close(): Promise<void>
}

interface Family {
  readonly program: 'iptables' | 'ip6tables'
  readonly rules: string
}

type Place = Omit<Walls, 'machine'> & {
  /** What programs are begun by where the bridges are, if that is somewhere else. */
  readonly begin?: readonly string[]
  /** Chains that the engine asks before its own rules, besides Docker's for operators. One that is not there yet is made. */
  readonly asked?: readonly string[]
  /** Asked each time that rules are set. */
  readonly machine?: () => Promise<readonly string[]>
}

/** Sets the rules, or finds out why it may not. */
export async function openFirewall(walls: Place): Promise<Firewall> {
  let last: Promise<unknown> = Promise.resolve()
  /** One after another: two that find a jump missing would both insert it. */
  const ensure = () => {
    const next = last.then(() => setAll(walls))
    last = next.catch(() => {})
    return next
  }
  const close = async () => {
    await last
    for (const program of ['iptables', 'ip6tables'] as const) await remove(program, walls)
  }
  const why = await ensure().then(
    () => undefined,
    (error: Error) => error.message,
  )
  return why === undefined ? { why, ensure, close } : { why, ensure: async () => {}, close: async () => {} }
}

async function setAll(walls: Place): Promise<void> {
  const machine = (await walls.machine?.()) ?? []
  await set({ program: 'iptables', rules: rulesIPv4({ ...walls, machine }) }, walls)
  if (existsSync('/proc/net/if_inet6')) await set({ program: 'ip6tables', rules: rulesIPv6(walls) }, walls)
}

async function set({ program, rules }: Family, walls: Place): Promise<void> {
  await run(walls, `${program}-restore`, ['--noflush', ...patience], rules)
  for (const chain of walls.asked ?? []) await may(walls, program, '--new-chain', chain)
  for (const jump of await jumpsOf(program, walls)) {
    const [chain = '', ...rule] = jump
    if (!(await may(walls, program, '--check', ...jump)))
      await run(walls, program, [...patience, '--insert', chain, '1', ...rule])
  }
}

async function remove(program: Family['program'], walls: Place): Promise<void> {
  for (const jump of await jumpsOf(program, walls)) await may(walls, program, '--delete', ...jump)
  for (const chain of Object.values(chainsOf(walls))) {
    await may(walls, program, '--flush', chain)
    await may(walls, program, '--delete-chain', chain)
  }
}

/** An engine asks the operator's chain before its own, also when it starts again; one that sets no rules has none. */
async function jumpsOf(program: Family['program'], walls: Place): Promise<readonly (readonly string[])[]> {
  const { toMachine, through, into } = chainsOf(walls)
  const forward = (await may(walls, program, '--list', 'DOCKER-USER', '--numeric')) ? 'DOCKER-USER' : 'FORWARD'
  const ours = `${walls.prefix}+`
  return [
    ['INPUT', '--in-interface', ours, '--jump', toMachine],
    ...[forward, ...(walls.asked ?? [])].flatMap((chain) => [
      [chain, '--out-interface', ours, '--jump', into],
      [chain, '--in-interface', ours, '--jump', through],
    ]),
  ]
}

/** Others change the firewall too: one waits for them. */
const patience = ['--wait', '10']
const limitMs = 20_000
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }

const may = (place: Place, program: string, ...args: readonly string[]): Promise<boolean> =>
  run(place, program, [...patience, ...args]).then(
    () => true,
    () => false,
  )

/** Throws half a sentence. */
function run({ begin = [] }: Place, program: string, args: readonly string[], input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const [file = program, ...all] = [...begin, program, ...args]
    const child = execFile(file, all, { env, timeout: limitMs }, (error, _out, said) => {
      if (error === null) resolve()
      else reject(new Error(reasonOf(program, error, said)))
    })
    child.stdin?.on('error', () => {}) // it ended before it read all: its exit tells why
    child.stdin?.end(input)
  })
}

function reasonOf(program: string, error: Error, said: string): string {
  if ('code' in error && error.code === 'ENOENT') return `the program \`${program}\` is not there`
  const last = said.trim().split('\n').at(-1)
  return `\`${program}\` refuses: ${last === undefined || last === '' ? error.message : last}`
}
