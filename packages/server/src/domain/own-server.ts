import type { RevisionSpec } from './revision.ts'

/**
 * Whether what serves an app knows nothing of this platform: an image with a server of its own (platform-behaviour §3.9),
 * or what a function begins on a port of its choice. The SDK's own servers are known by the endpoints that their deploy
 * describes. Nothing is asked of such a server but what its callers ask: who leaves, or is cancelled, is to it a
 * connection that closes.
 */
export function isOwnServer({
  callable,
  exposedPort,
  metadata,
}: Pick<RevisionSpec, 'callable' | 'exposedPort' | 'metadata'>): boolean {
  return 'serves' in callable || (exposedPort !== undefined && metadata['openapi'] === undefined)
}
