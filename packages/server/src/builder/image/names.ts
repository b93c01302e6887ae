import { randomBytes } from 'node:crypto'
import { labelsOfInstallation } from '../../backends/docker/labels.ts'
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

/** Labels of containers that look into an image, by which they are found when their server is gone. */
export function labelsOfInspection(installation: string): Record<string, string> {
  return { ...labelsOfInstallation(installation), 'carrick.inspection': 'true' }
}
