import { createBuilder } from '@carrick/server/builder'
import { takeFileLock } from '@carrick/server/file-lock'
import { loadSettings } from '@carrick/server/settings'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

/** The stock tools, in the versions that Carrick is tested with. */
const clientPackages = ['fal==1.83.0', 'fal_client==1.0.3']

/**
 * The folder of a Python environment that holds the stock `fal` command and `fal_client`: built when it is not there
 * yet, like any app's environment. `say` gets the lines of a build.
 */
export async function clientEnvironment(say: (line: string) => void): Promise<string> {
  const { config } = await loadSettings({ variables: process.env })
  const cache = config.CARRICK_CACHE || join(config.CARRICK_DATA, 'cache')
  const folder = join(cache, 'clients')
  const signal = AbortSignal.timeout(30 * 60_000)
  await mkdir(folder, { recursive: true })
  // A builder takes its folder over and removes what is unfinished there: two commands at once take turns.
  const onWait = () => say('Waiting for another carrick command, which builds the environment of the fal tools')
  using _lock = await takeFileLock(join(folder, 'lock.sqlite'), { onWait, signal })
  const builder = await createBuilder({ folder, cacheFolder: cache })
  const id = await builder.build(
    {
      kind: 'virtualenv',
      pythonVersion: config.CARRICK_CLIENT_PYTHON || (await builder.newestPython()),
      layers: [clientPackages],
      compileBytecode: true,
    },
    { onLine: say, signal },
  )
  return builder.folderOf(id)
}
