import { reservedOwners } from '../domain/names.ts'

/** What an app is called on the wire. */
export interface Alias {
  readonly owner: string
  readonly name: string
}

/** An app, and a path below it with its query. */
export interface Target {
  readonly alias: Alias
  /** Begins with `/`. */
  readonly path: string
}

/** Ids such as `workflows/owner/app` carry their kind in front. */
const namespaces: ReadonlySet<string> = new Set(['workflows', 'comfy'])

/** The app that a path begins with; undefined when it begins with none. */
export function targetOf(url: string): Target | undefined {
  const { first, rest } = firstSegment(url)
  if (namespaces.has(first)) return targetOf(rest)
  const { first: second, rest: path } = firstSegment(rest)
  const owner = decoded(first)
  const name = decoded(second)
  return owner && name ? { alias: { owner, name }, path } : undefined
}

/** Whether a path is not about an app: it is too short, or begins with a word that no owner may have. */
export function isForRest(url: string): boolean {
  const { first, rest } = firstSegment(url)
  if (namespaces.has(first)) return targetOf(url) === undefined
  return reservedOwners.has(first) || firstSegment(rest).first === ''
}

/** `/a/b?c` is `a` and `/b?c`; what is left always begins with `/`. */
export function firstSegment(url: string): { first: string; rest: string } {
  const [, first = '', rest = ''] = /^\/([^/?]*)(.*)$/s.exec(url) ?? []
  return { first, rest: rest.startsWith('/') ? rest : `/${rest}` }
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
