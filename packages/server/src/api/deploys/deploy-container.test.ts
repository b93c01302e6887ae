import { createHash } from 'node:crypto'
import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  DeploymentStrategy,
  type RegisterApplicationRequest,
  type RegisterApplicationRequestSchema,
} from '@carrick/protocol/gen/controller_pb.js'
import { beforeEach, expect, test } from 'vitest'
import { addAppFile } from '../../store/app-files.ts'
import { revisionsOfAccount } from '../../store/revisions.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'

type Sent = Exclude<MessageInitShape<typeof RegisterApplicationRequestSchema>, RegisterApplicationRequest>
type Build = TestControl['script']['build']
type Built = [...Parameters<Build>]

let control: TestControl
let builds: Built[]

beforeEach(async () => {
  control = await openTestControl()
  builds = []
  control.script.build = async (...asked) => {
    builds.push(asked)
    return 'e'.repeat(64)
  }
  return () => control[Symbol.asyncDispose]()
})

const recreate = DeploymentStrategy.RECREATE
const code = { case: 'function', value: { method: 'cloudpickle', definition: new Uint8Array([0x80]) } } as const
const hash = createHash('sha256').update('x').digest('hex')

async function upload(): Promise<void> {
  const { key: blob } = await control.blobs.put(new Uint8Array([1]))
  const file = { accountId: 'account-ann', hash, blob, mode: 0o100644, now: control.clock.now() }
  await control.store.commit(addAppFile(file))
}

const container = (image: object) => [
  { kind: 'container', configuration: { python_version: '3.11', image: image as never } },
]

async function register(image: object, more: Sent = {}): Promise<void> {
  const request: Sent = {
    applicationName: 'hello',
    environments: container(image),
    deploymentStrategy: recreate,
    ...more,
  }
  for await (const _ of control.client().registerApplication(request));
}

const stored = async () => (await control.store.read(revisionsOfAccount('account-ann', 'main')))[0]?.spec

const registries = { 'registry.test:5000': { username: '$ROBOT', password: '$PASS' } }
const setSecrets = async (...names: readonly string[]) => {
  for (const name of names) await control.client().setSecret({ name, value: `value of ${name}`, defaultExposed: false })
}

test('a build is told in clear what $NAME stands for, and the files that it copies from; neither is stored', async () => {
  await upload()
  await setSecrets('ROBOT', 'PASS', 'TOKEN')
  const secrets = { token: '$TOKEN', other: 'said in clear' }
  const image = { dockerfile_str: 'FROM x\nCOPY a /a', registries, secrets, docker_files_list: ['a'] }
  const files = [{ hash, relativePath: 'a' }]
  for await (const _ of control.client().buildEnvironment({ environments: container(image), files }));
  await register(image, { files, callable: code })

  expect(builds).toHaveLength(2)
  for (const [definition, told] of builds) {
    expect(definition).toMatchObject({
      kind: 'container',
      accountId: 'account-ann',
      source: { from: 'dockerfile', context: [{ path: 'a' }], buildSecrets: ['other', 'token'] },
    })
    expect(told).toMatchObject({
      registries: { 'registry.test:5000': { username: 'value of ROBOT', password: 'value of PASS' } },
      buildSecrets: { token: 'value of TOKEN', other: 'said in clear' },
    })
  }
  const spec = await stored()
  expect(spec).toMatchObject({ imageCredentials: { registries, buildSecrets: { token: '$TOKEN' } } })
  expect(spec).not.toHaveProperty('files')
  expect(JSON.stringify(spec)).not.toMatch(/value of|said in clear/)
})

test('a secret that is not there is named, and nothing is built', async () => {
  await setSecrets('ROBOT')
  await expect(register({ image: 'registry.test:5000/a', registries }, { callable: code })).rejects.toThrow('"PASS"')
  expect(builds).toEqual([])
})

test('an image that serves by itself needs no code, is asked by GET how it is, and has its port', async () => {
  await register(
    { image: 'server:1', use_isolate: false, cmd: 'serve --port 9000' },
    { machineRequirements: { exposedPort: 9000 }, healthCheckConfig: { path: '/health' } },
  )
  expect(await stored()).toMatchObject({
    callable: { serves: 'image' },
    exposedPort: 9000,
    healthCheck: { path: '/health', method: 'GET' },
    environment: { source: { from: 'reference', reference: 'server:1' }, cmd: ['serve', '--port', '9000'] },
  })
})

test('any other without code is refused', async () => {
  await expect(register({ image: 'server:1' })).rejects.toThrow('The code of the app is missing')
  expect(builds).toEqual([])
})

test('app files beside an image are refused', async () => {
  await upload()
  const files = [{ hash, relativePath: 'a' }]
  await expect(register({ image: 'x' }, { callable: code, files })).rejects.toThrow('app_files is not supported')
})

test('a roll-back builds an image that is gone once more, of the secrets that it names', async () => {
  await setSecrets('ROBOT', 'PASS')
  await register({ image: 'registry.test:5000/a', registries }, { callable: code })
  const [first] = await control.store.read(revisionsOfAccount('account-ann', 'main'))
  builds.length = 0
  Object.assign(control.deps.builder, { has: async () => false })
  await control.client().setAlias({ alias: 'hello', revision: first?.id ?? '', deploymentStrategy: recreate })
  expect(builds).toHaveLength(1)
  expect(builds[0]?.[1]).toMatchObject({
    registries: { 'registry.test:5000': { username: 'value of ROBOT', password: 'value of PASS' } },
  })
})
