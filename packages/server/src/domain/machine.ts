/** Machine types are free words; those without a GPU are known by name, whatever else there may be has one. */
const withoutGpu: ReadonlySet<string> = new Set(['XS', 'S', 'M', 'L', 'XL'])

/** Names that people write differently from the machine type. */
const written: ReadonlyMap<string, string> = new Map([['RTXPRO6000', 'RTX PRO 6000']])

/** The GPU of a machine type such as `GPU-H100`, as its maker calls it; nothing when it has none. */
export function gpuOf(machineType: string): string | undefined {
  if (machineType === '' || withoutGpu.has(machineType)) return undefined
  const name = machineType.replace(/^GPU-/, '')
  return written.get(name) ?? name
}
