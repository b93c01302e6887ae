import { chmod, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { tryFileLock } from '../kit/file-lock.ts'
import { replaceFile, syncFolder } from '../kit/files.ts'

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
/** There while a backup is restored, and after a restore that did not come to its end. */
const restoringName = 'restore.unfinished'
/** Read before anything else, by who starts the server; it may be there before the rest is. */
const settingsName = 'carrick.toml'

/**
 * Makes the folder when it is not there, for its owner alone, and takes the lock that one server may hold. The kernel
 * holds it and gives it back at the end of the process, however that comes. Throws a sentence when another server has it.
 */
export async function openDataFolder(folder: string): Promise<DataFolder> {
  const path = resolve(folder)
  await prepare(path)
  await requireRestored(path)
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
    /** What a backup holds while it reads. */
    backingUp: join(path, 'backing-up'),
  }
}

/** Throws a sentence unless there is an installation here that can be read. */
export async function requireInstallation(path: string): Promise<void> {
  await requireRestored(path)
  const { storeFile } = pathsIn(path)
  if (await isThere(storeFile)) return
  throw new Error(`${path} is not the data folder of a Carrick server: there is no ${storeFile}. Name it with --data`)
}

async function requireRestored(path: string): Promise<void> {
  if (!(await isThere(join(path, restoringName)))) return
  throw new Error(
    `the data folder ${path} cannot be used: a backup was being restored into it and that did not come to its end, so parts are missing. ` +
      'Delete it, and restore again',
  )
}

const isThere = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined

/** A data folder that is being restored. No server starts on it until `finish`, also after a crash. */
export interface RestoringFolder {
  readonly path: string
  finish(): Promise<void>
  /** Takes away what is there. To be called instead of `finish`. */
  giveUp(): Promise<void>
}

/** Makes a folder, or takes one that is empty, for a backup to be restored into. Throws a sentence for any other. */
export async function openRestoringFolder(folder: string): Promise<RestoringFolder> {
  const path = resolve(folder)
  const was = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new Error(`${path} cannot be restored into: ${error.message}`, { cause: error })
  })
  if (was !== undefined) await requireRestored(path)
  if (was !== undefined && was.length > 0)
    throw new Error(
      `${path} is not empty: a backup is restored into a new or an empty folder only. Nothing was changed`,
    )
  await makeFolder(path)
  await chmod(path, 0o700)
  const marker = join(path, restoringName)
  await replaceFile(marker, 'A backup is being restored into this folder.\n')
  const held = lock(path)
  return {
    path,
    async finish() {
      held[Symbol.dispose]()
      await rm(marker)
      await syncFolder(path)
    },
    async giveUp() {
      held[Symbol.dispose]()
      const names = await readdir(path)
      await Promise.all(
        names
          .filter((name) => name !== restoringName)
          .map((name) => rm(join(path, name), { recursive: true, force: true })),
      )
      await rm(marker)
      if (was === undefined) await rm(path, { recursive: true })
    },
  }
}

async function prepare(path: string): Promise<void> {
  try {
    await makeFolder(path)
    // A folder that was there before and holds nothing of others becomes private too.
    const ours = new Set([
      lockName,
      restoringName,
      settingsName,
      ...Object.values(pathsIn('')).map((name) => name.split('/')[0]),
    ])
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
