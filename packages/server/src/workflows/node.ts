import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { BlobStore } from '../blobs/blob-store.ts'
import { collect } from '../blobs/collect.ts'
import { callerIdOf } from '../domain/caller-id.ts'
import { CarrickError } from '../domain/errors.ts'
import type { AccountId, RequestId } from '../domain/ids.ts'
import type { StoredBody } from '../domain/request.ts'
import type { RunNode } from '../domain/workflow.ts'
import { accept } from '../home/accept.ts'
import type { Apps, KnownApp } from '../home/apps.ts'
import type { Homes } from '../home/home.ts'
import type { Clock } from '../kit/clock.ts'
import { resultOf } from '../store/bodies.ts'
import { requestById } from '../store/requests.ts'
import type { Store } from '../store/store.ts'
import { mostJsonBytes, readJson } from './json.ts'

export interface NodeParts {
  readonly store: Store
  readonly apps: Pick<Apps, 'find'>
  readonly homes: Pick<Homes, 'of'>
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly accepting: () => boolean
}

/** A node's call as it goes into the queue of its app. */
export interface NodeCall {
  readonly requestId: RequestId
  readonly node: RunNode
  readonly input: unknown
  /** Whose workflow it is: nodes call as its owner. */
  readonly accountId: AccountId
}

/** A node whose app answered with an error. */
export class NodeFailure extends Error {
  override readonly name = 'NodeFailure'
  readonly nodeId: string
  readonly requestId: RequestId
  readonly status: number
  readonly body: unknown

  constructor(nodeId: string, requestId: RequestId, status: number, body: unknown) {
    super(`Node "${nodeId}" of the workflow failed with ${status}: ${detailOf(body)}`)
    this.nodeId = nodeId
    this.requestId = requestId
    this.status = status
    this.body = body
  }
}

/**
 * The id of a node's request: the same whenever the same run of a workflow sends the same input to the same node, so
 * that a run which is taken up again finds what it had sent. Runs cannot make one another's.
 */
export function nodeRequestId(runId: RequestId, { id, app }: RunNode, input: unknown): RequestId {
  const bytes = createHash('sha256')
    .update(JSON.stringify([runId, id, app.owner, app.name, app.path, input]))
    .digest()
  bytes[6] = 0x80 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  return bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** The app of a node, as the workflow's owner may call it. Throws `app_not_found` with a sentence. */
export function appOf({ apps }: Pick<NodeParts, 'apps'>, { id, app }: RunNode, accountId: AccountId): KnownApp {
  const known = apps.find(app.owner, app.name)
  const isOpen = known?.app.authMode !== 'private' || known.app.accountId === accountId
  if (known?.active !== undefined && isOpen) return known
  const sentence = `Node "${id}" calls "${app.owner}/${app.name}", and there is no such app that the workflow's owner may call`
  throw new CarrickError('app_not_found', sentence)
}

/** Sees that the call is in its app's queue: now, or because it was put there before the platform ended. */
export async function send(parts: NodeParts, { requestId, node, input, accountId }: NodeCall): Promise<void> {
  if ((await parts.store.read(requestById(requestId))) !== undefined) return
  const { app } = appOf(parts, node, accountId)
  await accept(parts, {
    id: requestId,
    appId: app.id,
    priority: 'normal',
    acceptedAt: parts.clock.now(),
    retry: { forbidden: false, budgets: {} },
    payload: {
      method: 'POST',
      path: node.app.path,
      headers: [['content-type', 'application/json']],
      callerId: callerIdOf(accountId, app),
      body: await bodyOf(parts, node, input),
    },
  })
}

async function bodyOf({ blobs }: NodeParts, { id }: RunNode, input: unknown): Promise<StoredBody> {
  const bytes = Buffer.from(JSON.stringify(input))
  if (bytes.length > mostJsonBytes)
    throw new CarrickError('body_too_large', `The input of node "${id}" is larger than ${mostJsonBytes} bytes`)
  return collect(Readable.from([bytes]), blobs, mostJsonBytes)
}

const firstLookMs = 20
const lookEveryMs = 250

/** What the app answered, once it has. Rejects with `NodeFailure` for an error, and with the signal's reason when it aborts. */
export async function answerOf(parts: NodeParts, { requestId, node }: NodeCall, signal: AbortSignal): Promise<unknown> {
  for (let waitMs = firstLookMs; ; waitMs = Math.min(waitMs * 1.5, lookEveryMs)) {
    signal.throwIfAborted()
    if ((await parts.store.read(requestById(requestId)))?.state === 'completed') break
    await pause(waitMs, undefined, { signal }).catch(() => {})
  }
  const result = await parts.store.read(resultOf(requestId))
  if (result === undefined)
    throw new CarrickError('request_not_found', `The answer of node "${node.id}" is kept no longer`)
  const body = await readJson(await streamOf(parts, result.body), `The answer of node "${node.id}"`)
  if (result.status >= 400) throw new NodeFailure(node.id, requestId, result.status, body)
  return body
}

async function streamOf({ blobs }: NodeParts, body: StoredBody): Promise<AsyncIterable<Uint8Array>> {
  return 'inline' in body ? Readable.from([body.inline]) : blobs.open(body.blob)
}

function detailOf(body: unknown): string {
  const detail = typeof body === 'object' && body !== null && 'detail' in body ? body.detail : body
  return (typeof detail === 'string' ? detail : JSON.stringify(detail)).slice(0, 2_000)
}
