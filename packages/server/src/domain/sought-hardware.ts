import { CarrickError } from './errors.ts'
import { couldHold, machinesIn, possibleTypes, sizesOf, type Hardware, type Size } from './hardware.ts'
import { gpusOfModel } from './gpu-model.ts'
import type { Machine } from './machine.ts'
import type { ScaleSettings } from './scale.ts'

/** The regions that fal knows (platform-behaviour.md §3.10). */
const knownRegions = ['us-west', 'us-central', 'us-east', 'eu-north', 'eu-west']

export type Sought = Pick<ScaleSettings, 'machine_types' | 'num_gpus' | 'valid_regions'>

/**
 * Throws `invalid_value` for hardware that an app cannot have: a machine type or region that nobody knows, with those that
 * there are; and a list of types of which nothing here could ever hold one, with what can be had, unless the operator lets
 * such apps wait. Of a list that has one type that can be had the others are passed over.
 */
export function requireHardware(sought: Sought, hardware: Hardware): void {
  const { machine_types: types, num_gpus: numGpus, valid_regions: regions } = sought
  refuseUnknown('machine type', types, [...hardware.types.keys()])
  refuseUnknown('region', regions, regionsOf(hardware))
  if (hardware.rules.unplaceable === 'wait') return
  const machines = machinesIn(regions, hardware)
  if (machines.length === 0) throw notInRegions(regions, hardware)
  const sizes = sizesOf(types, numGpus, hardware)
  const fits = (size: Size) => machines.some((machine) => couldHold(machine, size, hardware.rules))
  if (!sizes.some(fits)) throw nowhere(sizes, machines, { ...hardware, machines }, numGpus)
}

/** The regions that an app may name: those of fal, and those of the machines here. */
function regionsOf({ machines }: Hardware): readonly string[] {
  return [...new Set([...knownRegions, ...machines.map(({ region }) => region)])]
}

function refuseUnknown(what: 'machine type' | 'region', names: readonly string[], known: readonly string[]): void {
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  const said = unknown.map((name) => `"${name}"`).join(', ')
  throw refusal(`There is no ${what} ${said}: there are ${known.join(', ')}`)
}

function notInRegions(regions: readonly string[], { machines }: Hardware): CarrickError {
  const there = [...new Set(machines.map(({ region }) => region))].join(', ')
  return refusal(
    `No machine here is in ${regions.join(' or ')}: there is ${there}. Allow that region or none in particular, or let such apps wait (CARRICK_UNPLACEABLE=wait)`,
  )
}

function nowhere(
  sizes: readonly Size[],
  machines: readonly Machine[],
  hardware: Hardware,
  numGpus: number | undefined,
): CarrickError {
  const why = sizes.map((size) => `${size.machineType} needs ${missing(size, machines, hardware)}`).join('; ')
  const possible = possibleTypes(hardware, numGpus).map(({ name }) => name)
  const can = possible.length === 0 ? 'Nothing in the catalogue fits here' : `What fits here: ${possible.join(', ')}`
  return refusal(
    `No machine here can ever have what this app asks for: ${why}. ${can}. Name one of these, let \`[machine_types]\` in carrick.toml say what the name means here, or let such apps wait (CARRICK_UNPLACEABLE=wait)`,
  )
}

/** What a size needs and what the best machine has of it, as words that fit after "needs". */
function missing({ gpu, gpus, memoryBytes, cpus }: Size, machines: readonly Machine[], { rules }: Hardware): string {
  const most = (amount: (machine: Machine) => number) => Math.max(...machines.map(amount))
  const cards = gpu === undefined ? gpus : most((machine) => gpusOfModel(machine, gpu).length)
  if (cards < gpus)
    return `${gpus} × ${gpu === 'GPU' ? 'any GPU' : gpu} and there ${cards === 1 ? 'is' : 'are'} ${cards}`
  const memory = most((machine) => machine.memoryBytes)
  if (memory < memoryBytes) return `${inGigabytes(memoryBytes)} of memory and there are ${inGigabytes(memory)}`
  const cores = most((machine) => machine.cpus * rules.cpuOvercommit)
  if (cores < cpus) return `${cpus} cores and ${cores} are given away at most`
  return 'all of that on one machine'
}

/** Memory as people read it. */
function inGigabytes(bytes: number): string {
  const gigabytes = bytes / 1024 ** 3
  return gigabytes >= 1 ? `${Number(gigabytes.toFixed(1))} GB` : `${Math.round(gigabytes * 1024)} MB`
}

const refusal = (message: string) => new CarrickError('invalid_value', message)
