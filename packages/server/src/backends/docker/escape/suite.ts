/**
 * What a tenant may try from inside: its code runs in a real container, as the backend makes them, and tries to leave it, to
 * see or reach what is not its own, and to use more than it has. Whichever runtime the engine makes it by.
 */
import { afterAll, beforeAll } from 'vitest'
import { bounds } from './bounds.ts'
import { files } from './files.ts'
import { Jail, type Confined } from './jail.ts'
import { kernel } from './kernel.ts'
import { network } from './network.ts'
import { privileges } from './privileges.ts'

export function escapeSuite(confined: Confined): void {
  const jail = new Jail(confined)
  beforeAll(() => jail.open())
  afterAll(() => jail[Symbol.asyncDispose]())
  privileges(jail)
  kernel(jail)
  files(jail)
  network(jail)
  bounds(jail)
}
