// The official JavaScript client, unmodified: submits by a name, again, and something else by that name. Prints JSON.
import { fal } from '@fal-ai/client'

fal.config({ credentials: process.env['FAL_KEY'], proxyUrl: { url: process.env['CARRICK_URL'] ?? '', when: 'always' } })

const [, , ledger = ''] = process.argv
const submit = (seconds: number) =>
  fal.queue.submit('tester/fragile', { input: { ledger, seconds }, headers: { 'Idempotency-Key': 'from-javascript' } })

const first = await submit(0)
const again = await submit(0)
const result = await fal.queue.result('tester/fragile', { requestId: again.request_id }).catch(async () => {
  await fal.queue.subscribeToStatus('tester/fragile', { requestId: again.request_id })
  return fal.queue.result('tester/fragile', { requestId: again.request_id })
})
const refusal = await submit(1).catch((error: unknown) => error)
console.log(
  JSON.stringify({
    first,
    again,
    result: result.data,
    refusal: refusal instanceof Error ? [(refusal as Error & { status?: number }).status, refusal.message] : [],
    body: refusal instanceof Error ? (refusal as Error & { body?: unknown }).body : undefined,
  }),
)
