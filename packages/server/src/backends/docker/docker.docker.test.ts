import { describeBackend } from '../conformance.ts'
import { dockerBackend } from './testing.ts'

describeBackend('docker', dockerBackend)
