import { pino } from 'pino'

/** What the platform says about itself, as JSON lines on stderr. Tenants' output never goes here. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** `level` is one of pino's words; the default leaves routine work out. */
export function createLogger(level = 'info'): Logger {
  return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }))
}

/** Says nothing: for tests that are not about what is said. */
export const silent: Logger = { info: () => {}, warn: () => {}, error: () => {} }
