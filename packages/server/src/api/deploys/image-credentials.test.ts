import { expect, test } from 'vitest'
import { filledCredentials, storableCredentials } from './image-credentials.ts'

const stored: Readonly<Record<string, string>> = { USER: 'robot', PASS: 'hunter2', TOKEN: 'abc' }
const vault = {
  exposed: async (_scope: unknown, names: readonly string[] | undefined) =>
    Object.fromEntries((names ?? []).filter((name) => name in stored).map((name) => [name, stored[name] ?? ''])),
}
const scope = { accountId: 'ann', environment: 'main' }

const asked = {
  registries: { a: { username: '$USER', password: '$PASS' }, b: { username: 'me', password: '$$PASS' } },
  buildSecrets: { token: '$TOKEN', plain: 'pa$TOKEN', odd: '$1' },
}

test('$NAME is the secret of that name, $$ at the beginning is one $, and all else is what it says', async () => {
  expect(await filledCredentials({ vault }, scope, asked)).toEqual({
    registries: { a: { username: 'robot', password: 'hunter2' }, b: { username: 'me', password: '$PASS' } },
    buildSecrets: { token: 'abc', plain: 'pa$TOKEN', odd: '$1' },
  })
})

test('a name without a secret is an error that names it, and no value', async () => {
  const registries = { a: { username: '$NOBODY', password: 'hunter2' }, b: { username: '$USER', password: '$NOTHING' } }
  const filling = filledCredentials({ vault }, scope, { registries, buildSecrets: {} })
  await expect(filling).rejects.toMatchObject({ code: 'secret_not_found' })
  await expect(filling).rejects.toThrow(/"NOBODY", "NOTHING".*"main"/)
  await expect(filling).rejects.not.toThrow('hunter2')
})

test('what names a secret may be stored, and nothing else', () => {
  expect(storableCredentials(asked)).toEqual({
    registries: { a: { username: '$USER', password: '$PASS' } },
    buildSecrets: { token: '$TOKEN' },
  })
  expect(storableCredentials({ registries: {}, buildSecrets: { a: 'in clear' } })).toBeUndefined()
})
