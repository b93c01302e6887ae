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
    case 'budget': {
      const { spent, limit, currency, until } = why.budget
      const month = new Date(until).toISOString().slice(0, 10)
      return `the account has spent ${spent.toFixed(2)} ${currency} of the ${limit} that it may spend this month, which ends on ${month}`
    }
    case 'maintenance':
      return `${spellList(why.machines)} ${why.machines.length === 1 ? 'is' : 'are'} in maintenance, and gets no new runners until \`carrick machines undrain\``
    case 'never':
      return `nothing here has the hardware of ${spellList(why.machineTypes)}`
    default:
      return assertNever(why)
  }
}

/** The same for somebody who calls an app, who may be anybody. */
export function unplacedForCallers({ kind }: Unplaced): string {
  const words: Readonly<Record<Unplaced['kind'], string>> = {
    no_room: 'no machine has room for another runner',
    account_runners: 'its account has as many runners as it may',
    account_gpus: 'its account holds as many GPUs as it may',
    budget: 'its account has spent what it may spend this month',
    maintenance: 'its machine is in maintenance',
    region: 'no machine is in a region that it allows',
    never: 'nothing here has the hardware that it needs',
  }
  return words[kind]
}

function lackWords({ machineType, of, needs, free }: Lack): string {
  if (of === 'runners') return `${machineType}: every machine has as many runners as it may`
  const unit = { cpus: 'cores', memory: 'GiB of memory', gpus: needs === 1 ? 'GPU' : 'GPUs' }[of]
  const shown = (amount: number) => Number((of === 'memory' ? amount / 2 ** 30 : amount).toFixed(1))
  return `${machineType} needs ${shown(needs)} ${unit}, and ${shown(free)} are free`
}
