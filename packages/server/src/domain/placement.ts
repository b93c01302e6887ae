import type { AccountId, AppId, RunnerId } from './ids.ts'

/** Where a runner is, and what is its own there until it has ended. Stored with it, so a changed catalogue changes nothing of it. */
export interface Placement {
  readonly machineId: string
  /** The one of the app's list that it got. */
  readonly machineType: string
  readonly cpus: number
  readonly memoryBytes: number
  /** Indices on that machine, in ascending order; none on a type without GPUs. */
  readonly gpus: readonly number[]
}

/** What a machine has too little of. */
export interface Lack {
  readonly machineType: string
  readonly of: 'cpus' | 'memory' | 'gpus' | 'runners'
  readonly needs: number
  /** The most that is free on one machine: cores, bytes, GPUs of the model, or runners below the cap per machine. */
  readonly free: number
}

/** Why a runner that is wanted has no place yet. */
export type Unplaced =
  /** Others hold what it needs: one reason for each machine type of its list that could be had here. */
  | { readonly kind: 'no_room'; readonly lacks: readonly Lack[] }
  /** Its account has as many runners as it may. */
  | { readonly kind: 'account_runners'; readonly limit: number }
  /** Its account holds so many GPUs that it may not have `needs` more. */
  | { readonly kind: 'account_gpus'; readonly limit: number; readonly held: number; readonly needs: number }
  /** No machine is in a region that the app allows. */
  | { readonly kind: 'region'; readonly wanted: readonly string[]; readonly there: readonly string[] }
  /** The machines that could hold it are in maintenance. */
  | { readonly kind: 'maintenance'; readonly machines: readonly string[] }
  /** Nothing here has this hardware at all, and the operator lets such apps wait. */
  | { readonly kind: 'never'; readonly machineTypes: readonly string[] }

/** What one runner wants. */
export interface Wanted {
  readonly id: RunnerId
  readonly accountId: AccountId
  /** In the order of preference. */
  readonly machineTypes: readonly string[]
  /** Absent or 0: as many as the machine type says. Means nothing on a type without GPUs. */
  readonly numGpus?: number | undefined
  /** None: any. */
  readonly regions: readonly string[]
}

/** A place that is taken: its runner has not ended. */
export interface Taken {
  readonly accountId: AccountId
  readonly placement: Placement
}

/** A live runner that has a place. */
export interface Placed extends Taken {
  readonly id: RunnerId
  readonly appId: AppId
}
