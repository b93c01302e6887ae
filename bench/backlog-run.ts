// Completes requests of an app that has many waiting ones, and prints how long one takes and what the process holds:
// backlog-run.ts FOLDER BACKLOG COUNT. The runner is an HTTP server in this process that answers at once.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { openLocalBlobs } from '../packages/server/src/blobs/local-blobs.ts'
import { createCaller } from '../packages/server/src/calls/undici-caller.ts'
import { startDispatcher } from '../packages/server/src/dispatcher/dispatcher.ts'
import { createHomes } from '../packages/server/src/home/memory-home.ts'
import { createApps } from '../packages/server/src/home/store-apps.ts'
import { systemClock } from '../packages/server/src/kit/clock.ts'
import { silent } from '../packages/server/src/kit/logger.ts'
import { openSqliteStore } from '../packages/server/src/store/sqlite/index.ts'
import { addTestAccount } from '../packages/server/src/testing/store.ts'
import { addRevision, appId } from './waiting-app.ts'
import { fill } from './waiting-rows.ts'

const [folder = '', backlog = '', count = ''] = process.argv.slice(2)
const file = join(folder, 'backlog.sqlite')
const store = await openSqliteStore({ file, log: silent })
await addRevision(store, await addTestAccount(store))
fill(file, Number(backlog))

let served = 0
let finished = () => {}
const runner = createServer((req, res) => {
  req.resume().on('end', () => {
    res.setHeader('content-type', 'application/json').end('{}')
    served += 1
    if (served === Number(count)) finished()
  })
}).listen(0, '127.0.0.1')
await new Promise((listening) => runner.once('listening', listening))

const clock = systemClock()
const homes = createHomes({ clock, limits: { waitingCallers: 1 } })
const dispatcher = startDispatcher({
  store,
  homes,
  apps: await createApps(store),
  caller: createCaller(),
  blobs: await openLocalBlobs({ folder: join(folder, 'blobs') }),
  clock,
  log: silent,
  random: Math.random,
  onRunnerVerdict: () => {},
  limits: { resultBytes: 2 ** 20, connectTimeoutMs: 1_000 },
})
await dispatcher.recover()
const memory = Math.ceil(process.memoryUsage.rss() / 2 ** 20)

const home = homes.of(appId)
home.setMultiplexing(8)
const done = new Promise<void>((resolve) => (finished = resolve))
const started = performance.now()
home.setRunners([
  { id: 'runner-1', revisionId: 'r', address: { host: '127.0.0.1', port: (runner.address() as AddressInfo).port } },
])
await done
console.log(JSON.stringify({ secondsEach: (performance.now() - started) / 1000 / Number(count), memory }))
process.exit(0)
