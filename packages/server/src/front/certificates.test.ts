import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openTestFront } from '../testing/front.ts'
import { writeBundle } from './bundle.ts'
import { ensureCertificates } from './certificates.ts'

const dayMs = 86_400_000
const now = Date.UTC(2026, 10, 24)
let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-tls-'))
})
afterEach(() => rm(folder, { recursive: true }))

const ensure = (at = now, names: string[] = []) => ensureCertificates({ folder, names, now: at })

describe('the first start', () => {
  test('makes a certificate for every local name and each extra one, signed by the CA', async () => {
    const { certPem, caPem } = await ensure(now, ['gpu-box.example.com', '10.1.2.3'])
    const certificate = new X509Certificate(certPem)
    expect(certificate.checkIssued(new X509Certificate(caPem))).toBe(true)
    for (const name of [
      'localhost',
      'queue.localhost',
      'ws.localhost',
      'rest.localhost',
      'api.localhost',
      'gpu-box.example.com',
    ])
      expect(certificate.checkHost(name)).toBe(name)
    for (const address of ['127.0.0.1', '::1', '10.1.2.3']) expect(certificate.checkIP(address)).toBe(address)
    expect(certificate.checkHost('example.com')).toBeUndefined()
    expect(certificate.ca).toBe(false)
  })

  test('keeps private keys to the owner', async () => {
    await ensure()
    for (const file of ['ca.key.pem', 'server.key.pem'])
      expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600)
  })

  test('gives the certificate 397 days and the CA ten years', async () => {
    const { certPem, caPem } = await ensure()
    expect(new X509Certificate(certPem).validToDate.getTime()).toBe(now + 397 * dayMs)
    expect(new X509Certificate(caPem).validToDate.getTime()).toBe(now + 3_650 * dayMs)
  })

  test('refuses what is no name', async () => {
    await expect(ensure(now, ['https://x'])).rejects.toThrow('"https://x" is not a host name')
  })
})

describe('a later start', () => {
  test('changes nothing', async () => {
    const first = await ensure(now, ['*.fal.example.com', '10.1.2.3'])
    expect(await ensure(now + 200 * dayMs, ['10.1.2.3', '*.fal.example.com'])).toEqual(first)
  })

  test.each([
    ['near its end', now + 370 * dayMs, []],
    ['when a name was added', now, ['new.example.com']],
    ['when the clock says that it is not valid yet', now - 30 * dayMs, []],
  ])('makes a new certificate %s', async (why, at, names) => {
    const first = await ensure()
    const later = await ensure(at, names)
    expect(later.certPem).not.toBe(first.certPem)
    if (!why.includes('clock')) expect(later.caPem).toBe(first.caPem)
  })

  test('drops a name that is no longer given', async () => {
    await ensure(now, ['old.example.com'])
    expect(new X509Certificate((await ensure()).certPem).checkHost('old.example.com')).toBeUndefined()
  })

  test('makes a new CA when the old one is near its end', async () => {
    const first = await ensure()
    expect((await ensure(now + 3_640 * dayMs)).caPem).not.toBe(first.caPem)
  })

  test.each(['ca.pem', 'ca.key.pem', 'server.pem', 'server.key.pem'])(
    'repairs a missing or broken %s',
    async (file) => {
      await ensure()
      await rm(join(folder, file))
      await expectWorking(await ensure())
      await writeFile(join(folder, file), 'cut off in the mi')
      await expectWorking(await ensure())
    },
  )
})

test('Python verifies it, strictly, by name and by address', async () => {
  await using at = await openTestFront()
  const caFile = join(folder, 'trusted.pem')
  await writeFile(caFile, at.caPem)
  for (const name of ['localhost', 'queue.localhost', '127.0.0.1']) {
    const { stdout } = await promisify(execFile)('python3', ['-c', handshake, caFile, String(at.port), name])
    expect(stdout.trim()).toBe('verified')
  }
})

const handshake = `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
plain = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
with context.wrap_socket(plain, server_hostname=sys.argv[3]):
    print("verified")
`

describe('the bundle', () => {
  test('holds the inherited roots, and ours once, however often it is written', async () => {
    const [mine, other] = [await ensure(), await ensureCertificates({ folder: join(folder, 'other'), names: [], now })]
    const file = join(folder, 'bundle.pem')
    const inherited = join(folder, 'company.pem')
    await writeFile(inherited, `# a company's root\n${other.caPem}`)
    await writeBundle({ caPem: mine.caPem, file, inherited })
    await writeBundle({ caPem: mine.caPem, file, inherited: file })
    expect(namesIn(await readFile(file, 'utf8'))).toEqual(namesIn(other.caPem + mine.caPem))
  })

  test.each([undefined, '', '/nowhere/roots.pem'])(
    'holds the system roots when %j was inherited',
    async (inherited) => {
      const { caPem } = await ensure()
      const file = join(folder, 'bundle.pem')
      await writeBundle({ caPem, file, inherited })
      const names = namesIn(await readFile(file, 'utf8'))
      expect(names.length).toBeGreaterThan(10)
      expect(names.at(-1)).toBe(namesIn(caPem)[0])
    },
  )
})

function namesIn(bundle: string): string[] {
  return (bundle.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []).map(
    (pem) => new X509Certificate(pem).subject,
  )
}

async function expectWorking({ certPem, caPem, keyPem }: { certPem: string; caPem: string; keyPem: string }) {
  const { createPrivateKey } = await import('node:crypto')
  const certificate = new X509Certificate(certPem)
  expect(certificate.checkPrivateKey(createPrivateKey(keyPem))).toBe(true)
  expect(certificate.verify(new X509Certificate(caPem).publicKey)).toBe(true)
}
