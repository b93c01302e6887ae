import { z } from 'zod'
import { builtInTypes } from '../domain/machine-types.ts'
import type { MachineType } from '../domain/machine.ts'

const units = new Map(['', 'K', 'M', 'G', 'T'].map((prefix, power) => [prefix, 1024 ** power]))
const asBytes = 'must be bytes, or a text such as "15 GB"'
const memoryText = /^(\d+(?:\.\d+)?) ?([KMGT]?)(?:i?B)?$/

/** Bytes, or a text such as `15 GB`; as everywhere with memory, a GB is 1,024 MB. */
const memory = z
  .union([z.number(), z.string()], asBytes)
  .transform((said) => (typeof said === 'number' ? said : bytesOf(said)))
  .refine((bytes) => Number.isSafeInteger(bytes) && bytes > 0, asBytes)

/** What an operator may say of a machine type. What is left out of one that is built in stays. */
const Said = z.strictObject({
  cpus: z.number('must be a number of cores').positive('must be more than 0').max(10_000).optional(),
  memory: memory.optional(),
  gpu: z
    .string('must be the model as people call it, such as "H100"; "" for none')
    .max(100)
    .regex(/^[\w .-]*$/, 'must be the model as people call it, such as "H100"; "" for none')
    .optional(),
  gpus: z.number().int('must be a whole number').min(1, 'must be from 1 to 8').max(8, 'must be from 1 to 8').optional(),
  price_per_second: z.number('must be a number').min(0, 'must be 0 or more').optional(),
})
type Said = z.output<typeof Said>

const named = /^[A-Za-z0-9][\w.-]{0,63}$/

/** Every machine type, by its name: those that are built in, and what the operator says besides and instead. */
export type Catalogue = ReadonlyMap<string, MachineType>

/**
 * The catalogue with what CARRICK_MACHINE_TYPES says: a JSON object, type by type, as the tables `[machine_types.NAME]` of
 * carrick.toml make it. Throws a sentence for each thing that cannot be, a line each.
 */
export function catalogueOf(text: string): Catalogue {
  const said = text === '' ? {} : objectIn(text)
  const types = new Map(builtInTypes.map((type) => [type.name, type]))
  const wrong: string[] = []
  for (const [name, table] of Object.entries(said)) {
    const read = typeOf(name, table, types.get(name))
    if ('complaints' in read) wrong.push(...read.complaints)
    else types.set(name, read)
  }
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
  return types
}

function objectIn(text: string): object {
  const read = z.record(z.string(), z.unknown()).safeParse(parsed(text))
  if (!read.success)
    throw new Error('machine types are given as a JSON object: {"NAME": {"cpus": 2, "memory": "4 GB"}}')
  return read.data
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function typeOf(
  name: string,
  table: unknown,
  before: MachineType | undefined,
): MachineType | { readonly complaints: readonly string[] } {
  if (!named.test(name))
    return {
      complaints: [`machine type ${JSON.stringify(name)}: a name has letters, digits, "_", "-" and ".", 64 at most`],
    }
  const read = Said.safeParse(table)
  if (!read.success) return { complaints: read.error.issues.map((issue) => complaint(name, issue)) }
  const { cpus = before?.cpus, memory: memoryBytes = before?.memoryBytes } = read.data
  if (cpus === undefined || memoryBytes === undefined)
    return { complaints: [`machine type ${name} is not built in: say its cpus and its memory`] }
  return { name, cpus, memoryBytes, ...gpusOf(read.data, before), ...priceOf(read.data, before) }
}

function gpusOf({ gpu, gpus }: Said, before: MachineType | undefined): Pick<MachineType, 'gpu' | 'gpus'> {
  const model = gpu ?? before?.gpu ?? ''
  return model === '' ? { gpus: 0 } : { gpu: model, gpus: gpus ?? (before?.gpus || 1) }
}

function priceOf({ price_per_second: price }: Said, before: MachineType | undefined) {
  const pricePerSecond = price ?? before?.pricePerSecond
  return pricePerSecond === undefined ? {} : { pricePerSecond }
}

function complaint(name: string, { path, message, code, ...issue }: z.core.$ZodIssue): string {
  const key = path.length === 0 ? '' : `.${path.join('.')}`
  if (code === 'unrecognized_keys' && 'keys' in issue)
    return `machine type ${name} has ${issue.keys.join(' and ')}: it may have ${Object.keys(Said.shape).join(', ')}`
  return path.length === 0 ? `machine type ${name} must be a table` : `machine type ${name}: ${key.slice(1)} ${message}`
}

function bytesOf(text: string): number {
  const [, amount = 'none', prefix = ''] = memoryText.exec(text) ?? []
  return Math.round(Number(amount) * (units.get(prefix) ?? 1))
}
