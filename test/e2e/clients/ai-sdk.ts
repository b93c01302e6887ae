// The `ai` package with its provider for fal, unmodified. With CARRICK_URL its pictures come from there by the provider's own
// setting; without, all else comes from the hosts in the provider's code. What is transcribed is the name of a file, its argument, which is
// there once a question was answered by "not yet". Prints JSON.
import { writeFile } from 'node:fs/promises'
import { createFal } from '@ai-sdk/fal'
import { APICallError, experimental_generateVideo, generateImage, generateSpeech, transcribe } from 'ai'

type Films = Parameters<typeof experimental_generateVideo>[0]['model']

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

async function pictures(baseURL: string) {
  const fal = createFal({ baseURL })
  const model = fal.image('fal-ai/models')
  const { images, providerMetadata } = await generateImage({ model, prompt: 'a cat', n: 2, maxImagesPerCall: 2 })
  const refused = await generateImage({ model: fal.image('fal-ai/models/speech'), prompt: 'a cat' }).catch(failure)
  return { kinds: images.map(({ mediaType }) => mediaType), told: providerMetadata['fal'], refused }
}

const noticing =
  (file: string): typeof fetch =>
  async (...asked) => {
    const answer = await fetch(...asked)
    if (answer.status === 400) await writeFile(file, '')
    return answer
  }

async function voices(file: string) {
  const fal = createFal({ fetch: noticing(file) })
  const { audio } = await generateSpeech({
    model: fal.speech('fal-ai/models/speech'),
    text: 'good morning',
    voice: 'Ann',
  })
  const said = text(audio.uint8Array)
  const transcription = fal.transcription('models/transcribe-slowly')
  const heard = await transcribe({ model: transcription, audio: Buffer.from(file) })
  const model = fal.video('models/film') as Films // their packages bring two versions of one type
  const { video } = await experimental_generateVideo({ model, prompt: 'a dog', duration: 5 })
  return { said, heard: heard.text, language: heard.language, seen: text(video.uint8Array) }
}

function failure(error: unknown) {
  return APICallError.isInstance(error) ? { status: error.statusCode, body: error.responseBody } : String(error)
}

const url = process.env['CARRICK_URL']
console.log(JSON.stringify(url === undefined ? await voices(process.argv[2] ?? '') : await pictures(url)))
