/** Which server a command is about, as far as it was typed. */
export interface Where {
  readonly data?: string
  readonly url?: string
}

/** What else says which server is meant. */
export interface Surroundings {
  readonly variables: Readonly<Record<string, string | undefined>>
  /** The origins of the servers that this user logged in to. */
  readonly known: ReadonlySet<string>
  /** The one of them that is meant when nothing else is said. */
  readonly standard: string | undefined
}

export type Chosen =
  | { readonly kind: 'remote'; readonly url: string }
  /** `url`: it must be the server's own. Undefined folder: where servers keep their data on this machine. */
  | { readonly kind: 'local'; readonly folder: string | undefined; readonly url?: string }

/**
 * The server that a command is about: --url, else --data, else CARRICK_URL, else CARRICK_DATA, else the default among
 * the servers that this user logged in to, else the data folder in the user's home. `carrick env` prints CARRICK_URL, so a local
 * address that nobody logged in to means the server on this machine, whichever it is.
 */
export function chosenServer({ data, url }: Where, { variables, known, standard }: Surroundings): Chosen {
  const folder = variables['CARRICK_DATA'] || undefined
  if (url !== undefined) return named(originOf(url), folder, known)
  if (data !== undefined) return { kind: 'local', folder: data }
  const variable = variables['CARRICK_URL'] || undefined
  if (variable !== undefined) {
    const chosen = named(originOf(variable), folder, known)
    return chosen.kind === 'local' && isLoopback(variable) ? { kind: 'local', folder } : chosen
  }
  if (folder === undefined && standard !== undefined) return { kind: 'remote', url: standard }
  return { kind: 'local', folder }
}

function named(url: string, folder: string | undefined, known: ReadonlySet<string>): Chosen {
  return known.has(url) ? { kind: 'remote', url } : { kind: 'local', folder, url }
}

/** The address of a server as it is kept: `https://gpubox:8700`. Throws a sentence for what cannot be one. */
export function originOf(text: string): string {
  const url = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`)
  if (url === null) throw new Error(`"${text}" is not the address of a server: give one such as https://gpubox:8700`)
  if (url.protocol !== 'https:')
    throw new Error(
      `"${text}" does not begin with https://: keys are sent over TLS only, and the server speaks it on the same port`,
    )
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new Error(`"${text}" is more than an address: give scheme, host and port, such as ${url.origin}`)
  return url.origin
}

function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(originOf(url)).hostname)
}
