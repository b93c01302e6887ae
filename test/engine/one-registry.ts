/**
 * One registry for all servers of a run. Each would be its own otherwise, and the engine would pack and send the base image
 * to each of them anew. It is a Carrick server too: what is pushed goes the way that it goes to any.
 */
import { Carrick } from '../e2e/carrick.ts'

/** What servers are told of it, as settings. Letting go of it ends it. */
export interface OneRegistry extends AsyncDisposable {
  readonly settings: Readonly<Record<string, string>>
}

export async function openOneRegistry(): Promise<OneRegistry> {
  const carrick = await Carrick.start({ CARRICK_BACKEND: 'process' })
  return {
    settings: {
      CARRICK_REGISTRY: `${new URL(carrick.url).host}/tester`,
      CARRICK_REGISTRY_USERNAME: 'any',
      CARRICK_REGISTRY_PASSWORD: carrick.variables['FAL_KEY'] ?? '',
    },
    [Symbol.asyncDispose]: () => carrick[Symbol.asyncDispose](),
  }
}
