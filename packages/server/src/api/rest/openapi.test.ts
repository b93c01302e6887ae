import { beforeAll, expect, test } from 'vitest'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { openApi, pathOf } from './openapi.ts'
import { routes } from './rest-routes.ts'

let control: TestControl
beforeAll(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

type Document = { readonly openapi: string; readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>> }

async function served(): Promise<Document> {
  return (await control.rest('/v1/openapi.json', { key: null })).body as Document
}

const documented = routes.filter(({ path }) => path.startsWith('/v1/'))

test('every address under /v1 has its entry, and every entry its address', async () => {
  const { openapi, paths } = await served()
  expect(openapi).toBe('3.1.0')
  const entries = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(entries.toSorted()).toEqual(documented.map(({ method, path }) => `${method} ${pathOf(path)}`).toSorted())
})

/** Addresses that say nothing of what they take and answer, and why. What is missing here fails. */
const undescribed: readonly string[] = []

test('every address under /v1 declares what it takes and answers', () => {
  const silent = documented.filter(({ description }) => description === undefined)
  expect(silent.map(({ method, path }) => `${method} ${path}`)).toEqual(undescribed)
})

test('no two operations have one id, and every place in a path is a parameter', () => {
  const { paths } = openApi(routes, 'https://localhost:8700') as unknown as Document
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.values(methods).map((operation) => ({ path, ...(operation as { operationId: string; parameters: [] }) })),
  )
  const ids = operations.map(({ operationId }) => operationId)
  expect(new Set(ids).size).toBe(ids.length)
  for (const { path, parameters } of operations) {
    const named = (parameters as { in: string; name: string }[]).filter((each) => each.in === 'path')
    expect(named.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? [])
  }
})
