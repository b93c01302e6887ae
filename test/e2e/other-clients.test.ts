import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBuilder } from '../../packages/server/src/builder/local-builder.ts'
import { Carrick, root } from './carrick.ts'
import { inTakenOverNetwork, mayTakeOver, vendorNames } from './taken-over.ts'

/** Clients that others made for fal. Some have an owner's name built in, so the installation has that name. */
let carrick: Carrick
beforeAll(async () => {
  const names = ['localhost', ...vendorNames].join(',')
  carrick = await Carrick.start({ CARRICK_OWNER: 'fal-ai', CARRICK_NAME: names })
  await carrick.deploy('models.py::Models', 'models')
})
afterAll(() => carrick[Symbol.asyncDispose]())

const program = (name: string) => join(root, 'test/e2e/clients', name)

test('the `ai` package gets pictures and refusals, by the baseURL of its provider for fal', async () => {
  expect(await carrick.javascriptFile('ai-sdk.ts')).toMatchObject({
    kinds: ['image/png', 'image/png'],
    told: { images: [{ nsfw: false }, { nsfw: false }] },
    refused: { status: 422, body: expect.stringContaining('Field required') },
  })
})

describe.skipIf(!mayTakeOver)('where the names in their code lead here (needs `unshare -n -m`)', () => {
  test('the `ai` package gets speech, films, and transcriptions for which it has to ask again', async () => {
    const file = join(carrick.shared, 'asked-too-early')
    expect(await inTakenOverNetwork(carrick, [process.execPath, program('ai-sdk.ts'), file])).toEqual({
      said: 'Ann says good morning',
      heard: file,
      language: 'en',
      seen: '5s of a dog',
    })
  })

  test('huggingface_hub gets pictures, transcriptions and films', async () => {
    const python = join(await environmentOf(['huggingface_hub==2.4.0', 'pillow']), 'bin/python')
    expect(await inTakenOverNetwork(carrick, [python, program('hugging_face.py')])).toEqual({
      picture: ['PNG', [1, 1]],
      heard: 'good evening',
      film: 'all of a dog',
    })
  })
})

/** Built once, and kept. */
async function environmentOf(packages: readonly string[]): Promise<string> {
  const cacheFolder = join(root, '.cache')
  const folder = join(cacheFolder, 'other-clients')
  await mkdir(folder, { recursive: true })
  const builder = await createBuilder({ folder, cacheFolder })
  const environment = {
    kind: 'virtualenv',
    pythonVersion: await builder.newestPython(),
    layers: [packages],
    compileBytecode: false,
  } as const
  const id = await builder.build(environment, { onLine: () => {}, signal: AbortSignal.timeout(10 * 60_000) })
  return builder.folderOf(id)
}
