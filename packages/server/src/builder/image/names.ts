import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type Docker from 'dockerode'
import { statusOf } from '../../backends/docker/engine/engine.ts'
import { labelsOfInstallation } from '../../backends/docker/labels.ts'
import { isPodman, untagWithPodman } from '../../backends/docker/engine/podman.ts'
import type { EnvironmentId } from '../../domain/ids.ts'

/** Labels of images, and of the containers that look into them, besides the installation's. */
export const labelNames = {
  environment: 'carrick.environment',
  account: 'carrick.account',
  source: 'carrick.source',
} as const

/** Images of one installation, apart from those of others on the same engine. */
export function repositoryOf(installation: string): string {
  return `carrick-${installation
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '')
    .slice(0, 16)}/environment`
}

/**
 * A name that keeps an image, and that nobody can guess: a Dockerfile of another account could begin with it. Each build
 * has one of its own.
 */
export function newTag(id: EnvironmentId): string {
  return `${id.slice(0, 16)}-${randomBytes(16).toString('hex')}`
}

/** A name as it was given: Podman puts the Hub before what has no host. */
export const plainName = (name: string): string => name.replace(/^docker\.io\/(?:library\/)?/, '')

/** Labels of containers that look into an image, by which they are found when their server is gone. */
export function labelsOfInspection(installation: string): Record<string, string> {
  return { ...labelsOfInstallation(installation), 'carrick.inspection': 'true' }
}

/** Takes a name away from an image, and the image with its last one. One that is not there is no matter, nor one in use. */
export async function removeName(engine: Docker, name: string): Promise<void> {
  await engine
    .getImage(name)
    .remove()
    .catch(async (error: unknown) => {
      if (statusOf(error) === 409 && (await isPodman(engine))) await removeFromPodman(engine, name)
    })
    .catch(() => {})
}

const againMs = 250
const mostTries = 20

/** What Buildah works in holds its image for a moment after a build has been given up. If for longer, the image stays without the name. */
async function removeFromPodman(engine: Docker, name: string): Promise<void> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    await pause(againMs)
    const isHeld = await engine
      .getImage(name)
      .remove()
      .then(
        () => false,
        (error: unknown) => statusOf(error) === 409,
      )
    if (!isHeld) return
  }
  await untagWithPodman(engine, name, name)
}
