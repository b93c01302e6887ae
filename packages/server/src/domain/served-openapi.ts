/** What a server may say of itself at most. */
export const longestDocument = 1024 * 1024
/** Documents nest some ten levels. Whoever writes one out again goes down all of them. */
const deepest = 100

/** A document that can be shown, as it came; or why there is none, as the end of a sentence. */
export type ReadDocument = { readonly document: string } | { readonly refused: string }

/** Whether this is an OpenAPI document. It comes from an app, so anything may be in it: it is kept, and believed nowhere. */
export function readOpenapi(content: Uint8Array): ReadDocument {
  if (content.length > longestDocument) return { refused: `is longer than ${longestDocument} bytes` }
  try {
    const document = new TextDecoder('utf-8', { fatal: true }).decode(content)
    const parsed: unknown = JSON.parse(document)
    if (!isRecord(parsed) || !isRecord(parsed['paths'])) return { refused: 'describes no paths' }
    if (depthOf(parsed) > deepest) return { refused: `nests more than ${deepest} levels deep` }
    return { document }
  } catch {
    return { refused: 'is no JSON' }
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Level by level, for a call for each would run out of stack. Counts no further than is of interest. */
function depthOf(value: unknown): number {
  let level = [value]
  for (let depth = 0; ; depth += 1) {
    const below = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []))
    if (below.length === 0 || depth > deepest) return depth
    level = below
  }
}
