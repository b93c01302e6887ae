import { createHash } from 'node:crypto'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtempDisposable, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, root } from './carrick.ts'

/** The official suite, installed by `.ci/run`. */
const suite = join(root, '.cache', 'tools', 'oci', 'conformance')
const withoutSuite = existsSync(suite)
  ? ''
  : ' (skipped: needs GOBIN=$PWD/.cache/tools/oci go install github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111)'

let carrick: Carrick
beforeAll(async () => {
  carrick = await Carrick.start()
})
afterAll(() => carrick[Symbol.asyncDispose]())

/** Runs all its workflows, with what is to come in the next version of the specification, and answers what it said. */
async function conformance(tls: 'enabled' | 'disabled'): Promise<string> {
  await using results = await mkdtempDisposable(join(tmpdir(), 'carrick-oci-'))
  const env = {
    PATH: process.env['PATH'],
    OCI_REGISTRY: new URL(carrick.url).host.replace('localhost', '127.0.0.1'),
    OCI_TLS: tls,
    SSL_CERT_FILE: carrick.variables['SSL_CERT_FILE'],
    OCI_REPO1: `tester/conformance-${tls}`,
    OCI_REPO2: `tester/conformance-${tls}/other`,
    OCI_USERNAME: 'anybody',
    OCI_PASSWORD: carrick.variables['FAL_KEY'],
    OCI_VERSION: 'dev',
    OCI_RESULTS_DIR: results.path,
  }
  return new Promise((resolve, reject) =>
    execFile(suite, { env, cwd: results.path, maxBuffer: 2 ** 26 }, (error, said, complained) =>
      error === null ? resolve(said) : reject(new Error(`${said.slice(-5_000)}${complained.slice(-5_000)}`)),
    ),
  )
}

describe(`the conformance suite of the OCI distribution specification${withoutSuite}`, () => {
  test.skipIf(withoutSuite !== '').each(['disabled', 'enabled'] as const)('passes with TLS %s', async (tls) => {
    const said = await conformance(tls)
    expect(said).toMatch(/OCI Conformance Result: Pass/)
    const [skipped, passed, failed] = ['Skip', 'Pass', 'FAIL'].map((outcome) =>
      Number(new RegExp(`^  ${outcome}\\.+: +(\\d+)$`, 'm').exec(said)?.[1]),
    )
    expect({ skipped, failed }).toEqual({ skipped: 0, failed: 0 })
    expect(passed).toBeGreaterThan(900)
  })
})

test('runners find no registry where they reach the platform', async () => {
  const { ingress } = JSON.parse(await readFile(join(carrick.folder, 'server.json'), 'utf8')) as { ingress: string }
  const headers = { authorization: `Key ${carrick.variables['FAL_KEY']}` }
  expect((await carrick.ask('/v2/')).headers.get('docker-distribution-api-version')).toBe('registry/2.0')
  const answer = await carrick.askAsRunner(`http://${ingress}/v2/`, { headers })
  expect(answer.status).toBe(404)
  expect(answer.headers.get('docker-distribution-api-version')).toBeNull()
})

test('an image is there after a start, also after an unclean end, and what was half uploaded is not', async () => {
  const layer = new TextEncoder().encode('a layer')
  const digest = `sha256:${createHash('sha256').update(layer).digest('hex')}`
  const upload = async (query = '') =>
    carrick.ask(`/v2/tester/kept/blobs/uploads/${query}`, { method: 'POST', ...(query !== '' && { body: layer }) })
  expect((await upload(`?digest=${digest}`)).status).toBe(201)
  const descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: layer.length }
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const body = JSON.stringify({ schemaVersion: 2, mediaType, config: descriptor, layers: [descriptor] })
  const headers = { 'content-type': mediaType }
  expect((await carrick.ask('/v2/tester/kept/manifests/v1', { method: 'PUT', body, headers })).status).toBe(201)
  const half = (await upload()).headers.get('location') ?? ''
  expect((await carrick.ask(half, { method: 'PATCH', body: 'half' })).status).toBe(202)
  await carrick.down('SIGKILL')
  await carrick.up()
  expect(await (await carrick.ask('/v2/tester/kept/manifests/v1')).text()).toBe(body)
  expect(await (await carrick.ask(`/v2/tester/kept/blobs/${digest}`)).text()).toBe('a layer')
  expect((await carrick.ask(half)).status).toBe(404)
  expect(await readdir(join(carrick.folder, 'blobs', 'incoming'))).toEqual([])
})
