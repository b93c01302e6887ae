/** What stands before the `@` of a git address, the address without it, and how it is asked for. */
const address = /\bgit\+(https?:\/\/)([^\s/@]+)@([^\s/@;]+)(\/[^\s@#;]*)?/gi

interface Credential {
  readonly host: string
  readonly path: string
  readonly header: string
}

/** The requirement without the user and password of git addresses: git would show them in its arguments. */
export function withoutCredentials(requirement: string): string {
  return requirement.replaceAll(
    address,
    (_, scheme: string, _user, host: string, path = '') => `git+${scheme}${host}${path}`,
  )
}

/**
 * What git must be told to send these users and passwords all the same: lines of a configuration file. It goes by the
 * host, so that submodules have it too, unless one host is named with several; then each goes by its repository.
 */
export function gitConfiguration(requirements: readonly string[]): string {
  const all = requirements.flatMap(credentialsIn)
  const several = (host: string) =>
    new Set(all.filter((each) => each.host === host).map(({ header }) => header)).size > 1
  const sections = all.map(({ host, path, header }) => {
    const where = JSON.stringify(host + (several(host) ? path : '/')) // git quotes the same two characters
    return `[http ${where}]\n\textraHeader = ${header}\n`
  })
  return [...new Set(sections)].join('')
}

function credentialsIn(requirement: string): Credential[] {
  return Array.from(requirement.matchAll(address), ([, scheme = '', user = '', host = '', path = '/']) => ({
    host: scheme + host,
    path,
    header: `Authorization: Basic ${Buffer.from(decoded(user.includes(':') ? user : `${user}:`)).toString('base64')}`,
  }))
}

/** Addresses write some characters with percent signs; what is none of that stays as it is. */
function decoded(user: string): string {
  try {
    return decodeURIComponent(user)
  } catch {
    return user
  }
}
