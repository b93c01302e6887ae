import { referrersOf, repositoriesOf, repositoryExists, tagsOf, type Manifest } from '../store/registry.ts'
import type { Visitor } from './access.ts'
import type { RegistryDeps } from './deps.ts'
import { RegistryError } from './errors.ts'
import { answerJson, type Exchange } from './exchange.ts'

const largestPage = 1_000

interface Asked {
  readonly repository: string
  readonly query: URLSearchParams
}

/** The tags of a repository, in order, a page at a time. */
export async function listTags(
  { store }: RegistryDeps,
  exchange: Exchange,
  visitor: Visitor,
  { repository, query }: Asked,
) {
  visitor.mayRead(repository)
  const { last, limit } = pageIn(query)
  const tags = await store.read(tagsOf(repository, last, limit + 1))
  if (tags.length === 0 && !(await store.read(repositoryExists(repository))))
    throw new RegistryError('NAME_UNKNOWN', `there is no repository ${repository}`)
  const page = tags.slice(0, limit)
  answerJson(exchange, { name: repository, tags: page }, nextOf(`/v2/${repository}/tags/list`, limit, tags, page))
}

/** The repositories that the visitor may read. */
export async function listRepositories(
  { store }: RegistryDeps,
  exchange: Exchange,
  visitor: Visitor,
  { query }: Pick<Asked, 'query'>,
) {
  const { last, limit } = pageIn(query)
  if (visitor.owner !== undefined) visitor.mayRead(`${visitor.owner}/any`)
  const found = await store.read(repositoriesOf(visitor.owner, last, limit + 1))
  const page = found.slice(0, limit)
  answerJson(exchange, { repositories: page }, nextOf('/v2/_catalog', limit, found, page))
}

/** What says something about a manifest, which need not be there: signatures, bills of materials. */
export async function listReferrers(
  { store }: RegistryDeps,
  exchange: Exchange,
  visitor: Visitor,
  { repository, digest, query }: Asked & { readonly digest: string },
) {
  visitor.mayRead(repository)
  const wanted = query.get('artifactType')
  const all = await store.read(referrersOf(repository, digest, mostReferrers))
  const manifests = all.filter(({ artifactType }) => wanted === null || artifactType === wanted).map(descriptorOf)
  answerJson(
    exchange,
    { schemaVersion: 2, mediaType: indexType, manifests },
    { 'content-type': indexType, ...(wanted === null ? {} : { 'oci-filters-applied': 'artifactType' }) },
  )
}

const indexType = 'application/vnd.oci.image.index.v1+json'
const mostReferrers = 5_000

function descriptorOf({ mediaType, digest, length, artifactType, annotations }: Manifest) {
  return {
    mediaType,
    digest,
    size: length,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  }
}

function pageIn(query: URLSearchParams): { readonly last: string; readonly limit: number } {
  const asked = query.get('n')
  if (asked !== null && !/^\d{1,9}$/.test(asked))
    throw new RegistryError('UNSUPPORTED', `n=${asked.slice(0, 20)} is no number`, { status: 400 })
  const limit = asked === null ? largestPage : Math.min(Number(asked), largestPage)
  return { last: query.get('last') ?? '', limit }
}

/** The header that leads to the next page, where there is one. */
function nextOf(
  path: string,
  limit: number,
  found: readonly string[],
  page: readonly string[],
): Record<string, string> {
  const last = page.at(-1)
  if (found.length <= page.length || last === undefined) return {}
  return { link: `<${path}?n=${limit}&last=${encodeURIComponent(last)}>; rel="next"` }
}
