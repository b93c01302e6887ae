import { assertNever } from '../kit/assert-never.ts'
import type { Lack, Unplaced } from './placement.ts'
import { inGigabytes } from './sought-hardware.ts'

/** Why a runner has no place yet, as a sentence without its full stop. */
export function whyUnplaced(unplaced: Unplaced): string {
  switch (unplaced.kind) {
    case 'no_room':
      return `there is no room for it until another runner ends: ${unplaced.lacks.map(lacking).join('; ')}`
    case 'account_runners':
      return `its account has ${unplaced.limit} runners, as many as one may have (CARRICK_RUNNERS_PER_ACCOUNT)`
    case 'account_gpus':
      return `its account holds ${unplaced.held} GPUs and may hold ${unplaced.limit} (CARRICK_GPUS_PER_ACCOUNT), and it needs ${unplaced.needs}`
    case 'region':
      return `it may run in ${unplaced.wanted.join(' or ')}, and the machines here are in ${unplaced.there.join(', ')}`
    case 'never':
      return `no machine here has what ${unplaced.machineTypes.join(' or ')} needs`
    default:
      return assertNever(unplaced)
  }
}

function lacking({ machineType, of, needs, free }: Lack): string {
  switch (of) {
    case 'gpus':
      return `${machineType} needs ${needs} GPU${needs === 1 ? '' : 's'} and ${free} ${free === 1 ? 'is' : 'are'} free`
    case 'memory':
      return `${machineType} needs ${inGigabytes(needs)} of memory and ${inGigabytes(free)} are free`
    case 'cpus':
      return `${machineType} needs ${needs} cores and ${Number(free.toFixed(2))} are free`
    case 'runners':
      return `the machine has as many runners as one may have (CARRICK_RUNNERS_PER_MACHINE)`
    default:
      return assertNever(of)
  }
}
