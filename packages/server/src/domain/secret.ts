import { CarrickError } from './errors.ts'
import type { AccountId } from './ids.ts'

/** Secrets by name, in clear. They live in memory only, on their way to a runner or a build. */
export type SecretValues = Readonly<Record<string, string>>

/** Whose secrets: those of one environment, and of no other. */
export interface SecretScope {
  readonly accountId: AccountId
  readonly environment: string
}

/** Not a stored secret: every runner is given a key of its own under this name. */
const platformKey = 'FAL_KEY'

const mostBytes = 64 * 1024
const pattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
const ours: ReadonlySet<string> = new Set(['PATH', 'HOME', 'TMPDIR', 'PORT', 'METRICS_PORT'])

/** Throws `bad_request` unless a variable of a runner can have this name and this value. No message holds the value. */
export function checkSecret(name: string, value: string): void {
  checkSecretName(name)
  if (Buffer.byteLength(value) > mostBytes) throw refusal(name, `its value is longer than ${mostBytes / 1024} KiB`)
  if (value.includes('\0')) throw refusal(name, 'its value holds a zero byte, which no variable can')
}

function checkSecretName(name: string): void {
  if (!pattern.test(name)) {
    throw refusal(name.slice(0, 200), 'use letters, digits and underscores, not a digit first, 128 characters at most')
  }
  if (/^(?:FAL|CARRICK)_/i.test(name) || ours.has(name)) {
    throw refusal(name, 'the platform sets variables of that name itself')
  }
}

const refusal = (name: string, why: string) =>
  new CarrickError('bad_request', `The secret ${JSON.stringify(name)} is refused: ${why}`)

/** An allow-list as a deploy sends it, without the platform's key. Absent and empty are different things. */
export function allowedSecrets(listed: readonly string[] | undefined): readonly string[] | undefined {
  return listed && [...new Set(listed)].filter((name) => name !== platformKey)
}

/** Whether an app sees a secret: by its own list when it has one, else by the secret's flag. */
export function isExposed(
  { name, defaultExposed }: { readonly name: string; readonly defaultExposed: boolean },
  allowed: readonly string[] | undefined,
): boolean {
  return allowed === undefined ? defaultExposed : allowed.includes(name)
}
