import { reservedOwners, workflowAlias } from '../domain/names.ts'

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
  /** What stood in the address in the place of a key. */
  readonly token?: string | undefined
}

/** Ids such as `workflows/owner/name` carry their kind in front. */
const workflows = 'workflows'

/** The app or workflow that a path begins with; undefined when it begins with none. */
export function targetOf(url: string): Target | undefined {
  const { first, rest } = firstSegment(url)
  if (first === workflows) {
    const target = appOf(rest)
    return target && { ...target, alias: { ...target.alias, name: workflowAlias(target.alias.name) } }
  }
  return appOf(url)
}

function appOf(url: string): Target | undefined {
  const { first, rest } = firstSegment(url)
  const { first: second, rest: path } = firstSegment(rest)
  const owner = decoded(first)
  const name = decoded(second)
  return owner && name ? { alias: { owner, name }, path } : undefined
}

/** A workflow is looked at and changed under the address at which it is called. */
const called = /^\/[^/?]+\/[^/?]+$/
const lookedAt: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PATCH', 'DELETE'])

/** Whether a path is not about an app: it is too short, or begins with a word that no owner may have. */
export function isForRest(method: string, url: string): boolean {
  const { first, rest } = firstSegment(url)
  const isLook = lookedAt.has(method) && called.test(rest)
  if (first === workflows) return targetOf(url) === undefined || isLook
  if (first === 'comfy') return appOf(rest) === undefined || isLook
  return reservedOwners.has(first) || firstSegment(rest).first === ''
}

/** `/a/b?c` is `a` and `/b?c`; what is left always begins with `/`. */
export function firstSegment(url: string): { first: string; rest: string } {
  if (!url.startsWith('/')) return { first: '', rest: '/' }
  let end = 1
  while (end < url.length && url[end] !== '/' && url[end] !== '?') end += 1
  const rest = url.slice(end)
  return { first: url.slice(1, end), rest: rest.startsWith('/') ? rest : `/${rest}` }
}

function decoded(segment: string): string | undefined {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
