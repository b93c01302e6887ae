import { describeBackend } from '../conformance.ts'
import { openEngine } from './engine/engine.ts'
import { dockerBackend, podmanBackend } from './testing.ts'

const { kind } = (await openEngine()).facts

describeBackend(kind, kind === 'podman' ? podmanBackend : dockerBackend)
