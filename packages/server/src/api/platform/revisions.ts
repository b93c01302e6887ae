import { z } from 'zod'
import { deploymentStatus, type DeploymentStatus } from '../../domain/rollout.ts'
import { deploymentsOf } from '../../store/events.ts'
import { revisionsPage, type DeployedRevision } from '../../store/revisions.ts'
import { operation } from '../operation.ts'
import { ownApp, Which } from '../apps/queues.ts'
import { cursorOf, pageOf, placeOf, type Page } from './input.ts'

export interface RevisionEntry {
  readonly revision: DeployedRevision
  readonly isCurrent: boolean
  /** How its last deployment ended, if it had one. */
  readonly status: DeploymentStatus | undefined
  /** Absent when it was deployed before changes were recorded, or its record was forgotten. */
  readonly deployedBy?: { readonly nickname: string; readonly keyId: string }
}

const Place = z.tuple([z.number(), z.string()])

/** An app's revisions, newest first, with who deployed each. */
export const revisionPage = operation(
  { permission: 'apps:read', input: Which.extend({ limit: z.number(), cursor: z.string().optional() }) },
  async (deps, caller, { limit, cursor, ...which }): Promise<Page<RevisionEntry>> => {
    const app = ownApp(deps, caller, which)
    const [createdAt, id] = cursor === undefined ? [Number.MAX_SAFE_INTEGER, ''] : placeOf(Place, cursor)
    const found = await deps.store.read(revisionsPage(app.id, { createdAt, id }, limit + 1))
    const deployments = await deps.store.read(deploymentsOf(app.accountId, app.name, 1_000))
    const keys = new Map(deployments.map(({ detail, keyId }) => [detail['revision'], keyId]))
    const { items, next } = pageOf(found, limit, (last) => cursorOf([last.createdAt, last.id]))
    return {
      items: items.map((revision) => {
        const keyId = keys.get(revision.id)
        const isCurrent = revision.id === app.revisionId
        return {
          revision,
          isCurrent,
          status: deploymentStatus({ ...revision, isCurrent, isRolling: revision.id === app.rollingRevisionId }),
          ...(keyId !== undefined && { deployedBy: { nickname: app.owner, keyId } }),
        }
      }),
      ...(next !== undefined && { next }),
    }
  },
)
