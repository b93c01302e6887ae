import { pathOnly } from '../../calls/headers.ts'
import type { Revision } from '../../domain/revision.ts'

/**
 * What a path of an app speaks, as its deploy said (`x-fal-protocol` in the SDK's OpenAPI document): a WebSocket of its
 * own making, or messages in msgpack. Undefined for plain HTTP, and where the deploy said nothing.
 */
export function socketKindOf({ spec }: Pick<Revision, 'spec'>, path: string): 'websocket' | 'msgpack' | undefined {
  const protocol = under(spec.metadata, 'openapi', 'paths', pathOnly(path), 'x-fal-protocol')
  const type = under(protocol, 'type')
  if (type !== 'realtime') return type === 'websocket' ? 'websocket' : undefined
  const contentType = under(protocol, 'contentType')
  return typeof contentType === 'string' && contentType.startsWith('application/msgpack') ? 'msgpack' : 'websocket'
}

function under(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>((found, key) => {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    return Object.entries(found).find(([name]) => name === key)?.[1]
  }, value)
}
