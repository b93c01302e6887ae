import { isOwnServer } from '../../domain/own-server.ts'
import type { RevisionId } from '../../domain/ids.ts'
import type { Revision } from '../../domain/revision.ts'
import { servedOpenapi, servedOpenapis } from '../../store/served-openapi.ts'
import type { Deps } from '../deps.ts'

/**
 * How a revision describes its endpoints: the OpenAPI document that its deploy sent, else the one that its server was
 * found to serve; undefined where there is neither. Nothing in it is taken to be what it should be.
 */
export async function openapiOf({ store }: Pick<Deps, 'store'>, { id, spec }: Pick<Revision, 'id' | 'spec'>) {
  const sent = spec.metadata['openapi']
  if (sent !== undefined || !isOwnServer(spec)) return sent
  const served = await store.read(servedOpenapi(id))
  return served === undefined ? undefined : (JSON.parse(served) as unknown)
}

/** The same for many, with one read at most. */
export async function openapisOf(
  { store }: Pick<Deps, 'store'>,
  revisions: readonly Pick<Revision, 'id' | 'spec'>[],
): Promise<ReadonlyMap<RevisionId, unknown>> {
  const sent = revisions.flatMap(({ id, spec: { metadata } }) =>
    metadata['openapi'] === undefined ? [] : [[id, metadata['openapi']] as const],
  )
  const others = revisions.filter(({ spec }) => spec.metadata['openapi'] === undefined && isOwnServer(spec))
  const ids = others.map(({ id }) => id)
  const served = ids.length === 0 ? [] : await store.read(servedOpenapis(ids))
  return new Map<RevisionId, unknown>([...sent, ...served.map(([id, text]) => [id, JSON.parse(text)] as const)])
}
