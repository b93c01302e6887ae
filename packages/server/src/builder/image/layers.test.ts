import { text } from 'node:stream/consumers'
import { extract } from 'tar-stream'
import { expect, test } from 'vitest'
import { contextOf } from './context.ts'
import { layersDockerfile, layerStepName, type LayerPlan } from './layers.ts'
import { settingsSecret, settingsVariables } from './packages-settings.ts'

const plan: LayerPlan = {
  definition: { kind: 'virtualenv', pythonVersion: '3.11', layers: [['six'], ['idna']], compileBytecode: true },
  on: 'carrick-1/environment:x',
  user: '',
  python: '/usr/bin/python3',
  cacheName: 'carrick-1-all',
  fingerprint: '',
  hasFiles: false,
}

test('a layer is one instruction, its requirements are not in it, and all that it mounts is in no layer', () => {
  const lines = layersDockerfile(plan, []).trim().split('\n')
  expect(lines[0]).toBe('FROM carrick-1/environment:x')
  expect(lines).toHaveLength(4)
  for (const line of lines.slice(1)) {
    expect(line).toMatch(/^RUN (--mount=\S+ )+\["\/usr\/bin\/python3","-I","\/dev\/carrick\/tools\/install\.py",/)
    expect(
      Array.from(line.matchAll(/target=([^,\s]+)/g), ([, target]) => target?.startsWith('/dev/carrick/')),
    ).not.toContain(false)
    expect(line).not.toContain('six')
  }
})

test('an image’s own packages are seen from what is put on top of it', () => {
  const definition = { ...plan.definition, kind: 'container', accountId: 'ann', source: { from: 'base' } } as const
  expect(layersDockerfile({ ...plan, definition }, [])).toContain('"--system-site-packages"')
  expect(layersDockerfile(plan, [])).not.toContain('"--system-site-packages"')
})

test('only installing is done as root', () => {
  const lines = layersDockerfile({ ...plan, user: '1000:1000' }, [])
    .trim()
    .split('\n')
  expect([lines[1], lines.at(-1)]).toEqual(['USER root', 'USER 1000:1000'])
})

test('conda makes the environment where there is one', () => {
  expect(layersDockerfile({ ...plan, conda: ['create', '--yes'] }, [])).toContain('"conda","create","--yes"]')
})

test.each([
  [
    '[2/4] RUN --mount=type=bind /usr/bin/python3 -I /dev/carrick/tools/install.py venv /usr/bin/python3',
    '[2/4] Making the environment',
  ],
  [
    '[3/4] RUN ["/usr/bin/python3","-I","/dev/carrick/tools/install.py","layer","0a1b"]',
    '[3/4] Installing requirements',
  ],
  ['[1/4] FROM docker.io/x', '[1/4] FROM docker.io/x'],
])('%s is for people: %s', (name, shown) => {
  expect(layerStepName(name)).toBe(shown)
})

test('of the server’s settings its paths stay here, and passwords travel as a secret', () => {
  const variables = settingsVariables({
    PATH: '/bin',
    SSL_CERT_FILE: '/x.pem',
    UV_DEFAULT_INDEX: 'https://u:p@index.test/simple',
    UV_FIND_LINKS: '/opt/wheels,https://wheels.test',
  })
  expect(variables).toMatchObject({
    UV_DEFAULT_INDEX: 'https://u:p@index.test/simple',
    UV_FIND_LINKS: 'https://wheels.test',
  })
  expect(Object.keys(variables)).not.toContain('PATH')
  expect(layersDockerfile(plan, [])).not.toContain('index.test')
})

test('a secret of a requirement is filled in beside the layer, not in it', () => {
  const definition = { ...plan.definition, layers: [['own @ https://ann:${TOKEN}@host.test/own.tar.gz']] }
  const settings = JSON.parse(
    settingsSecret(definition, { variables: {}, secrets: { TOKEN: 'hidden' }, refresh: false }),
  )
  expect(settings.layers[0]).toContain('own @ https://ann:hidden@host.test/own.tar.gz')
  expect(settings.unfill).toContainEqual(['hidden', '${TOKEN}'])
})

test('a context is a tar in which only content and modes differ, and an error of a file is its own', async () => {
  const files = [
    { path: 'a/b', mode: 0o100755, content: 'one' },
    { path: 'c', mode: 0o600, content: { file: async () => '/dev/null' } },
  ]
  const found: unknown[] = []
  const tar = extract()
  contextOf(files).pipe(tar)
  for await (const entry of tar) {
    const { name, mode, mtime, uid } = entry.header
    found.push([name, mode, mtime?.getTime(), uid, await text(entry)])
  }
  expect(found).toEqual([
    ['a/b', 0o755, 315_532_800_000, 0, 'one'],
    ['c', 0o600, 315_532_800_000, 0, ''],
  ])
  const broken = contextOf([{ path: 'x', mode: 0o644, content: { file: async () => '/nowhere' } }])
  await expect(text(broken)).rejects.toThrow(/ENOENT/)
})
