/** The errors of the OCI distribution specification 1.1, with the status that each goes out with unless another is named. */
const statuses = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 413,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  // Of the older specification that Docker's own registry keeps to; clients show its message.
  UNAVAILABLE: 503,
  UNKNOWN: 500,
} as const

export type RegistryErrorCode = keyof typeof statuses

/** What a client is told. Tools show the message to people. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly code: RegistryErrorCode
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: RegistryErrorCode,
    message: string,
    {
      status = statuses[code],
      headers = {},
      ...options
    }: ErrorOptions & { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message, options)
    this.code = code
    this.status = status
    this.headers = headers
  }
}
