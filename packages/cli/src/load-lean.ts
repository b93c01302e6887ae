import { setFlagsFromString } from 'node:v8'

/**
 * Loads code without letting V8's young generation grow meanwhile. Modules that are being loaded look like a program whose
 * objects all live on, so V8 makes room for many more and keeps it: some 30 MiB that an idle server never needs. Afterwards
 * it grows with the work, as ever.
 */
export async function loadLean<T>(load: () => Promise<T>): Promise<T> {
  setFlagsFromString('--semi-space-growth-factor=1')
  try {
    return await load()
  } finally {
    setFlagsFromString(`--semi-space-growth-factor=${defaultGrowth}`)
  }
}

/** As `node --v8-options` has it. */
const defaultGrowth = 2
