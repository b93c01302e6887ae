import { isIP } from 'node:net'
import { join } from 'node:path'
import { createCallTokens } from './access/call-tokens.ts'
import { createKeyring } from './access/memory-keyring.ts'
import { openDataFolder } from './access/data-folder.ts'
import { ensureInstallation } from './access/first-start.ts'
import { createSigner } from './access/signer.ts'
import { createUploadTokens } from './access/upload-tokens.ts'
import { createVault } from './access/vault.ts'
import { openStorage } from './blobs/open.ts'
import type { S3Options } from './blobs/s3/options.ts'
import { sweepBlobs } from './blobs/sweep.ts'
import { createCaller } from './calls/undici-caller.ts'
import { WaysIn } from './kit/ways-in.ts'
import { listOf, type Config } from './config.ts'
import { writeBundle } from './front/bundle.ts'
import { ensureCertificates } from './front/certificates.ts'
import { openAccountFiles } from './files/account-files.ts'
import { openAppTrees } from './files/app-trees.ts'
import { DataQuotas } from './files/data-quotas.ts'
import { createFetch } from './files/fetch-from.ts'
import { openUploads } from './files/uploads.ts'
import { ingressName } from './ingress-name.ts'
import { createHomes } from './home/memory-home.ts'
import { createApps } from './home/store-apps.ts'
import { systemClock } from './kit/clock.ts'
import { networksOf } from './kit/networks.ts'
import { createLogger } from './kit/logger.ts'
import { noneRejected } from './kit/rejections.ts'
import { openLogStore } from './logs/sqlite-logs.ts'
import { forgetAppFiles } from './store/app-files.ts'
import { namedBlobs } from './store/blobs.ts'
import { objectFilesUnder } from './store/objects.ts'
import { newestMoment } from './store/revisions.ts'
import { openSqliteStore } from './store/sqlite/index.ts'
import { boundFormerRunners } from './store/usage.ts'

/** How long a file that no deploy names any more can be named without being sent again. */
const unusedAppFilesMs = 30 * 24 * 60 * 60_000

/** What the roles stand on: everything that is opened and closed but decides nothing. */
export type Foundation = Awaited<ReturnType<typeof openFoundation>>

/** Opens the data folder and all that is in it; makes it on the first start. `closing` closes it, in reverse. */
export async function openFoundation(config: Config, closing: AsyncDisposableStack) {
  const log = createLogger(config.CARRICK_LOG_LEVEL)
  const folder = await openDataFolder(config.CARRICK_DATA)
  closing.defer(() => folder.close())
  const store = await openSqliteStore({ file: folder.storeFile, log })
  closing.defer(() => store.close())

  const newest = await store.read(newestMoment())
  const clock = systemClock(newest)
  await store.commit(boundFormerRunners(newest))
  const installation = await ensureInstallation({ store, clock, folder, owner: config.CARRICK_OWNER })
  const keyring = await createKeyring(store, clock, log)
  const vault = createVault({ store, clock, encryptionKey: installation.encryptionKey })
  const uploadTokens = createUploadTokens({ keyring, clock, encryptionKey: installation.encryptionKey })
  const callTokens = createCallTokens({ keyring, clock, encryptionKey: installation.encryptionKey })
  const signer = createSigner({ store, encryptionKey: installation.encryptionKey })
  const names = namesIn(config)
  const ofRunners = ingressName(config)
  const certified = ofRunners === undefined ? names : [...names, ofRunners]
  const certificates = await ensureCertificates({ folder: folder.tls, names: certified, now: clock.now() })
  const bundleFile = join(folder.tls, 'bundle.pem')
  await writeBundle({ caPem: certificates.caPem, file: bundleFile, inherited: process.env['SSL_CERT_FILE'] })

  const logs = await openLogStore({
    folder: folder.logs,
    clock,
    log,
    linesPerApp: config.CARRICK_LOG_LINES_PER_APP,
    retentionDays: config.CARRICK_LOG_RETENTION_DAYS,
  })
  closing.defer(() => logs.close())
  const storage = await openStorage({ folder, installation: installation.id, s3: s3Options(config), clock, log })
  closing.defer(() => storage.close())
  const { blobs, objects } = storage
  await store.commit(forgetAppFiles(clock.now() - unusedAppFilesMs))
  await sweepBlobs({ blobs, namedUnder: await namedBlobs(store), log })
  const files = await openAccountFiles({ folder: folder.data, keepFree: config.CARRICK_KEEP_FREE })
  const quotas = new DataQuotas({
    folderOf: (account) => files.folderOf(account),
    clock,
    ofServer: config.CARRICK_DATA_QUOTA,
    everyMs: config.CARRICK_DATA_QUOTA_EVERY_MS,
  })
  const uploads = await openUploads({ folder: join(folder.data, '.parts'), staging: files.staging, clock })
  const appTrees = await openAppTrees({ folder: folder.appFiles, blobs })
  const fetch = createFetch({ allow: listOf(config.CARRICK_FETCH_ALLOW), timeoutMs: config.CARRICK_FETCH_TIMEOUT_MS })
  const namedUnder = async (prefix: string) => new Set(await store.read(objectFilesUnder(prefix)))
  await sweepBlobs({ blobs: objects, namedUnder, log })
  const apps = await createApps(store)
  const homes = createHomes({ clock, apps, keys: keyring, limits: { waitingCallers: config.CARRICK_WAITING_CALLERS } })
  const waysIn = new WaysIn()
  const caller = createCaller(waysIn)
  closing.defer(() => caller.close())

  return {
    config,
    log,
    folder,
    store,
    clock,
    installation,
    keyring,
    vault,
    signer,
    names,
    certificates,
    bundleFile,
    logs,
    blobs,
    files,
    quotas,
    uploads,
    appTrees,
    fetch,
    objects,
    uploadTokens,
    callTokens,
    apps,
    homes,
    caller,
    waysIn,
    rejected: noneRejected(),
  }
}

/** Undefined where the data folder keeps everything. What is empty is as the AWS tools have it. */
function s3Options(config: Config): S3Options | undefined {
  const { CARRICK_BLOBS: address, CARRICK_S3_ENDPOINT: endpoint, CARRICK_S3_PATH_STYLE: pathStyle } = config
  if (address === '') return undefined
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env
  return {
    address: address.replace(/\/+$/, ''),
    endpoint,
    region: config.CARRICK_S3_REGION || AWS_REGION || AWS_DEFAULT_REGION || 'us-east-1',
    accessKeyId: config.CARRICK_S3_ACCESS_KEY_ID,
    secretAccessKey: config.CARRICK_S3_SECRET_ACCESS_KEY,
    pathStyle: pathStyle === 'auto' ? endpoint !== '' : pathStyle === 'always',
    idleMs: config.CARRICK_S3_TIMEOUT_MS,
  }
}

/** What clients may call this server besides its local names: what was given, and the address that it listens on. */
function namesIn(config: Config): readonly string[] {
  const { CARRICK_NAME: names, CARRICK_ACME_NAMES: acme, CARRICK_HOST: host } = config
  const bound = isIP(host) !== 0 && !isUnspecific(host) ? [host] : []
  return [...new Set([...listOf(names), ...listOf(acme), ...bound].map((name) => name.toLowerCase()))]
}

/** An address that stands for all of a machine's, or that other machines cannot reach. */
const isUnspecific = networksOf(['0.0.0.0', '::', '127.0.0.0/8', '::1'])
