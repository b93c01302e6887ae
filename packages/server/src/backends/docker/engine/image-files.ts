import { text } from 'node:stream/consumers'
import type Docker from 'dockerode'
import { extract } from 'tar-stream'
import { statusOf } from './engine.ts'

const mostBytes = 32 * 1024 * 1024

/**
 * What stands in files of an image; nothing where it has none, or a link, or more than anybody lists. Nothing of the image is
 * run for it, and nothing is left of it.
 */
export async function filesIn(
  docker: Pick<Docker, 'createContainer'>,
  image: string,
  paths: readonly string[],
  labels: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const container = await docker.createContainer({ Image: image, Entrypoint: ['-'], Labels: { ...labels } })
  try {
    return await Promise.all(paths.map((path) => fileIn(container, path)))
  } finally {
    await container.remove({ force: true, v: true }).catch(() => {}) // its label gives it away
  }
}

async function fileIn(container: Docker.Container, path: string): Promise<string> {
  try {
    return await firstFile(await container.getArchive({ path }))
  } catch (error) {
    if (statusOf(error) === 404) return ''
    throw error
  }
}

async function firstFile(archive: NodeJS.ReadableStream): Promise<string> {
  const tar = extract()
  archive.on('error', (error: Error) => tar.destroy(error))
  archive.pipe(tar)
  for await (const entry of tar) {
    const { type, size } = entry.header
    if (type === 'file' && size <= mostBytes) return await text(entry)
    entry.resume()
  }
  return ''
}
