import { execFile } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { freePort } from './free-port.ts'

const run = promisify(execFile)

/** Where this machine keeps the Postgres server's programs, the newest version first; undefined when it has none. */
export function postgresPrograms(): string | undefined {
  const packaged = globSync('/usr/lib/postgresql/*/bin').toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
  const onPath = (process.env['PATH'] ?? '').split(delimiter)
  return [...packaged, ...onPath].find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'pg_ctl')),
  )
}

/** A Postgres server of our own on loopback, gone with its data when it is disposed of. */
export interface TestPostgres extends AsyncDisposable {
  /** The URL of a new, empty database. */
  newDatabase(): Promise<string>
}

export async function startPostgres(programs: string): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-postgres-'))
  const data = join(folder, 'data')
  const owner = await serverUser(folder)
  const program = (name: string, args: readonly string[]) => run(join(programs, name), args, { cwd: folder, ...owner })

  await program('initdb', ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-locale', '-E', 'UTF8'])
  const port = await freePort()
  const settings = `-p ${port} -k '' -c listen_addresses=127.0.0.1`
  await program('pg_ctl', ['-w', '-D', data, '-l', join(folder, 'log'), '-o', settings, 'start'])

  const url = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`
  let databases = 0
  return {
    newDatabase: async () => {
      const name = `store_${(databases += 1)}`
      await query(url('postgres'), `create database ${name}`)
      return url(name)
    },
    [Symbol.asyncDispose]: async () => {
      await program('pg_ctl', ['-w', '-D', data, '-m', 'immediate', 'stop'])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function query(connectionString: string, text: string): Promise<void> {
  const client = new Client({ connectionString })
  await client.connect()
  await client.query(text)
  await client.end()
}

/** The server refuses to run as root: then it runs as the user that its package made, in a folder of theirs. */
async function serverUser(folder: string): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = await Promise.all(['-u', '-g'].map((what) => run('id', [what, 'postgres'])))
  const owner = { uid: Number(uid?.stdout), gid: Number(gid?.stdout) }
  await chown(folder, owner.uid, owner.gid)
  return owner
}
