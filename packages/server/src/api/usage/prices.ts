import type { MachineType } from '../../domain/machine.ts'
import { newPrices } from '../../domain/usage-prices.ts'
import type { Clock } from '../../kit/clock.ts'
import { addPrices, machinePrices } from '../../store/machine-prices.ts'
import type { Store } from '../../store/store.ts'

/** For a start: notes what the operator has changed in the prices, so that the past keeps its own. */
export async function recordPrices(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  catalogue: readonly MachineType[],
): Promise<void> {
  const changed = newPrices(catalogue, await store.read(machinePrices()), clock.now())
  if (changed.length > 0) await store.commit(addPrices(changed))
}
