import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatKey } from '../access/credentials.ts'
import { createKeyring } from '../access/memory-keyring.ts'
import { openLocalBlobs } from '../blobs/local-blobs.ts'
import { presets } from '../domain/permissions.ts'
import { silent } from '../kit/logger.ts'
import { beginInstallation } from '../store/accounts.ts'
import { createRegistry, type RegistryOptions } from '../registry/registry.ts'
import { manualClock } from './clock.ts'
import { close, listen } from './runner.ts'
import { addTestAccount, openTestStore } from './store.ts'

export const digestOf = (bytes: string | Uint8Array, algorithm = 'sha256'): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`

export const imageType = 'application/vnd.oci.image.manifest.v1+json'
export const indexType = 'application/vnd.oci.image.index.v1+json'

/** A request to a registry under test. */
export interface Asking extends RequestInit {
  /** `id:secret`, or null for none. */
  readonly key?: string | null
}

/** A registry on a port of its own, before a real store and blobs. Accounts are `ann`, the operator, and `bob`. */
export type TestRegistry = Awaited<ReturnType<typeof openTestRegistry>>

export async function openTestRegistry(options: Partial<RegistryOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-registry-'))
  const store = await openTestStore()
  const ann = { id: 'account-ann', nickname: 'ann', fullName: 'ann', createdAt: 0 }
  await store.commit(beginInstallation('installation', ann))
  await addTestAccount(store, { id: 'account-bob', nickname: 'bob' })
  const clock = manualClock(1_000_000_000)
  const keyring = await createKeyring(store, clock)
  const blobs = await openLocalBlobs({ folder: join(folder, 'blobs'), clock })
  const registry = createRegistry({
    store,
    blobs,
    keyring,
    clock,
    log: silent,
    host: '127.0.0.1:1',
    limits: { blobBytes: 10_000_000, keepFree: 0 },
    graceMs: 3_600_000,
    accepting: () => true,
    ...options,
  })
  const server = createServer((req, res) => {
    if (!registry.handle(req, res)) res.writeHead(418).end()
  })
  const { port } = await listen(server)
  const url = `http://127.0.0.1:${port}`
  const keys = {
    ann: formatKey(await keyring.mint('account-ann', presets.ADMIN, 'ann')),
    bob: formatKey(await keyring.mint('account-bob', presets.ADMIN, 'bob')),
    reader: formatKey(await keyring.mint('account-ann', presets.READONLY, 'reader')),
    runner: formatKey(await keyring.mint('account-ann', presets.RUNNER, 'runner')),
  }

  function ask(path: string, { key = keys.ann, ...init }: Asking = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    if (key !== null && !headers.has('authorization')) headers.set('authorization', basic('any', key))
    return fetch(new URL(path, url), { redirect: 'manual', ...init, headers })
  }

  /** Uploads a blob at once, and answers its digest. */
  async function pushBlob(repository: string, bytes: string | Uint8Array = randomBytes(100), key = keys.ann) {
    const digest = digestOf(bytes)
    const init = { method: 'POST', body: bytes as RequestInit['body'], key }
    const { status } = await ask(`/v2/${repository}/blobs/uploads/?digest=${digest}`, init)
    if (status !== 201) throw new Error(`the blob was not taken: ${status}`)
    return { digest, size: bytes.length, mediaType: 'application/octet-stream' }
  }

  function putManifest(repository: string, reference: string, content: object, asking: Asking = {}) {
    const { mediaType = imageType } = content as { mediaType?: string }
    const headers = { 'content-type': mediaType }
    return ask(`/v2/${repository}/manifests/${reference}`, {
      method: 'PUT',
      headers,
      body: JSON.stringify(content),
      ...asking,
    })
  }

  /** Pushes an image with a layer of its own, and answers its manifest and digests. */
  async function pushImage(repository: string, reference?: string, more: object = {}) {
    const config = {
      ...(await pushBlob(repository, JSON.stringify({ made: randomBytes(8).toString('hex') }))),
      mediaType: 'application/vnd.oci.image.config.v1+json',
    }
    const layer = { ...(await pushBlob(repository)), mediaType: 'application/vnd.oci.image.layer.v1.tar' }
    const manifest = { schemaVersion: 2, mediaType: imageType, config, layers: [layer], ...more }
    const digest = digestOf(JSON.stringify(manifest))
    const { status } = await putManifest(repository, reference ?? digest, manifest)
    if (status !== 201) throw new Error(`the manifest was not taken: ${status}`)
    return { digest, layer: layer.digest, config: config.digest, manifest, size: JSON.stringify(manifest).length }
  }

  return {
    store,
    blobs,
    keyring,
    clock,
    registry,
    keys,
    url,
    ask,
    pushBlob,
    putManifest,
    pushImage,
    async [Symbol.asyncDispose]() {
      await close(server)
      await registry.close()
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

/** The code of the error that an answer holds. */
export async function codeOf(response: Response): Promise<string | undefined> {
  const { errors } = (await response.json()) as { errors?: { code: string; message: string }[] }
  return errors?.[0]?.code
}
