import { CarrickError } from '../domain/errors.ts'
import type { SecretValues } from '../domain/secret.ts'
import { filled } from './filling.ts'

const mostRequirements = 2_000
const longest = 4_096

const name = '[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?'
const extras = String.raw`(?:\s*\[[A-Za-z0-9._,\s-]*\])?`
const versions = String.raw`[\s<>=!~,.*+()A-Za-z0-9_-]*`
const url = String.raw`(?:git\+)?https?://[^\s;]+`
const marker = '(?:;.*)?'

/** A name with extras, versions and a marker; a name at a URL; a URL alone. All else could be an option or a local path. */
const pattern = new RegExp(String.raw`^(?:${name}${extras}(?:${versions}|\s*@\s*${url}\s*)|${url}\s*)${marker}$`)

/**
 * The requirements of one layer without comments and empty lines. Throws `bad_request` for what would, filled in, be more
 * than the name of a package, such as an option, a path on this machine or a variable; no message holds a secret.
 */
export function checkRequirements(layer: readonly string[], secrets: SecretValues = {}): string[] {
  if (layer.length > mostRequirements)
    throw refusal(`${layer.length} requirements`, `at most ${mostRequirements} are taken`)
  return layer
    .map(withoutComment)
    .filter((requirement) => requirement !== '')
    .map((requirement) => checked(requirement, secrets))
}

/** As in a requirements file: a `#` begins a comment at the start and after a space. */
function withoutComment(requirement: string): string {
  return requirement.replace(/(^|[ \t])#.*$/, '').trim()
}

function checked(requirement: string, secrets: SecretValues): string {
  const reason = objection(filled(requirement, secrets))
  if (reason !== undefined) throw refusal(JSON.stringify(requirement.slice(0, 200)), reason)
  return requirement
}

function objection(requirement: string): string | undefined {
  if (requirement.length > longest) return `it is longer than ${longest} characters`
  if (/[\p{Cc}\\]/u.test(requirement)) return 'one requirement is one line, without control characters and backslashes'
  if (requirement.startsWith('-'))
    return 'it is an option of the installer; indexes are chosen where the server is started'
  // The installer would fill in its own variables, and the index's password can be one of them.
  if (requirement.includes('${')) return 'a secret in it is written ${NAME}, and nothing else is filled in'
  if (/(?:^|@\s*)(?:git\+)?file:/i.test(requirement) || /^[~./]/.test(requirement)) {
    return 'it is a path, and the server does not install from its own disk'
  }
  if (pattern.test(requirement)) return undefined
  return 'it is neither a package (`name>=1.0`), nor one at an address (`name @ https://…`, `git+https://…`)'
}

function refusal(what: string, why: string): CarrickError {
  return new CarrickError('bad_request', `The requirement ${what} is refused: ${why}.`)
}
