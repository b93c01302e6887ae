import { assertNever } from '../kit/assert-never.ts'
import type { Lack, Unplaced } from './placement.ts'
import { spellCount, spellList } from './spell.ts'

/** Why a runner has no place, as half a sentence. */
export function unplacedWords(why: Unplaced): string {
  switch (why.kind) {
    case 'no_room':
      return why.lacks.length === 0 ? 'no machine has room' : why.lacks.map(lackWords).join('; ')
    case 'account_runners':
      return `the account has as many runners as it may (${why.limit})`
    case 'account_gpus':
      return `it needs ${spellCount(why.needs, 'GPU')}, and the account holds ${why.held} of the ${why.limit} that it may have`
    case 'region':
      return `no machine is in ${spellList(why.wanted)}; there are machines in ${spellList(why.there)}`
    case 'maintenance':
      return `${spellList(why.machines)} ${why.machines.length === 1 ? 'is' : 'are'} in maintenance, and gets no new runners until \`carrick machines undrain\``
    case 'never':
      return `nothing here has the hardware of ${spellList(why.machineTypes)}`
    default:
      return assertNever(why)
  }
}

function lackWords({ machineType, of, needs, free }: Lack): string {
  if (of === 'runners') return `${machineType}: every machine has as many runners as it may`
  const unit = { cpus: 'cores', memory: 'GiB of memory', gpus: needs === 1 ? 'GPU' : 'GPUs' }[of]
  const shown = (amount: number) => Number((of === 'memory' ? amount / 2 ** 30 : amount).toFixed(1))
  return `${machineType} needs ${shown(needs)} ${unit}, and ${shown(free)} are free`
}
