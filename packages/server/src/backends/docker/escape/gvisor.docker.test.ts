import { describe } from 'vitest'
import { openEngine } from '../engine/engine.ts'
import { escapeSuite } from './suite.ts'

const isHere = (await openEngine()).facts.runtimes.includes('runsc')

describe.skipIf(!isHere)(`by gVisor (${isHere ? 'here' : 'the engine has no runtime "runsc"'})`, () =>
  // Each process of it takes several of the machine's, and its kernel some besides.
  escapeSuite({ runtime: 'runsc', tasks: 300 }),
)
