import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { rootsInForce } from '../../packages/server/src/front/bundle.ts'
import { issueAuthority, issueServer } from '../../packages/server/src/front/issuer.ts'
import { freePort } from '../../packages/server/src/testing/free-port.ts'
import { Carrick, clientPython, clients, root, until, type Ended } from './carrick.ts'
import { createMachine, serverAddress } from './remote/machine.ts'
import { missing, startNginx } from './remote/nginx.ts'
import { account, isThere, startPebble, type Pebble } from './remote/pebble.ts'

const bin = join(root, 'packages', 'cli', 'bin', 'carrick.js')
const machine = createMachine(['gpubox', 'fal.test', 'www.fal.test', 'other.test'])
const withMachine = typeof machine === 'string' ? test.skip : test
const because = (why: string | undefined) => (why === undefined ? '' : ` (skipped: ${why})`)
const noMachine = because(typeof machine === 'string' ? machine : undefined)
const acmeTrouble = isThere
  ? typeof machine === 'string'
    ? machine
    : undefined
  : 'pebble is not in .cache/tools, which .ci/run installs'
const nginxTrouble = missing()

/**
 * A server that listens on the address of a cable, called gpubox, with a public name that an ACME server vouches for,
 * behind a proxy: all of it said in carrick.toml.
 */
describe('from another machine', () => {
  let carrick: Carrick
  let pebble: Pebble | undefined
  let folder = ''
  let port = 0
  let proofPort = 0
  let url = ''
  let fingerprint = ''
  const key = () => carrick.variables['FAL_KEY'] ?? ''

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'carrick-remote-'))
    const [acme, management, http] = [await freePort(), await freePort(), await freePort()]
    proofPort = http
    // The ACME server must know the port of the server, and the server must trust the ACME server before it starts.
    const trust = join(folder, 'roots.pem')
    await writeFile(trust, (await rootsInForce(process.env['SSL_CERT_FILE'])).join('\n'))
    carrick = await Carrick.start({ SSL_CERT_FILE: trust, CARRICK_LOG_LEVEL: 'error' })
    port = Number(new URL(carrick.url).port)
    if (acmeTrouble === undefined) {
      const hosts = `127.0.0.1 localhost\n${serverAddress} fal.test www.fal.test\n`
      const ports = { acme, management, http, tls: port }
      // Long enough that none has ended when a slow machine has it, and short enough to be renewed while a test waits.
      pebble = await startPebble({ folder, ports, validSeconds: 40, hosts })
      await writeFile(trust, `${await readFile(trust, 'utf8')}\n${pebble.caPem}`)
      await writeFile(carrick.variables['NODE_EXTRA_CA_CERTS'] ?? '', await readFile(trust, 'utf8'))
    }
    await settle(byAcme({ acme_names: ['fal.test'], acme_challenge: 'tls-alpn-01' }))
    url = `https://gpubox:${port}`
    fingerprint = new X509Certificate(await readFile(join(carrick.folder, 'tls', 'ca.pem'))).fingerprint256
  })
  afterAll(async () => {
    await carrick[Symbol.asyncDispose]()
    await pebble?.[Symbol.asyncDispose]()
    if (typeof machine !== 'string') machine[Symbol.dispose]()
    await rm(folder, { recursive: true })
  })

  /** Starts the server again with these settings in its carrick.toml. */
  async function settle(more: Record<string, unknown>): Promise<void> {
    await carrick.down()
    const settings = {
      host: typeof machine === 'string' ? '127.0.0.1' : serverAddress,
      name: ['gpubox', 'localhost'],
      trusted_proxies: [serverAddress, '127.0.0.1'],
      ...more,
    }
    await writeToml(settings)
    await carrick.up()
  }

  const byAcme = (wanted: Record<string, unknown>): Record<string, unknown> => ({
    ...(pebble && {
      ...wanted,
      acme_directory: pebble.directory,
      acme_email: 'ops@fal.test',
      acme_agree_terms: true,
      acme_eab_key_id: account.id,
      acme_eab_hmac_key: account.key,
    }),
  })

  async function writeToml(settings: Record<string, unknown>): Promise<void> {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
    await writeFile(join(carrick.folder, 'carrick.toml'), lines.join(''))
  }

  /** The other machine's own environment: nothing of this server is in it. */
  const elsewhere = (more: Record<string, string> = {}): NodeJS.ProcessEnv => ({
    PATH: process.env['PATH'],
    HOME: join(folder, 'home'),
    PYENV_ROOT: process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), // the Python of the tools
    COLUMNS: '2000',
    CARRICK_CACHE: join(root, '.cache'),
    ...clientPython(),
    ...more,
  })
  const run = (program: string, args: readonly string[], env: NodeJS.ProcessEnv, stdin?: string): Promise<Ended> => {
    if (typeof machine === 'string') throw new Error(machine)
    return machine.run(program, args, env, stdin)
  }
  const there = (...args: string[]) => run(process.execPath, [bin, ...args], elsewhere())
  const thereWith = (more: Record<string, string>, ...args: string[]) =>
    run(process.execPath, [bin, ...args], elsewhere(more))
  const variablesThere = async (of: string) => {
    const { code, stdout, stderr } = await there('env', '--url', of, '--json')
    expect([code, stderr]).toEqual([0, ''])
    return JSON.parse(stdout) as Record<string, string>
  }

  const shownFor = async (name: string) => {
    const socket = connectTls({ host: serverAddress, port, servername: name, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const certificate = new X509Certificate(socket.getPeerCertificate().raw)
    await once(socket.end().resume(), 'close')
    return certificate
  }

  describe('carrick login', () => {
    withMachine(`without a terminal and a fingerprint is refused, with what to compare${noMachine}`, async () => {
      const ended = await thereWith({ CARRICK_KEY: key() }, 'login', url)
      expect(ended).toEqual(failure(fingerprint))
      expect(await there('servers')).toMatchObject({ code: 0, stdout: expect.stringContaining('No logins') })
    })

    withMachine(`with another fingerprint is refused${noMachine}`, async () => {
      const ended = await thereWith(
        { CARRICK_KEY: key() },
        'login',
        url,
        '--fingerprint',
        fingerprint.replace(/^../, '00'),
      )
      expect(ended).toEqual(failure('not the one that was given'))
    })

    withMachine(`by a name that the certificate is not for is refused, with what to do${noMachine}`, async () => {
      const ended = await thereWith({ CARRICK_KEY: key() }, 'login', `https://other.test:${port}`)
      expect(ended).toEqual(failure('start the server with --name other.test'))
    })

    withMachine(
      `with a key on the command line is refused, and one that the server does not know${noMachine}`,
      async () => {
        expect(await there('login', url, '--fingerprint', fingerprint, '--key', key())).toEqual(failure('--key -'))
        const args = [bin, 'login', url, '--fingerprint', fingerprint, '--key', '-']
        expect(await run(process.execPath, args, elsewhere(), 'some:body\n')).toEqual(failure('does not take this key'))
        expect((await there('servers')).stdout).toContain('No logins')
      },
    )

    withMachine(`at a terminal shows the fingerprint, asks for the key, and never shows it${noMachine}`, async () => {
      const answers = JSON.stringify([
        ['Is it the same', 'y'],
        ['Key for', key()],
      ])
      const args = [join(root, 'test', 'e2e', 'remote', 'terminal.py'), answers, process.execPath, bin, 'login', url]
      const { stdout } = await run('python3', args, elsewhere())
      const { code, shown } = JSON.parse(stdout) as { code: number; shown: string }
      expect(shown).toContain(fingerprint)
      expect(shown).toContain(`Logged in to ${url} as tester, the default`)
      expect(shown).not.toContain(key().split(':')[1])
      expect(code).toBe(0)
      expect((await stat(join(folder, 'home', '.config', 'carrick', 'servers.json'))).mode & 0o777).toBe(0o600)
    })

    withMachine(`again from a pipe, where it is known by now${noMachine}`, async () => {
      const args = [bin, 'login', url, '--key', '-', '--json']
      const ended = await run(process.execPath, args, elsewhere(), `${key()}\n`)
      expect([ended.stderr, JSON.parse(ended.stdout)]).toMatchObject(['', { url, nickname: 'tester', fingerprint }])
    })
  })

  describe('the tools, with what carrick env --url prints', () => {
    withMachine(`deploy and call from there, unmodified${noMachine}`, async () => {
      const variables = await variablesThere(url)
      const env = elsewhere(variables)
      const deployed = await run(
        join(await clients(), 'bin', 'fal'),
        ['deploy', 'test/e2e/apps/echo.py::Echo', '--app-name', 'echo', '--auth', 'private'],
        env,
      )
      expect([deployed.code, deployed.stdout]).toEqual([0, expect.stringContaining(`${url}/tester/echo`)])
      const program = 'import fal_client, json; print(json.dumps(fal_client.subscribe("tester/echo", {"text": "far"})))'
      const called = await run(join(await clients(), 'bin', 'python'), ['-c', program], env)
      expect(JSON.parse(called.stdout)).toMatchObject({ text: 'far' })
      const curl = [
        '-sS',
        '--cacert',
        variables['SSL_CERT_FILE'] ?? '',
        '-H',
        `authorization: Key ${key()}`,
        '-d',
        '{}',
      ]
      const submitted = await run(
        'curl',
        [...curl, '-H', 'content-type: application/json', `${url}/queue/tester/echo`],
        env,
      )
      expect(JSON.parse(submitted.stdout)).toMatchObject({
        status_url: expect.stringContaining(`${url}/queue/tester/echo/`),
      })
    })

    withMachine(`and carrick's own commands take --url, CARRICK_URL, or the default${noMachine}`, async () => {
      const up = expect.stringContaining(`is up at ${url} `)
      expect((await there('status', '--url', `gpubox:${port}`)).stdout).toEqual(up)
      expect((await thereWith({ CARRICK_URL: url }, 'status')).stdout).toEqual(up)
      expect((await there('status')).stdout).toEqual(up)
      expect((await there('accounts', 'list', '--url', url)).stdout).toContain('tester')
      expect((await there('fal', '--url', url, 'apps', 'list', '--json')).stdout).toContain('echo')
      const deployed = await there('deploy', '--url', url, 'test/e2e/apps/echo.py::Echo', '--app-name', 'echo')
      expect([deployed.code, deployed.stdout]).toEqual([0, expect.stringContaining(`${url}/tester/echo`)])
      expect((await there('status', '--url', 'https://nobody.test')).stderr).toContain(
        'carrick login https://nobody.test',
      )
      expect((await there('status', '--url', url, '--data', '/x')).code).toBe(2)
    })
  })

  describe('forwarded headers', () => {
    const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'localhost:4711' }
    const submit = { 'content-type': 'application/json', ...forwarded }

    test('of a trusted proxy are believed', async () => {
      const at = typeof machine === 'string' ? '127.0.0.1' : serverAddress
      const headers = { ...submit, authorization: `Key ${key()}` }
      const answer = await fetch(`http://${at}:${port}/queue/tester/none`, { method: 'POST', body: '{}', headers })
      expect(answer.status).toBe(404)
      const page = await fetch(`http://${at}:${port}/dashboard/apps/tester/echo/`, { headers: forwarded })
      expect(await page.text()).toContain('https://localhost:4711/tester/echo')
    })

    withMachine(`of anybody else are not${noMachine}`, async () => {
      const headers = Object.entries(forwarded).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
      const page = await run(
        'curl',
        ['-sS', ...headers, `http://gpubox:${port}/dashboard/apps/tester/echo/`],
        elsewhere(),
      )
      expect(page.stdout).toContain(`http://gpubox:${port}/tester/echo`)
      expect(page.stdout).not.toContain('4711')
    })
  })

  describe('through nginx, as docs/guides/reverse-proxy.md sets it up,', () => {
    const withNginx = nginxTrouble === undefined ? test : test.skip
    withNginx(`gRPC, REST, the queue and WebSockets work, under its address${because(nginxTrouble)}`, async () => {
      const proxyPort = await freePort()
      const upstream = `${typeof machine === 'string' ? '127.0.0.1' : serverAddress}:${port}`
      const tls = join(carrick.folder, 'tls')
      await using nginx = await startNginx({
        folder: join(folder, 'nginx'),
        port: proxyPort,
        upstream,
        cert: join(tls, 'server.pem'),
        key: join(tls, 'server.key.pem'),
      })
      void nginx
      const at = `localhost:${proxyPort}`
      const proxied = {
        FAL_GRPC_HOST: at,
        FAL_REST_HOST: at,
        FAL_RUN_HOST: at,
        FAL_QUEUE_RUN_HOST: `${at}/queue`,
        FAL_WS_RUN_HOST: `${at}/ws`,
      }

      const deployed = await carrick.falWith(
        proxied,
        'deploy',
        'test/e2e/apps/sockets.py::Sockets',
        '--app-name',
        'sockets',
      )
      expect([deployed.code, deployed.stdout]).toEqual([0, expect.stringContaining(`https://${at}/tester/sockets`)])
      expect((await carrick.falWith(proxied, 'auth', 'whoami')).stdout).toContain('tester')
      expect((await carrick.falWith(proxied, 'queue', 'size', 'sockets')).code).toBe(0)

      const ca = await readFile(carrick.variables['SSL_CERT_FILE'] ?? '')
      const socket = new WebSocket(`wss://${at}/tester/sockets/ws`, { ca, headers: { authorization: `Key ${key()}` } })
      await once(socket, 'open')
      socket.send('hello')
      expect(String((await once(socket, 'message'))[0])).toBe('heard hello')
      socket.close()

      const curl = ['-sS', '--cacert', carrick.variables['SSL_CERT_FILE'] ?? '', '-H', `authorization: Key ${key()}`]
      const { stdout } = await execute('curl', [
        ...curl,
        '-H',
        'content-type: application/json',
        '-d',
        '{}',
        `https://${at}/queue/tester/sockets`,
      ])
      expect(JSON.parse(stdout)).toMatchObject({
        response_url: expect.stringContaining(`https://${at}/queue/tester/sockets/requests/`),
      })
    })
  })

  describe('a certificate from an ACME server', () => {
    const withAcme = acmeTrouble === undefined ? test : test.skip
    const isOfPebble = async (name: string) => (await shownFor(name)).issuer.includes('Pebble')

    withAcme(
      `is shown for its name, proved by tls-alpn-01 on the one port, and the local one for all others${because(acmeTrouble)}`,
      async () => {
        await until(() => isOfPebble('fal.test'), 'the first certificate')
        expect(await isOfPebble('gpubox')).toBe(false)
        expect(await isOfPebble('localhost')).toBe(false)
        const folderOfAcme = join(carrick.folder, 'tls', 'acme')
        for (const file of ['account.key.pem', 'server.pem'])
          expect((await stat(join(folderOfAcme, file))).mode & 0o777).toBe(0o600)
      },
    )

    withAcme(`needs no CA in a login where its root is trusted${because(acmeTrouble)}`, async () => {
      const trust = join(folder, 'public.pem')
      await writeFile(trust, (await pebble?.root()) ?? '')
      const [env, name] = [{ CARRICK_KEY: key(), SSL_CERT_FILE: trust }, `https://fal.test:${port}`]
      const ended = await thereWith(env, 'login', name, '--json')
      expect([ended.stderr, JSON.parse(ended.stdout)]).toMatchObject([
        '',
        { url: name, fingerprint: null, default: false },
      ])
      expect((await thereWith(env, 'status', '--url', name)).code).toBe(0)
      const both = await there('servers')
      expect(both.stdout).toMatch(
        /^\* https:\/\/gpubox:.*SHA-256 [^]*^ {2}https:\/\/fal\.test:.*trusted by this machine/m,
      )
      expect((await there('logout', name)).code).toBe(0)
      expect((await there('servers')).stdout).not.toContain('fal.test')
    })

    withAcme(`is renewed in time, without a restart${because(acmeTrouble)}`, async () => {
      const { fingerprint256: before } = await shownFor('fal.test')
      await until(async () => (await shownFor('fal.test')).fingerprint256 !== before, 'a renewal')
      expect(await isOfPebble('fal.test')).toBe(true)
    })

    withAcme(`is ordered anew when other names are wanted, proved by http-01${because(acmeTrouble)}`, async () => {
      await settle(byAcme({ acme_names: ['www.fal.test'], acme_challenge: 'http-01', acme_http_port: proofPort }))
      await until(() => isOfPebble('www.fal.test'), 'a certificate for the other name')
      expect(await isOfPebble('fal.test')).toBe(false)
    })
  })

  describe("an operator's own certificate", () => {
    withMachine(
      `is shown for its names, and the next one after its files changed; --ca trusts its CA${noMachine}`,
      async () => {
        const now = Date.now()
        const ca = await issueAuthority(now)
        const files = {
          tls_cert: join(folder, 'own.pem'),
          tls_key: join(folder, 'own.key.pem'),
          ca: join(folder, 'company.pem'),
        }
        const put = async () => {
          const { certPem, keyPem } = await issueServer(ca, ['other.test'], now)
          await writeFile(files.tls_cert, certPem)
          await writeFile(files.tls_key, keyPem, { mode: 0o600 })
          return new X509Certificate(certPem).fingerprint256
        }
        await writeFile(files.ca, ca.certPem)
        const first = await put()
        await settle({ tls_cert: files.tls_cert, tls_key: files.tls_key })
        expect((await shownFor('other.test')).fingerprint256).toBe(first)

        const other = `https://other.test:${port}`
        expect(await thereWith({ CARRICK_KEY: key() }, 'login', other)).toEqual(failure('--ca FILE'))
        expect((await thereWith({ CARRICK_KEY: key() }, 'login', other, '--ca', files.ca)).stderr).toBe('')
        expect((await there('status', '--url', other)).stdout).toContain(`is up at ${other} `)
        expect((await there('status', '--url', url)).stdout).toContain(`is up at ${url} `)

        const second = await put()
        await until(async () => (await shownFor('other.test')).fingerprint256 === second, 'the next certificate')
      },
    )
  })
})

async function execute(program: string, args: readonly string[]): Promise<{ stdout: string }> {
  const { execFile } = await import('node:child_process')
  const { promisify } = await import('node:util')
  return promisify(execFile)(program, args)
}

/** One sentence on stderr, with these words in it, and exit code 1. */
const failure = (words: string): Ended => ({
  code: 1,
  stdout: '',
  stderr: expect.stringMatching(new RegExp(`^carrick: [^\\n]*${words}[^\\n]*\\n$`)),
})
