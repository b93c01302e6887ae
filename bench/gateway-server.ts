// The gateway with its real front, door and store: gateway-server.ts FOLDER durable|nothing [RUNNER_PORT [PID HOST]].
// `nothing` differs in one place: a commit answers at once and keeps nothing. Without a runner what is submitted waits; with one, an
// HTTP server on that port of loopback, the real dispatcher serves the queue; with a process of a container and its address the runner
// is called by the docker backend's nearer way. Prints its port, path and key as one JSON line;
// answers a line on stdin with the commits and writes so far.
import { createInterface } from 'node:readline'
import { createCallTokens } from '../packages/server/src/access/call-tokens.ts'
import { createKeyring } from '../packages/server/src/access/memory-keyring.ts'
import { openDataFolder } from '../packages/server/src/access/data-folder.ts'
import { ensureInstallation } from '../packages/server/src/access/first-start.ts'
import { openLocalBlobs } from '../packages/server/src/blobs/local-blobs.ts'
import { createCaller } from '../packages/server/src/calls/undici-caller.ts'
import { startDispatcher } from '../packages/server/src/dispatcher/dispatcher.ts'
import { createFront } from '../packages/server/src/front/front.ts'
import { createGrpcDoor } from '../packages/server/src/front/grpc-door.ts'
import { createHttpDoor } from '../packages/server/src/front/http-door.ts'
import { createIdentities } from '../packages/server/src/front/identities.ts'
import { ensureCertificates } from '../packages/server/src/front/certificates.ts'
import { createGateway } from '../packages/server/src/gateway/gateway.ts'
import { createHomes } from '../packages/server/src/home/memory-home.ts'
import { createApps } from '../packages/server/src/home/store-apps.ts'
import { Entries } from '../packages/server/src/backends/docker/runner/entry.ts'
import { bootId, procOf } from '../packages/server/src/backends/process/proc.ts'
import { systemClock } from '../packages/server/src/kit/clock.ts'
import { WaysIn } from '../packages/server/src/kit/ways-in.ts'
import { noneRejected } from '../packages/server/src/kit/rejections.ts'
import { silent } from '../packages/server/src/kit/logger.ts'
import { openLogStore } from '../packages/server/src/logs/sqlite-logs.ts'
import { openSqliteStore, type SqliteStore } from '../packages/server/src/store/sqlite/index.ts'
import type { Store } from '../packages/server/src/store/store.ts'
import { addRevision, appId } from './waiting-app.ts'

const [folderPath = '', mode = 'durable', runnerPort = '', pid = '', host = ''] = process.argv.slice(2)
const folder = await openDataFolder(folderPath)
const log = silent
const disk = await openSqliteStore({ file: folder.storeFile, log })
const clock = systemClock()
const { accountId, credentials, nickname } = await ensureInstallation({ store: disk, clock, folder, owner: 'bench' })
await addRevision(disk, accountId)

const store = mode === 'durable' ? disk : storingNothing(disk)
const homes = createHomes({ clock, limits: { waitingCallers: 1_000 } })
const keyring = await createKeyring(disk, clock)
const waysIn = new WaysIn()
if (pid !== '') await openWay()
const hosts = ['localhost', '127.0.0.1']
const parts = {
  store,
  homes,
  apps: await createApps(disk),
  caller: createCaller(waysIn),
  blobs: await openLocalBlobs({ folder: folder.blobs }),
  clock,
  log,
  onRunnerVerdict: () => {},
}
if (runnerPort !== '') {
  startDispatcher({ ...parts, random: Math.random, limits: { resultBytes: 2 ** 20, connectTimeoutMs: 1_000 } })
  const home = homes.of(appId)
  home.setMultiplexing(256)
  home.setRunners([{ id: 'runner-1', revisionId: 'r', address: { host: '127.0.0.1', port: Number(runnerPort) } }])
}
const gateway = createGateway({
  ...parts,
  rejected: noneRejected(),
  keyring,
  callTokens: createCallTokens({ keyring, clock, encryptionKey: new Uint8Array(32) }),
  logs: await openLogStore({ folder: folder.logs, clock, log }),
  names: () => ({ hosts, port }),
  limits: {
    bodyBytes: 2 ** 27,
    queueLength: 10_000_000,
    connectTimeoutMs: 1_000,
    socketMessageBytes: 2 ** 20,
    socketIdleMs: 60_000,
  },
  cancel: () => Promise.resolve('too_late'),
  mayCallBack: () => false,
  startFailureOf: () => undefined,
  accepting: () => true,
})
const certificates = await ensureCertificates({ folder: folder.tls, names: [], now: clock.now() })
const front = createFront({
  tls: createIdentities(certificates),
  doors: {
    http: createHttpDoor(
      (req, res) => void gateway.handle(req, res),
      () => {},
    ),
    grpc: createGrpcDoor(() => {}),
  },
  log,
})
const { port } = await front.listen({ host: '127.0.0.1', port: 0 })
console.log(JSON.stringify({ port, path: `/${nickname}/waiting`, key: `${credentials.keyId}:${credentials.secret}` }))
for await (const _ of createInterface({ input: process.stdin })) console.log(JSON.stringify(disk.stats()))
process.exit(0)

/** Reads stay real; a commit is answered in the same turn, as the first of its kind would be. */
function storingNothing(real: SqliteStore): Store {
  let seq = 0
  return {
    commit: (write) =>
      Promise.resolve(write.result(write.statements.map(() => ({ changes: 1, rows: [{ seq: ++seq }] })))),
    read: (read) => real.read(read),
    onChange: (topic, listener) => real.onChange(topic, listener),
    close: () => real.close(),
  }
}

async function openWay(): Promise<void> {
  const init = { pid: Number(pid), startTime: procOf(Number(pid))?.startTime ?? '', bootId: bootId() }
  const published = { host: '127.0.0.1', port: Number(runnerPort) }
  const entrance = await (await Entries.open(log))?.into({ init, address: { host, port: 8080 }, published })
  if (entrance === undefined) throw new Error('there is no nearer way to the container')
  waysIn.open(published, entrance.dial)
}
