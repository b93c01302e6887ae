/** How people name images of any registry. Ours are named in `image-names.ts`. */

/** All that the Hub has been called. */
const hub = 'docker.io'
const hubNames: ReadonlySet<string> = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
  'hub.docker.com',
])

/** The host in what people write for a registry: `https://index.docker.io/v1/` is the Hub. */
export function registryHost(written: string): string {
  const host = written
    .trim()
    .replace(/^https?:\/\//i, '')
    .replace(/\/.*$/s, '')
    .toLowerCase()
  return hubNames.has(host) ? hub : host
}

/** An image's name, taken apart as engines do: without a host it is on the Hub, and there in `library`. */
export interface ImageName {
  readonly host: string
  /** With the host. */
  readonly repository: string
  readonly tag?: string
  readonly digest?: string
}

const repositoryPart = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const hostPattern = String.raw`(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?`
const reference = new RegExp(
  String.raw`^(?:(${hostPattern})/)?(${repositoryPart}(?:/${repositoryPart})*)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`,
)
const longestName = 1_000

/** `undefined` for what is not the name of an image. */
export function parseImageName(text: string): ImageName | undefined {
  if (text.length > longestName || /^[0-9a-f]{64}$/.test(text)) return undefined
  // The first part is a host only when it looks like one: `owner/name` is on the Hub.
  const [first = ''] = text.split('/', 1)
  const hasHost = text.includes('/') && (/[.:]/.test(first) || first === 'localhost')
  const [, host, path, tag, digest] = reference.exec(hasHost ? text : `${hub}/${text}`) ?? []
  if (host === undefined || path === undefined) return undefined
  const where = registryHost(host)
  const library = where === hub && !path.includes('/') ? 'library/' : ''
  return {
    host: where,
    repository: `${where}/${library}${path}`,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  }
}

/** The same name for all that mean the same image: with its registry, and a tag or a digest. `undefined` for what is no name. */
export function wholeImageName(text: string): string | undefined {
  const name = parseImageName(text)
  if (name === undefined) return undefined
  const { repository, tag = 'latest', digest } = name
  return digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`
}
