/** The bytes that a Range header asks for, both ends included. Undefined for all: also where it asks for several ranges. */
export function byteRange(
  header: string | undefined,
  length: number,
): { readonly start: number; readonly end: number } | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (from === '' && to === '') return undefined
  const start = from === '' ? Math.max(0, length - Number(to)) : Number(from)
  const end = from === '' || to === '' ? length - 1 : Math.min(Number(to), length - 1)
  return start > end ? 'unsatisfiable' : { start, end }
}

/** The bytes that a chunk of an upload says it holds: `Content-Range: 0-1023`. Undefined where it says nothing well-formed. */
export function chunkRange(header: string): { readonly start: number; readonly end: number } | undefined {
  const [, from, to] = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/[\d*]+)?$/.exec(header.trim()) ?? []
  return from === undefined ? undefined : { start: Number(from), end: Number(to) }
}
