/** What a door turns into a status: HTTP and gRPC each have one table from these words. */
export type ErrorKind =
  | 'bad_input'
  | 'bad_value'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'not_ready'
  | 'too_large'
  | 'limited'
  | 'cancelled'
  | 'bad_gateway'
  | 'unavailable'
  | 'timed_out'
  | 'full'
  | 'unimplemented'
  | 'internal'

/** Every code we promise to callers. docs/reference/errors.md lists the same ones; a test keeps the two equal. */
export const kinds = {
  bad_request: 'bad_input',
  invalid_value: 'bad_value',
  invalid_app: 'bad_input',
  build_failed: 'bad_input',
  file_in_the_way: 'bad_input', // not a conflict: the stock client takes that for a file that is there already
  deploy_failed: 'not_ready',
  exec_failed: 'not_ready',
  unauthenticated: 'unauthenticated',
  forbidden: 'forbidden',
  budget_exhausted: 'forbidden',
  app_not_found: 'not_found',
  revision_not_found: 'not_found',
  runner_not_found: 'not_found',
  request_not_found: 'not_found',
  environment_not_found: 'not_found',
  image_not_found: 'not_found',
  key_not_found: 'not_found',
  secret_not_found: 'not_found',
  workflow_not_found: 'not_found',
  object_not_found: 'not_found',
  value_not_found: 'not_found',
  route_not_found: 'not_found',
  file_not_found: 'not_found',
  upload_not_found: 'not_found',
  fetch_failed: 'bad_gateway',
  environment_exists: 'conflict',
  superseded: 'conflict',
  revision_in_use: 'not_ready',
  image_in_use: 'not_ready',
  account_exists: 'conflict',
  workflow_exists: 'conflict',
  upload_complete: 'conflict',
  idempotency_key_reused: 'conflict',
  request_unfinished: 'not_ready',
  body_too_large: 'too_large',
  queue_full: 'limited',
  too_busy: 'limited',
  client_cancelled: 'cancelled',
  client_disconnected: 'cancelled',
  runner_scheduling_failure: 'unavailable',
  runner_connection_timeout: 'unavailable',
  runner_connection_refused: 'unavailable',
  runner_connection_error: 'unavailable',
  runner_disconnected: 'unavailable',
  runner_incomplete_response: 'bad_gateway',
  runner_server_error: 'internal',
  request_timeout: 'timed_out',
  startup_timeout: 'timed_out',
  disk_full: 'full',
  data_quota_exceeded: 'full',
  storage_unavailable: 'unavailable',
  draining: 'unavailable',
  unimplemented: 'unimplemented',
  internal_error: 'internal',
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof kinds

/** A failure that somebody outside is told about. The message says what happened, to what, and what to do next. */
export class CarrickError extends Error {
  override readonly name = 'CarrickError'
  readonly code: ErrorCode
  /** What the record of changes is to say of it besides. */
  readonly about: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    { about = {}, ...options }: ErrorOptions & { readonly about?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options)
    this.code = code
    this.about = about
  }

  get kind(): ErrorKind {
    return kinds[this.code]
  }
}
