import { CarrickError } from '../domain/errors.ts'
import type { SecretValues } from '../domain/secret.ts'

const placeholder = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g
const mask = '****'

/** A requirement with each `${NAME}` replaced by the secret of that name. Throws `bad_request` for a name without one. */
export function filled(requirement: string, secrets: SecretValues): string {
  return requirement.replaceAll(placeholder, (_, name: string) => {
    const value = Object.hasOwn(secrets, name) ? secrets[name] : undefined
    if (value === undefined) throw missing(name)
    return value
  })
}

/** Of these secrets the ones that the requirements name, by name. */
export function usedSecrets(layers: readonly (readonly string[])[], secrets: SecretValues): SecretValues {
  const names = layers.flat().flatMap((requirement) => [...requirement.matchAll(placeholder)].map(([, name]) => name))
  const used = [...new Set(names)].filter((name) => name !== undefined).toSorted()
  return Object.fromEntries(used.flatMap((name) => (Object.hasOwn(secrets, name) ? [[name, secrets[name] ?? '']] : [])))
}

/** Hides these secrets in a text, also as they stand in an address. */
export function masking(secrets: SecretValues): (text: string) => string {
  const hidden = spellingsOf(secrets)
  return (text) => hidden.reduce((masked, [spelling]) => masked.replaceAll(spelling, mask), text)
}

/** Puts `${NAME}` back where a secret stands. */
export function unfilling(secrets: SecretValues): (text: string) => string {
  const hidden = spellingsOf(secrets)
  return (text) => hidden.reduce((kept, [spelling, name]) => kept.replaceAll(spelling, () => `\${${name}}`), text)
}

/** Each way to write a secret, with its name; the longest come first, because one may stand in another. */
export function spellingsOf(secrets: SecretValues): readonly (readonly [spelling: string, name: string])[] {
  const all = Object.entries(secrets).flatMap(([name, value]) =>
    [...new Set([value, encodeURI(value), encodeURIComponent(value)])].map((spelling) => [spelling, name] as const),
  )
  return all.filter(([spelling]) => spelling !== '').toSorted(([one], [other]) => other.length - one.length)
}

const missing = (name: string) =>
  new CarrickError(
    'bad_request',
    `A requirement names the secret "${name}", which this app does not see: set it with \`fal secrets set\`, and list it when the app has a list.`,
  )
