import { expect, test } from 'vitest'
import { openTestControl } from '../../testing/control.ts'

test('an upload that would be more than the account may keep is refused with a sentence, before and in the middle of it', async () => {
  await using control = await openTestControl()
  const { quotas } = control.deps
  const upload = async (limit: number) => {
    quotas.setOwn(new Map([['account-ann', limit]]))
    const body = new FormData()
    body.append('file_upload', new Blob([Buffer.alloc(446_000, 'x')]), 'a')
    return await control.rest('/files/file/local/x', { method: 'POST', body })
  }
  const refused = { status: 507, body: { error_type: 'data_quota_exceeded' } }
  quotas.added('account-ann', 20)
  expect(await upload(10)).toMatchObject(refused)
  expect(await upload(100_000)).toMatchObject(refused)
  expect(await control.rest('/files/list/data')).toMatchObject({ body: [] })
  expect(await upload(1_000_000)).toMatchObject({ status: 200 })
  const usage = await control.rest('/v1/serverless/files/usage')
  expect(usage).toMatchObject({ status: 200, body: { limit_bytes: 1_000_000, used_bytes: expect.any(Number) } })
})
