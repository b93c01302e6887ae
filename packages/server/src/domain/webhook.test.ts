import { describe, expect, test } from 'vitest'
import { publicOr } from './public-address.ts'
import { afterDelivery, begunNow, busyHosts, deliveryTimeoutMs, webhookUrl } from './webhook.ts'
import type { DeliveryEnd } from './webhook.ts'

describe('a webhook URL', () => {
  const onlyPublic = publicOr([])

  test.each([
    ['https://example.com/hook?token=1', 'https://example.com/hook?token=1'],
    ['http://example.com', 'http://example.com/'],
    ['HTTPS://EXAMPLE.COM:8443/a b', 'https://example.com:8443/a%20b'],
    ['https://example.com/#part', 'https://example.com/'],
    ['https://93.184.216.34/', 'https://93.184.216.34/'],
    ['https://[2606:4700::1]/', 'https://[2606:4700::1]/'],
  ])('%s is taken', (text, url) => {
    expect(webhookUrl(text, onlyPublic)).toBe(url)
  })

  test.each([
    ['', /no whole URL/],
    ['example.com/hook', /no whole URL/],
    ['/hook', /no whole URL/],
    ['ftp://example.com/', /http/],
    ['file:///etc/passwd', /http/],
    ['javascript:alert(1)', /http/],
    ['https://ann:secret@example.com/', /user name/],
    ['https://ann@example.com/', /user name/],
    [`https://example.com/${'x'.repeat(2_048)}`, /longer than 2048/],
    ['http://localhost:3000/', /CARRICK_WEBHOOK_ALLOW/],
    ['http://a.localhost/', /CARRICK_WEBHOOK_ALLOW/],
    ['http://127.0.0.1/', /CARRICK_WEBHOOK_ALLOW/],
    ['http://2130706433/', /CARRICK_WEBHOOK_ALLOW/],
    ['http://0x7f.1/', /CARRICK_WEBHOOK_ALLOW/],
    ['http://10.1.2.3/', /CARRICK_WEBHOOK_ALLOW/],
    ['http://169.254.169.254/latest/meta-data', /CARRICK_WEBHOOK_ALLOW/],
    ['http://[::1]/', /CARRICK_WEBHOOK_ALLOW/],
    ['http://[::ffff:169.254.169.254]/', /CARRICK_WEBHOOK_ALLOW/],
    ['http://[fd00::1]/', /CARRICK_WEBHOOK_ALLOW/],
  ])('%s is refused with a sentence', (text, why) => {
    expect(() => webhookUrl(text, onlyPublic)).toThrow(why)
  })

  test('no refusal repeats a password', () => {
    expect(() => webhookUrl('https://ann:hunter2@example.com/', onlyPublic)).not.toThrow(/hunter2/)
  })

  test('what the operator allows is taken', () => {
    expect(webhookUrl('http://localhost:3000/', publicOr(['127.0.0.0/8']))).toBe('http://localhost:3000/')
    expect(webhookUrl('http://10.1.2.3/', publicOr(['10.0.0.0/8']))).toBe('http://10.1.2.3/')
  })
})

describe('what follows a delivery', () => {
  const now = 1_000
  const answered = (status: number): DeliveryEnd => ({ kind: 'answered', status })
  const again = { kind: 'again', dueAt: now + 5_000 }

  test.each<[string, DeliveryEnd, object]>([
    ['200', answered(200), { kind: 'delivered' }],
    ['204', answered(204), { kind: 'delivered' }],
    ['299', answered(299), { kind: 'delivered' }],
    ['301', answered(301), { kind: 'failed' }],
    ['304', answered(304), { kind: 'failed' }],
    ['307', answered(307), { kind: 'failed' }],
    ['400', answered(400), again],
    ['404', answered(404), again],
    ['429', answered(429), again],
    ['500', answered(500), again],
    ['no answer', { kind: 'unanswered' }, again],
    ['an address that is not allowed', { kind: 'unsendable' }, { kind: 'failed' }],
  ])('%s', (_what, end, next) => {
    expect(afterDelivery(1, end, now, 0.5)).toEqual(next)
  })

  test.each([
    [1, 5],
    [2, 10],
    [3, 20],
    [4, 40],
    [5, 80],
    [6, 120],
    [30, 120],
  ])('after attempt %i it rests %i seconds, a fifth more or less', (attempt, seconds) => {
    const restMs = (chance: number) => {
      const next = afterDelivery(attempt, { kind: 'unanswered' }, now, chance)
      return next.kind === 'again' ? next.dueAt - now : undefined
    }
    expect([restMs(0), restMs(0.5), restMs(1)]).toEqual([seconds * 800, seconds * 1_000, seconds * 1_200])
  })

  test('a receiver that always refuses is tried 31 times within about an hour', () => {
    let at = 0
    let attempts = 0
    for (let next = true; next;) {
      attempts += 1
      const after = afterDelivery(attempts, answered(503), at, 0.5)
      next = after.kind === 'again'
      if (after.kind === 'again') at = after.dueAt
    }
    expect(attempts).toBe(31)
    expect(at / 60_000).toBeGreaterThan(45)
    expect(at / 60_000).toBeLessThan(60)
  })

  test('the first delivery may take 15 seconds, later ones two minutes', () => {
    expect([1, 2, 31].map(deliveryTimeoutMs)).toEqual([15_000, 120_000, 120_000])
  })
})

describe('which deliveries are begun', () => {
  const limits = { inAll: 4, perHost: 2 }
  const due = ['slow', 'slow', 'slow', 'quick', 'other', 'last'].map((host, at) => ({ requestId: String(at), host }))
  const begun = (underWay: readonly string[]) => begunNow(due, underWay, limits).map(({ requestId }) => requestId)

  test.each<[string, readonly string[], readonly string[]]>([
    ['nothing is under way', [], ['0', '1', '3', '4']],
    ['one goes to the slow host', ['slow'], ['0', '3', '4']],
    ['the slow host has all it may', ['slow', 'slow'], ['3', '4']],
    ['there is no room', ['a', 'b', 'c', 'd'], []],
  ])('when %s', (_when, underWay, ids) => {
    expect(begun(underWay)).toEqual(ids)
  })

  test('a host that has all it may is busy', () => {
    expect(busyHosts(['slow', 'slow', 'quick'], limits)).toEqual(['slow'])
  })
})
