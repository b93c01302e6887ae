import { loadSettings } from '@carrick/server/settings'
import { startPlatform } from '@carrick/server/main'
import { takeOver } from '@carrick/server/takeover'
import { asVariables, type SettingFlags } from './setting-flags.ts'

/** For what a server still does when its requests and runners have ended. */
const marginMs = 30_000

/** `carrick up`: every role in this process until SIGTERM or Ctrl-C, which drain; a second one ends at once. */
export async function up({ takeover = false, ...flags }: SettingFlags & { takeover?: boolean }): Promise<void> {
  const { config } = await loadSettings({ flags: asVariables(flags), variables: process.env })
  if (takeover) {
    const patienceMs = 2 * config.CARRICK_SHUTDOWN_MS + marginMs
    await takeOver(config.CARRICK_DATA, patienceMs, (pid) =>
      console.error(`Asked the server with process id ${pid} to go; waiting until it has finished what it holds.`),
    )
  }
  const platform = await startPlatform(config)
  const containers = platform.engine === undefined ? '' : `, runners are containers of ${platform.engine}`
  console.log(
    `Carrick is ready at ${platform.url} (owner ${platform.owner}${containers}). In another terminal: eval "$(npx carrick env)"`,
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
