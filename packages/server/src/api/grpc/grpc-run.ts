import { setTimeout as rest } from 'node:timers/promises'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HandlerContext } from '@connectrpc/connect'
import { HostedRunStatus_State } from '@carrick/protocol/gen/controller_pb.js'
import type { HostedRun, HostedRunResultSchema } from '@carrick/protocol/gen/controller_pb.js'
import type { RunValue } from '../../domain/run-value.ts'
import type { App } from '../../domain/app.ts'
import { uuidv7 } from '../../kit/ids.ts'
import type { Deps } from '../deps.ts'
import { grpcError } from './grpc-errors.ts'
import { runInput } from './grpc-read.ts'
import { callerOf, connectionKey, eitherOf } from './grpc-serve.ts'
import type { Method } from './grpc-serve.ts'
import { logInfo, serviceUrls } from './grpc-show.ts'
import { narrate } from './narrate.ts'
import type { Progress } from '../operation.ts'
import { run } from '../runs/run.ts'
import { endOf, whileKeyed } from '../while-keyed.ts'

type Message = MessageInitShape<typeof HostedRunResultSchema>
type Said = Progress | Pick<App, 'owner' | 'name'>

/** `Run`: what the callable says while it runs, the address once, and last what it returned or raised. */
export const runMethod: Method<(request: HostedRun, context: HandlerContext) => AsyncIterable<Message>> = {
  permission: run.permission,
  audited: run.audited,
  serve: (deps) => (request, context) => serve(deps, request, context),
}

async function* serve(deps: Deps, request: HostedRun, context: HandlerContext): AsyncGenerator<Message> {
  const runId = uuidv7(deps.clock)
  const base = deps.baseUrl(context.values.get(connectionKey))
  try {
    const caller = callerOf(deps, context.requestHeader)
    const ends = endOf(deps, caller)
    const signal = eitherOf(context.signal, ends)
    const work = whileKeyed(
      ends,
      narrate<Said, RunValue>((say) => {
        const attention = { signal, say, reached: say }
        return run(deps, caller, { ...runInput(request), id: runId }, attention)
      }),
    )
    let step = await work.next()
    for (; step.done !== true; step = await work.next()) yield { runId, ...progress(step.value, base) }
    yield { runId, status: { state: HostedRunStatus_State.SUCCESS }, returnValue: returned(step.value) }
    if (step.value.raised) await hungUp(context.signal)
  } catch (error) {
    throw grpcError(error, { log: deps.log, method: context.method.name })
  }
}

const lastWordMs = 1_000

/**
 * Waits until the caller hangs up, for a second at most. The stock client raises what came with the last message and
 * reads no further. When the end of the stream reaches its gRPC library while the interpreter is going down, that waits
 * for ever for a lock that a thread which is no more had taken (`_channel.py`, `__del__`). Its own hanging up comes first.
 */
async function hungUp(signal: AbortSignal): Promise<void> {
  await rest(lastWordMs, undefined, { signal }).catch(() => {})
}

/** Clients print a banner for each message that carries an address: it comes in one. */
function progress(said: readonly Said[], base: string): Message {
  const lines = said.filter((each) => 'message' in each)
  const address = said.find((each) => 'owner' in each)
  return { logs: lines.map(logInfo), ...(address && { serviceUrls: serviceUrls(base, address) }) }
}

function returned({ method, definition, raised, traceback, typeName, message }: RunValue): Message['returnValue'] {
  return {
    method,
    definition,
    wasItRaised: raised,
    ...(traceback !== undefined && { stringizedTraceback: traceback.toWellFormed() }),
    ...(typeName !== undefined && { exceptionTypeName: typeName.toWellFormed() }),
    ...(message !== undefined && { exceptionMessage: message.toWellFormed() }),
  }
}
