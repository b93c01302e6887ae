import { chmod, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { tryFileLock } from '../kit/file-lock.ts'
import { replaceFile } from '../kit/files.ts'

const serverFile = z.object({
  url: z.string(),
  host: z.string(),
  port: z.number(),
  pid: z.number(),
  version: z.string(),
  /** Where runners reach the platform. */
  ingress: z.string(),
})

/** What a running server says about itself to the commands on the same machine. */
export type ServerFile = z.infer<typeof serverFile>

/** Everything that an installation keeps. One server at a time has it open. */
export interface DataFolder {
  readonly path: string
  readonly storeFile: string
  readonly logs: string
  readonly blobs: string
  /** What was uploaded. */
  readonly objects: string
  /** What is on its way to an object store, and what came back from there for runners. */
  readonly outgoing: string
  readonly environments: string
  readonly runners: string
  /** A folder per account, which its runners see as `/data`. */
  readonly data: string
  /** What app files look like to runners. Made from blobs. */
  readonly appFiles: string
  /** What runs brought forth, until it is fetched. */
  readonly results: string
  readonly tls: string
  readonly tools: string
  readonly cache: string
  readonly serverFile: string
  readonly credentialsFile: string
  readonly encryptionKeyFile: string
  writeServerFile(content: ServerFile): Promise<void>
  /** Takes the server file away and lets the next server in. */
  close(): Promise<void>
}

const lockName = 'lock.sqlite'
/** Read before anything else, by who starts the server; it may be there before the rest is. */
const settingsName = 'carrick.toml'

/**
 * Makes the folder when it is not there, for its owner alone, and takes the lock that one server may hold. The kernel
 * holds it and gives it back at the end of the process, however that comes. Throws a sentence when another server has it.
 */
export async function openDataFolder(folder: string): Promise<DataFolder> {
  const path = resolve(folder)
  await prepare(path)
  const held = lock(path)
  const files = pathsIn(path)
  await rm(files.serverFile, { force: true }) // of a server that ended without a word
  return {
    path,
    ...files,
    writeServerFile: (content) => replaceFile(files.serverFile, `${JSON.stringify(content, null, 2)}\n`),
    async close() {
      await rm(files.serverFile, { force: true })
      held[Symbol.dispose]()
    },
  }
}

/** What the server that runs on a folder says about itself; undefined when none has written its file. */
export async function readServerFile(folder: string): Promise<ServerFile | undefined> {
  const text = await readFile(pathsIn(folder).serverFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
  return text === undefined ? undefined : serverFile.parse(JSON.parse(text))
}

function pathsIn(path: string) {
  return {
    storeFile: join(path, 'carrick.sqlite'),
    logs: join(path, 'logs'),
    blobs: join(path, 'blobs'),
    objects: join(path, 'objects'),
    outgoing: join(path, 'outgoing'),
    environments: join(path, 'environments'),
    runners: join(path, 'runners'),
    data: join(path, 'data'),
    appFiles: join(path, 'app-files'),
    results: join(path, 'results'),
    tls: join(path, 'tls'),
    tools: join(path, 'tools'),
    cache: join(path, 'cache'),
    serverFile: join(path, 'server.json'),
    credentialsFile: join(path, 'credentials.json'),
    encryptionKeyFile: join(path, 'encryption.key'),
  }
}

async function prepare(path: string): Promise<void> {
  try {
    await makeFolder(path)
    // A folder that was there before and holds nothing of others becomes private too.
    const ours = new Set([lockName, settingsName, ...Object.values(pathsIn('')).map((name) => name.split('/')[0])])
    const isOurs = (name: string) => ours.has(name) || /^(?:lock\.sqlite-|encryption\.key\.)/.test(name)
    const foreign = !(await readdir(path)).every(isOurs)
    if (!foreign) await chmod(path, 0o700)
  } catch (cause) {
    throw new Error(`the data folder ${path} cannot be used: ${messageOf(cause)}`, { cause })
  }
}

/** Makes a folder, and those above it. Node's own `recursive` never comes back where nothing can be made, as in /proc. */
async function makeFolder(path: string): Promise<void> {
  const make = () => mkdir(path, { mode: 0o700 })
  try {
    await make().catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      await makeFolder(dirname(path))
      await make()
    })
  } catch (error) {
    if (!(await stat(path).catch(() => undefined))?.isDirectory()) throw error
  }
}

/** The file that the server of a data folder has locked. */
export const lockFileOf = (path: string): string => join(path, lockName)

/** Takes the lock. */
function lock(path: string): Disposable {
  const held = openLock(lockFileOf(path))
  if (held !== undefined) return held
  const why = 'another Carrick server runs on it; stop that one, or choose another folder with --data'
  throw new Error(`the data folder ${path} cannot be opened: ${why}`)
}

function openLock(file: string): Disposable | undefined {
  try {
    return tryFileLock(file)
  } catch (cause) {
    throw new Error(`the lock ${file} cannot be opened: ${messageOf(cause)}`, { cause })
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
