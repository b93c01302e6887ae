import { Code, ConnectError, createContextKey } from '@connectrpc/connect'
import type { HandlerContext } from '@connectrpc/connect'
import { grpcCredentials } from '../../access/credentials.ts'
import type { Connection } from '../../domain/addresses.ts'
import type { Caller, Permission } from '../../domain/permissions.ts'
import type { Deps } from '../deps.ts'
import { grpcError } from './grpc-errors.ts'
import { narrate } from './narrate.ts'
import { notServed } from './not-served.ts'
import type { Operation, Progress } from '../operation.ts'
import { endOf, whileKeyed } from '../while-keyed.ts'

/** How the caller reached us, for the addresses in answers. */
export const connectionKey = createContextKey<Connection>({ secure: false, authority: undefined })

/** One method of the service: the permission of the operation behind it, and how the door serves it. */
export interface Method<Handler> {
  readonly permission: Permission
  /** Whether that operation leaves an entry in the account's record of changes. */
  readonly audited: boolean
  readonly serve: (deps: Deps) => Handler
}

/** A method of one answer. */
export function unary<Request, Input, Output, Answer>(
  operation: Operation<Input, Output>,
  read: (request: Request) => Input,
  show: (output: Output) => Answer,
): Method<(request: Request, context: HandlerContext) => Promise<Answer>> {
  const serve = (deps: Deps) => async (request: Request, context: HandlerContext) => {
    try {
      const attention = { signal: context.signal, say: () => {} }
      return show(await operation(deps, callerOf(deps, context.requestHeader), read(request), attention))
    } catch (error) {
      throw grpcError(error, { log: deps.log, method: context.method.name })
    }
  }
  return { permission: operation.permission, audited: operation.audited, serve }
}

/** A method that streams what the operation says while it works, and then its answer. */
export function narrated<Request, Input, Output, Lines, Last>(
  operation: Operation<Input, Output>,
  read: (request: Request) => Input,
  show: {
    readonly lines: (lines: readonly Progress[]) => Lines
    readonly output: (output: Output, baseUrl: string) => Last
  },
): Method<(request: Request, context: HandlerContext) => AsyncIterable<Lines | Last>> {
  async function* serve(deps: Deps, request: Request, context: HandlerContext): AsyncGenerator<Lines | Last> {
    try {
      const caller = callerOf(deps, context.requestHeader)
      const ends = endOf(deps, caller)
      const signal = eitherOf(context.signal, ends)
      const work = whileKeyed(
        ends,
        narrate<Progress, Output>((say) => operation(deps, caller, read(request), { signal, say })),
      )
      let step = await work.next()
      for (; step.done !== true; step = await work.next()) yield show.lines(step.value)
      yield show.output(step.value, deps.baseUrl(context.values.get(connectionKey)))
    } catch (error) {
      // Nobody hears it any more, and what was to be written is what failed: the work itself goes on.
      if (context.signal.aborted) throw new ConnectError('The client went away', Code.Canceled)
      throw grpcError(error, { log: deps.log, method: context.method.name })
    }
  }
  return {
    permission: operation.permission,
    audited: operation.audited,
    serve: (deps) => (request, context) => serve(deps, request, context),
  }
}

/** A streaming method that this server knows only by name. */
export const unservedStream = (name: string) =>
  narrated(notServed, () => ({ name }), { lines: () => ({}), output: (nothing) => nothing })

/** Aborts when the client leaves, and when its key counts no more. */
export const eitherOf = (left: AbortSignal, ends: AbortSignal | undefined): AbortSignal =>
  ends === undefined ? left : AbortSignal.any([left, ends])

/** Who the key in these metadata belongs to. */
export function callerOf(
  { keyring }: Pick<Deps, 'keyring'>,
  metadata: Parameters<typeof grpcCredentials>[0],
): Caller | undefined {
  const credentials = grpcCredentials(metadata)
  return credentials && keyring.identify(credentials)
}
