/** Words that stand in JSON on the wire. The gRPC ones are the enums of `gen/`. */

/** A queued request, as status answers name its state. */
export const queueStatuses = {
  waiting: 'IN_QUEUE',
  running: 'IN_PROGRESS',
  completed: 'COMPLETED',
} as const

/** How serious a log line is, as log answers name it. */
export const logLevels = {
  trace: 'TRACE',
  debug: 'DEBUG',
  info: 'INFO',
  warning: 'WARNING',
  error: 'ERROR',
  stdout: 'STDOUT',
  stderr: 'STDERR',
} as const
