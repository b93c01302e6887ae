import { provideBaseImage } from './base-image.ts'
import { openEngine } from './engine.ts'

/** Before the project `docker`: an engine with an image to build on, named to all tests by DOCKER_HOST. */
export async function setup(): Promise<() => Promise<void>> {
  const engine = await openEngine()
  process.env['DOCKER_HOST'] = engine.host
  await provideBaseImage(engine.host)
  return async () => engine[Symbol.asyncDispose]()
}
