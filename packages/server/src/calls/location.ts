import { wireName } from '../domain/names.ts'
import type { HeaderPairs } from '../domain/request.ts'
import type { Address } from '../domain/runner.ts'
import { originOf } from './undici-failures.ts'

/**
 * An app's redirect as its caller gets it: as it is, but one to the address at which the platform calls the runner, as
 * servers make it from the Host header, leads to the same path below the app. Nobody else could follow it.
 */
export function redirectBelow(
  app: { readonly owner: string; readonly name: string },
  address: Address,
  headers: HeaderPairs,
): HeaderPairs {
  const inside = originOf(address)
  return headers.map(([name, value]) => {
    if (name !== 'location' || !value.startsWith(inside) || !/^(?:[/?#]|$)/.test(value.slice(inside.length)))
      return [name, value]
    return [name, `/${wireName(app)}${value.slice(inside.length)}`]
  })
}

export const isRedirect = (status: number): boolean => status >= 300 && status < 400
