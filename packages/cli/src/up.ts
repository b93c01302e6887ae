import { loadSettings } from '@carrick/server/settings'
import { startPlatform } from '@carrick/server/main'
import { asVariables, type SettingFlags } from './setting-flags.ts'

/** `carrick up`: every role in this process until SIGTERM or Ctrl-C, which drain; a second one ends at once. */
export async function up(flags: SettingFlags): Promise<void> {
  const platform = await startPlatform(
    (await loadSettings({ flags: asVariables(flags), variables: process.env })).config,
  )
  console.log(
    `Carrick is ready at ${platform.url} (owner ${platform.owner}). In another terminal: eval "$(npx carrick env)"`,
  )
  for (const line of platform.warnings) console.error(line)
  await askedToStop()
  console.error('Draining; press Ctrl-C again to end at once.')
  // The next start finds everything in order also after an end at once: it is what a crash looks like.
  const exitCode = await Promise.race([platform.stop().then(() => 0), askedToStop().then(() => 130)])
  process.exit(exitCode)
}

function askedToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}
