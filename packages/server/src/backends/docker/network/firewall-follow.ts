import type { Logger } from '../../../kit/logger.ts'
import { type Loop, startLoop } from '../../../kit/loop.ts'
import type { Firewall } from './firewall.ts'

const lookEveryMs = 1_000

interface Follow {
  readonly firewall: Pick<Firewall, 'ensure'>
  readonly addresses: () => Promise<readonly string[]>
  /** Those that the rules name already. */
  readonly known: readonly string[]
  readonly log: Logger
}

/**
 * Where the engine's network is not the machine's, addresses of the machine are destinations like any other to its firewall. One that the
 * machine gets later (another bridge, an interface that comes up) is refused within a second or two; one that could not be is tried again.
 */
export function followAddresses({ firewall, addresses, known, log }: Follow): Loop {
  let named = asOne(known)
  return startLoop(
    async () => {
      const now = asOne(await addresses())
      if (now === named) return
      await firewall.ensure()
      named = now
    },
    { name: "firewall's look at addresses", everyMs: lookEveryMs, log },
  )
}

const asOne = (addresses: readonly string[]) => addresses.toSorted().join()
