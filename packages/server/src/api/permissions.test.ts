import type { DescMethod, DescMethodStreaming, DescMethodUnary } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import type { Transport } from '@connectrpc/connect'
import { IsolateController } from '@carrick/protocol/gen/controller_pb.js'
import { beforeAll, describe, expect, test } from 'vitest'
import { presets } from '../domain/permissions.ts'
import { openTestControl } from '../testing/control.ts'
import type { TestControl } from '../testing/control.ts'
import { methods } from './grpc-methods.ts'
import { routes } from './rest-routes.ts'

let control: TestControl

beforeAll(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

/** Every way into the control plane, and the permission that it takes. */
const doors = {
  BuildEnvironment: 'apps:write',
  RegisterApplication: 'apps:write',
  UpdateApplication: 'apps:write',
  SetAlias: 'apps:write',
  DeleteAlias: 'apps:write',
  ListAliases: 'apps:read',
  ListApplications: 'apps:read',
  ListRunners: 'runners:read',
  ListAliasRunners: 'runners:read',
  StopRunner: 'runners:write',
  KillRunner: 'runners:write',
  CreateEnvironment: 'environments:write',
  DeleteEnvironment: 'environments:write',
  ListEnvironments: 'environments:read',
  SetSecret: 'secrets:write',
  ListSecrets: 'secrets:read',
  'GET /users/current': 'account:read',
  'GET /runners/:id': 'logs:read',
  'POST /logs/history': 'logs:read',
  'GET /applications/:owner/:name/metadata': 'apps:read',
  'GET /v1/status': 'account:read',
}

test('every method of the service and every address names its permission', () => {
  const served = IsolateController.methods.map(({ name, localName }) => [name, permissionOf(localName)] as const)
  const addressed = routes.map(({ method, path, permission }) => [`${method} ${path}`, permission] as const)
  const named = Object.fromEntries([...served, ...addressed])
  expect(named).toMatchObject(doors)
  const others = Object.entries(named).filter(([name]) => !(name in doors))
  expect(others.every(([, permission]) => permission === 'account:read')).toBe(true) // they only say that they are not served
  expect(served).toHaveLength(25)
})

describe.each(IsolateController.methods.map((method) => [method.name, method] as const))('%s', (_name, method) => {
  const allowed = (key: keyof typeof presets) => presets[key].some((name) => name === permissionOf(method.localName))

  test('asks who is there', async () => {
    expect(await codeOf(method, null)).toBe(Code.Unauthenticated)
    expect(await codeOf(method, `${control.keys.ann.split(':')[0]}:wrong`)).toBe(Code.Unauthenticated)
    expect(await codeOf(method, 'nobody:wrong')).toBe(Code.Unauthenticated)
  })

  test('takes its permission', async () => {
    expect((await codeOf(method, control.keys.annsApi)) === Code.PermissionDenied).toBe(!allowed('API'))
    expect([Code.Unauthenticated, Code.PermissionDenied]).not.toContain(await codeOf(method, control.keys.ann))
  })
})

describe.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', (_name, route) => {
  const { method, permission } = route
  const status = async (key: string | null) =>
    (await control.rest(route.path.replaceAll(/:\w+/g, 'x'), { method, key })).status

  test('asks who is there', async () => {
    expect(await status(null)).toBe(401)
    expect(await status('nobody:wrong')).toBe(401)
  })

  test('takes its permission', async () => {
    const runner = await control.keyring.mint('account-ann', presets.RUNNER, 'runner')
    const allowed = presets.RUNNER.some((name) => name === permission)
    expect((await status(`${runner.keyId}:${runner.secret}`)) === 403).toBe(!allowed)
    expect([401, 403]).not.toContain(await status(control.keys.ann))
  })
})

function permissionOf(localName: string) {
  const method = Object.entries(methods).find(([name]) => name === localName)?.[1]
  if (method === undefined) throw new Error(`${localName} has no operation`)
  return method.permission
}

/** How a call without input ends; undefined when it succeeds. */
async function codeOf(method: DescMethod, key: string | null): Promise<Code | undefined> {
  try {
    await call(control.channel(key), method)
    return undefined
  } catch (error) {
    return ConnectError.from(error).code
  }
}

async function call(transport: Transport, method: DescMethod): Promise<void> {
  if (isUnary(method)) {
    await transport.unary(method, undefined, undefined, undefined, {})
  } else if (isStream(method)) {
    const { message } = await transport.stream(method, undefined, undefined, undefined, once({}))
    for await (const _ of message);
  }
}

const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === 'unary'
const isStream = (method: DescMethod): method is DescMethodStreaming => method.methodKind !== 'unary'

async function* once<T>(message: T): AsyncGenerator<T> {
  yield message
}
