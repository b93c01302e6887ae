import type { AccountId, RequestId } from '../domain/ids.ts'
import { filledIn, inputName, startable, type Node, type Workflow } from '../domain/workflow.ts'
import { answerOf, appOf, nodeRequestId, send, type NodeParts } from './node.ts'

/** One run of a workflow. */
export interface Run {
  readonly requestId: RequestId
  readonly accountId: AccountId
  readonly workflow: Workflow
  readonly input: unknown
  /** Aborted when it shall end, and what it has sent with it. */
  readonly signal: AbortSignal
  /** Aborted when it shall be let go of: what it has sent goes on, for whoever takes it up again. */
  readonly cutOff: AbortSignal
  readonly tell: (event: RunEvent) => void
}

/** What callers who follow a run are told, as the wire has it. */
export type RunEvent =
  | { readonly type: 'submit'; readonly node_id: string; readonly app_id: string; readonly request_id: RequestId }
  | { readonly type: 'completion'; readonly node_id: string; readonly output: unknown }
  | { readonly type: 'output'; readonly output: unknown }

export interface RunParts extends NodeParts {
  /** Ends a request that waits; asks the app to stop one that runs. */
  readonly cancel: (requestId: RequestId) => Promise<unknown>
}

/** Somebody asked for the end of a run. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled'
}

/**
 * Runs every node as soon as those before it have answered, and gives the workflow's output. The first failure ends it:
 * the nodes that still run are cancelled. What an earlier attempt of the same run has sent is not sent again.
 */
export async function run(given: Run, parts: RunParts): Promise<unknown> {
  const { workflow, input, accountId } = given
  for (const node of workflow.nodes.values()) if (node.type === 'run') appOf(parts, node, accountId)
  const known = new Map<string, unknown>([[inputName, input]])
  const done = new Set<string>()
  const sent = new Set<RequestId>()
  const underWay = new Map<string, Promise<void>>()
  const failing = new AbortController()
  const all = { ...given, known, sent, signal: AbortSignal.any([given.signal, given.cutOff, failing.signal]) }
  try {
    for (;;) {
      for (const node of startable(workflow.nodes, new Set([...underWay.keys(), ...done]), done))
        underWay.set(
          node.id,
          runNode(node, all, parts).then((output) => void known.set(node.id, output)),
        )
      if (underWay.size === 0) break
      const ended = await Promise.race([...underWay].map(([id, work]) => work.then(() => id)))
      underWay.delete(ended)
      done.add(ended)
    }
    const output = filledIn(workflow.output, known, 'The output')
    given.tell({ type: 'output', output })
    return output
  } catch (error) {
    failing.abort(error)
    await Promise.allSettled(underWay.values())
    if (!given.cutOff.aborted) await endAll(sent, parts)
    throw error
  }
}

interface Running extends Run {
  readonly known: ReadonlyMap<string, unknown>
  /** Requests whose answers are not here yet. */
  readonly sent: Set<RequestId>
}

async function runNode(node: Node, running: Running, parts: RunParts): Promise<unknown> {
  if (node.type === 'display') return null
  const { requestId: runId, accountId, known, sent, signal, tell } = running
  const input = filledIn(node.input, known, `Node "${node.id}"`)
  const call = { requestId: nodeRequestId(runId, node, input), node, input, accountId }
  signal.throwIfAborted()
  await send(parts, call)
  sent.add(call.requestId)
  const { owner, name, path } = node.app
  const appId = `${owner}/${name}${path === '/' ? '' : path}`
  tell({ type: 'submit', node_id: node.id, app_id: appId, request_id: call.requestId })
  const output = await answerOf(parts, call, signal)
  sent.delete(call.requestId)
  tell({ type: 'completion', node_id: node.id, output })
  return output
}

async function endAll(sent: ReadonlySet<RequestId>, { cancel }: RunParts): Promise<void> {
  await Promise.allSettled([...sent].map((requestId) => cancel(requestId)))
}
