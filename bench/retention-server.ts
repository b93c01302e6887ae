// Submit, run and sweep, with the real gateway, store, dispatcher and retention: retention-server.ts FOLDER SECONDS.
// What is submitted runs on a runner that answers at once inside this process, and is kept for so many seconds. Prints its
// port and key as one JSON line; answers each line on stdin with what waits, what was swept and how large the folder is.
import { Readable } from 'node:stream'
import { readdir, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { createCallTokens } from '../packages/server/src/access/call-tokens.ts'
import { createKeyring } from '../packages/server/src/access/memory-keyring.ts'
import { openDataFolder } from '../packages/server/src/access/data-folder.ts'
import { ensureInstallation } from '../packages/server/src/access/first-start.ts'
import { startRetention } from '../packages/server/src/api/retention/sweep.ts'
import { openLocalBlobs } from '../packages/server/src/blobs/local-blobs.ts'
import type { Caller } from '../packages/server/src/calls/call.ts'
import { relayOf } from '../packages/server/src/calls/relay.ts'
import { startDispatcher } from '../packages/server/src/dispatcher/dispatcher.ts'
import { createGateway } from '../packages/server/src/gateway/gateway.ts'
import { createHomes } from '../packages/server/src/home/memory-home.ts'
import { createApps } from '../packages/server/src/home/store-apps.ts'
import { systemClock } from '../packages/server/src/kit/clock.ts'
import { createLogger } from '../packages/server/src/kit/logger.ts'
import { noneRejected } from '../packages/server/src/kit/rejections.ts'
import { openLogStore } from '../packages/server/src/logs/sqlite-logs.ts'
import { openSqliteStore } from '../packages/server/src/store/sqlite/index.ts'
import { addRevision, appId } from './waiting-app.ts'

const [folderPath = '', seconds = ''] = process.argv.slice(2)
const log = createLogger('warn')
const folder = await openDataFolder(folderPath)
const store = await openSqliteStore({ file: folder.storeFile, log })
const clock = systemClock()
const { accountId, credentials, nickname } = await ensureInstallation({ store, clock, folder, owner: 'bench' })
await addRevision(store, accountId)

const answer = new TextEncoder().encode(JSON.stringify({ text: 'y'.repeat(1_000) }))
const exchange: Caller['exchange'] = async () => ({
  kind: 'answered',
  status: 200,
  headers: [['content-type', 'application/json']],
  body: Readable.from([answer]),
  ended: Promise.resolve({ kind: 'complete' }),
})
const caller: Caller = { exchange, relay: relayOf(exchange), close: async () => {} }
const apps = await createApps(store)
const homes = createHomes({ clock, apps, limits: { waitingCallers: 1 } })
const home = homes.of(appId)
home.setMultiplexing(256)
home.setRunners([{ id: 'runner', revisionId: '', address: { host: '127.0.0.1', port: 0 } }])
const blobs = await openLocalBlobs({ folder: folder.blobs })
const keyring = await createKeyring(store, clock)
const limits = {
  bodyBytes: 2 ** 20,
  resultBytes: 2 ** 20,
  queueLength: 10_000_000,
  connectTimeoutMs: 1_000,
  socketMessageBytes: 2 ** 20,
  socketIdleMs: 60_000,
}
const shared = { store, homes, apps, caller, blobs, clock, log, limits, onRunnerVerdict: () => {} }
startDispatcher({ ...shared, random: Math.random })
const gateway = createGateway({
  ...shared,
  rejected: noneRejected(),
  mayCallBack: () => false,
  keyring,
  callTokens: createCallTokens({ keyring, clock, encryptionKey: new Uint8Array(32) }),
  logs: await openLogStore({ folder: folder.logs, clock, log }),
  names: () => ({ hosts: ['127.0.0.1'], port: 0 }),
  cancel: () => Promise.resolve('too_late'),
  startFailureOf: () => undefined,
  accepting: () => true,
})
const retention = startRetention({ store, apps, clock, log, retentionDays: Number(seconds) / 86_400 })
const server = createServer((req, res) => void gateway.handle(req, res)).listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const { port } = server.address() as AddressInfo
console.log(
  JSON.stringify({ port, path: `/queue/${nickname}/waiting`, key: `${credentials.keyId}:${credentials.secret}` }),
)
for await (const _ of createInterface({ input: process.stdin })) {
  const { waiting, running } = home.load()
  console.log(
    JSON.stringify({
      open: waiting + running,
      swept: retention.swept().requests,
      bytes: await size(),
    }),
  )
}
process.exit(0)

/** Of everything in the data folder. */
async function size(): Promise<number> {
  const names = await readdir(folderPath, { recursive: true })
  const sizes = await Promise.all(names.map((name) => stat(`${folderPath}/${name}`).catch(() => undefined)))
  return sizes.reduce((sum, each) => sum + (each?.isFile() ? each.size : 0), 0)
}
