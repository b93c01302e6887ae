/** Why a server turned something away before anything looked at what was asked. */
export type Rejection = (typeof rejections)[number]

/** Every reason there is; `docs/reference/metrics.md` says what each means. */
export const rejections = [
  'malformed',
  'headers_too_large',
  'body_too_large',
  'bad_target',
  'slow_headers',
  'slow_body',
  'stalled',
  'pipelined',
  'silent',
  'tls',
  'http2',
  'too_many_connections',
] as const

/** How often each has happened since the start. */
export type Rejected = Record<Rejection, number>

export function noneRejected(): Rejected {
  return Object.fromEntries(rejections.map((reason) => [reason, 0])) as Rejected
}
