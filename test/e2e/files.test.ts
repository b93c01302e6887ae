import { once } from 'node:events'
import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick, clients } from './carrick.ts'
import { mayMount } from './mounts.ts'

/** Files with the stock `fal` 1.83.0: in /data, over REST, and beside an app. */
describe('files, with the stock fal command', () => {
  let carrick: Carrick
  let local: string
  beforeAll(async () => {
    // Loopback is what a test may fetch from; everything else that is not public stays refused.
    carrick = await Carrick.start({ CARRICK_FETCH_ALLOW: '127.0.0.1/32' })
    local = await mkdtemp(join(tmpdir(), 'carrick-local-'))
  })
  afterAll(async () => {
    await carrick[Symbol.asyncDispose]()
    await rm(local, { recursive: true, force: true })
  })

  const files = async (...args: string[]) => {
    const ended = await carrick.fal('files', ...args)
    return { ...ended, lines: ended.stdout.split('\n').filter((line) => line !== '') }
  }
  const succeed = async (...args: string[]) => {
    const ended = await files(...args)
    if (ended.code !== 0) throw new Error(`fal files ${args.join(' ')}: ${ended.stdout}\n${ended.stderr}`)
    return ended.lines
  }

  describe('fal files', () => {
    test('list: the root, a folder that is there, and nothing where there is none', async () => {
      await writeFile(join(local, 'one.txt'), 'one')
      await succeed('upload', join(local, 'one.txt'), '/data/shared/one.txt')
      expect(await succeed('list')).toEqual(['data'])
      expect(await succeed('ls', '/data')).toEqual(['shared'])
      expect(await succeed('list', 'shared')).toEqual(['one.txt'])
      expect(await succeed('list', '/data/nowhere/at/all')).toEqual([])
    })

    test('upload and download give back what was sent, names with spaces and umlauts too', async () => {
      const odd = join(local, 'grüß dich.bin')
      const content = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251))
      await writeFile(odd, content)
      await succeed('upload', odd, 'odd/grüß dich.bin')
      await succeed('download', 'odd/grüß dich.bin', join(local, 'back.bin'))
      expect(await readFile(join(local, 'back.bin'))).toEqual(content)
    })

    test('upload of more than 10 MiB goes in parts, and the stock client finds the MD5 that it counted', async () => {
      const content = Buffer.alloc(25 * 1024 * 1024 + 17, 'carrick')
      await writeFile(join(local, 'large.bin'), content)
      await succeed('upload', join(local, 'large.bin'), '/data/large.bin')
      const stored = await carrick.ask('/files/file//data/large.bin')
      expect(Number(stored.headers.get('content-length'))).toBe(content.length)
      const hash = createHash('md5').update(Buffer.from(await stored.arrayBuffer()))
      expect(hash.digest('hex')).toBe(createHash('md5').update(content).digest('hex'))
    })

    test('upload and download of a folder', async () => {
      await mkdir(join(local, 'tree', 'deep'), { recursive: true })
      await writeFile(join(local, 'tree', 'a.txt'), 'a')
      await writeFile(join(local, 'tree', 'deep', 'b.txt'), 'b')
      await succeed('upload', join(local, 'tree'), '/data/tree')
      await succeed('download', '/data/tree', join(local, 'copy'))
      expect(await readFile(join(local, 'copy', 'deep', 'b.txt'), 'utf8')).toBe('b')
    })

    test('mv and rm', async () => {
      await succeed('mv', 'tree/a.txt', 'moved/to/a.txt')
      expect(await succeed('list', 'moved/to')).toEqual(['a.txt'])
      await succeed('rm', '/data/moved')
      await succeed('rm', '/data/tree')
      expect(await succeed('list', '/data')).not.toContain('tree')
      const refused = await files('rm', '/data/tree')
      expect(refused.code).not.toBe(0)
      expect(refused.stdout + refused.stderr).toContain('/data/tree not found')
    })

    test('upload-url fetches what is allowed, and refuses what is not public', async () => {
      const site = createServer((req, answer) => {
        if (req.url === '/away') answer.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end()
        else answer.end('from elsewhere')
      }).listen(0, '127.0.0.1')
      await once(site, 'listening')
      const { port } = site.address() as AddressInfo
      await succeed('upload-url', `http://127.0.0.1:${port}/file`, '/data/fetched/file.txt')
      expect(await (await carrick.ask('/files/file//data/fetched/file.txt')).text()).toBe('from elsewhere')
      const refused = await files('upload-url', `http://127.0.0.1:${port}/away`, '/data/fetched/no.txt')
      expect(refused.code).not.toBe(0)
      expect(refused.stdout + refused.stderr).toContain('169.254.169.254 is not fetched')
      for (const url of [`http://[::1]:${port}/file`, 'http://127.0.0.2:1/x', 'file:///etc/passwd']) {
        const body = JSON.stringify({ url })
        expect((await carrick.ask('/files/file/url//data/fetched/no.txt', { method: 'POST', body })).status).toBe(400)
      }
      expect(await succeed('list', '/data/fetched')).toEqual(['file.txt'])
      site.close()
    })

    test('the SDK keeps a folder in step, and sends it once', async () => {
      await mkdir(join(local, 'synced', 'sub'), { recursive: true })
      await writeFile(join(local, 'synced', 'sub', 'x.txt'), 'x')
      const program = `
import json, sys
from fal.sync import sync_dir
print(json.dumps(sync_dir(sys.argv[1], "/data/sync/here")))`
      const synced = async () => {
        const { stdout } = await run(program, join(local, 'synced'))
        return stdout
      }
      expect(await synced()).not.toContain('already uploaded')
      expect(await (await carrick.ask('/files/file/sync/here/sub/x.txt')).text()).toBe('x')
      expect(await synced()).toContain('already uploaded')
    })

    test('a key that may only read reads', async () => {
      const made = await carrick.fal('keys', 'create', '--preset', 'READONLY')
      const key = { FAL_KEY: /FAL_KEY='(\S+)'/.exec(made.stdout)?.[1] ?? '' }
      expect((await carrick.falWith(key, 'files', 'list', '/data')).stdout).toContain('large.bin')
      const refused = await carrick.falWith(key, 'files', 'rm', '/data/large.bin')
      expect(refused.code).not.toBe(0)
      expect(refused.stdout + refused.stderr).toContain('files:write')
    })

    test('the Platform API has the same files', async () => {
      const listed = (await (await carrick.ask('/v1/serverless/files/list/shared')).json()) as unknown[]
      expect(listed).toMatchObject([{ path: '/data/shared/one.txt', size: 3, is_file: true }])
      const form = new FormData()
      form.append('file_upload', new Blob(['two']), 'two.txt')
      const put = await carrick.ask('/v1/serverless/files/file/local/shared/two.txt', { method: 'POST', body: form })
      expect(put.status).toBe(200)
      expect(await (await carrick.ask('/v1/serverless/files/file/shared/two.txt')).text()).toBe('two')
    })
  })

  async function run(program: string, ...args: string[]) {
    const python = join(await clients(), 'bin', 'python')
    const env = { ...process.env, ...carrick.variables }
    const { status, stdout, stderr } = spawnSync(python, ['-c', program, ...args], { env, encoding: 'utf8' })
    if (status !== 0) throw new Error(`python ended with ${status}:\n${stderr}`)
    return { stdout }
  }

  describe.skipIf(!mayMount)('a runner (where mount namespaces can be made: root, or user namespaces)', () => {
    beforeAll(async () => {
      await carrick.deploy('keeper.py::Keeper', 'keeper')
    })

    const python = async (program: string) => {
      const answer = await carrick.ask('/tester/keeper', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ run: program }),
      })
      return ((await answer.json()) as { said: string }).said
    }

    test('sees at /data what fal files sees, and both see what the other writes', async () => {
      expect(await python('said = open("/data/shared/one.txt").read()')).toBe('one')
      await python('os.makedirs("/data/made", exist_ok=True); open("/data/made/here.txt", "w").write("by a runner")')
      expect(await (await carrick.ask('/files/file//data/made/here.txt')).text()).toBe('by a runner')
      expect(await python('said = os.environ["HF_HOME"]')).toBe('/data/.cache/huggingface')
    })

    test('finds the files of its app at /app, with their modes, and can change none of them for others', async () => {
      expect(await python('said = words.WORDS')).toBe('from a file beside the app')
      expect(await python('said = subprocess.check_output(["keeper_files/tool.sh"], text=True)')).toBe('executable\n')
      expect(await python('said = os.getcwd()')).toBe('/app')
      await python('open("/app/keeper_files/pkg/words.py", "w").write("changed")').catch(() => {})
      const first = await python('said = os.environ["FAL_JOB_ID"]')
      await carrick.fal('apps', 'rollout', 'keeper', '--force')
      expect(await python('said = open("/app/keeper_files/pkg/words.py").read()')).toContain('from a file beside')
      expect(await python('said = os.environ["FAL_JOB_ID"]')).not.toBe(first)
    })

    test('cannot lead the server out of /data by a link, nor hide there what fal files deletes', async () => {
      const secret = join(await realpath(carrick.folder), 'credentials.json')
      await python(`
for name, target in {"leak": "${secret}", "etc": "/etc", "up": "../..", "self": "/data/shared"}.items():
    os.path.lexists("/data/" + name) or os.symlink(target, "/data/" + name)`)
      for (const path of ['leak', 'etc/passwd', 'up/carrick.sqlite']) {
        const refused = await carrick.ask(`/files/file//data/${path}`)
        expect(refused.status).toBe(400)
        expect(await refused.text()).toContain('leads out of /data')
      }
      expect(await (await carrick.ask('/files/file//data/self/one.txt')).text()).toBe('one')
      await succeed('rm', '/data/leak')
      for (const link of ['etc', 'up', 'self']) await carrick.ask(`/files/file//data/${link}`, { method: 'DELETE' })
      expect(await readFile(secret, 'utf8')).toContain(carrick.variables['FAL_KEY']?.split(':')[0])
    })

    test('of an app with data_mounts sees those alone', async () => {
      await succeed('upload', join(local, 'one.txt'), '/data/shared/models/weights.txt')
      await carrick.deploy('narrow.py::Narrow', 'narrow', '--strategy', 'recreate')
      const answer = await carrick.ask('/tester/narrow', { method: 'POST', body: '{}' })
      expect(await answer.json()).toEqual({ seen: ['/data/shared/models/weights.txt'] })
    })

    test('of another account sees another /data, and cannot name a file of this one by its hash', async () => {
      const made = JSON.parse((await carrick.carrick('accounts', 'create', 'other', '--json')).stdout) as Record<
        string,
        string
      >
      const key = made['key'] ?? `${made['key_id']}:${made['key_secret']}`
      const listed = await carrick.ask('/files/list//data', { key })
      expect(await listed.json()).toEqual([])
      const bytes = await readFile('test/e2e/apps/keeper_files/pkg/words.py')
      const hash = createHash('sha256').update(bytes).update('33188').digest('hex')
      const asked = { method: 'POST', body: JSON.stringify({ hashes: [hash] }) }
      expect(await (await carrick.ask('/files/missing_hashes', asked)).json()).toEqual([])
      expect(await (await carrick.ask('/files/missing_hashes', { ...asked, key })).json()).toEqual([hash])
    })
  })
})
