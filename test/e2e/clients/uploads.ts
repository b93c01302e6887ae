// Uploads by the official JavaScript client, unmodified, through its `proxyUrl` setting alone. Prints JSON.
import { fal } from '@fal-ai/client'

fal.config({ credentials: process.env['FAL_KEY'], proxyUrl: { url: process.env['CARRICK_URL'] ?? '', when: 'always' } })

const small = await fal.storage.upload(new Blob(['hello'], { type: 'text/plain' }))
const short = await fal.storage.upload(new File(['short'], 'grüße.txt', { type: 'text/plain' }), {
  lifecycle: { expiresIn: '1h' },
})
const hidden = await fal.storage.upload(new Blob(['hidden']), { lifecycle: { initialAcl: { default: 'hide' } } })
// More than 90 MiB makes the client upload in parts.
const large = await fal.storage.upload(new Blob([new Uint8Array(91 * 1024 * 1024).fill(7)]))
const { data } = await fal.run('tester/files/length', {
  input: { blob: new Blob(['{}'], { type: 'application/json' }) },
})

console.log(JSON.stringify({ small, short, hidden, large, automatic: data }))
