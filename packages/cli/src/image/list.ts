import { ImageList, RemovedImage } from '@carrick/protocol/rest'
import { size } from '../archive.ts'
import { ask } from '../ask.ts'
import { connectTo } from '../connection.ts'
import { print } from '../output.ts'
import { table } from '../table.ts'
import type { Where } from '../where.ts'

interface Flags extends Where {
  readonly json?: boolean
}

/** To look at what all revisions need takes a while. */
const patienceMs = 5 * 60_000

/** `carrick image list`: what the server has of images, and what needs them. */
export async function listImages(flags: Flags): Promise<void> {
  const answer = ImageList.parse(await ask(await connectTo(flags), '/v1/images', undefined, 'POST', patienceMs))
  print({ text: listing(answer), json: answer }, flags)
}

function listing({ images }: ImageList): string {
  if (images.length === 0) return 'There are no images: none was imported, and no environment was built as one'
  const rows = images.map(({ kind, name, digest, bytes, created_at, used_by }) => [
    kind,
    kind === 'environment' ? name.slice(0, shortId) : name,
    digest?.slice(0, shortDigest) ?? '-',
    bytes === null ? '-' : size(bytes),
    created_at?.slice(0, 'YYYY-MM-DDTHH:MM'.length).replace('T', ' ') ?? '-',
    users(used_by),
  ])
  return table([['KIND', 'NAME', 'DIGEST', 'SIZE', 'CREATED', 'NEEDED BY'], ...rows])
}

const shortId = 16
const shortDigest = 'sha256:'.length + 12
const mostUsers = 3

function users(usedBy: ImageList['images'][number]['used_by']): string {
  if (usedBy.length === 0) return 'nothing'
  const named = usedBy.slice(0, mostUsers).map(({ app, revision_id }) => `${app} ${revision_id}`)
  return [...named, ...(usedBy.length > mostUsers ? [`${usedBy.length - mostUsers} more`] : [])].join(', ')
}

/** `carrick image rm NAME`: what no revision needs goes. */
export async function removeImages(names: readonly string[], flags: Flags): Promise<void> {
  const connection = await connectTo(flags)
  const removed: RemovedImage[] = []
  for (const name of names) {
    const path = `/v1/images/${name.split('/').map(encodeURIComponent).join('/')}`
    removed.push(RemovedImage.parse(await ask(connection, path, undefined, 'DELETE', patienceMs)))
  }
  print({ text: removed.map(sentence).join('\n'), json: { removed } }, flags)
}

function sentence({ name, bytes, collected_after_hours: hours }: RemovedImage): string {
  const much = bytes === null ? 'Its bytes go' : `Up to ${size(bytes)} go, less what other images share,`
  return `${name} is gone. ${much} when the registry collects, ${hours} ${hours === 1 ? 'hour' : 'hours'} from now`
}
