import { Readable } from 'node:stream'
import type { Call, Caller, Failure } from './call.ts'

/** A slot, as far as this counts: `thaw` is there while its runner is frozen. */
interface MaybeFrozen {
  readonly thaw?: (() => Promise<void>) | undefined
}

type Calls = Pick<Caller, 'exchange' | 'relay'>

/** Who makes the calls of a slot: the caller itself, and where its runner is frozen one that lets it go on first. */
export function callerTo({ thaw }: MaybeFrozen, caller: Calls): Calls {
  return thaw === undefined ? caller : thawingCaller(thaw, caller)
}

/** A runner that stays frozen is one whose connection broke before anything was sent. */
function thawingCaller(thaw: () => Promise<void>, caller: Calls): Calls {
  const prepare = async ({ body }: Call): Promise<Failure | undefined> => {
    try {
      await thaw()
      return undefined
    } catch (error) {
      if (body instanceof Readable) body.destroy() // as the caller does with what was not sent
      return { kind: 'connection_error', message: error instanceof Error ? error.message : String(error) }
    }
  }
  return {
    exchange: async (address, call, limits) => (await prepare(call)) ?? caller.exchange(address, call, limits),
    relay: async (address, call, limits, begin) => (await prepare(call)) ?? caller.relay(address, call, limits, begin),
  }
}
