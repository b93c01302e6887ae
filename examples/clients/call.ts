// Calls an app through its queue with the official TypeScript client: node call.ts owner/ocr picture.png
import { readFile } from 'node:fs/promises'
import { fal } from '@fal-ai/client'

const [app = '', picture = ''] = process.argv.slice(2)
const image = `data:image/png;base64,${await readFile(picture, 'base64')}`

fal.config({ credentials: process.env['FAL_KEY'], proxyUrl: { url: process.env['CARRICK_URL'] ?? '', when: 'always' } })
const { data } = await fal.subscribe(app, { input: { image } })

console.log(JSON.stringify(data, null, 2))
