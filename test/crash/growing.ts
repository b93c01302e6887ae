import { stat } from 'node:fs/promises'
import { setTimeout as rest } from 'node:timers/promises'

const patienceMs = 10_000

/** Waits until the app writes something more into its ledger. False when it does not within some seconds. */
export async function isGrowing(ledger: string): Promise<boolean> {
  const size = async () => (await stat(ledger).catch(() => undefined))?.size ?? 0
  const before = await size()
  const until = performance.now() + patienceMs
  while ((await size()) === before) {
    if (performance.now() > until) return false
    await rest(5)
  }
  return true
}
