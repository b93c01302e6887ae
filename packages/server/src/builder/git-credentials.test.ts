import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join, normalize } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { gitConfiguration, withoutCredentials } from './git-credentials.ts'
import { createBuilder } from './local-builder.ts'

const basic = (text: string) => `Authorization: Basic ${Buffer.from(text).toString('base64')}`

test.each([
  [
    'app @ git+https://token@example.com/o/app.git@main#egg=app',
    'app @ git+https://example.com/o/app.git@main#egg=app',
  ],
  [
    'git+https://me:pass@example.com:8443/app ; python_version > "3"',
    'git+https://example.com:8443/app ; python_version > "3"',
  ],
  ['app @ git+https://example.com/o/app.git@v1', 'app @ git+https://example.com/o/app.git@v1'],
  ['app @ https://token@example.com/app.zip', 'app @ https://token@example.com/app.zip'],
])('%s is asked for as %s', (requirement, asked) => {
  expect(withoutCredentials(requirement)).toBe(asked)
})

test('one password of a host is for all of it, several are each for a repository', () => {
  expect(gitConfiguration(['git+https://a%40b:c@example.com/o/app.git@main'])).toBe(
    `[http "https://example.com/"]\n\textraHeader = ${basic('a@b:c')}\n`,
  )
  expect(gitConfiguration(['git+https://one@example.com/a.git', 'x @ git+https://two@example.com/b.git@v1'])).toBe(
    `[http "https://example.com/a.git"]\n\textraHeader = ${basic('one:')}\n` +
      `[http "https://example.com/b.git"]\n\textraHeader = ${basic('two:')}\n`,
  )
  expect(gitConfiguration(['git+https://example.com/app.git', 'six'])).toBe('')
})

const run = promisify(execFile)

/** A repository with a package in it, behind a password, and a git that notes what it was told. */
async function privateRepository() {
  const root = await mkdtemp(join(tmpdir(), 'carrick-git-'))
  await mkdir(join(root, 'source/tokened'), { recursive: true })
  const project = '[project]\nname = "tokened"\nversion = "1.0"\n'
  await writeFile(join(root, 'source/pyproject.toml'), project)
  await writeFile(join(root, 'source/tokened/__init__.py'), '')
  const git = (...args: string[]) => run('git', ['-C', join(root, 'source'), ...args])
  await git('init', '-q')
  await git('add', '-A')
  await git('-c', 'user.name=a', '-c', 'user.email=a@localhost', 'commit', '-q', '-m', 'first')
  await run('git', ['clone', '-q', '--bare', join(root, 'source'), join(root, 'repo.git')])
  await run('git', ['-C', join(root, 'repo.git'), 'update-server-info'])

  const server = createServer(async (request, response) => {
    if (request.headers.authorization !== basic('canary:').slice('Authorization: '.length)) {
      return response.writeHead(401, { 'www-authenticate': 'Basic realm="private"' }).end()
    }
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname)
    const file = await readFile(join(root, path)).catch(() => undefined)
    return response.writeHead(file ? 200 : 404).end(file)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  await mkdir(join(root, 'bin'))
  const real = (await run('sh', ['-c', 'command -v git'])).stdout.trim()
  await writeFile(
    join(root, 'bin/git'),
    `#!/bin/sh\necho "$*" >> ${root}/told\nenv >> ${root}/told\nexec ${real} "$@"\n`,
  )
  await chmod(join(root, 'bin/git'), 0o755)
  onTestFinished(async () => {
    server.close()
    await rm(root, { recursive: true, force: true })
  })
  return { root, port: (server.address() as AddressInfo).port }
}

test('a secret in a git address opens the repository, and no program is told it', { timeout: 120_000 }, async () => {
  const { root, port } = await privateRepository()
  const variables = {
    ...process.env,
    PATH: [join(root, 'bin'), process.env['PATH']].join(delimiter),
    NO_PROXY: '127.0.0.1',
  }
  const builder = await createBuilder({
    folder: join(root, 'environments'),
    cacheFolder: join(root, 'cache'),
    variables,
  })
  onTestFinished(() => builder.close())
  const layers = [[`tokened @ git+http://\${TOKEN}@127.0.0.1:${port}/repo.git`]]
  const definition = {
    kind: 'virtualenv',
    pythonVersion: await builder.newestPython(),
    layers,
    compileBytecode: false,
  } as const
  const signal = new AbortController().signal
  const id = await builder.build(definition, { secrets: { TOKEN: 'canary' }, onLine: () => {}, signal })
  await run(join(builder.folderOf(id), 'bin/python'), ['-c', 'import tokened'])

  const told = await readFile(join(root, 'told'), 'utf8')
  expect(told).toContain(`fetch --force --update-head-ok http://127.0.0.1:${port}/repo.git`)
  expect(told).not.toContain('canary')
  expect(told).not.toContain(Buffer.from('canary:').toString('base64'))
  expect((await readdir(join(root, 'environments', id))).filter((name) => name.includes('git'))).toEqual([])
})
