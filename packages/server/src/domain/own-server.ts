import type { RevisionSpec } from './revision.ts'

/**
 * Whether an app is an image with a server of its own, which knows nothing of this platform (platform-behaviour §3.9): it
 * is asked for nothing but what its callers ask. Who leaves, or is cancelled, is to it a connection that closes.
 */
export function isOwnServer({ callable }: Pick<RevisionSpec, 'callable'>): boolean {
  return 'serves' in callable
}
