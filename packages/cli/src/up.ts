import { readConfig } from '@carrick/server/config'
import { startPlatform } from '@carrick/server/main'

interface Flags {
  port?: string
  host?: string
  data?: string
  backend?: string
  owner?: string
  name?: string[]
}

/** `carrick up`: every role in this process until SIGTERM or Ctrl-C, which drain; a second one ends at once. */
export async function up(flags: Flags): Promise<void> {
  const platform = await startPlatform(readConfig({ ...process.env, ...asVariables(flags) }))
  console.log(
    `Carrick is ready at ${platform.url} (owner ${platform.owner}). In another terminal: eval "$(npx carrick env)"`,
  )
  await askedToStop()
  console.error('Draining; press Ctrl-C again to end at once.')
  // The next start finds everything in order also after an end at once: it is what a crash looks like.
  const exitCode = await Promise.race([platform.stop().then(() => 0), askedToStop().then(() => 130)])
  process.exit(exitCode)
}

function asVariables({ name, ...flags }: Flags): Record<string, string> {
  const all = { ...flags, name: name?.join(',') }
  return Object.fromEntries(
    Object.entries(all).flatMap(([flag, value]) =>
      value === undefined ? [] : [[`CARRICK_${flag.toUpperCase()}`, value]],
    ),
  )
}

function askedToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}
