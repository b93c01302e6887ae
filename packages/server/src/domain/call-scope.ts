/**
 * Whether a token that is for these apps is for this endpoint, `owner/app/path`. Each entry is an app's name alone, as
 * clients of the first kind of token send it, or begins with the owner: then everything below what it names is meant.
 */
export function isInScope(apps: readonly string[], endpoint: string): boolean {
  const asked = segmentsOf(endpoint)
  return apps.some((each) => {
    const allowed = segmentsOf(each)
    if (allowed.length === 1) return allowed[0] === nameIn(asked)
    return startsWith(asked, allowed) && !asked.slice(allowed.length).some(leadsElsewhere)
  })
}

const segmentsOf = (path: string): readonly string[] => path.split('/').filter((segment) => segment !== '')

/** The app's name: behind its owner, and behind the kind of a workflow. */
const nameIn = (endpoint: readonly string[]): string | undefined => endpoint[endpoint[0] === 'workflows' ? 2 : 1]

function startsWith(segments: readonly string[], start: readonly string[]): boolean {
  return start.length > 1 && start.every((segment, at) => segments[at] === segment)
}

/** Segments that an app's server may resolve to a place above or beside the one that is allowed. */
const leadsElsewhere = (segment: string): boolean => /^(?:\.|%2e){1,2}$|%2f|%5c|\\/i.test(segment)
