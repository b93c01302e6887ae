// bundle.ts FOLDER: writes `carrick` there, as main.mjs and a few files beside it.
import { pathToFileURL } from 'node:url'
import { rolldown, type Plugin } from 'rolldown'

const program = new URL('../../packages/cli/src/main.ts', import.meta.url).pathname

/** They bring compiled code along, and nothing here uses them. */
const external = [/\.node$/, 'ssh2', 'cpu-features']

/** What a module finds beside itself, such as migrations and workers, is where its source is. */
const besideSources: Plugin = {
  name: 'beside-sources',
  transform: (code, id) => code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href)),
}

const resolve = { conditionNames: ['carrick-source', 'import', 'node', 'default'] }
await using build = await rolldown({ input: program, platform: 'node', external, resolve, plugins: [besideSources] })
await build.write({ dir: process.argv[2] ?? '', format: 'esm', entryFileNames: 'main.mjs' })
